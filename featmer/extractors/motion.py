"""How pictures change; hides optical flow, the fit of the camera's movement, and the search for cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer.extractors.sources import VideoExtractor
from featmer.media import Frame

_WIDTH = 256  # of the pictures compared; the height follows
_STEP = 8  # pixels between the points that the camera's movement is fitted to
_CAMERA_TOLERANCE = 1.0  # pixels that a point may be off and still move with the camera
_TEXTURE = 2.0  # grey levels of local deviation; below, a surface is plain and shows no movement
# Pictures on both sides of a cut have other colours, and no movement makes them alike. Either alone is no cut:
# a flash changes the colours only, a fast pan of a face the likeness only.
_CUT_COLOURS = 0.25
_CUT_LIKENESS = 0.8

_DIRECTIONS = tuple(range(0, 360, 45))
_STATISTICS = ("mean", "std", "p95", *(f"direction_{degrees:03d}" for degrees in _DIRECTIONS))
_CAMERA = ("x", "y", "zoom", "rotation", "share")
_CHANNELS = (
    *(f"motion.flow.{name}" for name in _STATISTICS),
    *(f"motion.camera.{name}" for name in _CAMERA),
    *(f"motion.residual.{name}" for name in _STATISTICS),
    "motion.cuts",
)

Vectors = NDArray[np.float32]
"""Movements, (..., 2): to the right and downwards, in pixels."""


class Motion(VideoExtractor):
    """Describe how a picture differs from the one before it: optical flow, camera, what moves by itself, cuts.

    Dense optical flow (DIS) between a picture and the one sampled before it, both 256 pixels wide, is described as it
    is (``flow``); the camera's movement, a shift, zoom and rotation of the whole picture, is fitted to it by RANSAC
    (``camera``); and what is left without it is described the same way (``residual``). Lengths are in picture widths
    and all but ``share`` are per second, so that size and frame rate do not matter.

    Parameters
    ----------
    fps : float, default=5.0
        Pictures a second to look at. Movements up to 0.15 widths between two pictures are followed.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of pictures described; or the pictures.

    Attributes
    ----------
    channels : tuple of str
        ``motion.flow.*`` and ``motion.residual.*``: ``mean``, ``std`` and ``p95`` (95th percentile) of the speed over
        the picture in widths per second, and ``direction_000`` to ``direction_315``: the parts of ``mean`` that move
        within 22.5 degrees of that direction, counter-clockwise from the right (090 is upwards).
        ``motion.camera.x`` and ``y``: how the middle of the picture moves to the right and upwards, in widths per
        second (a camera that pans to the left moves the picture to the right); ``zoom``: its growth, natural logarithm
        per second; ``rotation``: degrees per second, counter-clockwise; ``share``: share of the picture's points, 0 to
        1, that move with it.
        ``motion.cuts``: cuts per second; its ``_mean`` is the rate of cuts in the clip.

    Notes
    -----
    The first picture of a clip has none before it and is a row of NaN; across a cut there is no movement, and all
    channels but ``motion.cuts`` are NaN. Plain surfaces show no movement: they count as moving with the camera.

    References
    ----------
    Kroeger, Timofte, Dai & Van Gool (2016), "Fast optical flow using dense inverse search", ECCV.
    Fischler & Bolles (1981), "Random sample consensus", Communications of the ACM 24(6).

    Examples
    --------
    >>> noise = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
    >>> still = Frame(noise, time=0.2, previous=noise, previous_time=0.0)
    >>> values, _ = Motion().describe(still)
    >>> Motion().channels[:2], values[:2].tolist()
    (('motion.flow.mean', 'motion.flow.std'), [0.0, 0.0])
    """

    modality = "motion"
    packages = ("av", "opencv-contrib-python")
    subject = "movement"

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values of one picture."""
        return _CHANNELS

    def describe(self, frame: Frame) -> tuple[NDArray[np.float64] | None, dict[str, float]]:
        """Describe how a picture differs from the one before it.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture with the one before it.

        Returns
        -------
        values : ndarray of shape (n_channels,) or None
            None if there is no picture before it.
        quality : dict
            Empty.
        """
        if frame.previous is None or frame.previous_time is None:
            return None, {}
        seconds = frame.time - frame.previous_time
        before, after = _small(frame.previous), _small(frame.image)
        flow, likeness = _flow(before, after)
        if likeness < _CUT_LIKENESS and _colour_distance(before, after) > _CUT_COLOURS:
            return np.append(np.full(len(_CHANNELS) - 1, np.nan), 1 / seconds), {}
        textured = _textured(before)
        camera, with_camera = _camera(flow, textured)
        residual = np.where(textured[..., None], flow - with_camera, 0)
        per_second = [camera[:-1] / seconds, camera[-1:]]
        unit = _WIDTH * seconds
        return np.concatenate([_statistics(flow / unit), *per_second, _statistics(residual / unit), [0.0]]), {}


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture of the width at which pictures are compared."""
    import cv2

    height, width = image.shape[:2]
    size = (_WIDTH, max(16, round(height * _WIDTH / width)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _flow(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[Vectors, float]:
    """Return the movement of every pixel, and the correlation of the pictures once it is undone."""
    import cv2

    first, second = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, after))
    flow = np.zeros((*first.shape, 2), np.float32)
    # The preset "fast" takes a third of the time and loses small things that move by themselves under a moving camera.
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, flow).astype(np.float32)
    came_from = _pixels(flow) + flow
    undone = cv2.remap(second, came_from[..., 0], came_from[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    centred = [image - image.mean(dtype=np.float32) for image in (first, undone)]
    lengths = np.linalg.norm(centred[0]) * np.linalg.norm(centred[1])
    return flow, float((centred[0] * centred[1]).sum() / lengths) if lengths else 0.0


def _pixels(flow: Vectors) -> Vectors:
    """Return the place of every pixel, (height, width, 2)."""
    height, width = flow.shape[:2]
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def _colour_distance(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Return half the difference of the histograms of 8 x 8 x 8 colours, 0 to 1."""
    import cv2

    one, other = (cv2.calcHist([image], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3) for image in (before, after))
    return float(np.abs(one - other).sum() / (2 * one.sum()))


def _textured(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pixels have something around them that can be followed."""
    import cv2

    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    variance = cv2.blur(grey**2, (9, 9)) - cv2.blur(grey, (9, 9)) ** 2
    return np.asarray(variance > _TEXTURE**2)


def _camera(flow: Vectors, textured: NDArray[np.bool_]) -> tuple[NDArray[np.float64], Vectors]:
    """Fit a shift, zoom and rotation to the flow.

    Returns
    -------
    camera : ndarray of shape (5,)
        The channels ``motion.camera.*``, from picture to picture. A picture without texture has a camera that rests.
    movement : ndarray of shape (height, width, 2)
        How each pixel would move with the camera.
    """
    import cv2

    pixels = _pixels(flow)
    grid = (slice(_STEP // 2, None, _STEP),) * 2
    points = pixels[grid][textured[grid]]
    moved = points + flow[grid][textured[grid]]
    matrix = None
    if len(points) > 2:
        # Its random draws are the same in every call.
        matrix, inliers = cv2.estimateAffinePartial2D(
            points, moved, method=cv2.RANSAC, ransacReprojThreshold=_CAMERA_TOLERANCE
        )
    if matrix is None:
        return np.array([0.0, 0.0, 0.0, 0.0, 1.0]), np.zeros_like(flow)
    movement = (pixels @ matrix[:, :2].T + matrix[:, 2] - pixels).astype(np.float32)
    across, down = movement.mean(axis=(0, 1)) / _WIDTH
    zoom = np.log(np.hypot(matrix[0, 0], matrix[1, 0]))
    # Rows of a picture count downwards: what turns clockwise on paper turns counter-clockwise on the screen.
    rotation = -np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    return np.array([across, -down, zoom, rotation, inliers.mean()]), movement


def _statistics(movement: NDArray[Any]) -> NDArray[np.float64]:
    """Return mean, deviation and 95th percentile of the speed, and the mean's part in each direction."""
    speed = np.hypot(movement[..., 0], movement[..., 1])
    turns = np.arctan2(-movement[..., 1], movement[..., 0]) / (2 * np.pi)
    direction = np.round(turns * len(_DIRECTIONS)).astype(int) % len(_DIRECTIONS)
    parts = np.bincount(direction.ravel(), speed.ravel(), len(_DIRECTIONS)) / speed.size
    return np.array([speed.mean(), speed.std(), np.percentile(speed, 95), *parts])
