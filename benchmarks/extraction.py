"""Time extract() against a plain loop over opensmile and MediaPipe, and two workers against one.

    python benchmarks/extraction.py --clips 100

Prints ratios of times taken in turns in one run, so that a busy machine slows both sides alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import av
import mediapipe as mp
import numpy as np
import opensmile
import pandas as pd

from featmer import FaceLandmarks, OpenSmile, extract
from featmer.demo import make_corpus
from featmer.extractors.models import FACE_MODEL

FPS = 5
EXTRACTORS = [OpenSmile(), FaceLandmarks(fps=FPS)]


class PlainLoop:
    """What a user would write without featmer: decode, call the two libraries, take statistics."""

    def __init__(self) -> None:
        tasks = mp.tasks
        options = tasks.vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(FACE_MODEL.find())),
            running_mode=tasks.vision.RunningMode.IMAGE,
            num_faces=FaceLandmarks().max_faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        self.landmarker = tasks.vision.FaceLandmarker.create_from_options(options)
        self.smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)

    def describe(self, segments: pd.DataFrame) -> None:
        """Describe all clips."""
        root = Path(segments.attrs["root"])
        for row in segments.itertuples():
            self.describe_sound(root / row.audio)
            self.describe_faces(root / row.video)

    def describe_sound(self, path: Path) -> np.ndarray:
        """Return openSMILE's functionals."""
        with av.open(str(path)) as container:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=16000)
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
            frames += resampler.resample(None)
        signal = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return self.smile.process_signal(signal, 16000).to_numpy()

    def describe_faces(self, path: Path) -> np.ndarray:
        """Return statistics of MediaPipe's blendshapes."""
        rows, due = [], 0.0
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                if frame.time < due - 1e-3:
                    continue
                due += 1 / FPS
                image = mp.Image(image_format=mp.ImageFormat.SRGB, data=frame.to_ndarray(format="rgb24"))
                found = self.landmarker.detect(image)
                rows += [[category.score for category in face] for face in found.face_blendshapes[:1]]
        frames = np.array(rows)
        return np.concatenate([frames.mean(axis=0), frames.std(axis=0), frames.max(axis=0)])


def seconds(function: Callable[[], object], clock: Callable[[], float]) -> float:
    """Time a function by a clock."""
    begin = clock()
    function()
    return clock() - begin


def sound_segments(folder: Path, n_clips: int) -> pd.DataFrame:
    """Return clips without accidents, which would stop the plain loop."""
    segments = make_corpus(folder / "demo")
    broken = extract(segments, EXTRACTORS, cache=folder / "cache", n_jobs=2)[1]["row"]
    return segments.drop(index=broken).head(n_clips).reset_index(drop=True)


def main() -> None:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=195)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("featmer-output"))
    arguments = parser.parse_args()
    segments = sound_segments(arguments.folder, arguments.clips)
    plain = PlainLoop()
    sides = {
        "plain loop": lambda: plain.describe(segments),
        "extract, 1 worker": lambda: extract(segments, EXTRACTORS, progress=False),
        "extract, 2 workers": lambda: extract(segments, EXTRACTORS, n_jobs=2, progress=False),
    }
    for side in sides.values():  # opens models and starts workers on both sides
        side()
    repeats = range(arguments.repeats)
    wall = pd.DataFrame([{name: seconds(side, time.perf_counter) for name, side in sides.items()} for _ in repeats])
    print("seconds, wall clock:", wall.round(2).to_string(index=False), sep="\n")
    # The time that this process itself computed, which other work on the machine changes least.
    alone = list(sides)[:2]
    cpu = pd.DataFrame([{name: seconds(sides[name], time.process_time) for name in alone} for _ in repeats])
    print("seconds, processor:", cpu.round(2).to_string(index=False), sep="\n")
    plain_loop, one, two = wall.min()
    print(f"extract with 1 worker / plain loop: {one / plain_loop:.3f} wall clock (goal 1.10), ", end="")
    print(f"{cpu.min().iloc[1] / cpu.min().iloc[0]:.3f} processor")
    print(f"extract with 2 workers / 1 worker: {two / one:.3f} wall clock (goal 0.60)")


if __name__ == "__main__":
    main()
