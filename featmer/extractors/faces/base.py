"""Base of the extractors of faces; hides which of several faces is meant, and how well it can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.base import Outcome, checked
from featmer.extractors.faces.choice import POLICIES, Cast, choose
from featmer.extractors.sources.pictures import Excerpt, VideoExtractor
from featmer.media import Frame


@dataclass(frozen=True)
class Face:
    """Hold what is known of one face in one picture.

    Attributes
    ----------
    values : ndarray of shape (n_channels,)
        The extractor's channels.
    box : tuple of float
        Left, top, right and bottom edge in shares of the picture's width and height.
    mouth : float
        Opening of the mouth in shares of the face's height; NaN if unknown.
    quality : dict of str to float
        How far to trust the values, ``{"confidence": 0.9}``; the same names for every face.

    Examples
    --------
    >>> Face(np.zeros(3), (0.25, 0.0, 0.75, 0.5)).size
    0.25
    """

    values: NDArray[Any]
    box: tuple[float, float, float, float]
    mouth: float = np.nan
    quality: dict[str, float] = field(default_factory=dict)

    @property
    def size(self) -> float:
        """Share of the picture that the box covers."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


class FaceExtractor(VideoExtractor):
    """Base of extractors that describe faces.

    The author writes ``channels`` and ``find(frame)``, which returns every face of a picture, in any order. The base
    joins faces over the frames into tracks and chooses among them.

    Parameters
    ----------
    fps : float, default=5.0
        Frames a second to look at.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of frames with the face; or the frames themselves.
    max_faces : int, default=3
        Faces looked at in a frame, the largest ones.
    policy : {"largest", "centre", "all"}, default="largest"
        Which face is meant where several are seen at once.

    Examples
    --------
    >>> class Place(FaceExtractor):
    ...     channels = ("face.x",)
    ...
    ...     def find(self, frame):
    ...         return [Face([x], (x, 0.0, x + width, 0.4)) for x, width in ((0.1, 0.2), (0.5, 0.4))]
    >>> Place().describe(Frame(np.zeros((40, 60, 3), np.uint8), 0.0))
    (array([0.5], dtype=float32), {'face_count': 2, 'face_size': 0.16000000000000003})
    """

    modality = "face"
    subject = "face"

    def __init__(
        self, *, fps: float = 5.0, level: str = "functionals", max_faces: int = 3, policy: str = "largest"
    ) -> None:
        super().__init__(fps=fps, level=level)
        self.max_faces = max_faces
        self.policy = policy

    def find(self, frame: Frame) -> list[Face]:
        """Find the faces of one picture; the author's part.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture.

        Returns
        -------
        list of Face
            In any order.
        """
        raise NotImplementedError(f"{type(self).__name__} must define find(frame).")

    def fingerprint(self) -> dict[str, str]:
        """Return the versions that the values depend on, after checking the policy.

        Returns
        -------
        dict of str to str
            Version of each package.
        """
        check_name(self.policy, POLICIES, "policy")
        return super().fingerprint()

    def observe(self, frame: Frame) -> list[Face]:
        """Return the faces of a picture, at most ``max_faces``, the largest first.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture.

        Returns
        -------
        list of Face
            With checked values.
        """
        faces = sorted(self.find(frame), key=lambda face: face.size, reverse=True)[: self.max_faces]
        return [replace(face, values=checked(face.values, self.channels)) for face in faces]

    def describe(self, frame: Frame) -> tuple[NDArray[np.float32] | None, dict[str, float]]:
        """Describe the largest face of a picture.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture.

        Returns
        -------
        values : ndarray of shape (n_channels,) or None
            None if there is no face.
        quality : dict
            ``face_count``, and of the face ``face_size`` (share of the picture) and its own quality.
        """
        faces = self.observe(frame)
        if not faces:
            return None, {"face_count": 0, "face_size": np.nan}
        return faces[0].values, {"face_count": len(faces), **_qualities(faces[:1])}

    def summarize(self, times: NDArray[np.float64], observations: list[list[Face]], excerpt: Excerpt | None) -> Outcome:
        """Choose faces and sum them up.

        Parameters
        ----------
        times : ndarray of shape (n_frames,)
            Seconds from the start of the clip.
        observations : list of n_frames lists of Face
            The faces of each frame.
        excerpt : Excerpt or None
            Where the clip is; None if there is no media file.

        Returns
        -------
        Features or Absence
            Functionals or frames.
        """
        counts = np.array([len(faces) for faces in observations])
        faces = [face for seen in observations for face in seen]
        quality = {"face_count": float(counts.max()), "face_count_mean": float(counts.mean())}
        if not faces:
            return self.conclude(np.empty((0, 0), np.float32), times, 0.0, {**quality, "face_size": np.nan})
        frame = np.repeat(np.arange(len(times)), counts)
        cast = Cast(times, frame, np.array([face.box for face in faces]), np.array([face.mouth for face in faces]))
        choice = choose(cast, self.policy)
        chosen = [faces[index] for index in choice.faces]
        # A frame without the face is a row of NaN; one with several chosen faces is several rows of one time.
        shown = frame[choice.faces]
        row_frames = np.sort(np.append(shown, np.setdiff1d(np.arange(len(times)), shown)))
        rows = np.full((len(row_frames), len(self.channels)), np.nan, np.float32)
        rows[np.isin(row_frames, shown)] = [face.values for face in chosen]
        share = len(np.unique(shown)) / len(times)
        return self.conclude(rows, times[row_frames], share, {**quality, **choice.quality, **_qualities(chosen)})

    def warn(self, quality: dict[str, float]) -> tuple[tuple[str, str], ...]:
        """Warn when several faces were seen and one was picked, for it need not be the one meant.

        Parameters
        ----------
        quality : dict of str to float
            Quality of the clip.

        Returns
        -------
        tuple of (reason, advice)
            One warning or none.
        """
        if quality["face_count"] < 2 or self.policy == "all":
            return ()
        advice = f"policy {self.policy!r} picked one; crop the video or choose another policy if it is the wrong one"
        return ((f"{quality['face_count']:.0f} faces", advice),)


def _qualities(faces: list[Face]) -> dict[str, float]:
    """Return the means of what is known about how well faces can be seen."""
    known = {"face_size": [face.size for face in faces]}
    for name in sorted({name for face in faces for name in face.quality}):
        known[f"face_{name}"] = [face.quality[name] for face in faces if not np.isnan(face.quality[name])]
    return {name: float(np.mean(values)) if values else np.nan for name, values in known.items()}
