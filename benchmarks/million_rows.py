"""Align, save and load tables of up to a million utterances; compare peak memory with the size, and time a row.

    python benchmarks/million_rows.py --rows 1000000

Three modalities of 100 float32 features come as frames, two an utterance; `align` pools them to the utterances, the
table of utterances is saved, and loaded. Every step runs in a process of its own, whose growth of peak memory over the
start is compared with the size of what it holds: its input and its output for aligning, the table for the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from featmer import Block, FeatureTable, align

WIDTH, MODALITIES, TURNS, FRAMES = 100, ("audio", "face", "text"), 20, 2


def make_table(n_rows: int, n_frames: int = 0) -> FeatureTable:
    """Return a table of noise: a vector an utterance, or some frames."""
    rng = np.random.default_rng(0)
    rows = np.arange(n_rows)
    segments = pd.DataFrame({"dialogue": rows // TURNS, "turn": rows % TURNS, "start": 0.0, "end": 2.0})
    offsets = np.arange(n_rows + 1) * n_frames if n_frames else None
    times = np.tile(np.arange(n_frames) + 0.5, n_rows) if n_frames else None
    blocks = {}
    for name in MODALITIES:
        values = rng.standard_normal((n_rows * max(1, n_frames), WIDTH), np.float32)
        blocks[name] = Block.from_frames(values, [f"{name}.{i}" for i in range(WIDTH)], offsets, frame_times=times)
    return FeatureTable(segments, blocks)


def memory_mb(which: str) -> float:
    """Return the memory of this process: VmRSS now, VmHWM at its peak since it was last reset (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which))


def do(step: str, n_rows: int, path: Path) -> dict[str, float]:
    """Do one step; return its seconds and how the peak memory compares with the size of what it holds."""
    size = n_rows * WIDTH * len(MODALITIES) * 4 / 2**20
    idle = memory_mb("VmRSS")
    table = None if step == "load" else make_table(n_rows, FRAMES if step == "align" else 0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is measured from now on
    begin = time.perf_counter()
    if table is None:
        FeatureTable.load(path)
    elif step == "align":
        align(table, "utterance", statistics=["mean"])
    else:
        table.save(path)
    seconds = time.perf_counter() - begin
    held = (FRAMES + 1) * size if step == "align" else size
    return {"seconds": seconds, "ratio": (memory_mb("VmHWM") - idle) / held}


def main() -> None:
    """Print a row a step and size; or be one of the steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("featmer-output"))
    parser.add_argument("--step", help="used by the processes themselves")
    arguments = parser.parse_args()
    path = arguments.folder / "million.parquet"
    if arguments.step:
        print(json.dumps(do(arguments.step, arguments.rows, path)))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    sizes = [rows for rows in (10_000, 100_000) if rows < arguments.rows]
    for n_rows in [*sizes, arguments.rows]:
        for step in ("align", "save", "load"):
            command = [sys.executable, __file__, "--rows", str(n_rows), "--folder", str(arguments.folder)]
            done = subprocess.run([*command, "--step", step], check=True, stdout=subprocess.PIPE, text=True)
            told = json.loads(done.stdout)
            print(f"{n_rows:>9} rows, {step:5}: {1e6 * told['seconds'] / n_rows:6.1f} us a row, ", end="")
            print(f"peak memory / size {told['ratio']:.2f} (goal 1.50)", flush=True)
    path.unlink()


if __name__ == "__main__":
    main()
