"""Find the people in a picture by MediaPipe's PoseLandmarker; hides its model, and what was found a moment ago."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer.extractors.landmarkers import open_landmarker
from featmer.extractors.models import POSE_MODEL

# fmt: off
LANDMARKS = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
    "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel", "left_foot", "right_foot",
)
# fmt: on
"""MediaPipe's 33 landmarks of a body, in its order; left and right are the person's."""

_MAX_PEOPLE = 3
_SEEN = 0.5  # visibility and presence that a landmark must have
_FACE = slice(0, 11)  # the landmarks of the face
_FACE_REACH = 1.25  # from the middle of a face to its border, in distances to its outermost landmark

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in shares of the picture's width and height; may reach beyond its border."""


@dataclass(frozen=True)
class Person:
    """Hold the landmarks of one person.

    Attributes
    ----------
    picture : ndarray of shape (33, 3)
        To the right, upwards and towards the camera, in picture widths; NaN where a landmark is hidden or outside.
    world : ndarray of shape (33, 3)
        The same directions in metres from the middle of the hips, as the model guesses them; NaN likewise.
    visibility : ndarray of shape (33,)
        How surely each landmark is in the picture and not hidden, 0 to 1.
    aspect : float
        Height of the picture in widths.

    Examples
    --------
    >>> points = np.zeros((33, 3))
    >>> points[:, :2] = [[0.2, -0.1]] + np.linspace(0, 0.4, 33)[:, None] * [1, -1]
    >>> person = Person(points, points, np.ones(33), aspect=0.5)
    >>> [round(side, 2) for side in person.box]
    [0.2, 0.2, 0.6, 1.0]
    """

    picture: NDArray[np.float64]
    world: NDArray[np.float64]
    visibility: NDArray[np.float64]
    aspect: float

    @property
    def box(self) -> Box:
        """Smallest box around the landmarks that are seen."""
        (left, low), (right, high) = np.nanmin(self.picture[:, :2], axis=0), np.nanmax(self.picture[:, :2], axis=0)
        return float(left), float(-high / self.aspect), float(right), float(-low / self.aspect)

    @property
    def face_box(self) -> Box | None:
        """Square around the face, from chin to forehead, guessed from ears, eyes, nose and mouth; None if unseen."""
        points = self.picture[_FACE, :2]
        points = points[~np.isnan(points).any(axis=1)]
        if len(points) < 2:
            return None
        across, up = (points.min(axis=0) + points.max(axis=0)) / 2
        reach = _FACE_REACH * np.hypot(*(points - (across, up)).T).max()
        return (
            float(across - reach),
            float((-up - reach) / self.aspect),
            float(across + reach),
            float((-up + reach) / self.aspect),
        )

    @property
    def size(self) -> float:
        """Share of the picture within the box."""
        return share_of_picture(self.box)


def share_of_picture(box: Box) -> float:
    """Return the share of the picture that a box covers.

    Parameters
    ----------
    box : tuple of float
        Left, top, right, bottom in shares of the picture.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> share_of_picture((-0.5, 0.0, 0.5, 0.5))
    0.25
    """
    left, top, right, bottom = np.clip(box, 0, 1)
    return float((right - left) * (bottom - top))


# Who was found in the last two pictures: several extractors ask about the same ones, and speed needs the one before.
_recently: deque[tuple[NDArray[np.uint8], Any, list[Person]]] = deque(maxlen=2)


def find_people(image: NDArray[np.uint8], model: str | None = None) -> list[Person]:
    """Find at most three people.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3)
        Upright RGB picture.
    model : path or None, default=None
        A ``pose_landmarker*.task`` file; None finds one, see `featmer.extractors.models.ModelFile`.

    Returns
    -------
    list of Person
        The largest first; each with a landmark that is seen.

    Examples
    --------
    >>> find_people(np.zeros((96, 96, 3), np.uint8))
    []
    """
    # The variable is looked up here, so that a change of it opens another model.
    landmarker = _open_landmarker(POSE_MODEL.named(model))
    for known, by, people in tuple(_recently):
        if known is image and by is landmarker:
            return people
    people = _detect(landmarker, image)
    _recently.append((image, landmarker, people))
    return people


def _detect(landmarker: Any, image: NDArray[np.uint8]) -> list[Person]:
    import mediapipe

    found = landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image))
    aspect = image.shape[0] / image.shape[1]
    pairs = zip(found.pose_landmarks, found.pose_world_landmarks, strict=True)
    people = [_person(landmarks, world, aspect) for landmarks, world in pairs]
    return sorted((person for person in people if not np.isnan(person.picture).all()), key=lambda person: -person.size)


def _person(landmarks: list[Any], world: list[Any], aspect: float) -> Person:
    """Return a person from MediaPipe's landmarks, whose y runs downwards and whose z runs away from the camera."""
    visibility = np.array([min(landmark.visibility, landmark.presence) for landmark in landmarks])
    picture = np.array([(landmark.x, -landmark.y * aspect, -landmark.z) for landmark in landmarks])
    metres = np.array([(landmark.x, -landmark.y, -landmark.z) for landmark in world])
    hidden = visibility < _SEEN
    picture[hidden] = metres[hidden] = np.nan
    return Person(picture, metres, visibility, aspect)


@cache
def _open_landmarker(model: str | None) -> Any:
    """Open the landmarker once a process."""
    from mediapipe.tasks import python as tasks

    options = tasks.vision.PoseLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(POSE_MODEL.find(model))),
        running_mode=tasks.vision.RunningMode.IMAGE,
        num_poses=_MAX_PEOPLE,
    )
    return open_landmarker(tasks.vision.PoseLandmarker, options)
