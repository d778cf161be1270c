"""MER2023, clips of Chinese films and series with one of six emotions and valence."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from featmer._checks import check_name
from featmer.corpora._files import find_file, join_parts, read_strings
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {"emotion": LABEL_SPACES["mer2023"].labels}
TESTS = ("test1", "test2", "test3")

_ENDINGS = (".avi", ".mp4")


def load_mer2023(root: str | Path, *, test: Literal["test1", "test2", "test3"] = "test1") -> pd.DataFrame:
    """Read MER2023's training part and one of its tests.

    Parameters
    ----------
    root : path
        The release's folder of ``train-label.csv``, ``train``, ``test1-label.csv``, ``test1`` and so on; labels of
        tests may lie in ``test-labels``. With ``transcription.csv`` (columns ``name`` and ``sentence``, as the
        organisers' baseline makes it) there is text.
    test : {"test1", "test2", "test3"}, default="test1"
        Which test: MER-MULTI (411 clips), MER-NOISE (412, noise in sound and picture) or MER-SEMI (834, no valence).

    Returns
    -------
    DataFrame of 3,373 rows of train, and those of the test
        Segments, a clip a row and a dialogue of its own, with ``video``, ``emotion`` and ``valence`` (-5 to 5). There
        is no validation part; `featmer.evaluation.Official` holds one out of train.

    Raises
    ------
    FileNotFoundError
        If a table of labels is not there.
    ValueError
        If there is no such test, or a table lacks a column.
    SegmentsError
        Naming every other fault with its line.

    References
    ----------
    Lian et al., "MER 2023: Multi-label learning, modality robustness, and semi-supervised learning", ACM Multimedia
    2023. Layout: the organisers' baseline, which names these files and columns.

    Examples
    --------
    >>> load_mer2023("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/train-label.csv or ... is not there; give the folder that holds it.
    """
    check_name(test, TESTS, "test")
    said = _read_transcripts(Path(root) / "transcription.csv")
    parts = [_load_part(Path(root), part, split, said) for part, split in (("train", "train"), (test, "test"))]
    return join_parts(parts, root)


def _load_part(root: Path, part: str, split: str, said: pd.Series) -> pd.DataFrame:
    """Read one split."""
    source = find_file(root, f"{part}-label.csv", f"test-labels/{part}-label.csv")
    rows = read_strings(source, columns=("name", "discrete"))
    segments = pd.DataFrame(
        {
            "corpus": "mer2023",
            "dialogue": rows["name"],
            "turn": 0,
            "video": [_find_clip(root, part, str(name)) for name in rows["name"]],
            "text": said.reindex(rows["name"]).to_numpy(),
            "split": split,
            "emotion": rows["discrete"],
            "valence": pd.to_numeric(rows["valence"]) if "valence" in rows else float("nan"),
        }
    )
    return mend_segments(segments, root=root, labels=LABELS, source=source)


def _find_clip(root: Path, part: str, name: str) -> str | None:
    """Return a clip's path relative to the root; None where the part's folder is not there."""
    if not (root / part).is_dir():
        return None
    paths = [f"{part}/{name}{ending}" for ending in _ENDINGS]
    return next((path for path in paths if (root / path).is_file()), paths[-1])


def _read_transcripts(source: Path) -> pd.Series:
    """Return the words by clip; none without a table."""
    if not source.is_file():
        return pd.Series(dtype=str)
    return read_strings(source, columns=("name", "sentence")).set_index("name")["sentence"]
