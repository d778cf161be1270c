"""How a person holds and moves the body; hides the landmarks, the body's own measure, and whose joints they were."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer.extractors.base import Absence, Outcome
from featmer.extractors.models import POSE_MODEL, file_sha256
from featmer.extractors.people import LANDMARKS, Person, find_people, share_of_picture
from featmer.extractors.sources import VideoExtractor
from featmer.extractors.sources.pictures import Excerpt
from featmer.media import Frame

_SIDES = ("left", "right")
_JOINTS = ("nose", *(f"{s}_{j}" for j in ("ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in _SIDES))
_POSTURE = (
    *("lean_side", "lean_forward", "shoulder_slope", "left_elbow", "right_elbow"),
    *("openness", "asymmetry", "hand_to_face"),
)
_SPEEDS = ("body", "head", "left_hand", "right_hand")
_CHANNELS = (
    *(f"person.joint.{joint}_{axis}" for joint in _JOINTS for axis in "xy"),
    *(f"person.posture.{name}" for name in _POSTURE),
    *(f"person.speed.{name}" for name in _SPEEDS),
    *(f"person.{part}.{name}" for part in ("box", "face") for name in ("x", "y", "width", "height", "share")),
)
_INDEX = {name: index for index, name in enumerate(LANDMARKS)}


class BodyPose(VideoExtractor):
    """Describe posture and movement of the largest person in each picture by MediaPipe's PoseLandmarker.

    Positions are taken relative to the middle of the shoulders and divided by the distance of the shoulders as it
    would be seen from the front, so that neither the place in the picture nor the distance from the camera matter.
    What is hidden or outside the picture is NaN.

    Parameters
    ----------
    model : path or None, default=None
        A ``pose_landmarker*.task`` file; None finds the small one, see `featmer.extractors.models.ModelFile`.
    fps : float, default=5.0
        Pictures a second to look at.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of pictures with a person; or the pictures.

    Attributes
    ----------
    channels : tuple of str
        ``person.joint.<joint>_x`` and ``_y``: nose, and left and right (the person's own) ear, shoulder, elbow, wrist,
        hip, knee and ankle, to the right of the picture and upwards, in shoulder widths.
        ``person.posture.lean_side`` and ``lean_forward``: degrees between trunk and vertical, towards the right of the
        picture and towards the camera; ``shoulder_slope``: degrees, counter-clockwise in the picture, of the line of
        the shoulders; ``left_elbow`` and ``right_elbow``: degrees in space, 180 is a straight arm; ``openness``: how
        far elbows and wrists are out from the body's middle line, in shoulder widths, 0.5 where arms hang, negative
        where they are crossed; ``asymmetry``: distance of left elbow and wrist from the mirror image of the right
        ones, in shoulder widths; ``hand_to_face``: distance of the nearer hand from the nose, in shoulder widths.
        ``person.speed.body``: of the middle of the shoulders; ``head``, ``left_hand`` and ``right_hand``: of nose and
        wrists relative to it; in shoulder widths per second since the picture before.
        ``person.box.*`` and ``person.face.*``: the middle (``x`` to the right and ``y`` downwards from the top left),
        ``width`` and ``height`` of the box around the person and of the square around the face, in shares of the
        picture, and the ``share`` of the picture that they cover.

    Notes
    -----
    Depth is the model's guess, and so are ``lean_forward``, the elbows' angles and the correction for turned shoulders.
    The speed is of the person in the picture before whose shoulders were nearest. Quality of a clip: ``person_share``,
    share of pictures with a person; ``person_count``, most people in a picture (at most 3 are looked for);
    ``person_size``, mean share of the picture; ``person_visibility``, mean visibility of the joints.

    References
    ----------
    Bazarevsky et al. (2020), "BlazePose: on-device real-time body pose tracking", arXiv 2006.10204.
    Wallbott (1998), "Bodily expression of emotion", European Journal of Social Psychology 28.

    Examples
    --------
    >>> extractor = BodyPose(level="frames")
    >>> extractor.names[:2], extractor.names[-1]
    (('person.joint.nose_x', 'person.joint.nose_y'), 'person.face.share')
    """

    modality = "person"
    packages = ("av", "mediapipe")
    subject = "person"
    quality_statistics = {"person_count": max, "person_size": np.mean, "person_visibility": np.mean}

    def __init__(self, model: str | None = None, *, fps: float = 5.0, level: str = "functionals") -> None:
        super().__init__(fps=fps, level=level)
        self.model = model

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values of one picture."""
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
        return {**super().fingerprint(), "model": file_sha256(POSE_MODEL.find(self.model))}

    def describe(self, frame: Frame) -> tuple[NDArray[np.float64] | None, dict[str, float]]:
        """Describe the largest person of a picture.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture, and the one before it.

        Returns
        -------
        values : ndarray of shape (n_channels,) or None
            None if there is no person.
        quality : dict
            ``person_count``, ``person_size``, ``person_visibility``.
        """
        people = find_people(frame.image, self.model)
        if not people:
            return None, {"person_count": 0, "person_size": np.nan, "person_visibility": np.nan}
        person = people[0]
        joints = [_INDEX[joint] for joint in _JOINTS]
        body = (person.picture[:, :2] - _middle(person, "shoulder")) / _unit(person)
        parts = (body[joints].ravel(), _posture(person, body), self._speeds(frame, person), _places(person))
        values = np.concatenate(parts)
        visibility = float(person.visibility[joints].mean())
        quality = {"person_count": len(people), "person_size": person.size, "person_visibility": visibility}
        return values, quality

    def summarize(self, times: NDArray[np.float64], observations: list[Any], excerpt: Excerpt | None) -> Outcome:
        """Sum up a clip, and warn when several people were seen, for the largest need not be the one that is meant.

        Parameters
        ----------
        times : ndarray of shape (n_frames,)
            Seconds from the start of the clip.
        observations : list of n_frames objects
            What `observe` gave.
        excerpt : Excerpt or None
            Where the clip is.

        Returns
        -------
        Features or Absence
            Functionals or frames.
        """
        outcome = super().summarize(times, observations, excerpt)
        count = outcome.quality["person_count"]
        if isinstance(outcome, Absence) or count < 2:
            return outcome
        warning = (f"{count:.0f} people", "the largest was used; crop the video if another one is meant")
        return replace(outcome, warnings=(warning,))

    def _speeds(self, frame: Frame, person: Person) -> NDArray[np.float64]:
        """Return how fast shoulders, head and hands moved since the picture before; NaN if the person was not there."""
        before = find_people(frame.previous, self.model) if frame.previous is not None else []
        here = _middle(person, "shoulder")
        distances = [np.linalg.norm(_middle(other, "shoulder") - here) for other in before]
        if frame.previous_time is None or not before or np.isnan(distances).all():
            return np.full(len(_SPEEDS), np.nan)
        same = before[int(np.nanargmin(distances))]
        there = _middle(same, "shoulder")
        moving = [_INDEX[name] for name in ("nose", "left_wrist", "right_wrist")]
        steps = (person.picture[moving, :2] - here) - (same.picture[moving, :2] - there)
        lengths = np.linalg.norm([here - there, *steps], axis=1)
        return lengths / _unit(person) / (frame.time - frame.previous_time)


def _middle(person: Person, pair: str) -> NDArray[np.float64]:
    """Return the point between the left and the right one of a pair of joints, in the picture."""
    return person.picture[[_INDEX[f"{side}_{pair}"] for side in _SIDES], :2].mean(axis=0)


def _unit(person: Person) -> float:
    """Return the distance of the shoulders as seen from the front, in picture widths.

    A turned body shows narrow shoulders. The size of the person in the picture is told by all landmarks (how many
    picture widths a metre has, by least squares), the shoulders' distance in metres by the model.
    """
    seen = ~np.isnan(person.picture[:, 0])
    picture, world = (points[seen, :2] - points[seen, :2].mean(axis=0) for points in (person.picture, person.world))
    widths_per_metre = (picture * world).sum() / max((world**2).sum(), 1e-9)
    left, right = (person.world[_INDEX[f"{side}_shoulder"]] for side in _SIDES)
    unit = widths_per_metre * np.linalg.norm(left - right)
    return float(unit) if unit > 1e-6 else np.nan


def _posture(person: Person, body: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the channels of the posture from the picture's landmarks in shoulder widths, and those in space."""
    left, right = (body[_INDEX[f"{side}_shoulder"]] for side in _SIDES)
    trunk = person.world[[_INDEX[f"{side}_shoulder"] for side in _SIDES]].mean(axis=0)
    trunk = trunk - person.world[[_INDEX[f"{side}_hip"] for side in _SIDES]].mean(axis=0)
    hip = body[[_INDEX[f"{side}_hip"] for side in _SIDES]].mean(axis=0)
    # The line from the person's right shoulder to the left one runs to the right of the picture in a person who faces
    # the camera, and to its left in one who turns the back.
    slope = (np.degrees(np.arctan2(*(left - right)[::-1])) + 90) % 180 - 90
    lean_side = np.degrees(np.arctan2(-hip[0], -hip[1]))
    lean_forward = np.degrees(np.arctan2(trunk[2], trunk[1]))
    elbows = [_elbow_angle(person.world, side) for side in _SIDES]
    return np.array([lean_side, lean_forward, slope, *elbows, *_arms(body, left - right), _hand_to_face(body)])


def _elbow_angle(world: NDArray[np.float64], side: str) -> float:
    """Return the angle between upper arm and forearm in degrees."""
    shoulder, elbow, wrist = (world[_INDEX[f"{side}_{joint}"]] for joint in ("shoulder", "elbow", "wrist"))
    upper, lower = shoulder - elbow, wrist - elbow
    # Unlike the cosine of the angle this is exact for straight arms, too.
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(upper, lower)), upper @ lower)))


def _arms(body: NDArray[np.float64], shoulders: NDArray[np.float64]) -> tuple[float, float]:
    """Return openness and asymmetry of the arms, seen in the frame that the line of the shoulders gives."""
    outward = shoulders / max(float(np.linalg.norm(shoulders)), 1e-9)
    along = np.array([-outward[1], outward[0]])
    left, right = (body[[_INDEX[f"{side}_elbow"], _INDEX[f"{side}_wrist"]]] for side in _SIDES)
    out = np.array([left @ outward, -(right @ outward)])
    apart = np.hypot(out[0] - out[1], (left - right) @ along)
    return _known_mean(out), _known_mean(apart)


def _hand_to_face(body: NDArray[np.float64]) -> float:
    """Return the distance of the hand's nearest seen landmark from the nose."""
    hands = [_INDEX[f"{side}_{part}"] for side in _SIDES for part in ("wrist", "pinky", "index")]
    distances = np.linalg.norm(body[hands] - body[_INDEX["nose"]], axis=1)
    return float(np.fmin.reduce(distances))


def _known_mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan


def _places(person: Person) -> NDArray[np.float64]:
    """Return middle, size and share of the boxes of person and face."""
    values = []
    for box in (person.box, person.face_box):
        left, top, right, bottom = box or (np.nan,) * 4
        share = share_of_picture(box) if box else np.nan
        values.append([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top, share])
    return np.concatenate(values)
