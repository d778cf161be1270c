"""Find what can be told in words among the features of a table, whichever tool they come from."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer.descriptions.wording import ACTION_UNITS, VOICE_CUES
from featmer.table import FeatureTable

_STATISTICS = ("max", "mean")
_AU = re.compile(r".*\.(AU\d\d)(?:_r)?(?:_(max|mean))?")
_EMOTION = re.compile(r".*\.emotion\.([a-z]+)(?:_(max|mean))?")
_STATE = re.compile(r"audio\..*?\b(arousal|dominance|valence)(?:_(max|mean))?")


class Measures(NamedTuple):
    """What can be told of each row; NaN is not known, no column is not measured.

    Attributes
    ----------
    face : DataFrame
        A column an action unit: the largest value of the clip, or the mean where only that is there.
    emotions : DataFrame
        A column an emotion that was read from the face: mean scores.
    voice : DataFrame
        A column a cue of `VOICE_CUES`.
    state : DataFrame
        Arousal, dominance, valence of the voice, from 0 to 1.
    """

    face: pd.DataFrame
    emotions: pd.DataFrame
    voice: pd.DataFrame
    state: pd.DataFrame


def read_measures(table: FeatureTable) -> Measures:
    """Find action units, emotions, cues and state of the voice by the names of the features.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        Features as the extractors name them; sequences are pooled.

    Returns
    -------
    Measures
        DataFrames of n_rows rows.

    Examples
    --------
    >>> from featmer.table import Block
    >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
    >>> face = Block([[0.1, 0.7]], ["face.au.AU12_mean", "face.au.AU12_max"])
    >>> read_measures(FeatureTable(segments, {"face": face})).face
       AU12
    0   0.7
    """
    features = {
        name: column.astype(np.float64)
        for block in table.pool(_STATISTICS).blocks.values()
        for name, column in zip(block.names, block.frames.T, strict=True)
    }
    face = _match(features, _AU, _STATISTICS)
    face = {au: face[au] for au in sorted(face) if au in ACTION_UNITS}
    parts = (face, _match(features, _EMOTION, _STATISTICS[::-1]), _read_voice(table, features))
    return Measures(*(pd.DataFrame(part, index=range(len(table))) for part in (*parts, _match(features, _STATE))))


def _match(
    features: dict[str, NDArray[np.float64]], pattern: re.Pattern[str], preferred: tuple[str, ...] = ("mean",)
) -> dict[str, NDArray[np.float64]]:
    """Return the features whose names fit, by what the pattern finds; of several statistics the preferred one."""
    ranks = {statistic: rank for rank, statistic in enumerate((*preferred, None))}
    found = [(match, column) for name, column in features.items() if (match := pattern.fullmatch(name))]
    ranked = sorted(found, key=lambda each: ranks.get(each[0][2], len(ranks)))
    # Of equals the first in the table counts.
    return {match[1]: column for match, column in reversed(ranked)}


def _read_voice(table: FeatureTable, features: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return the cues of the voice, NaN in rows without a voice."""
    by_end = {name.split(".", 2)[-1]: column for name, column in reversed(features.items()) if name[:6] == "audio."}
    voice = {
        name: next(by_end[feature] for feature in cue.features if feature in by_end)
        for name, cue in VOICE_CUES.items()
        if any(feature in by_end for feature in cue.features)
    }
    silent = np.zeros(len(table), bool)
    for block in table.blocks.values():
        if block.quality is not None and "audio_voiced_share" in block.quality:
            silent |= (block.quality["audio_voiced_share"] == 0).to_numpy()
    if "pitch" in voice:  # openSMILE's way to say that no frame was voiced
        silent |= voice["pitch"] == 0
    return {cue: np.where(silent, np.nan, values) for cue, values in voice.items()}
