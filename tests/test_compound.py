"""Compound emotions: from the probabilities of basic ones, from action units, and from what was learned of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks
from synthetic import show_faces

from featmer import FusionClassifier
from featmer.baselines import AUPrototypeClassifier, BoostedClassifier, LinearClassifier, PairwiseCompound
from featmer.labels import compound_components

BASIC = sorted(["anger", "disgust", "fear", "joy", "sadness", "surprise"])
PAIRS = compound_components()


@parametrize_with_checks([PairwiseCompound(LinearClassifier(C=10.0))])
def test_scikit_learn_conventions(estimator: Any, check: Any) -> None:
    check(estimator)


class Given(DummyClassifier):
    """A classifier of basic emotions that says what its features say."""

    def predict_proba(self, X):
        return np.asarray(X)


def given_basic(labels=BASIC):
    return FrozenEstimator(Given().fit(np.zeros((len(labels), 1)), labels))


def mixture(pair, uninvolved=0.0, labels=BASIC):
    """Return a distribution with half of what is left on each of two emotions."""
    row = pd.Series(0.0, index=labels)
    row[list(pair)] += (1 - uninvolved) / 2
    return row


@pytest.mark.parametrize("rule", ["product", "geometric", "minimum"])
def test_the_pair_of_every_mixture_is_found(rule):
    model = PairwiseCompound(given_basic(), rule=rule).fit(np.zeros((6, 6)), BASIC)
    assert model.classes_.tolist() == sorted(PAIRS)
    X = pd.DataFrame([mixture(pair) for pair in PAIRS.values()])
    assert model.predict(X.to_numpy()).tolist() == list(PAIRS)
    np.testing.assert_allclose(model.predict_proba(X.to_numpy()).max(1), 1)


@pytest.mark.parametrize("rule", ["product", "geometric", "minimum"])
@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9])
def test_mass_of_an_uninvolved_emotion_changes_nothing(rule, mass):
    labels = sorted([*BASIC, "neutral"])
    model = PairwiseCompound(given_basic(labels), rule=rule).fit(np.zeros((7, 7)), labels)
    X = pd.DataFrame([mixture(pair, mass, labels) for pair in PAIRS.values()])
    assert model.predict(X.assign(neutral=mass).to_numpy()).tolist() == list(PAIRS)
    np.testing.assert_allclose(
        model.predict_proba(X.assign(neutral=mass).to_numpy()), model.predict_proba(X.to_numpy()), atol=1e-12
    )


def faces_of_pairs(rng, pairs, n_rows=60, noise=0.15):
    """Return intensities of six basic emotions of which each row shows one or two."""
    labels = [label for label in pairs for _ in range(n_rows)]
    shown = np.array([[BASIC.index(each) for each in pairs[label]] for label in labels])
    X = rng.normal(0, noise, (len(labels), len(BASIC)))
    np.add.at(X, (np.arange(len(X))[:, None], shown), 0.5)
    return X, np.array(labels)


@pytest.fixture(scope="module")
def basic():
    return faces_of_pairs(np.random.default_rng(0), {label: (label, label) for label in BASIC})


@pytest.fixture(scope="module")
def compound():
    return faces_of_pairs(np.random.default_rng(1), PAIRS)


def test_compounds_are_told_that_were_never_seen(basic, compound):
    model = PairwiseCompound(LinearClassifier(C=10.0)).fit(*basic)
    assert model.score(*compound) > 0.8
    frozen = PairwiseCompound(FrozenEstimator(model.classifier_)).fit(*compound)
    np.testing.assert_array_equal(frozen.predict_proba(compound[0]), model.predict_proba(compound[0]))


@pytest.mark.parametrize(
    "inside",
    [
        LinearClassifier(C=10.0),
        BoostedClassifier(n_estimators=50, random_state=0),
        FusionClassifier(epochs=30, lr=0.01, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_rows_of_compounds_teach_both_components(inside, basic, compound):
    for X, y in (compound, (np.r_[basic[0], compound[0]], np.r_[basic[1], compound[1]])):
        model = PairwiseCompound(inside).fit(X, y, validation=(X, y))
        assert model.classifier_.target_ == "distributions"
        assert model.classifier_.classes_.tolist() == BASIC
        assert model.classes_.tolist() == sorted(PAIRS)
        assert model.score(*compound) > 0.85


def test_other_is_a_class_by_itself():
    labels = sorted([*BASIC, "other"])
    model = PairwiseCompound(given_basic(labels)).fit(np.zeros((2, 7)), ["other", "sadly angry"])
    assert model.pairs_["other"] == ("other", "other")
    X = np.array([mixture(pair, labels=labels) for pair in (("other", "anger"), ("sadness", "anger"))])
    assert model.predict(X).tolist() == ["other", "sadly angry"]


def test_a_component_that_the_classifier_does_not_know():
    with pytest.raises(ValueError, match=r"knows \['happy', 'sad'\].*made of \['anger', 'sadness'\].*words of .*ekman"):
        PairwiseCompound(given_basic(["happy", "sad"])).fit(np.zeros((1, 2)), ["sadly angry"])
    with pytest.raises(ValueError, match=r"validation rows have labels \['joyless'\]"):
        PairwiseCompound(LinearClassifier()).fit(np.eye(6), BASIC, validation=(np.eye(6)[:1], ["joyless"]))
    with pytest.raises(ValueError, match="Unknown rule 'sum'"):
        PairwiseCompound(given_basic(), rule="sum").fit(np.eye(6), BASIC).predict(np.eye(6))


# the three ways in which compound emotions may be told, on the faces of Du et al.'s table


def test_pair_rule_prototypes_and_direct_learning_on_the_same_faces():
    rng = np.random.default_rng(0)
    basic, compounds = show_faces(BASIC, 1500, rng), [show_faces(list(PAIRS), 1500, rng) for _ in range(2)]
    test_faces, test_labels = compounds[1]
    scores = {
        "pairs, no compound seen": PairwiseCompound(LinearClassifier()).fit(*basic),
        "pairs": PairwiseCompound(LinearClassifier()).fit(*compounds[0]),
        "prototypes": AUPrototypeClassifier(class_weight="balanced").fit(*compounds[0]),
        "direct": LinearClassifier().fit(*compounds[0]),
    }
    scores = {name: model.score(test_faces, test_labels) for name, model in scores.items()}
    assert scores["prototypes"] == pytest.approx(0.891, abs=0.03)
    assert scores["prototypes"] > scores["direct"] - 0.02 > scores["pairs"] > scores["pairs, no compound seen"] > 0.4
    unseen = test_faces.assign(AU20=np.nan, AU25=np.nan)
    model = AUPrototypeClassifier(class_weight="balanced").fit(*compounds[0])
    assert model.score(unseen, test_labels) > model.score(unseen.fillna(0.0), test_labels) + 0.1
