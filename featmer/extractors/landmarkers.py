"""Open and ask MediaPipe's landmarkers; hides noise on stderr, trouble at the end of the process, slow objects."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class FoundFace(NamedTuple):
    """What MediaPipe's FaceLandmarker tells of a face.

    Attributes
    ----------
    landmarks : ndarray of shape (2, n_landmarks)
        Shares of the picture's width, to the right, and of its height, downwards; float64.
    blendshapes : ndarray of shape (n_blendshapes,)
        In MediaPipe's order; float64.
    pose : ndarray of shape (4, 4)
        The head's transformation.
    """

    landmarks: NDArray[np.float64]
    blendshapes: NDArray[np.float64]
    pose: NDArray[np.float32]


def open_landmarker(kind: Any, options: Any) -> Any:
    """Open one of MediaPipe's landmarkers.

    Parameters
    ----------
    kind : type
        A class of ``mediapipe.tasks.python.vision``: FaceLandmarker, PoseLandmarker.
    options : object
        Its options.

    Returns
    -------
    landmarker
        To be kept: it takes a tenth of a second to open.
    """
    with _quiet_stderr():
        landmarker = kind.create_from_options(options)
    # It ends with the process: MediaPipe closes it in a thread, which has ended before, and would print a traceback.
    atexit.register(setattr, landmarker, "_handle", None)
    return landmarker


def detect_faces(landmarker: Any, image: Any) -> list[FoundFace]:
    """Find the faces of a picture.

    Parameters
    ----------
    landmarker : FaceLandmarker
        With blendshapes and transformation matrices.
    image : mediapipe.Image
        The picture.

    Returns
    -------
    list of FoundFace
        What ``landmarker.detect(image)`` finds.
    """
    try:
        return _read_faces(landmarker, image)
    except AttributeError:  # another version of MediaPipe, with other private parts
        return _convert_faces(landmarker.detect(image))


def _read_faces(landmarker: Any, image: Any) -> list[FoundFace]:
    """Detect, and read MediaPipe's memory: an object for each landmark, as it makes them, takes a tenth of all time."""
    found = sys.modules[type(landmarker).__module__].MpFaceLandmarkerResultC()
    landmarker._lib.MpFaceLandmarkerDetectImage(landmarker._handle, image._image_ptr, None, ctypes.byref(found))
    try:
        return [
            FoundFace(
                _copied(points.landmarks, points.landmarks_count, ("x", "y")),
                _copied(shapes.categories, shapes.categories_count, ("score",))[0],
                found.facial_transformation_matrixes[number].to_numpy(),
            )
            for number in range(found.face_landmarks_count)
            for points, shapes in [(found.face_landmarks[number], found.face_blendshapes[number])]
        ]
    finally:
        landmarker._lib.MpFaceLandmarkerCloseResult(ctypes.byref(found))


def _copied(structures: Any, count: int, fields: tuple[str, ...]) -> NDArray[np.float64]:
    """Return fields of C structures behind a pointer, (n_fields, count)."""
    layout = _layout(structures._type_, fields)
    memory = np.frombuffer(ctypes.string_at(structures, count * layout.itemsize), layout)
    return np.array([memory[field] for field in fields], np.float64)


@cache
def _layout(structure: Any, fields: tuple[str, ...]) -> np.dtype[Any]:
    kinds = dict(structure._fields_)
    offsets = [getattr(structure, field).offset for field in fields]
    formats = [np.dtype(kinds[field]) for field in fields]
    return np.dtype(
        {"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": ctypes.sizeof(structure)}
    )


def _convert_faces(found: Any) -> list[FoundFace]:
    """Convert the objects of MediaPipe's public interface."""
    parts = zip(found.face_landmarks, found.face_blendshapes, found.facial_transformation_matrixes, strict=True)
    return [
        FoundFace(
            np.array([[point.x for point in points], [point.y for point in points]]),
            np.array([shape.score for shape in shapes]),
            pose,
        )
        for points, shapes, pose in parts
    ]


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what native code writes to stderr: MediaPipe logs its start there and heeds no variable that forbids it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
