"""Facial features by MediaPipe; hides its landmarker and the geometry of the head."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer._resources import read_resource
from featmer.extractors.faces import Face, FaceExtractor
from featmer.extractors.faces.quality import occlusion
from featmer.extractors.landmarkers import FoundFace, detect_faces, open_landmarker
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
_GAZE_DEGREES = 30.0  # of an eye whose blendshape is 1
_N_MESH = 468  # landmarks of the face; those of the irises follow


class FaceLandmarks(FaceExtractor):
    """Describe faces by MediaPipe's FaceLandmarker.

    A frame gives 52 blendshapes (0 to 1), the pose of the head and the gaze of the eyes in degrees, and action units:
    means of the blendshapes that stand for them, by the table ``featmer/resources/blendshape_to_au.csv``, which names
    its sources. MediaPipe looks at each frame on its own, so that a row's values depend on no other row.

    Parameters
    ----------
    model : path or None, default=None
        A ``face_landmarker.task`` file; None finds one, see `featmer.extractors.models.find_face_model`.
    fps : float, default=5.0
        Frames a second to look at.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of frames with the face; or the frames themselves.
    max_faces : int, default=3
        Faces looked for in a frame.
    policy : {"largest", "centre", "speaker", "all"}, default="largest"
        Which face is meant where several are seen, see `FaceExtractor`.

    Attributes
    ----------
    channels : tuple of str
        ``"face.blendshape.jawOpen"``, ``"face.pose.yaw"``, ``"face.gaze.yaw"``, ``"face.au.AU12"``, ...
    names : tuple of str
        Names of the values of a clip: channels, with ``_mean``, ``_std`` and ``_max`` as functionals.

    Notes
    -----
    Pitch is positive when the face looks down, yaw when it turns to the right of the picture, roll when the head tilts
    counter-clockwise in the picture.

    The gaze is that of the eyes in the head, the mean of both, with the signs of the pose. It comes from the
    blendshapes ``eyeLook...`` alone, taking 1 for 30 degrees: irises moved by hand in one portrait gave 30 degrees
    horizontally and 27 vertically. Expect errors of 5 degrees and more; it tells glances apart, not targets.

    Besides the quality that every `FaceExtractor` tells, ``face_occlusion`` is the mean share of the face that is cut
    off by the border or hidden, see `featmer.extractors.faces.quality.occlusion`.

    Blendshapes do not tell some action units of others: AU27 moves jawOpen as AU26 does, AU43 eyeBlink as AU45; lips
    part (AU25) by jawOpen, mouthLowerDown and mouthUpperUp. They have none for AU11, AU13, AU19, AU23 and AU31 to AU39
    but AU34. MediaPipe's model hardly ever moves cheekSquint, noseSneer, cheekPuff and jawForward: all four stayed
    below 0.01 in every clip of the demo corpus (one portrait, warped). Expect little of AU06, AU09, AU29 and AU34.

    References
    ----------
    Lugaresi et al. (2019), "MediaPipe: a framework for building perception pipelines".
    Ekman, Friesen & Hager (2002), "Facial Action Coding System: the manual".
    Apple, "ARFaceAnchor.BlendShapeLocation", whose names and definitions MediaPipe's blendshapes follow.
    Ozel, "ARKit to FACS cheat sheet", https://melindaozel.com/arkit-to-facs-cheat-sheet.

    Examples
    --------
    >>> extractor = FaceLandmarks(fps=2, level="frames")
    >>> extractor.names[1], extractor.names[52:57]  # doctest: +NORMALIZE_WHITESPACE
    ('face.blendshape.browDownLeft',
     ('face.pose.pitch', 'face.pose.yaw', 'face.pose.roll', 'face.gaze.pitch', 'face.gaze.yaw'))
    >>> extractor.describe(Frame(np.zeros((96, 96, 3), np.uint8), time=0.0))
    (None, {'face_count': 0, 'face_size': nan})
    """

    version = 2
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
        landmarker = _open_landmarker(named, self.max_faces)
        return [_face(found, frame.image) for found in detect_faces(landmarker, image)]


def _read_action_units() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the names of the action units and the weight of each blendshape in them."""
    rows = read_resource("blendshape_to_au.csv")
    weights = np.zeros((len(rows), len(BLENDSHAPES)))
    for row, weight in zip(rows, weights, strict=True):
        parts = row["blendshapes"].split()
        weight[[BLENDSHAPES.index(part) for part in parts]] = 1 / len(parts)
    return tuple(row["au"] for row in rows), weights


def _gaze_weights() -> NDArray[np.float64]:
    """Return the weight of each blendshape in the gaze's pitch and yaw."""
    pitch = {"DownLeft": 1, "DownRight": 1, "UpLeft": -1, "UpRight": -1}
    yaw = {"OutLeft": 1, "InRight": 1, "InLeft": -1, "OutRight": -1}
    signs = [[each.get(name.removeprefix("eyeLook"), 0) for name in BLENDSHAPES] for each in (pitch, yaw)]
    return _GAZE_DEGREES / 2 * np.array(signs, np.float64)  # the mean of both eyes


_GAZE = _gaze_weights()
_ACTION_UNITS, _AU_WEIGHTS = _read_action_units()
_CHANNELS = (
    *(f"face.blendshape.{name}" for name in BLENDSHAPES),
    *(f"face.pose.{angle}" for angle in ("pitch", "yaw", "roll")),
    *(f"face.gaze.{angle}" for angle in ("pitch", "yaw")),
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


def _face(found: FoundFace, image: NDArray[np.uint8]) -> Face:
    """Return one face of MediaPipe's as ours."""
    shapes = found.blendshapes
    values = np.concatenate([shapes, _head_pose(found.pose), _GAZE @ shapes, _AU_WEIGHTS @ shapes])
    (left, top), (right, bottom) = found.landmarks.min(axis=1).tolist(), found.landmarks.max(axis=1).tolist()
    pixels = (found.landmarks * [[image.shape[1]], [image.shape[0]]]).T
    upper_lip, lower_lip, forehead, chin = pixels[_MIDLINE]
    mouth = np.linalg.norm(lower_lip - upper_lip) / np.linalg.norm(chin - forehead)
    quality = {"occlusion": occlusion(image, pixels[_skin()])}
    return Face(values, (left, top, right, bottom), float(mouth), quality)


@cache
def _skin() -> NDArray[np.int64]:
    """Return the landmarks that lie neither on eyes nor on brows nor on lips."""
    from mediapipe.tasks.python.vision import FaceLandmarksConnections as Connections

    lines = (
        *Connections.FACE_LANDMARKS_LIPS,
        *Connections.FACE_LANDMARKS_LEFT_EYE,
        *Connections.FACE_LANDMARKS_RIGHT_EYE,
        *Connections.FACE_LANDMARKS_LEFT_EYEBROW,
        *Connections.FACE_LANDMARKS_RIGHT_EYEBROW,
    )
    features = {point for line in lines for point in (line.start, line.end)}
    # A third of the mesh is plenty.
    return np.array([point for point in range(_N_MESH) if point not in features][::3])


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
