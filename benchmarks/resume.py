"""Kill an extraction at random moments, let it go on, and compare it with one that was left in peace.

    python benchmarks/resume.py --kills 20 --jobs 2

Prints how much was finished at each kill, how many descriptions were made twice, and whether all values are equal.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from featmer import FaceLandmarks, FeatureTable, OpenSmile, SentenceEmbedding, extract
from featmer.demo import make_corpus
from featmer.media import Frame


def log(what: str, count: int = 1) -> None:
    """Write down what is described, in a way that survives a kill."""
    with Path(os.environ["FEATMER_BENCHMARK_LOG"]).open("a") as file:
        file.write(f"{what}\n" * count)


class LoggedSmile(OpenSmile):
    """OpenSmile that writes down its calls."""

    def describe(self, signal: np.ndarray, rate: int) -> Any:
        """Describe one sound."""
        log("sounds")
        return super().describe(signal, rate)


class LoggedFaces(FaceLandmarks):
    """FaceLandmarks that writes down its calls."""

    def find(self, frame: Frame) -> Any:
        """Find the faces of one picture."""
        log("frames")
        return super().find(frame)


class LoggedSentences(SentenceEmbedding):
    """SentenceEmbedding that writes down its calls."""

    def describe(self, texts: list[str]) -> Any:
        """Describe texts."""
        log("texts", len(texts))
        return super().describe(texts)


def extract_demo(corpus: Path, cache: Path, n_jobs: int) -> None:
    """Extract the demo corpus; the table is written beside the cache."""
    extractors = [LoggedSmile(), LoggedFaces(), LoggedSentences()]
    table, _ = extract(make_corpus(corpus), extractors, cache=cache, n_jobs=n_jobs, progress=False)
    table.save(cache / "table.parquet")


def start(corpus: Path, cache: Path, n_jobs: int) -> subprocess.Popen[bytes]:
    """Start an extraction in a process group of its own."""
    environment = {**os.environ, "FEATMER_BENCHMARK_LOG": str(cache.with_suffix(".log"))}
    command = [sys.executable, __file__, "--jobs", str(n_jobs), "--corpus", str(corpus), "--into", str(cache)]
    return subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)


def finished(cache: Path) -> int:
    """Return the number of outcomes in a cache."""
    path = cache / "features.sqlite"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM outcomes").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0


def compare(folder: Path, n_kills: int, n_jobs: int, seed: int) -> None:
    """Run the extraction in peace and with kills, and print how the two compare."""
    corpus, whole, killed = folder / "demo", folder / "whole", folder / "killed"
    make_corpus(corpus)
    for cache in (whole, killed):
        shutil.rmtree(cache, ignore_errors=True)
        cache.with_suffix(".log").unlink(missing_ok=True)
    start(corpus, whole, n_jobs).wait()
    n_outcomes = finished(whole)
    rng = np.random.default_rng(seed)
    for n_left in range(n_kills, 0, -1):
        done = finished(killed)
        moment = done + rng.integers(1, max(2, 2 * (n_outcomes - done) // (n_left + 1)))
        process = start(corpus, killed, n_jobs)
        while finished(killed) < moment and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.2))  # not just after something was finished
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(f"killed at {finished(killed)} of {n_outcomes} outcomes", flush=True)
    start(corpus, killed, n_jobs).wait()
    tables = [FeatureTable.load(cache / "table.parquet") for cache in (whole, killed)]
    print("equal value for value:", tables[0].digest() == tables[1].digest())
    once, twice = (Counter(cache.with_suffix(".log").read_text().split()) for cache in (whole, killed))
    for what in once:
        print(f"{what} described: {once[what]} in peace, {twice[what]} with kills, {twice[what] - once[what]} repeated")
    allowed = n_kills * n_jobs
    print(f"at most {allowed} clips or parcels of texts were in flight at {n_kills} kills, {n_jobs} at each")
    print("no sound twice beyond those in flight:", twice["sounds"] - once["sounds"] <= allowed)


def main() -> None:
    """Compare, or be one of the runs that are compared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("featmer-output/resume"))
    parser.add_argument("--corpus", type=Path, help="used by the runs themselves")
    parser.add_argument("--into", type=Path, help="used by the runs themselves")
    arguments = parser.parse_args()
    if arguments.into:
        extract_demo(arguments.corpus, arguments.into, arguments.jobs)
    else:
        compare(arguments.folder.resolve(), arguments.kills, arguments.jobs, arguments.seed)


if __name__ == "__main__":
    main()
