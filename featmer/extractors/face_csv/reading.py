"""Read a CSV file of numbers; hides what people's files look like, and says at which line one is broken."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from featmer.media import MediaError

_UNKNOWN = {"", "-nan", "nan(ind)", "-nan(ind)", "none", "null", "na", "n/a"}
"""How tools write a number that they do not know, in small letters, besides nan."""


def read_columns(
    path: Path, needed: Collection[str], optional: Collection[str], words: Collection[str]
) -> pd.DataFrame:
    r"""Read some columns of a CSV file with a header.

    Spaces around names and numbers, empty lines and a byte order mark are taken for granted.

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
        float64, words apart; the index is the number of the line in the file, from 1 for the header. Not to be
        changed: the last files read are kept.

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
    status = path.stat()
    return _read(path, status.st_size, status.st_mtime_ns, (*needed,), (*optional,), (*words,))


@lru_cache(maxsize=4)  # the segments of one long file follow each other
def _read(
    path: Path, size: int, changed: int, needed: tuple[str, ...], optional: tuple[str, ...], words: tuple[str, ...]
) -> pd.DataFrame:
    lines, numbers, texts = array("q"), array("d"), []
    rows = _rows(path)
    _, header = next(rows)
    _check_header(path, header, needed)
    places = [(name, header.index(name)) for name in (*needed, *optional) if name in header and name not in words]
    for line, row in rows:
        if len(row) != len(header):
            raise _broken(path, f"line {line} has {len(row)} values, the header {len(header)} names")
        lines.append(line)
        numbers.extend(_number(path, line, name, row[place]) for name, place in places)
        texts.append([row[header.index(name)].strip() for name in words if name in header])
    if not lines:
        raise _broken(path, "no line after the header")
    values = np.frombuffer(numbers, np.float64).reshape(len(lines), len(places))
    frame = pd.DataFrame(values, index=np.array(lines), columns=[name for name, _ in places])
    said = pd.DataFrame(texts, index=frame.index, columns=[name for name in words if name in header])
    return pd.concat([frame, said], axis=1).reindex(columns=[*needed, *optional])


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the header, and each line that is not empty with its number."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, skipinitialspace=True)
            yield 1, [name.strip() for name in next(rows, [])]
            for row in rows:
                if any(row):
                    yield rows.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise _broken(path, f"not a text file in UTF-8 ({error})") from error


def _check_header(path: Path, header: list[str], needed: Collection[str]) -> None:
    """Raise unless the columns needed are there, once each."""
    if not any(header):
        raise _broken(path, "empty file")
    separator = next((each for each in ";\t|" if len(header) == 1 and each in header[0]), None)
    if separator:
        raise _broken(path, f"values are separated by {separator!r}, expected commas", "write it again with commas")
    missing = [name for name in needed if name not in header]
    if missing:
        told = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise _broken(path, f"no column {told}", "check the parameter tool, or name the parts there are in parts")
    twice = next((name for name in needed if header.count(name) > 1), None)
    if twice:
        raise _broken(path, f"two columns {twice!r}")


def _number(path: Path, line: int, name: str, text: str) -> float:
    """Return a finite number, or NaN where the tool knew none."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan if text.strip().lower() in _UNKNOWN else math.inf
    if math.isinf(number) or "_" in text:  # Python reads 1_0 as ten
        raise _broken(path, f"line {line}: {name} is {text[:40]!r}, expected a number")
    return number


def _broken(path: Path, reason: str, advice: str = "write the file again with its tool") -> MediaError:
    return MediaError(path, reason, advice)
