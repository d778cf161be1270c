"""The segments frame: a row an utterance, its written schema, and every fault in one list.

A segments frame is a plain pandas DataFrame with these columns (only ``dialogue`` and ``turn`` are compulsory):

========================= ============================================================================
``corpus``                name of the corpus
``dialogue``, ``turn``    which conversation, and the place in it (a whole number)
``speaker``               who speaks
``start``, ``end``        seconds in the media file; missing = the whole file
``audio``, ``video``      paths relative to the corpus root; missing = there is none
``text``                  the words
``split``                 "train", "valid" or "test"
any others                labels (``emotion``, ``valence``, ...); missing = not annotated
========================= ============================================================================

The folder that the paths are relative to travels in ``segments.attrs["root"]``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from featmer._checks import closest

logger = logging.getLogger(__name__)

COMPULSORY = ("dialogue", "turn")
KEY = ("corpus", "dialogue", "turn")
TIMES = ("start", "end")
MEDIA = ("audio", "video")
SPLITS = ("train", "valid", "test")

# What other corpora call the three splits.
_SPLIT_SYNONYMS = {
    "training": "train",
    "dev": "valid",
    "devel": "valid",
    "development": "valid",
    "val": "valid",
    "validation": "valid",
    "testing": "test",
}
_MISSING_FILE = "is not a file under the corpus root"
_SHOWN = 20


class SegmentsError(ValueError):
    """A segments frame breaks its schema; the message lists the faults.

    Parameters
    ----------
    faults : DataFrame
        What `find_faults` returned.

    Attributes
    ----------
    faults : DataFrame of columns source, row, column, value, problem, suggestion
        Every fault, where the message shows the first twenty.

    Examples
    --------
    >>> import pandas as pd
    >>> try:
    ...     check_segments(pd.DataFrame({"dialogue": ["d1"], "turn": [0], "split": ["tset"]}))
    ... except SegmentsError as error:
    ...     print(error.faults.suggestion.item())
    test
    """

    def __init__(self, faults: pd.DataFrame) -> None:
        self.faults = faults
        lines = [f"  {line}" for line in describe_faults(faults)]
        if len(lines) > _SHOWN:
            lines[_SHOWN:] = [f"  ... and {len(lines) - _SHOWN} more, all in the attribute `faults` of this error"]
        many = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__("\n".join([f"{many} in the segments; correct these rows and load them again:", *lines]))


class Faults(list[Any]):
    """The list in ``attrs["faults"]``; pandas copies ``attrs`` deeply at every step, which thousands would make slow.

    Examples
    --------
    >>> import pandas as pd
    >>> segments = pd.DataFrame({"dialogue": ["d1", "d1"], "turn": [0, 1]})
    >>> segments.attrs["faults"] = Faults([{"column": "emotion", "value": "joi"}])
    >>> segments.head(1).attrs["faults"] is segments.attrs["faults"]
    True
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Faults:
        return self


class _Fault(NamedTuple):
    """One thing wrong; ``suggestion`` is the value that was probably meant, or empty."""

    row: int | None
    column: str
    value: str
    problem: str
    suggestion: str = ""


def check_segments(
    segments: pd.DataFrame,
    *,
    root: str | Path | None = None,
    labels: Mapping[str, Iterable[str]] | None = None,
    source: str | Path | None = None,
) -> pd.DataFrame:
    """Return the frame in its canonical form, or raise with all its faults.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        The frame to check; it is not changed.
    root : path, default=None
        Folder that media paths are relative to. None leaves the files unchecked.
    labels : dict of column to iterable of str, default=None
        The values allowed in label columns; these columns must then be there.
    source : path, default=None
        The file the rows came from, in order. Faults in a CSV or TSV are then given by line instead of by row.

    Returns
    -------
    DataFrame of n_rows rows
        Rows numbered from 0, times as floating-point seconds, turns as whole numbers.

    Raises
    ------
    SegmentsError
        Naming every fault: missing columns, missing or repeated turns, times that are negative, reversed or no
        numbers, unknown splits and labels with the closest known one, files that are not there.

    See Also
    --------
    find_faults : The same list without raising.

    Examples
    --------
    >>> import pandas as pd
    >>> segments = pd.DataFrame({"dialogue": ["d1", "d1"], "turn": [0, 1], "emotion": ["joy", "angr"]})
    >>> len(check_segments(segments))
    2
    >>> check_segments(segments, labels={"emotion": ["joy", "anger"]})
    Traceback (most recent call last):
    featmer.segments.SegmentsError: 1 fault in the segments; correct these rows and load them again:
      row 1, emotion: 'angr' is not one of ['anger', 'joy'], did you mean 'anger'?
    """
    faults = find_faults(segments, root=root, labels=labels, source=source)
    if len(faults):
        raise SegmentsError(faults)
    return _canonical(segments)


def find_faults(
    segments: pd.DataFrame,
    *,
    root: str | Path | None = None,
    labels: Mapping[str, Iterable[str]] | None = None,
    source: str | Path | None = None,
) -> pd.DataFrame:
    """List every fault of a segments frame without raising.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        The frame to check.
    root, labels, source
        As in `check_segments`.

    Returns
    -------
    DataFrame of columns source, row, column, value, problem, suggestion
        A row a fault, in the order of the rows. ``row`` counts from 0, or is the line of a CSV or TSV ``source``
        (header = line 1); it is missing where a whole column is. ``suggestion`` is the closest known value.

    Examples
    --------
    >>> import pandas as pd
    >>> find_faults(pd.DataFrame({"dialogue": ["d1"], "turn": [0], "start": [2.0], "end": [1.5]})).problem.item()
    'ends before its start at 2.0 s'
    """
    first_row = 2 if source is not None and _has_header_line(source) else 0
    labels = labels or {}
    faults = [
        *_absent_columns(segments, [*COMPULSORY, *labels]),
        *_key_faults(segments, first_row),
        *_time_faults(segments),
        *_choice_faults(segments, {"split": SPLITS, **labels}),
        *_file_faults(segments, root),
    ]
    frame = pd.DataFrame(faults, columns=list(_Fault._fields)).astype({"row": "Int64"})
    frame["row"] += first_row
    frame.insert(0, "source", "" if source is None else str(source))
    return frame.sort_values("row", kind="stable", na_position="first", ignore_index=True)


def mend_segments(
    segments: pd.DataFrame,
    *,
    root: str | Path,
    labels: Mapping[str, Iterable[str]] | None = None,
    source: str | Path | None = None,
) -> pd.DataFrame:
    """Mend misspelt labels and splits, report them, and raise for other faults.

    What corpus readers end with. Files that are not there are reported, too, but do not stop the reading: each costs
    its own row at extraction.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        The frame to mend; it is not changed.
    root : path
        Folder that media paths are relative to; becomes ``attrs["root"]``.
    labels, source
        As in `check_segments`.

    Returns
    -------
    DataFrame of n_rows rows
        The canonical frame. ``attrs["faults"]`` lists, as dicts, what was mended and which files are missing.

    Raises
    ------
    SegmentsError
        Naming the faults that have no single remedy.

    Examples
    --------
    >>> import pandas as pd
    >>> segments = pd.DataFrame({"dialogue": ["d1"], "turn": [0], "emotion": ["suprise"]})
    >>> mended = mend_segments(segments, root=".", labels={"emotion": ["joy", "surprise"]})
    >>> mended.emotion.item(), mended.attrs["faults"][0]["value"]
    ('surprise', 'suprise')
    """
    faults = find_faults(segments, root=root, labels=labels, source=source)
    misspelt = faults.row.notna() & (faults.suggestion != "")
    tolerated = misspelt | (faults.problem == _MISSING_FILE)
    if not tolerated.all():
        raise SegmentsError(faults[~tolerated].reset_index(drop=True))
    mended = _canonical(_replace_misspelt(segments, faults[misspelt]))
    mended.attrs = {**segments.attrs, "root": str(root), "faults": Faults(faults.astype(object).to_dict("records"))}
    for _, alike in faults[misspelt].groupby(["column", "value"], sort=False):
        logger.warning("took the suggestion in %d rows, first: %s", len(alike), *describe_faults(alike.head(1)))
    if not misspelt.all():
        logger.warning("media files not found under %s: %d", root, (~misspelt).sum())
    return mended


def describe_faults(faults: pd.DataFrame) -> list[str]:
    """Write each fault as a line for people.

    Parameters
    ----------
    faults : DataFrame
        What `find_faults` returned.

    Returns
    -------
    list of str
        A line a fault.

    Examples
    --------
    >>> import pandas as pd
    >>> describe_faults(find_faults(pd.DataFrame({"dialogue": ["d1"], "trn": [0]})))
    ["turn: the column is not among ['dialogue', 'trn'], did you mean 'trn'?"]
    """
    lines = []
    for fault in faults.to_dict("records"):
        source, row, suggestion = fault["source"], fault["row"], fault["suggestion"]
        unit = "line" if _has_header_line(source) else "row"
        place = [source] * bool(source) + [f"{unit} {row}"] * (not pd.isna(row)) + [fault["column"]]
        value = f"{fault['value']!r} " if fault["value"] else ""
        question = f", did you mean {suggestion!r}?" if suggestion else ""
        lines.append(f"{', '.join(place)}: {value}{fault['problem']}{question}")
    return lines


def _has_header_line(source: str | Path) -> bool:
    """Return whether rows of this file are lines below a header."""
    return Path(source).suffix.lower() in (".csv", ".tsv")


def _replace_misspelt(segments: pd.DataFrame, misspelt: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with what was suggested in place of what was found."""
    mended = segments.copy()
    for column in misspelt.column.unique():
        wrong = misspelt[misspelt.column == column]
        remedy = dict(zip(wrong.value, wrong.suggestion, strict=True))
        mended[column] = mended[column].map(lambda value, remedy=remedy: remedy.get(value, value))
    return mended


def _canonical(segments: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with rows numbered from 0, and times and turns as numbers."""
    numbers = {column: _to_numbers(segments[column]) for column in TIMES if column in segments}
    return segments.assign(**numbers, turn=_to_numbers(segments["turn"]).astype(int)).reset_index(drop=True)


def _to_numbers(values: pd.Series) -> pd.Series:
    """Return floats, NaN where a value is missing or no number."""
    return pd.to_numeric(values, errors="coerce").astype(float)


def _rows(mask: pd.Series | np.ndarray) -> list[int]:
    """Return the positions where a mask holds."""
    return np.flatnonzero(np.asarray(mask, dtype=bool)).tolist()


def _absent_columns(segments: pd.DataFrame, wanted: Iterable[str]) -> Iterator[_Fault]:
    """Name the columns that should be there, with the found one that may have been meant."""
    found = [str(column) for column in segments.columns]
    for column in dict.fromkeys(wanted):
        if column not in found:
            problem = f"the column is not among {found}"
            yield _Fault(None, column, "", problem, closest(column, set(found) - {*KEY, *TIMES, *MEDIA}) or "")


def _key_faults(segments: pd.DataFrame, first_row: int) -> Iterator[_Fault]:
    """Name the rows without a place in a dialogue, and those whose place is taken."""
    for column in [column for column in COMPULSORY if column in segments]:
        for row in _rows(_is_missing(segments[column])):
            yield _Fault(row, column, "", "the value is missing")
    if not {*COMPULSORY} <= {*segments.columns}:
        return
    turns = _to_numbers(segments["turn"])
    for row in _rows(~_is_missing(segments["turn"]) & ~(turns % 1 == 0)):
        yield _Fault(row, "turn", str(segments["turn"].iloc[row]), "is not a whole number")
    keys = segments.assign(turn=turns).reset_index(drop=True)[[column for column in KEY if column in segments]]
    earlier = keys.assign(row=keys.index).groupby(list(keys), sort=False, dropna=False)["row"].transform("first")
    for row in _rows((earlier < keys.index) & keys[[*COMPULSORY]].notna().all(axis=1)):
        problem = f"of dialogue {keys['dialogue'][row]!r} is taken by row {int(earlier[row]) + first_row} already"
        yield _Fault(row, "turn", f"{keys['turn'][row]:g}", problem)


def _time_faults(segments: pd.DataFrame) -> Iterator[_Fault]:
    """Name the times that are no numbers, negative, or the wrong way round."""
    times = {}
    for column in [column for column in TIMES if column in segments]:
        times[column] = _to_numbers(segments[column]).to_numpy()
        for row in _rows(np.isnan(times[column]) & ~_is_missing(segments[column])):
            yield _Fault(row, column, str(segments[column].iloc[row]), "is not a number of seconds")
        for row in _rows((times[column] < 0) | np.isinf(times[column])):
            yield _Fault(row, column, str(times[column][row]), "is not a time in a file (seconds from its start)")
    if len(times) == len(TIMES):
        for row in _rows(times["end"] < times["start"]):
            yield _Fault(row, "end", str(times["end"][row]), f"ends before its start at {times['start'][row]} s")


def _choice_faults(segments: pd.DataFrame, choices: Mapping[str, Iterable[str]]) -> Iterator[_Fault]:
    """Name the values that are none of those allowed, with the closest one that is."""
    for column, allowed in choices.items():
        if column not in segments:
            continue
        known = sorted(allowed)
        values = segments[column]
        for row in _rows(~values.isin(known) & ~_is_missing(values)):
            value = str(values.iloc[row])
            synonym = _SPLIT_SYNONYMS.get(value.strip().lower()) if column == "split" else None
            yield _Fault(row, column, value, f"is not one of {known}", synonym or closest(value.strip(), known) or "")


def _file_faults(segments: pd.DataFrame, root: str | Path | None) -> Iterator[_Fault]:
    """Name the media files that are not under the root."""
    if root is None:
        return
    for column in [column for column in MEDIA if column in segments]:
        paths = segments[column].where(~_is_missing(segments[column]))
        exists = {path: (Path(root) / str(path)).is_file() for path in paths.dropna().unique()}
        for row in _rows(paths.notna() & ~paths.map(exists).astype("boolean").fillna(value=True)):
            yield _Fault(row, column, str(paths.iloc[row]), _MISSING_FILE)


def _is_missing(values: pd.Series) -> pd.Series:
    """Return where a value is NaN, None or blank text."""
    return values.isna() | (values.astype(str).str.strip() == "")
