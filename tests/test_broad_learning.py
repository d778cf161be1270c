"""Broad learning: nodes added later are as good as nodes from the start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import FeatureTable
from featmer.baselines import BroadLearningClassifier, BroadLearningRegressor, LinearClassifier

BOTH = [BroadLearningClassifier(random_state=0), BroadLearningRegressor(random_state=0)]


@parametrize_with_checks(BOTH)
def test_scikit_learn_conventions(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def exclusive_or(seed: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(n_rows, 6))
    return X, np.where(X[:, 0] * X[:, 1] > 0, "same", "other")


def test_it_bends_where_a_line_cannot() -> None:
    train, test = exclusive_or(0, 2000), exclusive_or(1, 800)
    assert BroadLearningClassifier(random_state=0).fit(*train).score(*test) > 0.85
    assert LinearClassifier().fit(*train).score(*test) < 0.6


@pytest.mark.parametrize("n_outputs", [None, 2])
def test_added_nodes_are_as_if_there_from_the_start(n_outputs: int | None) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = rng.normal(size=200 if n_outputs is None else (200, n_outputs))
    model = BroadLearningRegressor(nodes=20, enhancements=10, penalty=0.1, random_state=0).fit(X, y)
    for n_nodes in (15, 30):
        model.add_nodes(X, y, n_nodes)
    nodes = model._nodes(model._check_table(X, reset=False))
    full = Ridge(alpha=0.1, solver="cholesky").fit(nodes, y)
    assert nodes.shape == (200, 75)
    np.testing.assert_allclose(model.predict(X), full.predict(nodes), atol=1e-5)
    assert len(np.unique(model.enhance_bias_)) == 55


def test_a_classifier_grows_too_and_refuses_other_rows() -> None:
    X, y = exclusive_or(0, 300)
    model = BroadLearningClassifier(nodes=20, enhancements=0, random_state=0).fit(X, y)
    before = model.score(X, y)
    assert model.add_nodes(X, y, 200).score(X, y) > before
    with pytest.raises(ValueError, match="got 299, expected 300"):
        model.add_nodes(X[1:], y[1:], 5)
    with pytest.raises(ValueError, match="labels of fit again"):
        model.add_nodes(X, np.resize(["same", "new"], 300), 5)


@pytest.mark.parametrize("model", BOTH, ids=lambda model: type(model).__name__)
def test_saved_and_loaded_predicts_the_same(model: Any, tiny_table: FeatureTable, tmp_path: Path) -> None:
    y = tiny_table.segments["emotion" if is_classifier(model) else "valence"]
    fitted = clone(model).fit(tiny_table, y)
    fitted.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(tiny_table), fitted.predict(tiny_table))
    assert fitted.score(tiny_table, y) > 0.5
