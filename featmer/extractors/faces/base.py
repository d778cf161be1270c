"""Base of the extractors of faces; hides which of several faces is meant, and how well it can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.base import Outcome, checked
from featmer.extractors.faces.choice import POLICIES, Cast, choose
from featmer.extractors.faces.quality import blur
from featmer.extractors.faces.speaker import LEAST_FPS
from featmer.extractors.sources.pictures import Excerpt, VideoExtractor
from featmer.media import Frame

_POSE = ("face.pose.pitch", "face.pose.yaw")
_FAR_DEGREES = 30.0


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
    joins faces over the frames into tracks, by overlap and motion, and takes one track, the same person from frame to
    frame; frames without it are rows of NaN. A face that is alone on the screen is always taken, so that a clip of one
    person keeps all its frames; looks are not compared, so that after a cut the person may be another one.

    Parameters
    ----------
    fps : float, default=5.0
        Frames a second to look at; at least 10 for the policy "speaker".
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of frames with the face; or the frames themselves.
    max_faces : int, default=3
        Faces looked at in a frame, the largest ones.
    policy : {"largest", "centre", "speaker", "all"}, default="largest"
        Which face is meant where several are seen. "largest": the track with the largest area, summed over frames.
        "centre": the one that is nearest to the middle, and longest. "speaker": the one whose mouth opens when the
        sound of the video gets louder; where there is no sound, the largest, with a warning. "all": every face;
        functionals are taken over all of them, and frames repeat their time for each face.

    Notes
    -----
    Quality of a clip: ``face_share``, share of frames with the face that is meant; ``face_count`` and
    ``face_count_mean``, most and mean number of faces in a frame; ``face_tracks``, number of tracks; ``face_score`` and
    ``face_margin``, how well the policy's choice fits, and by how much better than the next track (share of the picture
    times share of the frames; nearness to the middle times share of the frames; correlation of mouth and sound).
    Means over the chosen faces: ``face_size`` (share of the picture), ``face_blur`` (0 to 1), ``face_turned`` (share of
    faces turned by more than 30 degrees to a side, up or down), and whatever the author's faces tell.

    Examples
    --------
    >>> class Place(FaceExtractor):
    ...     channels = ("face.x",)
    ...
    ...     def find(self, frame):
    ...         return [Face([x], (x, 0.0, x + width, 0.4)) for x, width in ((0.1, 0.2), (0.5, 0.4))]
    >>> values, quality = Place().describe(Frame(np.zeros((40, 60, 3), np.uint8), 0.0))
    >>> values, quality["face_count"], round(quality["face_size"], 2)
    (array([0.5], dtype=float32), 2, 0.16)
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
            In any order; one whose values are all NaN counts as not found.
        """
        raise NotImplementedError(f"{type(self).__name__} must define find(frame).")

    def fingerprint(self) -> dict[str, str]:
        """Return the versions that the values depend on, after checking the policy.

        Returns
        -------
        dict of str to str
            Version of each package.

        Raises
        ------
        MissingExtra
            If a package is missing.
        ValueError
            If the policy is unknown, or needs more frames a second.
        """
        check_name(self.policy, POLICIES, "policy")
        if self.policy == "speaker" and self.fps < LEAST_FPS:
            raise ValueError(
                f"policy 'speaker' needs at least {LEAST_FPS:g} pictures a second to see syllables, got "
                f"fps={self.fps:g}: set fps={LEAST_FPS:g} or more."
            )
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
        found = [face for face in self.find(frame) if not np.isnan(face.values).all()]
        found.sort(key=lambda face: (-face.size, face.box))  # whatever their order was
        return [
            replace(
                face,
                values=checked(face.values, self.channels),
                quality={**face.quality, "blur": blur(frame.image, face.box)},
            )
            for face in found[: self.max_faces]
        ]

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
        quality = {"face_count": float(counts.max()), "face_count_mean": float(counts.mean())}
        faces = [face for seen in observations for face in seen]
        if not faces:
            return self.conclude(np.empty((0, 0), np.float32), times, 0.0, {**quality, "face_size": np.nan})
        frame = np.repeat(np.arange(len(times)), counts)
        boxes, mouth = np.array([face.box for face in faces]), np.array([face.mouth for face in faces])
        choice = choose(Cast(times, frame, boxes, mouth, excerpt), self.policy)
        chosen = [faces[index] for index in choice.faces]
        rows, row_frames = _rows(chosen, frame[choice.faces], len(times))
        share = len(np.unique(frame[choice.faces])) / len(times)
        quality |= {**choice.quality, **_qualities(chosen), **self._turned(rows)}
        return self.conclude(rows, times[row_frames], share, quality, self._warn(counts.max()) + choice.warnings)

    def _turned(self, rows: NDArray[np.float32]) -> dict[str, float]:
        """Return the share of the chosen faces that are turned far away, if the channels tell."""
        pose = [self.channels.index(name) for name in _POSE if name in self.channels]
        angles = rows[:, pose]
        angles = angles[~np.isnan(angles).any(axis=1)]
        return {"face_turned": float((np.abs(angles) > _FAR_DEGREES).any(axis=1).mean())} if angles.size else {}

    def _warn(self, count: int) -> tuple[tuple[str, str], ...]:
        """Warn when several faces were seen and one was picked, for it need not be the one meant."""
        if count < 2 or self.policy == "all":
            return ()
        advice = f"policy {self.policy!r} picked one; crop the video or choose another policy if it is the wrong one"
        return ((f"{count} faces", advice),)


def _rows(faces: list[Face], frame: NDArray[np.int64], n_frames: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the values of faces in the given frames, and the frame of each row.

    A frame without a face is a row of NaN; one with several faces is several rows.
    """
    row_frames = np.sort(np.append(frame, np.setdiff1d(np.arange(n_frames), frame)))
    rows = np.full((len(row_frames), len(faces[0].values)), np.nan, np.float32)
    rows[np.isin(row_frames, frame)] = [face.values for face in faces]
    return rows, row_frames


def _qualities(faces: list[Face]) -> dict[str, float]:
    """Return the means of what is known about how well faces can be seen."""
    known = {"face_size": [face.size for face in faces]}
    for name in sorted({name for face in faces for name in face.quality}):
        known[f"face_{name}"] = [face.quality[name] for face in faces if not np.isnan(face.quality[name])]
    return {name: float(np.mean(values)) if values else np.nan for name, values in known.items()}
