"""Choose among several faces of a clip; hides tracks, scenes and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from featmer._checks import check_name
from featmer.extractors.faces.tracks import join_tracks


@dataclass(frozen=True)
class Cast:
    """All faces of a clip, frame by frame.

    Attributes
    ----------
    times : ndarray of shape (n_frames,)
        Seconds.
    frame : ndarray of shape (n_faces,)
        In which frame each face is, ascending.
    boxes : ndarray of shape (n_faces, 4)
        Left, top, right and bottom edge in shares of the picture.
    mouth : ndarray of shape (n_faces,)
        Opening of the mouth in shares of the face's height, or NaN.

    Examples
    --------
    >>> Cast(np.zeros(1), np.zeros(2, int), np.array([[0, 0, 0.1, 0.1], [0.5, 0, 0.9, 0.4]]), np.full(2, np.nan)).track
    array([0, 1])
    """

    times: NDArray[np.float64]
    frame: NDArray[np.int64]
    boxes: NDArray[np.float64]
    mouth: NDArray[np.float64]

    @cached_property
    def track(self) -> NDArray[np.int64]:
        """Number of each face's track, (n_faces,)."""
        counts = np.bincount(self.frame, minlength=len(self.times))
        return np.concatenate(join_tracks(self.times, np.split(self.boxes, np.cumsum(counts)[:-1])))

    @cached_property
    def scene(self) -> NDArray[np.int64]:
        """Number of each track's scene, (n_tracks,): tracks seen at once, and those seen at once with them."""
        faces = coo_array((np.ones(len(self.frame)), (self.track, self.frame)))
        return connected_components(faces @ faces.T, directed=False)[1]

    def total(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the faces' weights in each track, by frame of the clip, (n_tracks,)."""
        return np.bincount(self.track, weights) / len(self.times)


@dataclass(frozen=True)
class Choice:
    """What a policy chose.

    Attributes
    ----------
    faces : ndarray of shape (n_chosen,)
        Which faces of the cast, in order of time.
    quality : dict of str to float
        Scores.

    Examples
    --------
    >>> Choice(np.array([0, 2]), {}).faces
    array([0, 2])
    """

    faces: NDArray[np.int64]
    quality: dict[str, float]


def choose(cast: Cast, policy: str) -> Choice:
    """Choose faces: in each scene the track with the best score, or all.

    Parameters
    ----------
    cast : Cast
        At least one face.
    policy : str
        A name in ``POLICIES``.

    Returns
    -------
    Choice
        Faces and scores.

    Examples
    --------
    >>> cast = Cast(np.zeros(1), np.zeros(2, int), np.array([[0, 0, 0.1, 0.1], [0.5, 0, 0.9, 0.4]]), np.full(2, np.nan))
    >>> choose(cast, "largest").faces
    array([1])
    """
    check_name(policy, POLICIES, "policy")
    score = POLICIES[policy]
    quality = {"face_tracks": float(len(cast.scene))}
    if score is None:
        return Choice(np.arange(len(cast.frame)), quality)
    scores = score(cast)
    best = [
        max(np.flatnonzero(cast.scene == scene), key=lambda track: scores[track]) for scene in np.unique(cast.scene)
    ]
    return Choice(np.flatnonzero(np.isin(cast.track, best)), quality)


def _areas(cast: Cast) -> NDArray[np.float64]:
    """Return the area of each track, summed over frames."""
    return cast.total(np.prod(cast.boxes[:, 2:] - cast.boxes[:, :2], axis=1))


def _nearness(cast: Cast) -> NDArray[np.float64]:
    """Return how near each track is to the middle of the picture, 1 there and 0 in a corner, summed over frames."""
    middles = (cast.boxes[:, :2] + cast.boxes[:, 2:]) / 2
    return cast.total(1 - np.linalg.norm(middles - 0.5, axis=1) / np.sqrt(0.5))


POLICIES: dict[str, Callable[[Cast], NDArray[np.float64]] | None] = {
    "largest": _areas,
    "centre": _nearness,
    "all": None,
}
"""How each policy scores the tracks of a clip; None takes all."""
