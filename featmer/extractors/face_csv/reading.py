"""Read a CSV file of numbers; hides what people's files look like, and says at which line one is broken."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from featmer.media import MediaError

_UNKNOWN = {"", "nan", "-nan", "nan(ind)", "-nan(ind)", "none", "null", "na"}
"""How tools write a number that they do not know, in small letters."""


def read_columns(
    path: Path, needed: Collection[str], optional: Collection[str], words: Collection[str]
) -> pd.DataFrame:
    r"""Read some columns of a CSV file with a header.

    Spaces around names and numbers and a byte order mark are taken for granted.

    Parameters
    ----------
    path : Path
        The file, separated by commas, UTF-8.
    needed : collection of str
        Columns that must be there.
    optional : collection of str
        Columns that are NaN if they are not there.
    words : collection of str
        Which of them hold words; all others hold numbers.

    Returns
    -------
    DataFrame
        float64, words apart; the index counts the file's lines, from 2 for the first after the header.

    Raises
    ------
    MediaError
        If the file is empty, lacks a column, or a line is cut off or holds something that is no number.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("frame, AU12_r\n1, 0.5\n2, nan\n")
    ...     read_columns(Path(folder, "a.csv"), ["AU12_r"], ["AU45_r"], []).to_dict("list")
    {'AU12_r': [0.5, nan], 'AU45_r': [nan, nan]}
    """
    try:
        header = _header(path, needed)
        wanted = [name for name in header if name in {*needed, *optional, header[-1]}]
        text = _texts(path, header, wanted)
    except (UnicodeDecodeError, csv.Error) as error:
        raise _broken(path, f"not a text file in UTF-8 ({error})") from error
    if text.empty:
        raise _broken(path, "no line after the header")
    cut = text[header[-1]].isna()
    if cut.any():
        raise _broken(path, f"line {cut.idxmax()} has fewer values than the header has names")
    columns = [name for name in wanted if name in {*needed, *optional}]
    read = {name: text[name].str.strip() if name in words else _numbers(path, text[name]) for name in columns}
    return pd.DataFrame(read, index=text.index).reindex(columns=[*needed, *optional])


def _texts(path: Path, header: list[str], wanted: list[str]) -> pd.DataFrame:
    """Return the wanted columns as texts, without empty lines; NaN where a line is cut off."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            text = pd.read_csv(
                path,
                names=header,
                skiprows=1,
                usecols=wanted,
                dtype=str,
                encoding="utf-8-sig",
                keep_default_na=False,
                skip_blank_lines=False,
                skipinitialspace=True,
                index_col=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        told = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise _broken(path, f"lines of another length than the header ({told})") from error
    text.index = pd.RangeIndex(2, len(text) + 2)
    return text[~(text.isna() | (text == "")).all(axis=1)]


def _header(path: Path, needed: Collection[str]) -> list[str]:
    """Return the names of the columns after checking that those needed are among them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = [name.strip() for name in next(csv.reader(file), [])]
    if not header or header == [""]:
        raise _broken(path, "empty file")
    missing = [name for name in needed if name not in header]
    twice = next((name for name in header if header.count(name) > 1), None)
    separators = [each for each in ";\t|" if len(header) == 1 and each in header[0]]
    if separators:
        raise _broken(path, f"values are separated by {separators[0]!r}, expected commas", "write it again with commas")
    if missing:
        told = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise _broken(path, f"no column {told}", "check the parameter tool, or name the parts there are in parts")
    if twice is not None:
        raise _broken(path, f"two columns {twice!r}")
    return header


def _numbers(path: Path, texts: pd.Series) -> pd.Series:
    """Turn a column of texts into numbers."""
    numbers = pd.to_numeric(texts, errors="coerce")
    doubtful = texts[numbers.isna()]
    bad = doubtful[~doubtful.str.strip().str.lower().isin(_UNKNOWN)]
    bad = bad if len(bad) else texts[np.isinf(numbers)]
    if len(bad):
        raise _broken(path, f"line {bad.index[0]}: {texts.name} is {bad.iloc[0][:40]!r}, expected a number")
    return numbers.astype(np.float64)


def _broken(path: Path, reason: str, advice: str = "write the file again with its tool") -> MediaError:
    return MediaError(path, reason, advice)
