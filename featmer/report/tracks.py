"""What face and voice did over a dialogue: a few features over time, thin enough for a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featmer.descriptions.wording import ACTION_UNITS
from featmer.table import Block, FeatureTable

# Kind of track, the features that show it (a functional is taken by its mean), and how many of them at most.
_KINDS = (
    ("action units", re.compile(r"\.(AU\d\d)(?:_r|_mean)?$"), 6),
    ("pitch", re.compile(r"^audio\..*(F0|pitch)"), 1),
    ("energy", re.compile(r"^audio\..*(loudness|energy|level)", re.IGNORECASE), 1),
)
KINDS = [kind for kind, _, _ in _KINDS]
_NOT_A_MEAN = re.compile(r"(stddev|std|percentile|pctlrange|Slope|_max|_min|logRel|PerSec)", re.IGNORECASE)
_N_NUMBERS = 60_000  # on the whole page and a track
_MOST, _LEAST = 240, 24  # points of a track and dialogue


class Track(NamedTuple):
    """One feature that a page shows over time.

    Parameters
    ----------
    kind, name : str
        Panel and label.
    block : Block
        Where its values lie.
    column : int
        Which of the block's features.

    Examples
    --------
    >>> Track("pitch", "F0", Block([[1.0]], ["audio.F0"]), 0).kind
    'pitch'
    """

    kind: str
    name: str
    block: Block
    column: int


def choose_tracks(table: FeatureTable) -> list[Track]:
    """Find action units, pitch and energy among the features of a table.

    Parameters
    ----------
    table : FeatureTable
        Sequences are preferred to vectors.

    Returns
    -------
    list of Track
        The six action units that vary most, the first pitch and the first energy.

    Examples
    --------
    >>> import pandas as pd
    >>> segments = pd.DataFrame({"dialogue": ["a", "a"], "turn": [0, 1]})
    >>> face = Block([[0.0, 0.1], [1.0, 0.2]], ["face.au.AU12_mean", "face.pose.yaw_mean"])
    >>> [track.name for track in choose_tracks(FeatureTable(segments, {"face": face}))]
    ['AU12 lip corner puller']
    """
    blocks = sorted(table.blocks.values(), key=lambda block: not block.is_sequence)
    chosen: list[Track] = []
    for kind, pattern, at_most in _KINDS:
        for block in blocks:
            found = list(_matching(kind, pattern, block))
            if found:
                chosen += sorted(found, key=_spread, reverse=True)[:at_most] if at_most > 1 else found[:1]
                break
    return chosen


def lay_out(tracks: list[Track], rows: NDArray[np.int64], n_dialogues: int) -> dict[str, Any]:
    """Put the turns of a dialogue one after another and thin what is to be drawn.

    Parameters
    ----------
    tracks : list of Track
        From `choose_tracks`.
    rows : ndarray of int
        Rows of the table, in the order of the turns.
    n_dialogues : int
        Dialogues of the page, which share its size.

    Returns
    -------
    dict
        ``unit`` ("s" or "turn"), ``starts`` (where each turn begins) and ``points`` (kind, name, x, y); empty without
        tracks.

    Examples
    --------
    >>> track = Track("pitch", "F0", Block([[1.0], [3.0]], ["audio.F0"]), 0)
    >>> lay_out([track], np.array([0, 1]), 1)["points"]
    [{'kind': 'pitch', 'name': 'F0', 'x': 0.5, 'y': 1.0}, {'kind': 'pitch', 'name': 'F0', 'x': 1.5, 'y': 3.0}]
    """
    if not tracks:
        return {}
    timed = any(track.block.frame_times is not None for track in tracks)
    lengths = np.max([_seconds(track.block, rows) for track in tracks], axis=0) if timed else np.ones(len(rows))
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    n_points = int(np.clip(_N_NUMBERS // max(n_dialogues, 1), _LEAST, _MOST))
    points: list[dict[str, Any]] = []
    for track in tracks:
        for x, y in _thin(*_along(track, rows, starts), step=max(starts[-1], 1e-9) / n_points):
            points.append({"kind": track.kind, "name": track.name, "x": x, "y": y})
    return {"unit": "s" if timed else "turn", "starts": starts[:-1].round(3).tolist(), "points": points}


def _matching(kind: str, pattern: re.Pattern[str], block: Block) -> Iterator[Track]:
    for column, name in enumerate(block.names):
        found = pattern.search(name)
        if found and not _NOT_A_MEAN.search(name):
            unit = ACTION_UNITS.get(found.group(1))
            yield Track(kind, f"{found.group(1)} {unit.name}" if unit else found.group(1), block, column)


def _spread(track: Track) -> float:
    values = track.block.frames[:, track.column]
    known = values[~np.isnan(values)]
    return float(known.std()) if len(known) else 0.0


def _seconds(block: Block, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how long each row lasts by its frames; a second where that is not known."""
    spans = [_frames(block.frame_times, block, row) for row in rows] if block.frame_times is not None else []
    return np.array([span[-1] - span[0] if len(span) > 1 else 1.0 for span in spans]) if spans else np.ones(len(rows))


def _frames(values: NDArray[Any], block: Block, row: int) -> NDArray[np.float64]:
    """Return the part of an array over all frames that belongs to a row."""
    start, end = (row, row + 1) if block.offsets is None else (block.offsets[row], block.offsets[row + 1])
    return values[start:end].astype(float)


def _along(
    track: Track, rows: NDArray[np.int64], starts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return place and value of every frame; a vector stands in the middle of its turn."""
    block = track.block
    values = [_frames(block.frames[:, track.column], block, row) for row in rows]
    spans = np.diff(starts)
    places = []
    for number, (row, column) in enumerate(zip(rows, values, strict=True)):
        if block.frame_times is not None and len(column) > 1:
            times = _frames(block.frame_times, block, row)
            within = times - times[0]
        else:
            within = (np.arange(len(column)) + 0.5) * spans[number] / max(len(column), 1)
        places.append(starts[number] + within)
    y = np.concatenate(values)
    silent = (y == 0) & (track.kind == "pitch")  # openSMILE's zero says that nothing was voiced
    return np.concatenate(places), np.where(silent, np.nan, y)


def _thin(x: NDArray[np.float64], y: NDArray[np.float64], step: float) -> Iterator[tuple[float, float | None]]:
    """Average over steps; a step without a value breaks the line."""
    _, bins, counts = np.unique((x / step).astype(int), return_inverse=True, return_counts=True)
    known = ~np.isnan(y)
    sums, n_known = np.bincount(bins, np.where(known, y, 0.0)), np.bincount(bins, known)
    for place, total, n in zip(np.bincount(bins, x) / counts, sums, n_known, strict=True):
        yield round(float(place), 3), float(f"{total / n:.3g}") if n else None
