"""What the columns of each tool mean; a tool is a class here and a line in TOOLS."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer.extractors.base import UndescribableError
from featmer.extractors.pyfeat.fex import GEOMETRY, LIPS, fex_columns

_DEGREES = 180 / math.pi


class Layout:
    """Base of the layouts.

    Attributes
    ----------
    channels : dict of str to (str, float)
        For each channel without modality, ``"au.AU12"``, its column and the factor to featmer's unit; a column of
        words is ``"column=word"``, which is 1 where it holds this word and 0 where another.
    needed, optional : tuple of str
        Further columns: which must be there, and which may.
    confidence : str
        Column that says how sure the tool is of a face, or "".

    Examples
    --------
    >>> TOOLS["openface"].channels["au.AU12"]
    ('AU12_r', 1.0)
    """

    channels: ClassVar[dict[str, tuple[str, float]]]
    needed: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    confidence: ClassVar[str] = ""

    def times(self, frame: pd.DataFrame, fps: float | None) -> NDArray[np.float64]:
        """Return the seconds of each row in the file of media."""
        raise NotImplementedError

    def seen(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell which rows hold a face."""
        raise NotImplementedError

    def boxes(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the box of each face in shares of the picture, (n_rows, 4); NaN if unknown."""
        raise NotImplementedError

    def mouths(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the opening of each mouth in shares of the face's height; NaN if unknown."""
        raise NotImplementedError


def _units(numbers: str, intensity: str, presence: str, width: int) -> dict[str, tuple[str, float]]:
    """Return channels of action units: those with an intensity, a bar, and those with a presence."""
    with_intensity, with_presence = (part.split() for part in numbers.split("|"))
    channels = {f"au.AU{int(unit):02d}": (intensity.format(unit.zfill(width)), 1.0) for unit in with_intensity}
    return channels | {
        f"au_presence.AU{int(unit):02d}": (presence.format(unit.zfill(width)), 1.0) for unit in with_presence
    }


class _OpenFace(Layout):
    channels = _units(
        "1 2 4 5 6 7 9 10 12 14 15 17 20 23 25 26 45 | 1 2 4 5 6 7 9 10 12 14 15 17 20 23 25 26 28 45",
        "AU{}_r",
        "AU{}_c",
        2,
    ) | {
        "pose.pitch": ("pose_Rx", _DEGREES),
        "pose.yaw": ("pose_Ry", -_DEGREES),
        "pose.roll": ("pose_Rz", -_DEGREES),
        "gaze.pitch": ("gaze_angle_y", _DEGREES),
        "gaze.yaw": ("gaze_angle_x", _DEGREES),
    }
    needed = ("timestamp", "success")
    optional = ("confidence", "pose_Tx", "pose_Ty", "pose_Tz", "y_8", "y_19", "y_24", *LIPS)
    confidence = "confidence"

    def times(self, frame: pd.DataFrame, fps: float | None) -> NDArray[np.float64]:
        return frame["timestamp"].to_numpy()

    def seen(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        return frame["success"].to_numpy() == 1

    def boxes(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        # The size of the picture is not told. A head of 14 x 13 cm is projected with the focal length that OpenFace
        # takes where it is given none, the mean of 500 w / 640 and 500 h / 480, into a picture of 16:9.
        x, y, z = (frame[f"pose_T{axis}"].to_numpy() for axis in "xyz")
        edges = ((x - 70, 0.684), (y - 65, 1.215), (x + 70, 0.684), (y + 65, 1.215))
        return np.column_stack([0.5 + focus * place / z for place, focus in edges])

    def mouths(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        height = frame["y_8"] - frame[["y_19", "y_24"]].min(axis=1)
        return ((frame[LIPS[1]] - frame[LIPS[0]]).clip(lower=0) / height).to_numpy()


class _LibreFace(Layout):
    channels = (
        _units("1 2 4 5 6 9 12 15 17 20 25 26 | 1 2 4 6 7 10 12 14 15 17 23 24", "au_{}_intensity", "au_{}", 0)
        | {
            f"emotion.{name.lower()}": (f"facial_expression={name}", 1.0)
            for name in ("Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
        }
        | {f"pose.{name}": (name, 1.0) for name in ("pitch", "yaw", "roll")}
    )
    needed = ("frame_time_in_ms",)
    # Top, left, bottom and right of the face's oval, and the inner edges of the lips.
    optional = ("lm_mp_234_x", "lm_mp_10_y", "lm_mp_454_x", "lm_mp_152_y", "lm_mp_13_y", "lm_mp_14_y")

    def times(self, frame: pd.DataFrame, fps: float | None) -> NDArray[np.float64]:
        return frame["frame_time_in_ms"].to_numpy() / 1000

    def seen(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        return frame.filter(regex=r"^au_").notna().any(axis=1).to_numpy()

    def boxes(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        return frame[list(self.optional[:4])].to_numpy()

    def mouths(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        return ((frame["lm_mp_14_y"] - frame["lm_mp_13_y"]) / (frame["lm_mp_152_y"] - frame["lm_mp_10_y"])).to_numpy()


class _PyFeat(Layout):
    needed = ("frame", *GEOMETRY)
    optional = ("FrameWidth", "FrameHeight", *LIPS)
    confidence = "FaceScore"

    def times(self, frame: pd.DataFrame, fps: float | None) -> NDArray[np.float64]:
        if fps is None:
            raise UndescribableError(
                "frames are numbered, their times are not told", "name the video's frames a second in fps"
            )
        return frame["frame"].to_numpy() / fps

    def seen(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        return frame["FaceRectX"].notna().to_numpy()

    def boxes(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        left, top, across, down = (frame[name].to_numpy() for name in GEOMETRY[:4])
        # Files of first versions do not tell the size of the picture: it reaches at least to the outermost face.
        width = frame["FrameWidth"].fillna(np.nanmax(left + across, initial=1.0)).to_numpy()
        height = frame["FrameHeight"].fillna(np.nanmax(top + down, initial=1.0)).to_numpy()
        return np.column_stack([left / width, top / height, (left + across) / width, (top + down) / height])

    def mouths(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        return ((frame[LIPS[1]] - frame[LIPS[0]]).clip(lower=0) / frame["FaceRectHeight"]).to_numpy()


class _PyFeat1(_PyFeat):
    channels = {name.removeprefix("face."): value for name, value in fex_columns("v1").items()}


class _PyFeat2(_PyFeat):
    channels = {name.removeprefix("face."): value for name, value in fex_columns("v2").items()}


TOOLS: dict[str, Layout] = {
    "openface": _OpenFace(),
    "libreface": _LibreFace(),
    "pyfeat_v1": _PyFeat1(),
    "pyfeat_v2": _PyFeat2(),
}
"""Layouts by the name of the tool."""
