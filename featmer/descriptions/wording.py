"""Words for action units and for what a voice is like; the words themselves are in featmer/resources."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from featmer._checks import check_name
from featmer._resources import read_resource

NO_FACE = "no face detected"
NO_SPEECH = "no speech detected"


class ActionUnit(NamedTuple):
    """One muscle movement of the Facial Action Coding System: its name there, and plain words."""

    name: str
    words: str


class VoiceCue(NamedTuple):
    """One thing that is heard in a voice: words for little and much of it, and the features that measure it."""

    low: str
    high: str
    features: tuple[str, ...]


ACTION_UNITS = {row["au"]: ActionUnit(row["name"], row["words"]) for row in read_resource("au_words.csv")}
"""Action units by their number: ``"AU15"`` is the lip corner depressor, "lip corners down"."""

VOICE_CUES = {
    row["cue"]: VoiceCue(row["low"], row["high"], tuple(row["features"].split()))
    for row in read_resource("voice_words.csv")
}
"""Cues of the voice by name: pitch, rate, loudness, melody, clarity."""

_FACE_CUTS = (0.2, 0.5, 0.8)
_VOICE_CUTS = (0.05, 0.2, 0.8, 0.95)


def describe_face(aus: Mapping[str, float], cuts: Mapping[str, Sequence[float]] | Sequence[float] = _FACE_CUTS) -> str:
    """Say in words what a face does.

    Parameters
    ----------
    aus : dict of str to float
        Action units, ``{"AU12": 0.7}``; NaN is not known.
    cuts : 3 floats, or dict of str to 3 floats, default=(0.2, 0.5, 0.8)
        Above which values a movement is there slightly, plainly and strongly; on the scale of the values, for all
        action units or for each. `Describer` learns them.

    Returns
    -------
    str
        The movements in the order of their numbers, "face at rest" if there are none, or "no face detected" if no
        action unit is known.

    Raises
    ------
    ValueError
        If an action unit is unknown.

    Examples
    --------
    >>> describe_face({"AU01": 0.9, "AU12": 0.1, "AU15": 0.6})
    'inner brows raised strongly, lip corners down'
    >>> describe_face({})
    'no face detected'
    """
    for au in aus:
        check_name(au, ACTION_UNITS, "action unit")
    known = {au: aus[au] for au in sorted(aus) if not math.isnan(aus[au])}
    if not known:
        return NO_FACE
    told = []
    for au, value in known.items():
        level = sum(value > cut for cut in (cuts[au] if isinstance(cuts, Mapping) else cuts))
        if level:
            told.append(ACTION_UNITS[au].words + ("", " slightly", "", " strongly")[level])
    return ", ".join(told) or "face at rest"


def describe_voice(
    features: Mapping[str, float], cuts: Mapping[str, Sequence[float]] | Sequence[float] = _VOICE_CUTS
) -> str:
    """Say in words what a voice is like.

    Parameters
    ----------
    features : dict of str to float
        Values of the cues in ``VOICE_CUES``: pitch, rate, loudness, melody, clarity; NaN is not known. With the default
        of ``cuts``, shares of the voices to compare with that have less of it, from 0 to 1.
    cuts : 4 floats, or dict of str to 4 floats, default=(0.05, 0.2, 0.8, 0.95)
        Below the first a cue is very low, below the second low, above the third high, above the fourth very high; on
        the scale of the values, for all cues or for each. `Describer` learns them.

    Returns
    -------
    str
        What is out of the ordinary, "ordinary voice" if nothing is, or "no speech detected" if no cue is known.

    Raises
    ------
    ValueError
        If a cue is unknown.

    Examples
    --------
    >>> describe_voice({"pitch": 0.1, "rate": 0.01, "loudness": 0.15, "melody": 0.5})
    'low, very slow, quiet voice'
    """
    for cue in features:
        check_name(cue, VOICE_CUES, "cue of the voice")
    known = {cue: features[cue] for cue in VOICE_CUES if not math.isnan(features.get(cue, math.nan))}
    if not known:
        return NO_SPEECH
    told = []
    for cue, value in known.items():
        level = voice_level(value, cuts[cue] if isinstance(cuts, Mapping) else cuts)
        if level:
            word = VOICE_CUES[cue].high if level > 0 else VOICE_CUES[cue].low
            told.append(f"very {word}" if abs(level) == 2 else word)
    return f"{', '.join(told) or 'ordinary'} voice"


def voice_level(value: float, cuts: Sequence[float]) -> int:
    """Return -2 for very low, -1 for low, 0, 1 for high and 2 for very high.

    Parameters
    ----------
    value : float
        Value of a cue.
    cuts : 4 floats
        As in `describe_voice`.

    Returns
    -------
    int
        The level.

    Examples
    --------
    >>> [voice_level(value, (0.05, 0.2, 0.8, 0.95)) for value in (0.0, 0.1, 0.5, 0.9, 1.0)]
    [-2, -1, 0, 1, 2]
    """
    return sum(value > cut for cut in cuts[2:]) - sum(value < cut for cut in cuts[:2])
