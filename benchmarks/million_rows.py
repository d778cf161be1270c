"""Align, save and load tables of up to a million utterances; compare peak memory with the size, and time a row.

    python benchmarks/million_rows.py --rows 1000000

Three modalities of 100 float32 features come as frames, two an utterance; `align` pools them to the utterances, the
table of utterances is saved, and loaded. Every step runs in a process of its own, whose growth of peak memory over the
start is compared with the size of what it holds: its input and its output for aligning, the table for the others.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from featmer import Block, FeatureTable, align

WIDTH, MODALITIES, TURNS = 100, ("audio", "face", "text"), 20


def make_utterances(n_rows: int) -> FeatureTable:
    """Return a table of noise."""
    rng = np.random.default_rng(0)
    rows = np.arange(n_rows)
    segments = pd.DataFrame({"dialogue": rows // TURNS, "turn": rows % TURNS, "start": 0.0, "end": 2.0})
    blocks = {
        name: Block(rng.standard_normal((n_rows, WIDTH), np.float32), [f"{name}.{i}" for i in range(WIDTH)])
        for name in MODALITIES
    }
    return FeatureTable(segments, blocks)


def make_frames(n_rows: int) -> FeatureTable:
    """Return a table of two frames an utterance."""
    table = make_utterances(n_rows)
    offsets = np.arange(0, 2 * n_rows + 1, 2)
    times = np.tile([0.5, 1.5], n_rows)
    blocks = {}
    for name in MODALITIES:
        frames = np.repeat(table.blocks[name].values, 2, axis=0)
        blocks[name] = Block.from_frames(frames, table.blocks[name].names, offsets, frame_times=times)
    return FeatureTable(table.segments, blocks)


def peak_mb() -> float:
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux


def do(step: str, n_rows: int, path: Path) -> dict[str, float]:
    """Do one step; return its seconds and how the peak memory compares with the size of what it holds."""
    size = n_rows * WIDTH * len(MODALITIES) * 4 / 2**20
    idle = peak_mb()
    if step == "load":
        begin = time.perf_counter()
        FeatureTable.load(path)
        held = size
    else:
        table = make_frames(n_rows) if step == "align" else make_utterances(n_rows)
        begin = time.perf_counter()
        if step == "align":
            align(table, "utterance")
            held = 3 * size
        else:
            table.save(path)
            held = size
    return {"seconds": time.perf_counter() - begin, "ratio": (peak_mb() - idle) / held}


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
