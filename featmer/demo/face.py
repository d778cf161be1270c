"""A face that moves: one public-domain portrait, warped smoothly by action, speaker and time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from featmer._checks import require
from featmer.demo.story import Cue

SIZE = 256  # pixels, height and width of a frame

# Rows and columns of the head of Eileen Collins in a NASA photograph (public domain) that scikit-image ships.
_HEAD = (slice(14, 206), slice(127, 319))
_WALL = (slice(0, 100), slice(20, 120))  # the wall behind her

# An action is a sum of soft pushes on both sides of the face, in pixels: the landmarks pushed (x, y), left then right;
# how far (dx outwards, dy downwards); how wide (standard deviations). MediaPipe found the landmarks, once.
_Push = tuple[tuple[tuple[float, float], ...], tuple[float, float], tuple[float, float]]
_INNER_BROWS, _OUTER_BROWS = ((119, 105), (144, 106)), ((88, 99), (175, 103))
_UPPER_LIDS, _LOWER_LIDS = ((101, 112), (162, 115)), ((103, 120), (159, 123))
_MOUTH_CORNERS, _NOSTRILS = ((100, 167), (157, 169)), ((112, 154), (146, 156))
_UPPER_LIP, _LOWER_LIP = ((120, 170), (136, 170)), ((120, 188), (135, 188))
_CHIN = ((110, 208), (142, 208))
_ACTIONS: dict[str, tuple[_Push, ...]] = {
    "inner_brow_up": ((_INNER_BROWS, (0, -8), (13, 7)),),
    "outer_brow_up": ((_OUTER_BROWS, (0, -7), (14, 7)),),
    "brow_down": ((_INNER_BROWS, (-4, 7), (14, 8)), (_OUTER_BROWS, (-2, 3), (12, 8))),
    "lids_up": ((_UPPER_LIDS, (0, -3), (11, 5)),),
    "lids_down": ((_UPPER_LIDS, (0, 5), (11, 5)),),
    "lower_lids_up": ((_LOWER_LIDS, (0, -4), (11, 5)),),
    "smile": ((_MOUTH_CORNERS, (6, -6), (13, 11)),),
    "corners_down": ((_MOUTH_CORNERS, (0, 9), (13, 11)),),
    "corners_out": ((_MOUTH_CORNERS, (8, 2), (14, 10)),),
    "corners_in": ((_MOUTH_CORNERS, (-9, 0), (14, 12)),),
    "upper_lip_up": ((_UPPER_LIP, (0, -5), (14, 7)), (_NOSTRILS, (0, -5), (9, 9))),
    "lips_together": ((_UPPER_LIP, (0, 4), (14, 6)), (_LOWER_LIP, (0, -5), (14, 6))),
    "jaw_open": ((_LOWER_LIP, (0, 7), (16, 9)), (_CHIN, (0, 6), (26, 16))),
}

# The portrait smiles with open lips: a face at rest takes both back.
_REST = {"smile": -1.2, "lips_together": 1.0}

# Which actions make up an expression at full strength (after the usual tables of facial action units).
_EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "joy": {"smile": 2.0, "lids_down": 0.2, "lower_lids_up": 0.5, "lips_together": -0.6},
    "sadness": {"inner_brow_up": 0.9, "corners_down": 0.9, "lids_down": 0.6, "brow_down": 0.2},
    "anger": {"brow_down": 1.2, "lips_together": 0.3, "lower_lids_up": 0.5, "corners_in": 0.4},
    "fear": {"inner_brow_up": 0.9, "outer_brow_up": 0.4, "lids_up": 0.9, "corners_out": 1.0, "jaw_open": 0.4},
    "surprise": {"inner_brow_up": 0.7, "outer_brow_up": 1.0, "lids_up": 0.6, "jaw_open": 1.1, "corners_in": 0.3},
    "disgust": {"upper_lip_up": 1.2, "brow_down": 0.7, "lower_lids_up": 0.6, "corners_down": 0.5},
}
_TOGETHER = 0.8  # of two expressions at once, how much of each is there
_JAW = 0.6  # how far speech at its loudest opens the jaw
_VARIATION = 0.15  # how much the strength of an action differs from clip to clip
_LEAST, _MOST = -1.3, 1.3  # beyond these the warp would fold


@dataclass(frozen=True)
class Look:
    """What makes one speaker's face: mirrored or not, size, colours (red, green, blue), habitual actions."""

    mirrored: bool
    size: float
    colours: tuple[float, float, float]
    habits: Mapping[str, float]


LOOKS = {
    "Ada": Look(False, 1.00, (1.00, 1.00, 1.00), {}),
    "Ben": Look(True, 1.08, (1.00, 0.92, 0.84), {"brow_down": 0.3}),
    "Chloe": Look(False, 0.88, (0.88, 0.92, 1.00), {"outer_brow_up": 0.2}),
    "Dan": Look(True, 0.94, (0.92, 0.86, 0.80), {"corners_down": 0.25, "brow_down": 0.2}),
    "Eva": Look(True, 1.00, (1.00, 0.96, 0.90), {"smile": 0.25}),
    "Finn": Look(False, 1.10, (0.95, 0.95, 0.95), {"lids_down": 0.3}),
    "Gina": Look(False, 0.92, (1.00, 0.90, 0.92), {"inner_brow_up": 0.2}),
    "Hugo": Look(True, 0.86, (0.84, 0.82, 0.80), {"corners_in": 0.25}),
}


class Face:
    """The portrait, ready to be moved.

    Examples
    --------
    >>> face, silence = Face(), np.zeros(3)
    >>> frames = list(face.perform(LOOKS["Ben"], Cue("joy", 1.0), silence, 10, np.random.default_rng(0)))
    >>> len(frames), frames[0].shape
    (3, (256, 256, 3))
    """

    def __init__(self) -> None:
        portrait = require("skimage.data", "demo").astronaut()
        self._rest = _enlarge(portrait[_HEAD])
        self._wall = _enlarge(portrait[_WALL])
        self._fields = np.stack([_field(pushes) for pushes in _ACTIONS.values()])
        self._y, self._x = np.mgrid[:SIZE, :SIZE].astype(np.float32)

    def perform(
        self, look: Look, cue: Cue, loudness: np.ndarray, fps: float, rng: np.random.Generator
    ) -> Iterator[np.ndarray]:
        """Yield the frames of one utterance.

        Parameters
        ----------
        look : Look
            Whose face it is.
        cue : Cue
            What it shows: still at first, then fully, then a little less.
        loudness : ndarray of shape (n_frames,)
            How loud the words are in each frame, from 0 to 1; it opens the jaw.
        fps : float
            Frames a second.
        rng : numpy.random.Generator
            Where the differences between clips come from.

        Yields
        ------
        ndarray of shape (256, 256, 3)
            RGB picture, uint8.
        """
        strengths = _strengths(look, cue, loudness, fps, rng)
        colours = _colour_table(look, rng)
        for weights, placement in zip(strengths, _placements(look, len(loudness), fps, rng), strict=True):
            field = np.einsum("a,axyc->xyc", weights, self._fields)  # no BLAS: its sums depend on its threads
            moved = cv2.remap(
                self._rest,
                self._x - field[..., 0],
                self._y - field[..., 1],
                cv2.INTER_LINEAR,
                None,
                cv2.BORDER_REPLICATE,
            )
            placed = cv2.warpAffine(moved, placement, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
            yield cv2.LUT(placed, colours)

    def empty_room(self, n_frames: int) -> Iterator[np.ndarray]:
        """Yield frames of a wall with nobody before it."""
        yield from [self._wall] * n_frames


def beside(left: Iterable[np.ndarray], right: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield frames that show two people, each cut to the middle half of theirs.

    Parameters
    ----------
    left, right : iterable of ndarray of shape (256, 256, 3)
        As many frames of the one as of the other.

    Examples
    --------
    >>> room = Face().empty_room(2)
    >>> [frame.shape for frame in beside(room, Face().empty_room(2))]
    [(256, 256, 3), (256, 256, 3)]
    """
    middle = slice(SIZE // 4, 3 * SIZE // 4)
    for a, b in zip(left, right, strict=True):
        yield np.hstack([a[:, middle], b[:, middle]])


def _enlarge(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _field(pushes: tuple[_Push, ...]) -> np.ndarray:
    """Return the displacement of one action at full strength, (SIZE, SIZE, 2) pixels."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    field = np.zeros((SIZE, SIZE, 2), np.float32)
    for places, (outwards, downwards), (wide, high) in pushes:
        for side, (place_x, place_y) in zip((-1, 1), places, strict=True):
            weight = np.exp(-0.5 * (((x - place_x) / wide) ** 2 + ((y - place_y) / high) ** 2))
            field += weight[..., None] * np.array([side * outwards, downwards], np.float32)
    return field


def _strengths(look: Look, cue: Cue, loudness: np.ndarray, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Return how strong each action is in each frame, (n_frames, n_actions)."""
    time = np.arange(len(loudness)) / fps
    onset, rise = rng.uniform(0.0, 0.25), rng.uniform(0.15, 0.4)
    course = np.clip((time - onset) / rise, 0, 1) * (1 - 0.3 * np.clip(time - onset - rise - 0.5, 0, 1))
    always = np.array([_REST.get(action, 0.0) + look.habits.get(action, 0.0) for action in _ACTIONS])
    expressed = np.array([_EXPRESSIONS[cue.emotion].get(action, 0.0) for action in _ACTIONS])
    if cue.second:
        expressed = _TOGETHER * (expressed + [_EXPRESSIONS[cue.second].get(action, 0.0) for action in _ACTIONS])
    varied = always + _VARIATION * rng.standard_normal(len(_ACTIONS))
    strengths = varied + course[:, None] * cue.strength * expressed
    strengths[:, list(_ACTIONS).index("jaw_open")] += _JAW * loudness
    return np.clip(strengths, _LEAST, _MOST).astype(np.float32)


def _placements(look: Look, n_frames: int, fps: float, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the affine map of each frame: the speaker's size and side, and a head that is never quite still."""
    centre = SIZE / 2
    lean, sway = rng.normal(0, 2.0), rng.uniform(0.5, 2.5)
    phase, pace = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9)
    mirror = np.diag([-1.0 if look.mirrored else 1.0, 1.0])
    for time in np.arange(n_frames) / fps:
        swing = np.sin(2 * np.pi * pace * time + phase)
        placement = cv2.getRotationMatrix2D((centre, centre), lean + sway * swing, look.size)
        placement[:, 2] += placement[:, :2] @ ((np.eye(2) - mirror) @ (centre, centre)) + (sway * swing, 0)
        placement[:, :2] = placement[:, :2] @ mirror
        yield placement


def _colour_table(look: Look, rng: np.random.Generator) -> np.ndarray:
    """Return what each of 256 values becomes in red, green and blue: the speaker's tint in the light of the day."""
    light = rng.uniform(0.85, 1.1)
    values = np.arange(256)[:, None] * light * np.array(look.colours)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)[None]
