"""Extract 1,000 mutated files, and count the broken ones that were refused and the good ones that were not changed.

    python benchmarks/mutations.py --files 1000 --jobs 2

Each is a WAV or MP4 file of the demo corpus after one accident, all from one seed. What must come of it is known:

- *good* (another ending; streams in another order): the values of the original, bit for bit;
- *broken* (cut off; random bytes; a file without the stream that is asked for): a row of the failures, no values;
- *damaged* (a stretch of 1 to 10,000 random bytes inside): refused, or the values of the original, or other values,
  where the format carries no checksum (PCM never does, H.264 and AAC notice most). These are counted, and no promise.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pandas as pd

from featmer import FeatureTable, OpenSmile, extract
from featmer.demo import make_corpus
from featmer.extractors import VideoExtractor
from featmer.media import Frame

ENDINGS = (".wav", ".mp4", ".avi", ".mkv", ".mp3", ".flac", ".txt", "")


class Brightness(VideoExtractor):
    """Mean and deviation of every ninth of a picture: fast, and it sees what a decoder does to any of them."""

    modality = "scene"
    channels = tuple(f"scene.{name}{number}" for name in ("mean", "deviation") for number in range(9))

    def describe(self, frame: Frame) -> tuple[list[float], dict[str, float]]:
        """Describe one picture."""
        parts = [part for band in np.array_split(frame.image, 3) for part in np.array_split(band, 3, axis=1)]
        return [part.mean() for part in parts] + [part.std() for part in parts], {}


class Mutant(NamedTuple):
    """A mutated file, the clip it was, the accident, what must come of it, and in which modalities."""

    path: Path
    original: Path
    accident: str
    expected: str
    modalities: tuple[str, ...]


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """Keep a part of the file, from nothing to all but one byte."""
    return content[: rng.integers(len(content))]


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    """Put random bytes in place of all."""
    return rng.bytes(len(content))


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Put random bytes in place of a stretch of 1 to 10,000."""
    count = int(10 ** rng.uniform(0, 4))
    begin = rng.integers(max(1, len(content) - count))
    return (content[:begin] + rng.bytes(count) + content[begin + count :])[: len(content)]


def swap_streams(source: Path, target: Path) -> None:
    """Put the sound before the picture, as they are."""
    with av.open(str(source)) as old, av.open(str(target), "w", format="mp4") as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in reversed(list(old.streams))}
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)


ACCIDENTS: dict[str, tuple[str, Callable[[bytes, np.random.Generator], bytes]]] = {
    "cut": ("broken", cut),
    "random bytes": ("broken", noise),
    "damage": ("damaged", damage),
    "wrong ending": ("good", lambda content, rng: content),
    "wrong column": ("broken", lambda content, rng: content),
}


def mutate(original: Path, target: Path, rng: np.random.Generator) -> Mutant:
    """Let an accident happen to a copy of a file."""
    film = original.suffix == ".mp4"
    accident = str(rng.choice([*ACCIDENTS, *(["swapped streams"] if film else [])]))
    modalities = ("audio", "scene") if film else ("audio",)
    if accident == "swapped streams":
        target = target.with_suffix(".mp4")
        swap_streams(original, target)
        return Mutant(target, original, accident, "good", modalities)
    if accident == "wrong column":  # a sound file where a video is expected
        original, modalities = original.parents[1] / "audio" / f"{original.stem}.wav", ("scene",)
    expected, change = ACCIDENTS[accident]
    target = target.with_suffix(str(rng.choice(ENDINGS)) if accident == "wrong ending" else original.suffix)
    target.write_bytes(change(original.read_bytes(), rng))
    return Mutant(target, original, accident, expected, modalities)


def sound_files(segments: pd.DataFrame) -> list[Path]:
    """Return the files of the corpus that give values in all their modalities."""
    root = Path(segments.attrs["root"])
    paths = [root / path for path in [*segments["audio"], *segments["video"].dropna()]]
    failures = describe([(path, ("audio", "scene") if path.suffix == ".mp4" else ("audio",)) for path in paths], 1)[1]
    return [path for path in paths if str(path) not in set(failures["file"])]


def describe(files: Sequence[tuple[Path, tuple[str, ...]]], n_jobs: int) -> tuple[FeatureTable, pd.DataFrame]:
    """Extract files, each as the sound or the video or both that it is expected to be."""
    columns = {
        column: [str(path) if modality in modalities else None for path, modalities in files]
        for column, modality in (("audio", "audio"), ("video", "scene"))
    }
    segments = pd.DataFrame({"dialogue": "mutants", "turn": range(len(files)), **columns})
    return extract(segments, [OpenSmile(), Brightness()], n_jobs=n_jobs)


def judge(mutants: list[Mutant], n_jobs: int) -> pd.DataFrame:
    """Extract mutants and originals; return a row for each modality of each mutant."""
    table, failures = describe([(mutant.path, mutant.modalities) for mutant in mutants], n_jobs)
    originals, _ = describe([(mutant.original, mutant.modalities) for mutant in mutants], n_jobs)
    refused = {(row, modality): reason for row, modality, reason in failures[["row", "modality", "reason"]].to_numpy()}
    rows = []
    for row, mutant in enumerate(mutants):
        for modality in mutant.modalities:
            got, expected = (each.blocks[modality].values[row] for each in (table, originals))
            reason = refused.get((row, modality))
            same = "unchanged" if np.array_equal(got, expected, equal_nan=True) else "other values"
            kind = f"{modality} of {mutant.original.suffix[1:]}"
            rows.append((mutant.expected, mutant.accident, kind, "refused" if reason else same, reason))
    return pd.DataFrame(rows, columns=["expected", "accident", "kind", "outcome", "reason"])


def main() -> None:
    """Print what became of the mutants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("featmer-output"))
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    originals = sound_files(make_corpus(arguments.folder / "demo"))
    folder = arguments.folder / "mutants"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    chosen = [originals[number] for number in rng.integers(len(originals), size=arguments.files)]
    mutants = [mutate(path, folder / f"{number:04d}_{path.stem}", rng) for number, path in enumerate(chosen)]
    begin = time.perf_counter()
    judged = judge(mutants, arguments.jobs)
    print(f"{len(mutants)} files, {len(judged)} descriptions in {time.perf_counter() - begin:.0f} s, no crash")
    print(pd.crosstab([judged["expected"], judged["accident"], judged["kind"]], judged["outcome"]))
    print("reasons:", Counter(judged["reason"].dropna().str.replace(r"[\d.]+", "N", regex=True)).most_common())
    broken, good = judged[judged["expected"] == "broken"], judged[judged["expected"] == "good"]
    print(f"broken and refused: {(broken['outcome'] == 'refused').mean():.4f} (goal 1)")
    print(f"good and unchanged: {(good['outcome'] == 'unchanged').mean():.4f} (goal 1)")


if __name__ == "__main__":
    main()
