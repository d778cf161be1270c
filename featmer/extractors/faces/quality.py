"""How well a face can be seen: sharp, and not hidden."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SIDE = 64  # pixels of a face whose sharpness is judged
_REBLUR = 7  # pixels
# Skin differs from its median by less than this: logarithms of the ratios of colours, and of brightness, which light
# from the side may change a lot.
_COLOUR, _BRIGHTNESS = 0.25, 1.5
_DARKNESS = 8.0  # added to values of 0 to 255, so that noise in the dark has no colour


def blur(image: NDArray[np.uint8], box: tuple[float, float, float, float]) -> float:
    """Measure how blurred a face is, whatever its size, brightness and contrast.

    The face is scaled to a fixed size and blurred; what is sharp loses much of the difference between neighbouring
    pixels, what is blurred already loses little.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3)
        RGB picture.
    box : tuple of float
        Left, top, right and bottom edge in shares of the picture.

    Returns
    -------
    float
        From 0 (sharp) to 1 (blurred); NaN for an even face, or one outside the picture.

    References
    ----------
    Crete et al. (2007), "The blur effect: perception and estimation with a new no-reference perceptual blur metric".

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    >>> blur(image, (0, 0, 1, 1)) < 0.2, blur(image, (0, 0, 0.1, 0.1)) > 0.6
    (True, True)
    """
    import cv2

    height, width = image.shape[:2]
    left, top, right, bottom = np.clip(np.round(np.multiply(box, (width, height) * 2)), 0, (width, height) * 2)
    face = image[int(top) : int(bottom), int(left) : int(right)]
    if not face.size:
        return np.nan
    shrinks = face.shape[0] > _SIDE
    gray = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return max(_left_over(gray.astype(np.float32), axis) for axis in (0, 1))


def _left_over(gray: NDArray[np.float32], axis: int) -> float:
    """Return the share of the differences along an axis that a blur along this axis leaves."""
    import cv2

    blurred = cv2.blur(gray, (1, _REBLUR) if axis == 0 else (_REBLUR, 1))
    before, after = (
        cv2.absdiff(each[1:], each[:-1]) if axis == 0 else cv2.absdiff(each[:, 1:], each[:, :-1])
        for each in (gray, blurred)
    )
    total = before.sum()
    return float(1 - np.maximum(before - after, 0).sum() / total) if total else np.nan


def occlusion(image: NDArray[np.uint8], skin: NDArray[np.float64]) -> float:
    """Measure which share of a face is cut off by the picture's border or covered by something of another colour.

    A heuristic: a point counts as hidden if it lies outside the picture or if its colour or brightness is far from the
    median of all points. What is dark or has a colour is noticed: a bar, a microphone, dark glasses, a blue mask, and a
    little of a fringe or a beard. What has the face's colour is not: a hand; something white before a pale face.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3)
        RGB picture.
    skin : ndarray of shape (n_points, 2)
        Points of the face's skin, x and y in pixels; eyes, brows and lips left out.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> image = np.full((20, 20, 3), (200, 150, 120), np.uint8)
    >>> image[:5] = 0
    >>> occlusion(image, np.array([[10.0, y] for y in range(20)]))
    0.25
    """
    height, width = image.shape[:2]
    inside = ((skin >= 0) & (skin < (width, height))).all(axis=1)
    if not inside.any():
        return 1.0
    x, y = skin[inside].astype(int).T
    colours = np.log(image[y, x] + _DARKNESS)
    brightness = colours.mean(axis=1)
    ratios = colours[:, [0, 2]] - colours[:, [1]]
    odd = ((ratios - _middle(ratios)) ** 2).sum(axis=1) > _COLOUR**2
    odd |= np.abs(brightness - _middle(brightness)) > _BRIGHTNESS
    return float((odd.sum() + (~inside).sum()) / len(skin))


def _middle(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper median of each column; NumPy's takes ten times as long for so few values."""
    return np.sort(values, axis=0)[len(values) // 2]
