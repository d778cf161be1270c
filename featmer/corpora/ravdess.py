"""RAVDESS, acted emotional speech and song; everything is in its file names."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from featmer.corpora._features import follow_rows
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments
from featmer.table import Block

logger = logging.getLogger(__name__)

LABELS = {
    "emotion": LABEL_SPACES["ravdess"].labels,
    "intensity": ("normal", "strong"),
}
CHANNELS = ("speech", "song")
STATEMENTS = ("Kids are talking by the door.", "Dogs are sitting by the door.")

# modality (01 sound and picture, 02 picture, 03 sound), then channel-emotion-intensity-statement-repetition-actor
_NAME = re.compile(r"(0[123])-((0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d))")
_AUDIO = {".wav", ".flac"}
_VIDEO = {".mp4"}
_AU_TABLE = "openface_au.npz"


def load_ravdess(root: str | Path) -> pd.DataFrame:
    """Read RAVDESS from the names of its files, wherever they lie.

    Parameters
    ----------
    root : path
        Folder with ``Actor_01`` and so on at any depth, holding .wav, .flac or .mp4 files named
        ``03-01-06-01-02-01-12.wav``.

    Returns
    -------
    DataFrame of n_clips rows
        Segments, a clip a row and a dialogue of its own, named by its fields without the modality
        (``01-06-01-02-01-12``). ``audio`` is its .wav or .flac file, ``video`` its .mp4, the one with sound (modality
        01) if both are there. Further columns: ``emotion``, ``intensity``, ``channel`` ("speech", "song"),
        ``repetition`` (1 or 2) and ``sex`` of the speaker. There is no official split; split by speaker.

    Raises
    ------
    FileNotFoundError
        If no file of such a name is below the root.

    References
    ----------
    Livingstone & Russo, "The Ryerson audio-visual database of emotional speech and song (RAVDESS)", PLoS ONE, 2018.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "03-01-06-01-02-01-12.wav").touch()
    ...     segments = load_ravdess(folder)
    >>> segments[["speaker", "sex", "emotion", "text"]].iloc[0].tolist()
    ['Actor_12', 'female', 'fearful', 'Dogs are sitting by the door.']
    """
    root = Path(root)
    clips: dict[str, dict[str, object]] = {}
    for path, found in _media_files(root):
        clip = found[2]
        column = "audio" if path.suffix.lower() in _AUDIO else "video"
        row = clips.setdefault(clip, {**_describe(found), "audio": None, "video": None})
        # Published copies repeat whole folders: the first file found wins, sound with picture (01) before picture (02).
        if row[column] is None:
            row[column] = path.relative_to(root).as_posix()
    if not clips:
        raise FileNotFoundError(
            f"No file named like 03-01-06-01-02-01-12.wav is in or below {root}; give the folder that holds Actor_01."
        )
    segments = pd.DataFrame([clips[clip] for clip in sorted(clips)])
    return mend_segments(segments, root=root, labels=LABELS)


def load_ravdess_au(root: str | Path, segments: pd.DataFrame) -> Block:
    """Read the table of facial action units by OpenFace as a block.

    Parameters
    ----------
    root : path
        Folder of ``openface_au.npz``, with arrays ``ids`` (n_clips names), ``au`` (n_clips, n_features) and
        ``au_names``.
    segments : DataFrame of n_rows rows
        What `load_ravdess` returned, or some of its rows in any order.

    Returns
    -------
    Block of n_rows rows
        Modality face: means over the clip of intensities ``face.openface.AU01_r_mean`` (0 to 5) and presences
        ``face.openface.AU01_c_mean`` (0 to 1). Clips without a row there are missing.

    Raises
    ------
    FileNotFoundError
        If the table is not there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ids = ["01-01-06-01-02-01-12"]
    ...     np.savez(Path(folder) / "openface_au.npz", ids=ids, au=[[0.5]], au_names=["AU01_r_mean"])
    ...     block = load_ravdess_au(folder, pd.DataFrame({"dialogue": ["01-06-01-02-01-12", "01-01-01-01-01-01"]}))
    >>> block.names, block.values.ravel().tolist(), block.reasons[1]
    (('face.openface.AU01_r_mean',), [0.5, nan], 'no row in openface_au.npz')
    """
    source = Path(root) / _AU_TABLE
    with np.load(source, allow_pickle=False) as arrays:
        clips = [name.split("-", 1)[1] for name in arrays["ids"].tolist()]
        names = [f"face.openface.{name}" for name in arrays["au_names"].tolist()]
        features = pd.DataFrame(arrays["au"], clips, names)
    return follow_rows(features, pd.Index(segments["dialogue"]), source)


def _media_files(root: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    """Yield the corpus's files with the fields of their names, sound with picture before picture alone."""
    files = [path for path in root.rglob("*") if path.suffix.lower() in _AUDIO | _VIDEO]
    for path in sorted(files, key=lambda path: (path.stem, len(path.parts), path)):
        found = _NAME.fullmatch(path.stem)
        if found:
            yield path, found
        else:
            logger.warning("left out, its name is not one of RAVDESS: %s", path)


def _describe(found: re.Match[str]) -> dict[str, object]:
    """Return the columns that a file name tells."""
    clip, channel, emotion, intensity, statement, repetition, actor = found.groups()[1:]
    return {
        "corpus": "ravdess",
        "dialogue": clip,
        "turn": 0,
        "speaker": f"Actor_{actor}",
        "sex": "female" if int(actor) % 2 == 0 else "male",
        "text": STATEMENTS[int(statement) - 1],
        "emotion": LABELS["emotion"][int(emotion) - 1],
        "intensity": LABELS["intensity"][int(intensity) - 1],
        "channel": CHANNELS[int(channel) - 1],
        "repetition": int(repetition),
    }
