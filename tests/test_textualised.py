"""Textualised against feature-based models: what words lose and what they keep, in both directions."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featmer import FusionClassifier
from featmer.baselines import BoostedClassifier, LinearClassifier
from featmer.descriptions import Describer
from featmer.nn import LFAN

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "compound.py"))
clips = BENCHMARK["bottleneck_clips"]

FEATURE_BASED = [
    LinearClassifier(),
    BoostedClassifier(n_estimators=60, random_state=0),
    FusionClassifier(LFAN(hidden=16), epochs=15, lr=0.01, random_state=0),
]
each_feature_based = pytest.mark.parametrize("model", FEATURE_BASED, ids=lambda model: type(model).__name__)


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
        np.where(each.pool(["max"]).blocks["face"].frames[:, 2] > 0.5, "joy", "neutral") for each in (table, unseen)
    ]
    assert textualised(transcript=False).fit(table, active[0]).score(unseen, active[1]) > 0.95
