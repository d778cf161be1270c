"""Compare three video extractors on one clip together with one decoding plus each one's own compute.

    python benchmarks/several_extractors.py

Own compute is measured by giving each extractor the frames of the clip, already decoded. Times are of this process's
processor, best of some turns, all in one run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from featmer import FaceLandmarks, extract
from featmer.demo import make_corpus
from featmer.extractors import Motion, Scene, VideoExtractor
from featmer.media import read_frames

FPS = 5.0


def seconds(function: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    begin = time.process_time()
    function()
    return time.process_time() - begin


def main() -> None:
    """Print the times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("featmer-output"))
    arguments = parser.parse_args()
    segments = make_corpus(arguments.folder / "demo")
    root = Path(segments.attrs["root"])
    extractors: list[VideoExtractor] = [FaceLandmarks(fps=FPS), Motion(fps=FPS), Scene(fps=FPS)]
    _, failures = extract(segments, extractors, cache=arguments.folder / "cache", progress=False)
    segments = segments.drop(index=failures["row"]).head(arguments.clips).reset_index(drop=True)
    paths = [root / name for name in segments["video"]]
    clips = [list(read_frames(path, fps=FPS)) for path in paths]

    def describe(extractor: VideoExtractor) -> None:
        for clip in clips:
            for frame in clip:
                extractor.describe(frame)

    def decode() -> None:
        for path in paths:
            for _ in read_frames(path, fps=FPS):
                pass

    calls: dict[str, Callable[[], object]] = {"together": lambda: extract(segments, extractors, progress=False)}
    calls["decoding"] = decode
    calls |= {type(each).__name__: lambda each=each: describe(each) for each in extractors}  # type: ignore[misc]
    times = pd.DataFrame([{name: seconds(call) for name, call in calls.items()} for _ in range(arguments.repeats)])
    print(times.round(2).to_string(index=False))
    best = times.min()
    ratio = best["together"] / best.drop("together").sum()
    print(f"together / (decoding + own compute): {ratio:.3f} (goal 1.15)")


if __name__ == "__main__":
    main()
