"""Frames, windows, words and utterances on one clock of whole nanoseconds, so that sums of floats move no frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from featmer._checks import check_name
from featmer.groups import group_codes
from featmer.segments import KEY, TIMES
from featmer.table import Block, FeatureTable
from featmer.transcripts import match_words, place_words

NOTHING = "no value in the interval"

_SECOND = 1_000_000_000
_LONGEST = 1e9  # seconds: 32 years, and far from where 64 bits of nanoseconds end
_OPEN = np.iinfo(np.int64).max
# Video keeps a picture that is shown up to a millisecond before its segment: the ticks of files are as coarse.
_EARLY = _SECOND // 1000


class _Intervals(NamedTuple):
    """Intervals of the media time, utterance by utterance and in order; ``columns`` are what is to be said of each."""

    rows: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    columns: pd.DataFrame


def align(
    table: FeatureTable,
    to: str = "utterance",
    *,
    length: float | None = None,
    hop: float | None = None,
    words: pd.DataFrame | None = None,
    statistics: Iterable[str] | None = ("mean", "std", "max"),
    vectors: str = "repeat",
) -> FeatureTable:
    """Bring every modality to rows of the same kind and the same times.

    A frame belongs to an interval if its time lies in [start, end). Windows begin with their utterance and end with
    it, the last one early; where the end of an utterance is not known, they go on as long as there are frames.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        Utterances; or windows or words that this function made, to become utterances again. Sequences of frames need
        their times, which those of words get from ``words``, or by `featmer.transcripts.place_words`.
    to : {"utterance", "window", "word"}, default="utterance"
        What a row of the result is. Vectors of windows or words are frames of their utterance, at their starts; what
        windows share by overlapping, or repeat from their utterance, it has once.
    length : float, default=None
        Seconds of a window; only for windows.
    hop : float, default=None
        Seconds from one window to the next, at most ``length``; None for ``length``.
    words : DataFrame, default=None
        The words, in any order: ``dialogue``, ``turn``, and ``start`` and ``end`` in seconds of the media file, as
        `featmer.transcripts` makes them; only for words. Those of utterances that are not in the table are left out.
    statistics : iterable of {"mean", "std", "min", "max"} or None, default=("mean", "std", "max")
        What becomes of the frames of a row, as in :meth:`Block.pool`; None keeps them, with times from the start of
        their window or word.
    vectors : {"repeat", "drop"}, default="repeat"
        What becomes of modalities with one vector an utterance.

    Returns
    -------
    FeatureTable
        For windows and words, ``start`` and ``end`` are theirs, ``turn`` counts them within the dialogue (so that
        dialogue and turn still name one row), ``utterance`` is the turn they come from, and ``window`` counts within
        it, or ``word`` and further columns come from ``words``. Labels and texts are repeated. A row without any
        value is missing, with a reason.

    Raises
    ------
    ValueError
        If parameters do not fit together, times are missing, or no word belongs to the table.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [4], "start": [10.0], "end": [12.5]})
    >>> face = Block([np.array([[1.0], [2.0], [6.0]])], ["face.smile"], times=[[0.0, 0.5, 1.0]])
    >>> table = align(FeatureTable(segments, {"face": face}), "window", length=1.0, statistics=["mean"])
    >>> table.to_frame()[["utterance", "window", "start", "end", "face.smile_mean"]]
       utterance  window  start   end  face.smile_mean
    0          4       0   10.0  11.0              1.5
    1          4       1   11.0  12.0              6.0
    2          4       2   12.0  12.5              NaN
    >>> table.blocks["face"].reasons[2]
    'no value in the interval'
    >>> align(table, statistics=["max"]).to_frame()
      dialogue  turn  start   end  face.smile_mean_max
    0        a     4   10.0  12.5                  6.0
    """
    _check_parameters(table, to, length, words, vectors)
    if _is_cut(table):
        table = _join(table)
    if words is not None:
        table = place_words(table, words)
    settings: dict[str, Any] = {"to": to, "statistics": None if statistics is None else list(statistics)}
    if vectors == "drop":
        table = table.select([name for name, block in table.blocks.items() if block.is_sequence])
    segments, blocks = table.segments, table.blocks
    if to == "utterance":
        whole = _Intervals(np.arange(len(table)), *_bounds(segments), segments[[]])
        blocks = {name: _cut_if_needed(name, block, whole) for name, block in blocks.items()}
    else:
        starts, _ = _bounds(segments)
        clocks = {name: _frame_clock(name, block, starts) for name, block in blocks.items() if block.is_sequence}
        if length is not None:
            settings |= {"length": length, "hop": length if hop is None else hop}
            intervals = _windows(table, clocks, settings["length"], settings["hop"])
        else:
            intervals = _word_intervals(segments, words)
        settings |= {"columns": list(intervals.columns), "repeated": [name for name in blocks if name not in clocks]}
        segments = _describe_intervals(segments, intervals)
        blocks = {
            name: _cut(block, clocks[name], intervals) if name in clocks else block[intervals.rows]
            for name, block in blocks.items()
        }
    if statistics is not None:
        blocks = {name: block.pool(settings["statistics"]) for name, block in blocks.items()}
    return FeatureTable(segments, blocks, provenance={**table.provenance, "alignment": settings})


def join_intervals(
    left: pd.DataFrame, right: pd.DataFrame, by: Sequence[str] = ("dialogue", "speaker")
) -> pd.DataFrame:
    """Pair rows that overlap in time and agree in their dialogue and speaker.

    Parameters
    ----------
    left, right : DataFrame
        Words, turns or annotations with ``start`` and ``end`` in seconds of the same clock, and the columns ``by``.
        A missing start is 0, a missing end the end of time; a row that takes no time overlaps what goes on then.
    by : sequence of str, default=("dialogue", "speaker")
        Columns that must be equal; where one is missing, nothing is paired.

    Returns
    -------
    DataFrame
        A row a pair, in the order of ``left`` and then of time: the columns of both (those of ``right`` with
        ``_right`` where both have them) and ``overlap`` in seconds.

    Raises
    ------
    ValueError
        If a column is not there.

    Examples
    --------
    Which turn does each word belong to? The one that it overlaps longest.

    >>> words = pd.DataFrame({"dialogue": "a", "word": ["no", "never"], "start": [0.5, 0.9], "end": [0.8, 1.6]})
    >>> turns = pd.DataFrame({"dialogue": "a", "turn": [0, 1], "start": [0.0, 1.0], "end": [1.0, 2.0]})
    >>> pairs = join_intervals(words, turns, by=["dialogue"])
    >>> pairs.sort_values("overlap").drop_duplicates("word", keep="last").sort_index()[["word", "turn", "overlap"]]
        word  turn  overlap
    0     no     0      0.3
    2  never     1      0.6
    """
    keys = list(by)
    for name, frame in (("left", left), ("right", right)):
        _check_columns(frame, [*keys, *TIMES], name)
    places = pd.concat([left[keys], right[keys]])
    known = places.notna().all(axis=1).to_numpy()
    groups = places.groupby(keys, dropna=False).ngroup().to_numpy()
    left_groups, right_groups = np.where(known, groups, -1)[: len(left)], np.where(known, groups, -2)[len(left) :]
    (begins, ends), (right_begins, right_ends) = _bounds(left), _bounds(right)
    order = np.lexsort((right_begins, right_groups))
    sorted_groups, lasting = right_groups[order], np.maximum(right_ends, right_begins + 1)[order]
    reach = pd.Series(lasting).groupby(sorted_groups).cummax().to_numpy().astype(np.int64, copy=False)
    # Between these two there may still be rows that ended before; none outside overlaps.
    first = _count_before(sorted_groups, reach, left_groups, begins + 1)
    last = _count_before(sorted_groups, right_begins[order], left_groups, np.maximum(ends, begins + 1))
    index, offsets = _ranges(first, last)
    rows = np.repeat(np.arange(len(left)), np.diff(offsets))
    overlapping = lasting[index] > begins[rows]
    rows, index = rows[overlapping], order[index[overlapping]]
    until = np.minimum(ends[rows], right_ends[index])
    overlap = np.where(until == _OPEN, np.inf, (until - np.maximum(begins[rows], right_begins[index])) / _SECOND)
    others = right.drop(columns=keys).rename(columns=lambda name: f"{name}_right" if name in left else name)
    parts = [left.iloc[rows].reset_index(drop=True), others.iloc[index].reset_index(drop=True)]
    return pd.concat(parts, axis=1).assign(overlap=overlap)


def _check_parameters(
    table: FeatureTable, to: str, length: float | None, words: pd.DataFrame | None, vectors: str
) -> None:
    check_name(to, ("utterance", "window", "word"), "kind of row")
    check_name(vectors, ("repeat", "drop"), "treatment of vectors")
    for name, value, kind in (("length", length, "window"), ("words", words, "word")):
        if (value is not None) != (to == kind):
            found = "is missing" if value is None else "was given"
            raise ValueError(f"to={to!r}, but {name} {found}: {name} goes with to={kind!r}, and only with it.")
    if to != "utterance" and _is_cut(table):
        raise ValueError("The rows are windows or words already; align the table of utterances they came from.")


def _check_columns(frame: pd.DataFrame, wanted: Iterable[str], name: str) -> None:
    absent = [column for column in wanted if column not in frame]
    if absent:
        raise ValueError(f"{name} lacks the columns {absent}; it has {list(frame.columns)}.")


def _to_clock(seconds: ArrayLike, what: str) -> NDArray[np.int64]:
    values = np.asarray(seconds, np.float64)
    wrong = values[~(np.abs(values) < _LONGEST)]
    if wrong.size:
        raise ValueError(f"{what}: {wrong.size} times are no number of seconds (the first is {wrong[0]}); give all.")
    return np.rint(values * _SECOND).astype(np.int64)


def _bounds(frame: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where rows start and end in their media file; 0 and ``_OPEN`` where that is not known."""
    nowhere = pd.Series(np.nan, frame.index)
    starts, ends = (frame.get(name, nowhere).astype(float) for name in TIMES)
    clock = _to_clock(ends.fillna(0.0), "end")
    return _to_clock(starts.fillna(0.0), "start"), np.where(ends.isna(), _OPEN, clock)


def _frame_clock(modality: str, block: Block, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the time of every frame in its media file."""
    if block.frame_times is None:
        raise ValueError(
            f"The frames of {modality!r} have no times: give Block(..., times=...), place_words(table, words) where "
            "they are words, or leave the modality out."
        )
    clock = _to_clock(block.frame_times, modality)
    clock[(clock < 0) & (clock >= -_EARLY)] = 0
    return clock + np.repeat(starts, block.lengths)


def _windows(table: FeatureTable, clocks: dict[str, NDArray[np.int64]], length: float, hop: float) -> _Intervals:
    width, step = (int(value) for value in _to_clock([length, hop], "length and hop"))
    if not 0 < step <= width:
        raise ValueError(f"length={length:g} and hop={hop:g} s; expected 0 < hop <= length, or frames would be lost.")
    starts, ends = _bounds(table.segments)
    covered = np.where(ends == _OPEN, _last_frames(table, clocks, starts) + 1, ends) - starts
    counts = 1 + np.maximum(-((width - covered) // step), 0)  # rounded up
    rows = np.repeat(np.arange(len(table)), counts)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = starts[rows] + number * step
    return _Intervals(rows, begins, np.minimum(begins + width, ends[rows]), pd.DataFrame({"window": number}))


def _last_frames(
    table: FeatureTable, clocks: dict[str, NDArray[np.int64]], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the time of each row's last frame in any modality; its start where there is none."""
    last = starts.copy()
    for name, clock in clocks.items():
        offsets = table.blocks[name].offsets
        if len(clock) and offsets is not None:
            full = np.flatnonzero(np.diff(offsets))
            last[full] = np.maximum(last[full], np.maximum.reduceat(clock, offsets[:-1][full]))
    return last


def _word_intervals(segments: pd.DataFrame, words: Any) -> _Intervals:
    words, rows = match_words(segments, words)
    begins, ends = (_to_clock(words[column], f"{column} of words") for column in TIMES)
    if (ends < begins).any():
        raise ValueError(f"{(ends < begins).sum()} words end before their start; correct their times.")
    columns = words[[column for column in words if column not in segments and column not in TIMES]]
    return _Intervals(rows, begins, ends, columns)


def _describe_intervals(segments: pd.DataFrame, intervals: _Intervals) -> pd.DataFrame:
    """Repeat what is known of the utterances, with the intervals' own times and their turns in the dialogue."""
    repeated = segments.iloc[intervals.rows].reset_index(drop=True)
    dialogues = group_codes(repeated)
    order = np.lexsort((repeated["turn"].to_numpy(), dialogues))
    turns = np.empty(len(order), np.int64)
    turns[order] = pd.Series(order).groupby(dialogues[order]).cumcount()
    repeated = repeated.assign(
        start=intervals.begins / _SECOND, end=intervals.ends / _SECOND, utterance=repeated["turn"], turn=turns
    )
    described = pd.concat([repeated, intervals.columns], axis=1)
    described.attrs = dict(segments.attrs)
    return described


def _cut(block: Block, clock: NDArray[np.int64], intervals: _Intervals) -> Block:
    """Make a block whose rows are the intervals, each with its frames in order of time."""
    rows = np.repeat(np.arange(block.n_rows), block.lengths)
    order = np.lexsort((clock, rows))
    clock, rows = clock[order], rows[order]
    first = _count_before(rows, clock, intervals.rows, intervals.begins)
    last = _count_before(rows, clock, intervals.rows, intervals.ends)
    index, offsets = _ranges(first, last)
    times = (clock[index] - np.repeat(intervals.begins, np.diff(offsets))) / _SECOND
    return _explained(
        Block.from_frames(block.frames[order[index]], block.names, offsets, frame_times=times), block, intervals.rows
    )


def _cut_if_needed(name: str, block: Block, whole: _Intervals) -> Block:
    """Leave out the frames of utterances that are outside their times, where these are known."""
    if block.frame_times is None:
        return block
    clock = _frame_clock(name, block, whole.begins)
    begins, ends = (np.repeat(edges, block.lengths) for edges in (whole.begins, whole.ends))
    return _cut(block, clock, whole) if ((clock < begins) | (clock >= ends)).any() else block


def _explained(block: Block, source: Block, rows: NDArray[np.int64]) -> Block:
    """Give the rows of a block the reasons and quality of the rows of ``source`` that they come from."""
    told = source.reasons[rows]
    return Block.from_frames(
        block.frames,
        block.names,
        block.offsets,
        frame_times=block.frame_times,
        reasons=np.where(block.missing, np.where(told == "", NOTHING, told), "").tolist(),
        quality=None if source.quality is None else source.quality.iloc[rows],
    )


def _join(table: FeatureTable) -> FeatureTable:
    """Make a row an utterance of its windows or words, whose frames and vectors become its frames."""
    segments, earlier = table.segments, _earlier_alignment(table.provenance)
    keys = [*(column for column in KEY if column in segments and column != "turn"), "utterance"]
    rows = np.asarray(segments.groupby(keys, sort=False, dropna=False).ngroup(), np.int64)
    first = np.unique(rows, return_index=True)[1]
    begins, ends = _bounds(segments)
    joined = segments.iloc[first].assign(
        turn=segments["utterance"],
        start=pd.Series(begins).groupby(rows).min().to_numpy() / _SECOND,
        end=pd.Series(ends).groupby(rows).max().to_numpy() / _SECOND,
    )
    repeated = earlier.get("repeated", ())
    blocks = {
        name: block[first] if name in repeated else _join_block(name, block, rows, begins)
        for name, block in table.blocks.items()
    }
    joined = joined.drop(columns=["utterance", *earlier.get("columns", ())])
    joined.attrs = dict(segments.attrs)
    return FeatureTable(joined, blocks, provenance=table.provenance)


def _is_cut(table: FeatureTable) -> bool:
    """Tell if the rows of a table are windows or words."""
    return _earlier_alignment(table.provenance).get("to") in ("window", "word")


def _earlier_alignment(provenance: dict[str, Any]) -> dict[str, Any]:
    """Return how a table was aligned; of tables put one below another, the first."""
    while "alignment" not in provenance and provenance.get("parts"):
        provenance = provenance["parts"][0]
    return provenance.get("alignment", {})


def _join_block(name: str, block: Block, rows: NDArray[np.int64], begins: NDArray[np.int64]) -> Block:
    """Make a sequence an utterance (``rows`` tells which) of the sequences or vectors of intervals."""
    first = np.unique(rows, return_index=True)[1]
    starts = pd.Series(begins).groupby(rows).min().to_numpy()
    clock = _frame_clock(name, block, begins) if block.is_sequence else begins
    intervals = np.repeat(np.arange(block.n_rows), block.lengths)
    order = np.lexsort((intervals, clock, rows[intervals]))
    clock, intervals, owners = clock[order], intervals[order], rows[intervals[order]]
    # Where intervals overlap, the first of them has the frame; one interval may have several frames at a time.
    leads = np.ones(len(order), bool)
    leads[1:] = (clock[1:] != clock[:-1]) | (owners[1:] != owners[:-1])
    kept = intervals == intervals[leads][np.cumsum(leads) - 1]
    clock, owners = clock[kept], owners[kept]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(starts)))])
    times = (clock - starts[owners]) / _SECOND
    return _explained(
        Block.from_frames(block.frames[order[kept]], block.names, offsets, frame_times=times), block, first
    )


def _count_before(
    groups: NDArray[Any], times: NDArray[np.int64], edge_groups: NDArray[Any], edges: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count, for each edge, the points of earlier groups and those of its own group before it.

    Points and edges are sorted together, once: no loop over groups, and no sum of group and time that could overflow.
    """
    n_edges = len(edges)
    # The sort is stable, so that edges, put first, come before points of the same time.
    order = np.lexsort((np.concatenate([edges, times]), np.concatenate([edge_groups, groups])))
    is_point = order >= n_edges
    counts = np.empty(n_edges, np.int64)
    counts[order[~is_point]] = np.cumsum(is_point)[~is_point]
    return counts


def _ranges(first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of all ranges [first, last) one after another, and where each range begins among them."""
    lengths = np.maximum(last - first, 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return np.repeat(first - offsets[:-1], lengths) + np.arange(offsets[-1]), offsets
