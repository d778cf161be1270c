"""Labels, indicator matrices and distributions as y of one classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from featmer import FusionClassifier
from featmer.objectives import CrossEntropy, SoftCrossEntropy

QUICK = {"epochs": 60, "lr": 0.02, "random_state": 0}


@pytest.fixture(scope="module")
def signs():
    """Return three numbers a row, and whether each is positive."""
    X = np.random.default_rng(0).normal(size=(200, 3))
    return X, pd.DataFrame(X > 0, columns=["joy", "anger", "fear"]).astype(int)


@pytest.fixture(scope="module")
def shares(signs):
    weights = np.exp(2 * signs[0])
    return pd.DataFrame(weights / weights.sum(1, keepdims=True), columns=["joy", "anger", "fear"])


def test_an_indicator_matrix_selects_multilabel(signs):
    X, y = signs
    model = FusionClassifier(**QUICK).fit(X, y)
    assert model.target_ == "indicators"
    assert list(model.classes_) == ["joy", "anger", "fear"]
    assert model.predict_proba(X).sum(1).max() > 2
    assert (model.predict(X) == y.to_numpy()).mean() > 0.95
    assert ((model.decision_function(X) > 0) == (model.predict_proba(X) > 0.5)).all()


def test_distributions_are_learnt_as_such(signs, shares):
    model = FusionClassifier(**QUICK).fit(signs[0], shares)
    probabilities = model.predict_proba(signs[0])
    assert model.target_ == "distributions"
    assert np.abs(probabilities - shares.to_numpy()).mean() < 0.08
    assert set(model.predict(signs[0])) == {"joy", "anger", "fear"}


def test_one_hot_rows_are_what_the_objective_wants(signs):
    y = np.eye(3)[signs[0].argmax(1)]
    assert FusionClassifier(epochs=1).fit(signs[0], y).target_ == "indicators"
    assert FusionClassifier(epochs=1, objective="soft").fit(signs[0], y).target_ == "distributions"
    assert FusionClassifier(epochs=1, objective=SoftCrossEntropy()).fit(signs[0], y).target_ == "distributions"


@pytest.mark.parametrize("kind", ["indicators", "distributions"])
def test_saved_and_loaded(kind, signs, shares, tmp_path):
    X, y = signs
    model = FusionClassifier(epochs=2, random_state=0).fit(X, y if kind == "indicators" else shares)
    model.save(tmp_path / "model")
    loaded = FusionClassifier.load(tmp_path / "model")
    assert loaded.target_ == kind
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("objective", "y", "message"),
    [
        (CrossEntropy(), "matrix", "targets are indicators.*choose from.*multilabel.*give y as labels"),
        ("soft", "labels", "targets are labels.*choose from.*cross_entropy.*give y as distributions"),
        ("multilabel", "labels", "targets are labels.*cross_entropy"),
        ("cross_entropy", "numbers", "an indicator matrix of 0 and 1, or distributions.*regressor"),
        ("mse", "labels", "targets are labels"),
    ],
)
def test_a_target_that_does_not_fit_says_what_would(objective, y, message, signs):
    X, matrix = signs
    y = {"matrix": matrix, "labels": np.where(X[:, 0] > 0, "joy", "fear"), "numbers": X}[y]
    with pytest.raises(ValueError, match=message):
        FusionClassifier(objective=objective).fit(X, y)


def test_validation_rows_of_another_kind_are_refused(signs, shares):
    X, y = signs
    with pytest.raises(ValueError, match="validation rows have distributions.*training rows indicators"):
        FusionClassifier(**QUICK).fit(X, y, validation=(X, shares))
    with pytest.raises(ValueError, match="validation rows have targets for .*'fear', 'joy'"):
        FusionClassifier(**QUICK).fit(X, y, validation=(X, y[["anger", "fear", "joy"]]))
