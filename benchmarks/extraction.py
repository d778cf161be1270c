"""Time extract() against each bare tool on the same files, and two workers against one.

    python benchmarks/extraction.py

Both sides of a pair take turns in one run, so that a busy machine slows both alike; the best turn of each counts, by
the processor time of this process and by the wall clock. Models are open before. Two workers are started before, too:
what they save in a long run is asked for, and every call of `extract` finds them waiting.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import av
import mediapipe as mp
import numpy as np
import opensmile
import pandas as pd

from featmer import FaceLandmarks, OpenSmile, SentenceEmbedding, extract
from featmer.demo import make_corpus
from featmer.extractors import Extractor
from featmer.extractors.embedding_models import open_model
from featmer.extractors.models import FACE_MODEL

FPS = 5
MEDIA: list[Extractor] = [OpenSmile(), FaceLandmarks(fps=FPS)]


class BareTools:
    """What a user would write without featmer: decode, call the library, take statistics."""

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
        self.sentences = open_model(SentenceEmbedding().model)

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


def clips_without_accidents(folder: Path) -> pd.DataFrame:
    """Return clips that the bare tools can read: they would stop at the others."""
    segments = make_corpus(folder / "demo")
    broken = extract(segments, MEDIA, cache=folder / "cache", n_jobs=2)[1]["row"]
    return segments.drop(index=broken).reset_index(drop=True)


def compare(sides: dict[str, Callable[[], object]], repeats: int, goal: float) -> None:
    """Time two sides in turns and print the second over the first."""
    times = []
    for _ in range(repeats):
        for name, side in sides.items():
            wall, processor = time.perf_counter(), time.process_time()
            side()
            times.append((name, time.perf_counter() - wall, time.process_time() - processor))
    best = pd.DataFrame(times, columns=["side", "wall", "processor"]).groupby("side", sort=False).min()
    first, second = sides
    ratios, seconds = best.loc[second] / best.loc[first], best["wall"].round(1).tolist()
    print(f"{second} / {first}: {ratios['wall']:.3f} (goal {goal}) by the wall clock, {seconds[1]} / {seconds[0]} s")
    if second == "extract":
        print(f"    {ratios['processor']:.3f} by the processor's", flush=True)
    else:
        # The work of one, spread evenly over two processors without any loss.
        cores = best.loc[first, "processor"] / best.loc[first, "wall"]
        print(f"    {first} keeps {cores:.3f} processors busy, so that {cores / 2:.3f} is the floor", flush=True)


def main() -> None:
    """Print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=60, help="videos; three times as many sounds, 2,000 texts")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("featmer-output"))
    arguments = parser.parse_args()
    segments = clips_without_accidents(arguments.folder)
    root, few, many = Path(segments.attrs["root"]), segments.head(arguments.clips), segments.head(3 * arguments.clips)
    texts = [f"{first} {second}" for first, second in itertools.combinations(segments["text"].unique(), 2)]
    texts = np.random.default_rng(0).permutation(texts)[: 34 * arguments.clips].tolist()
    said = pd.DataFrame({"dialogue": "texts", "turn": range(len(texts)), "text": texts})
    bare = BareTools()

    def ours(rows: pd.DataFrame, extractors: list[Extractor], n_jobs: int = 1) -> Callable[[], object]:
        return lambda: extract(rows, extractors, n_jobs=n_jobs, progress=False)

    ours(few.head(1), MEDIA)(), ours(said.head(1), [SentenceEmbedding()])()
    sides = {"opensmile": lambda: [bare.describe_sound(root / path) for path in many["audio"]]}
    compare({**sides, "extract": ours(many, MEDIA[:1])}, arguments.repeats, 1.05)
    sides = {"mediapipe": lambda: [bare.describe_faces(root / path) for path in few["video"]]}
    compare({**sides, "extract": ours(few, MEDIA[1:])}, arguments.repeats, 1.05)
    sides = {"sentence-transformers": lambda: bare.sentences.encode(texts, show_progress_bar=False)}
    compare({**sides, "extract": ours(said, [SentenceEmbedding()])}, arguments.repeats, 1.02)
    ours(few.head(4), MEDIA, n_jobs=2)()
    compare({"one worker": ours(few, MEDIA), "two workers": ours(few, MEDIA, n_jobs=2)}, arguments.repeats, 0.55)


if __name__ == "__main__":
    main()
