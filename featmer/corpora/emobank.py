"""EmoBank, English sentences with valence, arousal and dominance as readers feel and writers meant them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from featmer._checks import check_name
from featmer.corpora._files import find_file, read_strings
from featmer.segments import mend_segments

# Not a label set but the dimensions, each from 1 to 5.
LABELS = {"dimensions": ("valence", "arousal", "dominance")}
PERSPECTIVES = ("both", "reader", "writer")

_DIMENSIONS = dict(zip("VAD", LABELS["dimensions"], strict=True))


def load_emobank(root: str | Path, *, perspective: Literal["both", "reader", "writer"] = "both") -> pd.DataFrame:
    """Read EmoBank's sentences.

    Parameters
    ----------
    root : path
        Folder of ``emobank.csv``, and of ``reader.csv`` or ``writer.csv`` if their perspective is asked for.
    perspective : {"both", "reader", "writer"}, default="both"
        Whose feelings: those the sentence gives a reader, those the writer seems to have, or the published mean of
        both. Readers agree better.

    Returns
    -------
    DataFrame of 10,062 rows
        Segments, a sentence a row and a dialogue of its own (the official parts divide documents), with ``valence``,
        ``arousal`` and ``dominance`` from 1 to 5.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If there is no such perspective, or a value is no number from 1 to 5: with file and line.
    SegmentsError
        Naming every other fault with its line.

    References
    ----------
    Buechel, Hahn, "EmoBank: Studying the impact of annotation perspective and representation format on dimensional
    emotion analysis", EACL 2017.

    Examples
    --------
    >>> load_emobank("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/emobank.csv is not there; give the folder that holds it.
    """
    check_name(perspective, PERSPECTIVES, "perspective")
    source = find_file(root, "emobank.csv")
    rows = read_strings(source, columns=("id", "split", "text"))
    values = _read_values(source)
    if perspective != "both":
        values = _read_values(find_file(root, f"{perspective}.csv")).reindex(rows["id"])
    segments = pd.DataFrame({"corpus": "emobank", "dialogue": rows["id"], "turn": 0, "text": rows["text"]})
    segments["split"] = rows["split"].replace("dev", "valid")
    segments[list(LABELS["dimensions"])] = values.to_numpy()
    return mend_segments(segments, root=root, source=source)


def load_emobank_ratings(root: str | Path, perspective: Literal["reader", "writer"] = "reader") -> pd.DataFrame:
    r"""Read what each rater said, about five a sentence; who it was is not published.

    Parameters
    ----------
    root : path
        Folder of ``individual_reader_ratings.csv`` or ``individual_writer_ratings.csv``.
    perspective : {"reader", "writer"}, default="reader"
        Whose feelings were rated.

    Returns
    -------
    DataFrame of about 53,000 rows
        ``valence``, ``arousal`` and ``dominance`` from 1 to 5; the index, ``dialogue``, is as in `load_emobank`, whose
        means leave some raters out.

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    ValueError
        If there is no such perspective, or a value is no number from 1 to 5: with file and line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "individual_reader_ratings.csv").write_text("id,V,A,D\ns1,3,2,3\ns1,5,4,3\n")
    ...     ratings = load_emobank_ratings(folder)
    >>> ratings.groupby("dialogue").mean().loc["s1"].tolist()
    [4.0, 3.0, 3.0]
    """
    check_name(perspective, PERSPECTIVES[1:], "perspective")
    return _read_values(find_file(root, f"individual_{perspective}_ratings.csv"))


def _read_values(source: Path) -> pd.DataFrame:
    """Return the three values of each row under its name."""
    rows = read_strings(source, columns=("id", *_DIMENSIONS))
    values = rows[list(_DIMENSIONS)].apply(pd.to_numeric, errors="coerce")
    for row in values.index[~values.ge(1).mul(values.le(5)).all(axis=1)]:
        found = rows.loc[row, list(_DIMENSIONS)].tolist()
        raise ValueError(f"{source}, line {row + 2}: the values are {found}; expected three numbers from 1 to 5.")
    return values.rename(columns=_DIMENSIONS).set_index(rows["id"].rename("dialogue"))
