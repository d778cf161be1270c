"""Anyone's own corpus, as a CSV, TSV or Parquet file with the columns of the segments schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from featmer._checks import check_name
from featmer.corpora._files import read_strings, read_text
from featmer.segments import KEY, MEDIA, mend_segments

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_FORMATS = {*_SEPARATORS, ".parquet"}

# Columns that stay text: a dialogue "007" is not 7, and an utterance "None" is a word.
_TEXTUAL = {"speaker", "text", "split", *MEDIA, *KEY} - {"turn"}
_ABSENT = {"NA", "N/A", "n/a", "NaN", "nan", "None", "null"}


def load_manifest(path: str | Path, *, labels: Mapping[str, Iterable[str]] | None = None) -> pd.DataFrame:
    r"""Read a corpus of your own from one table of its segments.

    Parameters
    ----------
    path : path
        A .csv (commas), .tsv or .parquet file with a header; `featmer.segments` lists the columns, of which only
        ``dialogue`` and ``turn`` are compulsory. Its folder is the root that media paths are relative to. Further
        columns are kept.
    labels : dict of column to iterable of str, default=None
        The values allowed in label columns; misspelt ones become the closest.

    Returns
    -------
    DataFrame of n_rows rows
        The segments. ``attrs["root"]`` is the folder, ``attrs["faults"]`` lists what was mended and which media
        files are missing.

    Raises
    ------
    SegmentsError
        Naming every fault with its line.
    ValueError
        If the file is empty, of another format, or separated by something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.csv"
    ...     _ = path.write_text("dialogue,turn,text,emotion\n007,0,None,joy\n")
    ...     segments = load_manifest(path)
    >>> segments[["corpus", "dialogue", "text"]].iloc[0].tolist()
    ['mine', '007', 'None']
    """
    path = Path(path)
    segments = read_annotations(path)
    if not len(segments):
        raise ValueError(f"{path} has no rows; expected a header and a row an utterance.")
    if "corpus" not in segments:
        segments.insert(0, "corpus", path.stem)
    return mend_segments(segments, root=path.parent, labels=labels, source=path)


def read_annotations(path: Path) -> pd.DataFrame:
    r"""Read an annotation file of any of three formats into a frame.

    Byte-order marks and Windows-1252 characters are mended. Columns of numbers become numbers, except those that hold
    names, words or paths.

    Parameters
    ----------
    path : Path
        A .csv, .tsv or .parquet file.

    Returns
    -------
    DataFrame
        Its rows, in order.

    Raises
    ------
    ValueError
        If the file is empty, of another format, or separated by something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.tsv"
    ...     _ = path.write_bytes(b"turn\ttext\n0\tIt\x92s me\n")
    ...     read_annotations(path).to_dict("records")
    [{'turn': 0, 'text': 'It’s me'}]
    """
    check_name(path.suffix.lower(), _FORMATS, "file format")
    if path.suffix.lower() == ".parquet":
        return pd.read_parquet(path)
    header = read_text(path).split("\n", 1)[0]
    separator = _SEPARATORS[path.suffix.lower()]
    if separator not in header:
        expected = {",": "commas", "\t": "tabs"}[separator]
        raise ValueError(f"{path} has the header {header!r}; expected column names separated by {expected}.")
    return read_strings(path, separator).apply(_parse_numbers)


def _parse_numbers(column: pd.Series) -> pd.Series:
    """Return a column as numbers if all its values are; names, words and paths as they are."""
    if column.name in _TEXTUAL:
        return column
    present = column.mask(column.isin(_ABSENT))
    numbers = pd.to_numeric(present, errors="coerce")
    return numbers if numbers.notna().equals(present.notna()) else present
