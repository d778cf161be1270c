"""What py-feat's columns (its class Fex) mean: from a row of numbers to a face in featmer's names and units."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from featmer.extractors.faces import Face

# fmt: off
ACTION_UNITS = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU11", "AU12", "AU14", "AU15", "AU17", "AU20",
    "AU23", "AU24", "AU25", "AU26", "AU28", "AU43",
)
# fmt: on
_EMOTIONS = {
    "v1": {name: name for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")},
    "v2": {
        "neutral": "Neutral",
        "happiness": "Happy",
        "sadness": "Sad",
        "surprise": "Surprise",
        "fear": "Fear",
        "disgust": "Disgust",
        "anger": "Anger",
    },
}
_DEGREES = 180 / math.pi

GEOMETRY = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore")
LIPS = ("y_62", "y_66")
"""Inner edges of the upper and the lower lip, of 68 landmarks counted from 0."""


def fex_columns(detector: str) -> dict[str, tuple[str, float]]:
    """Return which column a channel is read from, and the factor to featmer's unit and sign.

    py-feat's pose and gaze are radians, positive upwards and to the subject's right; featmer's are degrees, positive
    downwards and to the right of the picture, which is the subject's left. Both count a tilt of the head as positive
    that is counter-clockwise in the picture.

    Parameters
    ----------
    detector : {"v1", "v2"}
        Version of the detector.

    Returns
    -------
    dict of str to (str, float)
        By name of the channel, in order.

    Examples
    --------
    >>> fex_columns("v2")["face.emotion.happiness"], fex_columns("v2")["face.valence"]
    (('Happy', 1.0), ('valence', 1.0))
    >>> "face.valence" in fex_columns("v1")
    False
    """
    columns = {f"face.au.{unit}": (unit, 1.0) for unit in ACTION_UNITS}
    columns |= {f"face.emotion.{name}": (column, 1.0) for name, column in _EMOTIONS[detector].items()}
    if detector == "v2":
        columns |= {"face.valence": ("valence", 1.0), "face.arousal": ("arousal", 1.0)}
    columns |= {
        "face.pose.pitch": ("Pitch", -_DEGREES),
        "face.pose.yaw": ("Yaw", -_DEGREES),
        "face.pose.roll": ("Roll", _DEGREES),
        "face.gaze.pitch": ("gaze_pitch", -_DEGREES),
        "face.gaze.yaw": ("gaze_yaw", -_DEGREES),
    }
    return columns


def fex_face(row: Mapping[str, float], detector: str, width: float, height: float) -> Face:
    """Turn a row of py-feat into a face.

    Parameters
    ----------
    row : mapping of str to float
        Columns of a Fex, at least those of `fex_columns` and of ``GEOMETRY``.
    detector : {"v1", "v2"}
        Version of the detector.
    width, height : float
        Size of the picture in pixels.

    Returns
    -------
    Face
        With the detection's score as the quality ``confidence``.

    Examples
    --------
    >>> row = dict.fromkeys([column for column, _ in fex_columns("v2").values()], 0.5)
    >>> row |= {"FaceRectX": 20, "FaceRectY": 10, "FaceRectWidth": 40, "FaceRectHeight": 50, "FaceScore": 0.9}
    >>> face = fex_face(row, "v2", width=80, height=100)
    >>> face.box, face.quality, face.values[:2]
    ((0.25, 0.1, 0.75, 0.6), {'confidence': 0.9}, array([0.5, 0.5]))
    """
    values = np.array([factor * row[column] for column, factor in fex_columns(detector).values()])
    left, top, across, down = (row[name] for name in GEOMETRY[:4])
    upper, lower = (row.get(name, math.nan) for name in LIPS)
    box = (left / width, top / height, (left + across) / width, (top + down) / height)
    mouth = max(0.0, lower - upper) / down if down > 0 and lower == lower else math.nan
    return Face(values, box, mouth, {"confidence": row["FaceScore"]})
