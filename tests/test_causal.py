"""Back-door adjustment and counterfactual subtraction: what they compute, choose, and are there for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks
from synthetic import BENCHMARK

from featmer import FusionClassifier
from featmer.baselines import LinearClassifier
from featmer.causal import BackdoorClassifier, CounterfactualClassifier, backdoor_probabilities, varied_features
from featmer.causal.counterfactual import TAUS
from featmer.nn import Concat

spurious, SHORTCUT = BENCHMARK["spurious"], BENCHMARK["SHORTCUT"]


@parametrize_with_checks([BackdoorClassifier(LogisticRegression()), CounterfactualClassifier(LogisticRegression())])
def test_scikit_learn(estimator, check):
    check(estimator)


# back door


def layers(seed=0, n_confounders=4, n_classes=3, width=5):
    rng = np.random.default_rng(seed)
    shapes = (7, width), (n_confounders, width), (n_confounders, n_classes, 2 * width)
    represented, confounders, weights = (rng.standard_normal(shape) for shape in shapes)
    return represented, confounders, rng.dirichlet(np.ones(n_confounders)), weights


def test_the_layer_gives_probabilities_and_knows_no_order():
    represented, confounders, prior, weights = layers()
    given = backdoor_probabilities(represented, confounders, prior, weights)
    assert given.sum(axis=1) == pytest.approx(1.0)
    order = [2, 0, 3, 1]
    again = backdoor_probabilities(represented, confounders[order], prior[order], weights[order])
    assert np.allclose(again, given)
    assert not np.allclose(backdoor_probabilities(represented, confounders[order], prior, weights), given)


def test_one_confounder_is_a_softmax():
    represented, confounders, prior, weights = layers(n_confounders=1)
    beside = np.column_stack([represented, np.tile(confounders, (7, 1))])
    given = backdoor_probabilities(represented, confounders, prior, weights)
    assert np.allclose(given, softmax(beside @ weights[0].T, axis=1))


def test_layers_learn_from_rows_that_the_classifier_has_not_seen():
    """Naive Bayes takes nine copies of the same evidence for nine; what the layers make of it is less sure."""
    rng = np.random.default_rng(0)
    mood = rng.integers(3, size=3000)
    X = np.repeat(np.eye(3)[mood] + rng.normal(size=(3000, 3)), 9, axis=1)
    train, new = slice(2000), slice(2000, None)
    loss = {}
    for penalty in (1.0, 1e9):
        model = BackdoorClassifier(GaussianNB(), penalty=penalty, random_state=0).fit(X[train], mood[train])
        loss[penalty] = log_loss(mood[new], model.predict_proba(X[new]))
        assert model.score(X[new], mood[new]) >= model.estimator_.score(X[new], mood[new]) - 0.03
    assert loss[1.0] < loss[1e9] / 2


def test_a_strong_penalty_leaves_the_classifier_as_it_is(tiny_table):
    y = tiny_table.segments["emotion"].to_numpy(object)
    model = BackdoorClassifier(LinearClassifier(), penalty=1e9, random_state=0).fit(tiny_table, y)
    assert np.allclose(model.predict_proba(tiny_table), model.estimator_.predict_proba(tiny_table), atol=1e-4)
    free = BackdoorClassifier(LinearClassifier(), penalty=0.1, random_state=0).fit(tiny_table, y)
    assert not np.allclose(free.predict_proba(tiny_table), free.estimator_.predict_proba(tiny_table), atol=1e-2)


# counterfactual


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_less_is_lost_where_the_shortcut_no_longer_holds(seed):
    """Tau comes from 1000 rows like those of training and as many shifted ones; what it does, from new ones too."""
    told = BENCHMARK["shift"](seed)
    assert 0 < told["cost"] <= 0.02
    assert told["gain"] >= 0.05
    assert told["new gain"] >= 0.05
    assert told["new cost"] <= 0.03  # rows that did not choose tau


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tau_is_the_largest_that_costs_no_more_than_tolerated(seed):
    train, alike, other = (spurious(seed + first, 1000, kept) for first, kept in ((0, 0.8), (30, 0.8), (40, 0.1)))
    validation = tuple(np.concatenate(both) for both in zip(alike, other, strict=True))
    model = CounterfactualClassifier(LogisticRegression(), SHORTCUT).fit(*train, validation, np.arange(2000) >= 1000)
    lost = {}
    for tau in TAUS:
        fixed = CounterfactualClassifier(LogisticRegression(), SHORTCUT, tau=tau).fit(*train, alike)
        lost[tau] = (model.estimator_.predict(alike[0]) == alike[1]).sum() - (fixed.predict(alike[0]) == alike[1]).sum()
    assert model.tau_ == max(tau for tau in TAUS if lost[tau] <= 20) > 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tau_needs_no_shifted_rows(seed):
    train, other = spurious(seed, 3000, 0.8), spurious(seed + 20, 3000, 0.1)
    model = CounterfactualClassifier(LogisticRegression(), SHORTCUT, random_state=seed).fit(*train)
    assert 0 < model.tau_ < 1
    assert model.score(*other) >= model.estimator_.score(*other) + 0.05


def test_tau_comes_from_rows_that_the_classifier_has_not_seen():
    train, turned, kept = spurious(0, 2000, 0.9), spurious(1, 2000, 0.1), spurious(2, 2000, 1.0)
    model = CounterfactualClassifier(LogisticRegression(), SHORTCUT, random_state=0)
    tau = model.fit(*train).tau_
    assert model.fit(*train, turned, np.ones(2000, bool)).tau_ > tau > 0
    assert model.fit(*train, kept, np.ones(2000, bool)).tau_ == 0, "shortcuts that always hold are no loss"
    for wrong in ({"shifted": [True]}, {"validation": turned, "shifted": [True]}):
        with pytest.raises(ValueError, match=r"validation rows whether it is, got \(1,\)"):
            model.fit(*train, **wrong)


def test_the_rule_of_varied_words_takes_causes_too():
    X, y = spurious(0, 2000, 0.9)
    X[:, 3] = 1.0
    assert varied_features(X, y).tolist() == [0, 1, 2, 4, 5, 6]
    assert len(varied_features(X, y, most=2)) == 2


def test_modalities_and_features_of_a_table(tiny_table, tmp_path):
    y = tiny_table.segments["emotion"].to_numpy(object)
    for inner in (LinearClassifier(), FusionClassifier(Concat(hidden=8), epochs=5, random_state=0)):
        model = CounterfactualClassifier(inner, ["text", "audio.tiny.0"], tau=0.5, random_state=0).fit(tiny_table, y)
        whole = model.estimator_.predict_proba(tiny_table)
        assert model.predict_proba(tiny_table).sum(axis=1) == pytest.approx(1.0)
        assert not np.allclose(model.predict_proba(tiny_table), whole)
        hidden = model._hidden(tiny_table)
        assert hidden.blocks["face"].missing.all()
        assert hidden.blocks["text"] is tiny_table.blocks["text"]
        assert np.isnan(hidden.blocks["audio"].values[:, 1:]).all()
        none = CounterfactualClassifier(inner, ["text"], tau=0.0, random_state=0).fit(tiny_table, y)
        assert np.allclose(none.predict_proba(tiny_table), whole, atol=1e-5)
        model.save(tmp_path / type(inner).__name__)
        again = CounterfactualClassifier.load(tmp_path / type(inner).__name__)
        assert np.array_equal(again.predict_proba(tiny_table), model.predict_proba(tiny_table))


def test_what_cannot_be_done_says_so(tiny_table):
    y = tiny_table.segments["emotion"].to_numpy(object)
    with pytest.raises(ValueError, match="must be named"):
        CounterfactualClassifier(LinearClassifier()).fit(tiny_table, y)
    with pytest.raises(ValueError, match="Unknown shortcut 'txt', did you mean 'text'"):
        CounterfactualClassifier(LinearClassifier(), ["txt"]).fit(tiny_table, y)
    with pytest.raises(ValueError, match="0 or more, got -1"):
        CounterfactualClassifier(LinearClassifier(), ["text"], tau=-1).fit(tiny_table, y)
    with pytest.raises(ValueError, match="Unknown choice of tau 'test'"):
        CounterfactualClassifier(LinearClassifier(), ["text"], tau="test").fit(tiny_table, y)
    with pytest.raises(ValueError, match="one label a row, but y holds indicators"):
        BackdoorClassifier(LinearClassifier()).fit(tiny_table, np.tile([[0, 1], [1, 0]], (60, 1)))
