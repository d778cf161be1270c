"""Textualised against feature-based models: what words lose and what they keep, in both directions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featmer import Block, FeatureTable, FusionClassifier
from featmer.baselines import BoostedClassifier, LinearClassifier
from featmer.descriptions import Describer
from featmer.labels import compound_components
from featmer.nn import LFAN

UNITS = ("AU01", "AU04", "AU12", "AU15", "AU25", "AU26")
LABELS = list(compound_components())[:3]
WORDS = {LABELS[0]: "ghost", LABELS[1]: "gift", LABELS[2]: "funeral"}

FEATURE_BASED = [
    LinearClassifier(),
    BoostedClassifier(n_estimators=60, random_state=0),
    FusionClassifier(LFAN(hidden=16), epochs=15, lr=0.01, random_state=0),
]
each_feature_based = pytest.mark.parametrize("model", FEATURE_BASED, ids=lambda model: type(model).__name__)


def clips(seed, told_by, n_rows=400, n_frames=4):
    """Return faces in frames, and words, of which one or the other tells the label.

    Intensities tell it by how far above the threshold of the cues an action unit is, which is above it in any case.
    """
    rng = np.random.default_rng(seed)
    codes = rng.integers(3, size=n_rows)
    active = rng.random((n_rows, len(UNITS))) < 0.5
    peak = np.where(active, rng.uniform(0.6, 1.0, active.shape), rng.uniform(0.0, 0.4, active.shape))
    if told_by == "intensity":
        peak[:, 2] = np.array([0.6, 0.75, 0.9])[codes] + rng.uniform(0.0, 0.1, n_rows)
    frames = peak[:, None] * rng.uniform(0.8, 1.0, (n_rows, n_frames, 1))
    frames[np.arange(n_rows), rng.integers(n_frames, size=n_rows)] = peak  # at its height once
    said = [WORDS[LABELS[code]] if told_by == "words" else "weather" for code in codes]
    fillers = rng.choice(["well", "you know", "really", "there it is"], n_rows)
    segments = pd.DataFrame(
        {
            "dialogue": np.arange(n_rows),
            "turn": 0,
            "text": [f"{a}, the {b}." for a, b in zip(fillers, said, strict=True)],
        }
    )
    face = Block(list(frames), [f"face.au.{unit}" for unit in UNITS])
    return FeatureTable(segments, {"face": face}), np.array(LABELS)[codes]


def textualised(transcript=True):
    return make_pipeline(Describer("cues", transcript=transcript), TfidfVectorizer(), LogisticRegression())


@each_feature_based
def test_intensity_above_the_threshold_is_lost_in_words(model):
    train, test = clips(0, "intensity"), clips(1, "intensity")
    words = textualised().fit(*train).score(*test)
    assert words < 0.45  # three classes, by chance
    assert model.fit(*train).score(*test) > words + 0.1


@each_feature_based
def test_what_is_said_is_kept_in_words_and_not_in_a_face(model):
    train, test = clips(0, "words"), clips(1, "words")
    words = textualised().fit(*train).score(*test)
    assert words > 0.95
    assert words >= model.fit(*train).score(*test) + 0.1
    assert textualised(transcript=False).fit(*train).score(*test) < 0.45  # it is the transcript that tells


def test_which_units_are_active_is_kept_in_words():
    """The bottleneck lets through what it is made for."""
    (table, _), (unseen, _) = clips(0, "words"), clips(1, "words")
    active = [
        np.where(each.pool(["max"]).blocks["face"].frames[:, 2] > 0.5, LABELS[1], LABELS[0]) for each in (table, unseen)
    ]
    assert textualised(transcript=False).fit(table, active[0]).score(unseen, active[1]) > 0.95
