"""What corpus readers share: finding their files, reading their text, joining their parts."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from featmer.segments import Faults

# Windows-1252 punctuation that was stored as control characters: U+0092 for a right quotation mark, and so on.
_CONTROLS = {code: character for code in range(0x80, 0xA0) if (character := bytes([code]).decode("cp1252", "ignore"))}


def find_file(root: str | Path, *names: str) -> Path:
    """Return the first of some files that is below the root, or say which are looked for."""
    paths = [Path(root) / name for name in names]
    for path in paths:
        if path.is_file():
            return path
    raise FileNotFoundError(f"{' or '.join(map(str, paths))} is not there; give the folder that holds it.")


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte-order mark, or in Windows-1252."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    return mend_controls(text)


def mend_controls(text: str) -> str:
    """Return the text with Windows-1252 punctuation in place of control characters."""
    return text.translate(_CONTROLS)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from error


def read_strings(path: Path, separator: str = ",", columns: Iterable[str] = ()) -> pd.DataFrame:
    """Return a table with a header as texts, missing where a cell is empty; these columns must be there."""
    table = pd.read_csv(io.StringIO(read_text(path)), sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    table = table.rename(columns=str.strip)
    for column in columns:
        if column not in table:
            raise ValueError(f"{path}, line 1: no column {column!r} among {list(table)}.")
    return table


def read_tabs(path: Path, columns: Sequence[str], key: str) -> pd.DataFrame:
    """Return lines of fields between tabs, in which quotation marks mean nothing; the index is the line.

    A first line that repeats the names of the columns is a header. The column ``key`` must not repeat.
    """
    lines = dict(enumerate(read_text(path).split("\n"), 1))
    rows = {number: line.rstrip("\r").split("\t") for number, line in lines.items() if line.strip()}
    if [name.strip().lower() for name in rows.get(1, [])] == [name.lower() for name in columns]:
        del rows[1]
    for number, fields in rows.items():
        if len(fields) != len(columns):
            raise ValueError(
                f"{path}, line {number}: {len(fields)} fields between tabs; expected {len(columns)}: "
                f"{', '.join(columns)}."
            )
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns), dtype=str)
    for number in table.index[table[key].duplicated()]:
        first = table.index[table[key] == table[key][number]][0]
        raise ValueError(f"{path}, line {number}: {key} {table[key][number]!r} is taken by line {first} already.")
    return table


def join_parts(parts: Sequence[pd.DataFrame], root: str | Path) -> pd.DataFrame:
    """Return the segments of several files as one frame, with the faults of all."""
    segments = pd.concat(parts, ignore_index=True)
    faults = Faults(fault for part in parts for fault in part.attrs["faults"])
    segments.attrs = {"root": str(root), "faults": faults}
    return segments


def label_columns(sets: Iterable[Collection[str]], labels: Sequence[str]) -> pd.DataFrame:
    """Return columns ``labels.<label>`` of 0 and 1 from the labels of each row."""
    values = [[label in each for label in labels] for each in sets]
    shape = (len(values), len(labels))
    return pd.DataFrame(np.reshape(values, shape).astype(np.int64), columns=[f"labels.{label}" for label in labels])
