"""Thresholds on validation rows, and the labels that pass them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, jaccard_score

from featmer.decisions import GRID, THRESHOLD_METRICS, inclusive_threshold, indicate_labels, label_sets, tune_thresholds
from featmer.labels import aggregate_votes


def sample_jaccard(y, chosen):
    empty = ~(y.any(axis=1) | chosen.any(axis=1))
    rest = jaccard_score(y[~empty], chosen[~empty], average="samples", zero_division=0) if (~empty).any() else 0
    return empty.mean() + (~empty).mean() * rest


SCORES = {
    "f1_macro": lambda y, chosen: f1_score(y, chosen, average="macro", zero_division=0),
    "f1_micro": lambda y, chosen: f1_score(y, chosen, average="micro", zero_division=0),
    "jaccard": sample_jaccard,
}


def make_rows(seed, n_rows=200, n_labels=4):
    """Return labels of differing frequency and probabilities that are too low for the rare ones."""
    rng = np.random.default_rng(seed)
    share = np.linspace(0.5, 0.05, n_labels)
    y = (rng.random((n_rows, n_labels)) < share).astype(int)
    y[0], y[1] = 1, 0
    logits = 1.5 * (2 * y - 1) + rng.standard_normal(y.shape) + np.log(share / (1 - share))
    return y, 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("metric", sorted(SCORES))
def test_the_metrics_are_scikit_learns(metric):
    y, probabilities = make_rows(0)
    chosen = indicate_labels(probabilities)
    assert THRESHOLD_METRICS[metric](y.astype(bool), chosen.astype(bool)) == pytest.approx(SCORES[metric](y, chosen))


@pytest.mark.parametrize("metric", sorted(SCORES))
def test_the_single_threshold_is_the_best_of_the_grid(metric):
    y, probabilities = make_rows(1)
    scores = {threshold: SCORES[metric](y, indicate_labels(probabilities, threshold)) for threshold in GRID}
    (threshold,) = set(tune_thresholds(y, probabilities, metric=metric))
    assert scores[threshold] == pytest.approx(max(scores.values()))
    assert scores[threshold] > scores[0.5]


@pytest.mark.parametrize("metric", sorted(SCORES))
def test_thresholds_of_each_label_are_better_still(metric):
    y, probabilities = make_rows(2)
    one, each = (tune_thresholds(y, probabilities, per=per, metric=metric) for per in ("all", "class"))
    score = SCORES[metric]
    assert score(y, indicate_labels(probabilities, each)) > score(y, indicate_labels(probabilities, one)) + 0.005


def test_thresholds_of_macro_f1_are_the_best_of_each_label():
    y, probabilities = make_rows(3)
    chosen = indicate_labels(probabilities, tune_thresholds(y, probabilities, per="class"))
    for label in range(y.shape[1]):
        best = max(f1_score(y[:, label], probabilities[:, label] > t, zero_division=0) for t in GRID)
        assert f1_score(y[:, label], chosen[:, label]) == pytest.approx(best)


@settings(max_examples=40, deadline=None)
@given(
    y=arrays(np.int8, (9, 3), elements=st.integers(0, 1)),
    probabilities=arrays(np.float64, (9, 3), elements=st.floats(0, 1)),
    metric=st.sampled_from(sorted(SCORES)),
)
def test_tuning_never_lowers_the_metric(y, probabilities, metric):
    score = SCORES[metric]
    half = score(y, indicate_labels(probabilities))
    one, each = (tune_thresholds(y, probabilities, per=per, metric=metric) for per in ("all", "class"))
    reached = score(y, indicate_labels(probabilities, one))
    assert reached >= half - 1e-12
    assert score(y, indicate_labels(probabilities, each)) >= reached - 1e-12


def test_a_label_that_nobody_gave_keeps_a_half():
    y, probabilities = make_rows(4)
    y[:, 2] = 0
    probabilities[:, 2] = 0.3
    thresholds = tune_thresholds(y[:, [2]], probabilities[:, [2]], per="class")
    assert thresholds.tolist() == [0.5]


def test_the_worked_example_of_the_all_inclusive_rule():
    (found,) = label_sets([[0.2, 0.4, 0.4, 0.0]], inclusive_threshold(4), ["neutral", "anger", "sadness", "happy"])
    assert found == {"anger", "sadness"}


@pytest.mark.parametrize("n_classes", range(2, 29))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_equal_share_is_not_above_itself(n_classes, dtype):
    logits = np.full((1, n_classes), 0.3, dtype)
    even = np.exp(logits) / np.exp(logits).sum()
    assert not indicate_labels(even, inclusive_threshold(n_classes)).any()


def test_the_all_inclusive_rule_agrees_with_votes():
    votes = np.random.default_rng(0).integers(0, 4, (300, 6))
    votes[:, 0] += 1
    wanted = aggregate_votes(votes, form="multilabel", labels=list("abcdef")).values
    shares = votes / votes.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(indicate_labels(shares, inclusive_threshold(6)), wanted)


def test_sets_may_be_empty_and_hold_plain_labels():
    sets = label_sets([[0.9, 0.2], [0.1, 0.1]], 0.5, np.array(["joy", "fear"]))
    assert sets == [{"joy"}, set()]
    assert type(next(iter(sets[0]))) is str


@pytest.mark.parametrize(
    ("y", "probabilities", "options", "message"),
    [
        ([[1, 0]], [[0.5]], {}, "shape"),
        ([1, 0], [0.5, 0.5], {}, "shape"),
        (np.zeros((0, 2)), np.zeros((0, 2)), {}, "at least one row"),
        ([[2, 0]], [[0.5, 0.5]], {}, "1 where a label holds"),
        ([[np.nan, 0]], [[0.5, 0.5]], {}, "1 where a label holds"),
        ([[1, 0]], [[1.5, 0.5]], {}, "from 0 to 1"),
        ([[1, 0]], [[np.nan, 0.5]], {}, "from 0 to 1"),
        ([[1, 0]], [[0.5, 0.5]], {"per": "label"}, "scope of thresholds 'label'"),
        ([[1, 0]], [[0.5, 0.5]], {"metric": "f1"}, "metric of thresholds 'f1'"),
    ],
)
def test_what_does_not_fit_is_named(y, probabilities, options, message):
    with pytest.raises(ValueError, match=message):
        tune_thresholds(y, probabilities, **options)


def test_thresholds_and_classes_must_be_as_many_as_labels():
    with pytest.raises(ValueError, match="one a label"):
        indicate_labels([[0.1, 0.2]], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="3 classes for 2 columns"):
        label_sets([[0.1, 0.2]], 0.5, ["a", "b", "c"])
