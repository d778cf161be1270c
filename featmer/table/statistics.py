"""Statistics over the frames of a row, for all rows at once; NaN frames are left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _mean(frames: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[Any]:
    known = np.add.reduceat(~np.isnan(frames), starts, dtype=frames.dtype)
    total = np.add.reduceat(np.nan_to_num(frames), starts, dtype=np.float64)
    return np.where(known > 0, total / np.maximum(known, 1), np.nan)


def _std(frames: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[Any]:
    lengths = np.diff(np.append(starts, len(frames)))
    deviation = frames - np.repeat(_mean(frames, starts), lengths, axis=0)
    return np.sqrt(_mean(deviation**2, starts))


def _min(frames: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[Any]:
    return np.fmin.reduceat(frames, starts)


def _max(frames: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[Any]:
    return np.fmax.reduceat(frames, starts)


STATISTICS: dict[str, Callable[[NDArray[Any], NDArray[np.int64]], NDArray[Any]]] = {
    "mean": _mean,
    "std": _std,
    "min": _min,
    "max": _max,
}
"""Statistics over the frames of a row: ``(frames, first frame of each row) -> (n_rows, n_features)``."""
