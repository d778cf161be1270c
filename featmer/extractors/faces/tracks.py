"""Join faces over frames into tracks by where they are and how they move; looks are never compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

_GAP_SECONDS = 1.0  # how long a face may stay unseen within its track
_LEAST_OVERLAP = 0.1  # of the predicted and the found box, for the same face
_INERTIA = 0.5  # weight of the past in a track's velocity


def join_tracks(times: NDArray[np.float64], frames: Sequence[NDArray[np.float64]]) -> list[NDArray[np.int64]]:
    """Give every face the number of its track.

    From frame to frame a track is continued by the face that overlaps most with the place where its box would be at
    constant velocity; of all ways to pair tracks and faces the one with the largest sum of overlaps is taken.
    A track may skip frames for up to a second. The order of faces within a frame has no influence on who is joined.

    Parameters
    ----------
    times : ndarray of shape (n_frames,)
        Seconds, ascending.
    frames : sequence of n_frames arrays of shape (n_faces_i, 4)
        Boxes (left, top, right, bottom), any unit.

    Returns
    -------
    list of n_frames arrays of shape (n_faces_i,)
        Number of the track of each face, from 0.

    References
    ----------
    Bewley et al. (2016), "Simple online and realtime tracking".

    Examples
    --------
    >>> ann, bob = [0.0, 0.0, 0.2, 0.2], [0.6, 0.0, 0.8, 0.2]
    >>> [track.tolist() for track in join_tracks(np.arange(2) / 5, [np.array([ann, bob]), np.array([bob, ann])])]
    [[0, 1], [1, 0]]
    """
    # Where frames are far apart, at least neighbours are joined.
    gap = max(_GAP_SECONDS + 1e-6, 1.5 * np.median(np.diff(times)) if len(times) > 1 else 0.0)
    live: list[_Track] = []
    numbers = []
    n_tracks = 0
    for time, given in zip(times, frames, strict=True):
        number = np.full(len(given), -1, np.int64)
        live = [track for track in live if time - track.time <= gap]
        for track, face in _pairs([track.predict(time) for track in live], given):
            live[track].follow(given[face], time)
            number[face] = live[track].number
        # New tracks are numbered from left to right, whatever the order of faces.
        for new in sorted(np.flatnonzero(number < 0), key=lambda face: tuple(given[face])):
            number[new] = n_tracks
            live.append(_Track(n_tracks, given[new], time))
            n_tracks += 1
        numbers.append(number)
    return numbers


class _Track:
    """A face's box, when it was last seen there, and how fast its middle moves."""

    def __init__(self, number: int, box: NDArray[np.float64], time: float) -> None:
        self.number = number
        self.box = box
        self.time = time
        self.velocity: NDArray[np.float64] | None = None

    def predict(self, time: float) -> NDArray[np.float64]:
        return self.box if self.velocity is None else self.box + np.tile((time - self.time) * self.velocity, 2)

    def follow(self, box: NDArray[np.float64], time: float) -> None:
        moved = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2
        velocity = moved / max(time - self.time, 1e-6)
        self.velocity = velocity if self.velocity is None else _INERTIA * self.velocity + (1 - _INERTIA) * velocity
        self.box, self.time = box, time


def _pairs(predicted: list[NDArray[np.float64]], given: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return which prediction and which given box are the same face."""
    if not predicted or not len(given):
        return []
    overlap = _overlaps(np.stack(predicted), given)
    allowed = overlap >= _LEAST_OVERLAP
    if overlap.size == 1:
        return [(0, 0)] if allowed.item() else []
    pairs = zip(*linear_sum_assignment(np.where(allowed, overlap, 0.0), maximize=True), strict=True)
    return [(int(track), int(face)) for track, face in pairs if allowed[track, face]]


def _overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intersection over union of each of n boxes with each of m boxes, (n, m)."""
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    opposite = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.maximum(opposite - corner, 0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - common
    return common / np.maximum(union, 1e-12)
