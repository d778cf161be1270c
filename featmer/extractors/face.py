"""Facial features by MediaPipe; hides its landmarker and the geometry of the head."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer.extractors.faces import Face, FaceExtractor
from featmer.extractors.landmarkers import open_landmarker
from featmer.extractors.models import FACE_MODEL, file_sha256
from featmer.media import Frame

# fmt: off
BLENDSHAPES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)
# fmt: on
"""MediaPipe's 52 blendshapes, in its order."""

# Landmarks in the middle of the face: inner edges of upper and lower lip, top of the forehead, chin.
_MIDLINE = [13, 14, 10, 152]


class FaceLandmarks(FaceExtractor):
    """Describe the largest face of each frame by MediaPipe's FaceLandmarker.

    A frame gives 52 blendshapes (0 to 1), the pose of the head in degrees, and action units: means of the blendshapes
    that stand for them, by the table ``featmer/resources/blendshape_to_au.csv``, which names its sources. Each frame is
    looked at on its own, so that a row's values depend on no other row.

    Parameters
    ----------
    model : path or None, default=None
        A ``face_landmarker.task`` file; None finds one, see `featmer.extractors.models.ModelFile`.
    fps : float, default=5.0
        Frames a second to look at.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of frames with a face; or the frames with a face.
    max_faces : int, default=3
        Faces looked for in a frame; more than one face is a warning in the failure table.

    Attributes
    ----------
    channels : tuple of str
        ``"face.blendshape.jawOpen"``, ``"face.pose.yaw"``, ``"face.au.AU12"``, ...
    names : tuple of str
        Names of the values of a clip: channels, with ``_mean``, ``_std`` and ``_max`` as functionals.

    Notes
    -----
    Pitch is positive when the face looks down, yaw when it turns to the right of the picture, roll when the head tilts
    counter-clockwise in the picture.

    MediaPipe's model hardly ever moves cheekSquint, noseSneer, cheekPuff and jawForward: all four stayed below 0.01 in
    every clip of the demo corpus (one portrait, warped). Expect little of AU06, AU09, AU29 and AU34.

    References
    ----------
    Lugaresi et al. (2019), "MediaPipe: a framework for building perception pipelines".
    Ekman, Friesen & Hager (2002), "Facial Action Coding System: the manual".

    Examples
    --------
    >>> extractor = FaceLandmarks(fps=2, level="frames")
    >>> extractor.names[1], extractor.names[52:55]
    ('face.blendshape.browDownLeft', ('face.pose.pitch', 'face.pose.yaw', 'face.pose.roll'))
    >>> extractor.describe(Frame(np.zeros((96, 96, 3), np.uint8), time=0.0))
    (None, {'face_count': 0, 'face_size': nan})
    """

    packages = ("av", "mediapipe")

    def __init__(
        self,
        model: str | None = None,
        *,
        fps: float = 5.0,
        level: str = "functionals",
        max_faces: int = 3,
        policy: str = "largest",
    ) -> None:
        super().__init__(fps=fps, level=level, max_faces=max_faces, policy=policy)
        self.model = model

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values of one frame."""
        return _CHANNELS

    def fingerprint(self) -> dict[str, str]:
        """Return the versions of the packages and the hash of the model file.

        Returns
        -------
        dict of str to str
            Version of each package; hash of the model file.

        Raises
        ------
        MissingExtra
            If mediapipe is missing.
        MissingModelError
            If no model file is found.
        """
        return {**super().fingerprint(), "model": file_sha256(FACE_MODEL.find(self.model))}

    def find(self, frame: Frame) -> list[Face]:
        """Find the faces of a picture.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture.

        Returns
        -------
        list of Face
            At most ``max_faces``.
        """
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame.image)
        # The variable is looked up here, so that a change of it opens another model.
        named = FACE_MODEL.named(self.model)
        found = _open_landmarker(named, self.max_faces).detect(image)
        parts = zip(found.face_landmarks, found.face_blendshapes, found.facial_transformation_matrixes, strict=True)
        return [_face(*part, frame.image.shape) for part in parts]


def _read_action_units() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the names of the action units and the weight of each blendshape in them."""
    text = (resources.files("featmer") / "resources" / "blendshape_to_au.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    weights = np.zeros((len(rows), len(BLENDSHAPES)))
    for row, weight in zip(rows, weights, strict=True):
        parts = row["blendshapes"].split()
        weight[[BLENDSHAPES.index(part) for part in parts]] = 1 / len(parts)
    return tuple(row["au"] for row in rows), weights


_ACTION_UNITS, _AU_WEIGHTS = _read_action_units()
_CHANNELS = (
    *(f"face.blendshape.{name}" for name in BLENDSHAPES),
    *(f"face.pose.{angle}" for angle in ("pitch", "yaw", "roll")),
    *(f"face.au.{name}" for name in _ACTION_UNITS),
)


def _head_pose(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return pitch, yaw and roll in degrees of a 4 x 4 transformation (x right, y up, z to the camera)."""
    # The columns may be scaled: a rotation has columns of length 1.
    rotation = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    pitch = np.arctan2(rotation[2, 1], rotation[2, 2])
    yaw = np.arctan2(-rotation[2, 0], np.hypot(rotation[2, 1], rotation[2, 2]))
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.degrees([pitch, yaw, roll])


def _face(landmarks: list[Any], categories: list[Any], matrix: NDArray[np.float32], shape: tuple[int, ...]) -> Face:
    """Return one face of MediaPipe's as ours."""
    points = np.array([(landmark.x, landmark.y) for landmark in landmarks])
    scores = {category.category_name: category.score for category in categories}
    blendshapes = np.array([scores[name] for name in BLENDSHAPES])
    values = np.concatenate([blendshapes, _head_pose(matrix), _AU_WEIGHTS @ blendshapes])
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    upper_lip, lower_lip, forehead, chin = points[_MIDLINE] * (shape[1], shape[0])
    mouth = np.linalg.norm(lower_lip - upper_lip) / np.linalg.norm(chin - forehead)
    return Face(values, (left, top, right, bottom), float(mouth))


@cache
def _open_landmarker(model: str | None, max_faces: int) -> Any:
    """Open the landmarker once a process."""
    from mediapipe.tasks import python as tasks

    options = tasks.vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(FACE_MODEL.find(model))),
        running_mode=tasks.vision.RunningMode.IMAGE,
        num_faces=max_faces,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    return open_landmarker(tasks.vision.FaceLandmarker, options)
