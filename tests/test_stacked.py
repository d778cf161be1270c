"""StackedClassifier: what it learns from, and that nothing leaks into it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import Block, FeatureTable, FusionClassifier
from featmer.baselines import BoostedClassifier, LinearClassifier, StackedClassifier


@parametrize_with_checks([StackedClassifier(n_folds=2)])
def test_scikit_learn(estimator, check):
    check(estimator)


def make_rows(seed=0, n_dialogues=40, n_turns=4):
    """Return dialogues with two labels, of which each modality shows one, and some rows without a voice."""
    rng = np.random.default_rng(seed)
    n_rows = n_dialogues * n_turns
    y = rng.integers(0, 2, (n_rows, 2))
    segments = pd.DataFrame(
        {"dialogue": np.repeat(np.arange(n_dialogues), n_turns), "turn": np.tile(np.arange(n_turns), n_dialogues)}
    )
    audio, face = (np.c_[y[:, i] + 0.4 * rng.standard_normal(n_rows), rng.standard_normal(n_rows)] for i in (0, 1))
    audio[::7] = np.nan
    blocks = {"audio": Block(audio, ["audio.a", "audio.b"]), "face": Block(face, ["face.a", "face.b"])}
    return FeatureTable(segments, blocks), pd.DataFrame(y, columns=["joy", "fear"])


class Remembers(LinearClassifier):
    """A classifier that remembers the label of every row it was fitted on, and knows nothing else."""

    def fit(self, X, y, validation=None):
        self.known_ = dict(zip(keys(X), y, strict=True))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.array([[label == self.known_.get(key, "?") for label in self.classes_] for key in keys(X)], float)


def keys(table):
    return list(zip(table.segments["dialogue"], table.segments["turn"], strict=True))


def test_what_is_said_of_training_rows_was_learnt_on_other_dialogues():
    table, y = make_rows()
    model = StackedClassifier(Remembers(), Seen()).fit(table, y["joy"].to_numpy())
    said = model.meta_.seen_.select(["audio_says", "face_says"])
    assert not np.asarray(said).any()  # of its own dialogue nobody knew anything
    assert np.asarray(model._stacked(table).select(["audio_says"])).any(1).all()


class Seen(LinearClassifier):
    """Remembers the table it was fitted on."""

    def fit(self, X, y, validation=None):
        self.seen_ = X
        self.watched_ = validation
        return super().fit(X, y, validation)


def test_out_of_fold_probabilities_are_those_of_whole_dialogues_left_out():
    table, y = make_rows()
    model = StackedClassifier(meta=Seen(), n_folds=4).fit(table, y)
    base = LinearClassifier(["face"], thresholds=0.5)
    for train, asked in GroupKFold(4).split(table, groups=table.segments["dialogue"]):
        expected = clone(base).fit(table[train], y.iloc[train]).predict_proba(table[asked])
        np.testing.assert_allclose(np.asarray(model.meta_.seen_.select(["face_says"]))[asked], expected)


@pytest.mark.parametrize("kind", ["labels", "indicators", "distributions"])
def test_it_takes_every_kind_of_target_and_uses_both_modalities(kind):
    table, y = make_rows()
    y = {
        "labels": np.where(y["joy"] > 0, np.where(y["fear"] > 0, "both", "joy"), np.where(y["fear"] > 0, "fear", "no")),
        "indicators": y,
        "distributions": pd.DataFrame({"joy": 0.1 + 0.8 * y["joy"], "other": 0.9 - 0.8 * y["joy"]}),
    }[kind]
    model = StackedClassifier().fit(table, y)
    probabilities = model.predict_proba(table)
    assert probabilities.shape == (len(table), len(model.classes_))
    assert len(model.predict_set(table)) == len(table)
    if kind == "distributions":
        assert np.abs(probabilities - y.to_numpy()).mean() < 0.2
    else:
        assert (model.predict(table) == np.asarray(y)).mean() > 0.75


def test_any_classifier_of_tables_may_come_last_with_validation_rows():
    table, y = make_rows()
    watched = make_rows(1)
    seen = StackedClassifier(meta=Seen()).fit(table, y, validation=watched).meta_
    assert set(seen.watched_[0].modalities) == {"audio", "face", "audio_says", "face_says"}
    fusion = FusionClassifier("recurrent", epochs=2, random_state=0)
    model = StackedClassifier(meta=fusion).fit(table, y, validation=watched)
    assert model.predict(table).shape == (160, 2)
    assert StackedClassifier(meta=BoostedClassifier(n_estimators=5)).fit(table, y).predict_proba(table).shape == (
        160,
        2,
    )


def test_one_dialogue_is_not_enough():
    table, y = make_rows(n_dialogues=1)
    with pytest.raises(ValueError, match="1 dialogues .* two parts at least"):
        StackedClassifier().fit(table, y)
