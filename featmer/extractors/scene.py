"""What a whole picture looks like, without a learnt model; hides colour spaces and oriented filters."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer.extractors.sources import VideoExtractor
from featmer.media import Frame

_WIDTH = 256  # of the picture that colours and edges are measured in; its height follows
_SIDE = 96  # of the square picture that goes through the oriented filters
_MARGIN = 16  # mirrored around it, for the filters know no border; with it the side is a power of two
_CELLS = 4  # the picture is divided into 4 x 4
_EDGE = 0.1  # brightness per pixel; steeper is an edge
_DARK, _BRIGHT = 0.1, 0.9
_HUES = tuple(range(0, 360, 45))
_ORIENTATIONS = (0.0, 22.5, 45.0, 67.5, 90.0, 112.5, 135.0, 157.5)
# Wavelength of each scale in pixels of the square picture, and its number of orientations.
_SCALES = ((4, 8), (8, 8), (16, 4), (32, 4))
_BANDWIDTH = 0.65  # deviation of a filter's logarithmic frequency, as a ratio: about 1.5 octaves

_PLACES = tuple(f"r{row}c{column}" for row in range(_CELLS) for column in range(_CELLS))
_CHANNELS = (
    *(f"scene.colour.{name}" for name in ("brightness", "contrast", "dark", "bright")),
    *(f"scene.colour.{name}" for name in ("saturation", "saturation_std", "colourfulness", "hue_cos", "hue_sin")),
    *(f"scene.colour.hue_{degrees:03d}" for degrees in _HUES),
    "scene.edges.density",
    *(f"scene.edges.orientation_{int(degrees):03d}" for degrees in _ORIENTATIONS),
    *(f"scene.layout.brightness_{place}" for place in _PLACES),
    *(
        f"scene.gist.w{wavelength:02d}_{180 * step // count:03d}_{place}"
        for wavelength, count in _SCALES
        for step in range(count)
        for place in _PLACES
    ),
)


class Scene(VideoExtractor):
    """Describe the whole of each picture by colour, light, edges and the gist of its layout.

    Nothing is learnt. Brightness is luma from 0 to 1 (ITU-R BT.601), saturation and hue are those of HSV, chroma is
    saturation times value. Directions are in degrees, counter-clockwise from the right.

    Parameters
    ----------
    fps : float, default=5.0
        Pictures a second to look at.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel; or the pictures.

    Attributes
    ----------
    channels : tuple of str
        ``scene.colour.brightness`` and ``contrast``: mean and deviation of the brightness; ``dark`` and ``bright``:
        shares of the picture below 0.1 and above 0.9; ``saturation`` and ``saturation_std``; ``colourfulness``: of
        Hasler & Suesstrunk, 0 is grey, 59 "quite colourful"; ``hue_cos`` and ``hue_sin``: the mean direction of the
        hue, weighted by chroma, whose length tells how alike the hues are, 0 to 1; ``hue_000`` (red) to ``hue_315``:
        the parts of the mean chroma within 22.5 degrees of that hue.
        ``scene.edges.density``: share of the picture where brightness changes by more than 0.1 a pixel, at a width of
        256; ``orientation_000`` (horizontal edges) to ``orientation_157``: parts of the mean gradient by the direction
        that the edges run in.
        ``scene.layout.brightness_r0c0`` to ``r3c3``: brightness in rows and columns of a 4 x 4 grid, from the top left.
        ``scene.gist.w04_000_r0c0`` and so on: energy of a filter for structure of that wavelength (4 to 32 pixels of
        96) running in that direction, in each cell, after local contrast normalisation: 24 filters x 16 cells.

    Notes
    -----
    The filters are log-Gabor functions (Field, 1987), 8 directions at the two fine scales and 4 at the coarse ones.

    References
    ----------
    Oliva & Torralba (2001), "Modeling the shape of the scene: a holistic representation of the spatial envelope",
    International Journal of Computer Vision 42(3).
    Hasler & Suesstrunk (2003), "Measuring colourfulness in natural images", Human Vision and Electronic Imaging VIII.
    Field (1987), "Relations between the statistics of natural images and the response properties of cortical cells",
    Journal of the Optical Society of America A 4(12).

    Examples
    --------
    >>> red = np.zeros((90, 160, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    >>> values, _ = Scene().describe(Frame(red, time=0.0))
    >>> found = dict(zip(Scene().channels, values.round(2).tolist()))
    >>> found["scene.colour.brightness"], found["scene.colour.hue_cos"], found["scene.edges.density"]
    (0.3, 1.0, 0.0)
    """

    modality = "scene"
    packages = ("av", "opencv-contrib-python")

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values of one picture."""
        return _CHANNELS

    def describe(self, frame: Frame) -> tuple[NDArray[np.float64], dict[str, float]]:
        """Describe a picture.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture.

        Returns
        -------
        values : ndarray of shape (n_channels,)
            The channels.
        quality : dict
            Empty.
        """
        import cv2

        height, width = frame.image.shape[:2]
        size = (_WIDTH, max(_CELLS, round(height * _WIDTH / width)))
        picture = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        square = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        layout = cv2.resize(grey, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
        return np.concatenate([_light(grey), _colour(picture), _edges(grey), layout.ravel(), _gist(square)]), {}


def _light(grey: NDArray[Any]) -> list[float]:
    return [grey.mean(), grey.std(), np.mean(grey < _DARK), np.mean(grey > _BRIGHT)]


def _colour(picture: NDArray[Any]) -> NDArray[np.float64]:
    """Return saturation, colourfulness and hues."""
    import cv2

    hue, saturation, value = (plane.ravel() for plane in cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL)))
    chroma = saturation * (value / 255.0**2)
    # Grey has no hue; so that black is no colour, hues count by their chroma.
    by_hue = np.bincount(hue, chroma, 256) / len(hue)
    angles = np.arange(256) * (2 * np.pi / 256)
    mean_hue = np.array([by_hue @ np.cos(angles), by_hue @ np.sin(angles)]) / max(by_hue.sum(), 1e-9)
    octant = np.round(angles * len(_HUES) / (2 * np.pi)).astype(int) % len(_HUES)
    parts = np.bincount(octant, by_hue, len(_HUES))
    saturations = [saturation.mean() / 255, saturation.std() / 255]
    return np.concatenate([saturations, [_colourfulness(picture)], mean_hue, parts])


def _colourfulness(picture: NDArray[Any]) -> float:
    """Return the measure of Hasler & Suesstrunk, equation 9, from the opponent colours of 8-bit RGB."""
    red, green, blue = np.moveaxis(picture.astype(np.float32), -1, 0)
    opponents = (red - green, (red + green) / 2 - blue)
    spread = np.hypot(*(opponent.std() for opponent in opponents))
    return float(spread + 0.3 * np.hypot(*(opponent.mean() for opponent in opponents)))


def _edges(grey: NDArray[Any]) -> NDArray[np.float64]:
    """Return the density of edges and the mean gradient's parts by the direction of the edges."""
    import cv2

    # Scharr's operator, whose direction is the truest of its size; 32 is the sum of its weights.
    across, down = (cv2.Scharr(grey, cv2.CV_32F, *order).ravel() / 32 for order in ((1, 0), (0, 1)))
    steepness = np.hypot(across, down)
    # Rows count downwards, and an edge runs at a right angle to its gradient.
    along = np.arctan2(across, down) / np.pi
    bins = np.round(along * len(_ORIENTATIONS)).astype(int) % len(_ORIENTATIONS)
    parts = np.bincount(bins, steepness, len(_ORIENTATIONS)) / len(steepness)
    return np.append(np.mean(steepness > _EDGE), parts)


def _gist(square: NDArray[Any]) -> NDArray[np.float64]:
    """Return the energy of each filter in each cell."""
    import cv2

    # Local contrast is made alike, so that the light does not matter.
    detail = square - cv2.GaussianBlur(square, (0, 0), _SIDE / 16)
    contrast = np.sqrt(cv2.GaussianBlur(detail**2, (0, 0), _SIDE / 16))
    even = np.pad(detail / (contrast + 0.05), _MARGIN, mode="symmetric")
    responses = np.abs(np.fft.ifft2(np.fft.fft2(even.astype(np.float32)) * _filters()))
    inner = responses[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    cell = _SIDE // _CELLS
    return inner.reshape(len(inner), _CELLS, cell, _CELLS, cell).mean(axis=(2, 4)).ravel()


@cache
def _filters() -> NDArray[np.float32]:
    """Return the filters' transfer functions, (n_filters, side, side): half planes, so that responses are envelopes."""
    side = _SIDE + 2 * _MARGIN
    across, down = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))
    frequency = np.hypot(across, down)
    frequency[0, 0] = 1  # no filter lets the mean through
    transfers = []
    for wavelength, count in _SCALES:
        radial = np.exp(-0.5 * (np.log(frequency * wavelength) / np.log(_BANDWIDTH)) ** 2)
        radial[0, 0] = 0
        for step in range(count):
            # A structure running at an angle has its frequency at a right angle to it; rows count downwards.
            normal = np.pi * step / count + np.pi / 2
            off = np.angle(np.exp(1j * (np.arctan2(-down, across) - normal)))
            transfers.append(radial * np.exp(-0.5 * (off * count / np.pi / 0.6) ** 2))
    return np.array(transfers, np.float32)
