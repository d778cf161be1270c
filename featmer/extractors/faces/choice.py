"""Choose among several faces of a clip; hides tracks, scenes and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from featmer._checks import check_name
from featmer.extractors.base import UndescribableError
from featmer.extractors.faces.speaker import LEAST_FPS, agreement, speech_envelope
from featmer.extractors.faces.tracks import join_tracks
from featmer.extractors.sources.pictures import Excerpt
from featmer.media import MediaError


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
    excerpt : Excerpt or None
        Where their sound is.

    Examples
    --------
    >>> Cast(np.zeros(1), np.zeros(2, int), np.array([[0, 0, 0.1, 0.1], [0.5, 0, 0.9, 0.4]]), np.full(2, np.nan)).track
    array([0, 1])
    """

    times: NDArray[np.float64]
    frame: NDArray[np.int64]
    boxes: NDArray[np.float64]
    mouth: NDArray[np.float64]
    excerpt: Excerpt | None = None

    @cached_property
    def track(self) -> NDArray[np.int64]:
        """Number of each face's track, (n_faces,)."""
        counts = np.bincount(self.frame, minlength=len(self.times))
        return np.concatenate(join_tracks(self.times, np.split(self.boxes, np.cumsum(counts)[:-1])))

    @cached_property
    def scene(self) -> NDArray[np.int64]:
        """Number of each track's scene, (n_tracks,): tracks seen at once, and those seen at once with them."""
        if (np.diff(self.frame) > 0).all():  # never two at once
            return np.arange(self.track.max() + 1)
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
        ``face_tracks``, their number; ``face_score``, the score of the chosen track; ``face_margin``, by how much it is
        better than the next (NaN if there is none). Means over the chosen faces where a clip has several scenes.
    warnings : tuple of (reason, advice)
        What a person should know.

    Examples
    --------
    >>> Choice(np.array([0, 2])).warnings
    ()
    """

    faces: NDArray[np.int64]
    quality: dict[str, float] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()


def choose(cast: Cast, policy: str) -> Choice:
    """Choose faces: in each scene the track with the best score, or all.

    A scene is all that is linked by faces seen at once. Where a face is alone there is nothing to choose, so that a
    clip of one person keeps all its frames, even if the track breaks at a cut.

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
    >>> choice = choose(cast, "largest")
    >>> choice.faces, round(choice.quality["face_margin"], 2)
    (array([1]), 0.15)
    """
    check_name(policy, POLICIES, "policy")
    tracks = {"face_tracks": float(len(cast.scene))}
    score = POLICIES[policy]
    if score is None:
        return Choice(np.arange(len(cast.frame)), tracks)
    areas = _areas(cast)
    warnings: tuple[tuple[str, str], ...] = ()
    try:
        scores = score(cast)
    except (MediaError, UndescribableError) as error:
        scores = np.full(len(areas), np.nan)
        if cast.scene.max() + 1 < len(cast.scene):
            warnings = ((f"who speaks is unknown: {error.reason}", f"the largest face was taken; {error.advice}"),)
    best, margins = _best(scores, areas, cast.scene)
    chosen = np.flatnonzero(np.isin(cast.track, best))
    known = {"face_score": scores[cast.track[chosen]], "face_margin": margins[cast.scene[cast.track[chosen]]]}
    return Choice(chosen, {**tracks, **{name: _mean(values) for name, values in known.items()}}, warnings)


def _best(
    scores: NDArray[np.float64], areas: NDArray[np.float64], scene: NDArray[np.int64]
) -> tuple[list[int], NDArray[np.float64]]:
    """Return the best track of each scene, by area where there is no score, and the distance to the second's score."""
    order = np.lexsort((areas, np.nan_to_num(scores, nan=-np.inf)))
    ranked = [order[scene[order] == number][::-1] for number in range(scene.max() + 1)]
    margins = [scores[tracks[0]] - scores[tracks[1]] if len(tracks) > 1 else np.nan for tracks in ranked]
    return [tracks[0] for tracks in ranked], np.array(margins)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _areas(cast: Cast) -> NDArray[np.float64]:
    """Return the area of each track, in shares of the picture, summed over frames and divided by all frames."""
    return cast.total(np.prod(cast.boxes[:, 2:] - cast.boxes[:, :2], axis=1))


def _nearness(cast: Cast) -> NDArray[np.float64]:
    """Return how near each track is to the middle of the picture, 1 there and 0 in a corner; summed like areas."""
    middles = (cast.boxes[:, :2] + cast.boxes[:, 2:]) / 2
    return cast.total(1 - np.linalg.norm(middles - 0.5, axis=1) / np.sqrt(0.5))


def _speech(cast: Cast) -> NDArray[np.float64]:
    """Return how well each track's mouth goes with the sound."""
    fps = 1 / np.median(np.diff(cast.times)) if len(cast.times) > 1 else 0.0
    if fps < LEAST_FPS - 0.5:
        raise UndescribableError(f"{fps:.1f} pictures a second", f"at least {LEAST_FPS:g} are needed to see syllables")
    envelope = speech_envelope(cast.excerpt)
    tracks = [np.flatnonzero(cast.track == track) for track in range(len(cast.scene))]
    return np.array([agreement(cast.times[cast.frame[own]], cast.mouth[own], envelope) for own in tracks])


POLICIES: dict[str, Callable[[Cast], NDArray[np.float64]] | None] = {
    "largest": _areas,
    "centre": _nearness,
    "speaker": _speech,
    "all": None,
}
"""How each policy scores the tracks of a clip; None takes all."""
