"""Metrics against scikit-learn and numpy, at the edges too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from featmer.evaluation import METRICS, Metric, metrics
from featmer.evaluation.calibration import ece, reliability
from featmer.evaluation.metrics import find_metric, find_metrics
from featmer.evaluation.outcomes import Outcomes

LABELS = ["anger", "joy", "neutral", "sadness"]
ANSWERS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)
THOUSANDTHS = st.integers(-1000, 1000).map(lambda number: number / 1000)
VALUES = st.lists(st.tuples(THOUSANDTHS, THOUSANDTHS), min_size=2, max_size=40)
GRADES = st.lists(st.tuples(st.integers(-3, 12), st.integers(-3, 12)), min_size=1, max_size=40)
REFERENCES = {
    "accuracy": reference.accuracy_score,
    "f1_weighted": lambda t, p: reference.f1_score(t, p, average="weighted", zero_division=0),
    "f1_macro": lambda t, p: reference.f1_score(t, p, average="macro", zero_division=0),
    "uar": lambda t, p: reference.recall_score(t, p, average="macro", labels=np.unique(t), zero_division=0),
    "mae": reference.mean_absolute_error,
    "rmse": reference.root_mean_squared_error,
}


def of(name: str, target: list, prediction: list) -> float:
    return getattr(metrics, name)(target, prediction)


@pytest.mark.parametrize("name", ["accuracy", "f1_weighted", "f1_macro", "uar"])
@settings(max_examples=60, deadline=None)
@given(answers=ANSWERS)
def test_label_metrics_equal_scikit_learn(name: str, answers: list[tuple[str, str]]) -> None:
    target, prediction = map(list, zip(*answers, strict=True))
    assert of(name, target, prediction) == pytest.approx(REFERENCES[name](target, prediction))


@settings(max_examples=60, deadline=None)
@given(answers=ANSWERS)
def test_agreement_equals_scikit_learn_where_that_has_a_value(answers: list[tuple[str, str]]) -> None:
    target, prediction = map(list, zip(*answers, strict=True))
    constant = len({*target, *prediction}) == 1
    for name, known in {"kappa": reference.cohen_kappa_score, "mcc": reference.matthews_corrcoef}.items():
        expected = 0 if constant else known(target, prediction)
        assert of(name, target, prediction) == pytest.approx(expected)


def test_a_worked_example_of_every_label_metric() -> None:
    target, prediction = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2]
    expected = {
        "accuracy": 0.66667,
        "f1_weighted": 0.67778,
        "f1_macro": 0.65556,
        "uar": 0.72222,
        "kappa": 0.5,
        "mcc": 0.52223,
    }
    assert {name: round(of(name, target, prediction), 5) for name in expected} == expected


def test_worked_examples_of_concordance() -> None:
    assert metrics.ccc([1, 2, 3, 4, 5], [2, 3, 4, 5, 6]) == pytest.approx(0.8)
    assert metrics.ccc([1, 2, 3, 4, 5], [1, 2, 3, 4, 6]) == pytest.approx(0.96)


@settings(max_examples=60, deadline=None)
@given(answers=ANSWERS)
def test_f1_per_class_equals_scikit_learn(answers: list[tuple[str, str]]) -> None:
    target, prediction = map(list, zip(*answers, strict=True))
    found = sorted({*target, *prediction})
    expected = reference.f1_score(target, prediction, average=None, labels=found, zero_division=0)
    assert metrics.f1_per_class(target, prediction) == pytest.approx(
        {f"f1:{label}": score for label, score in zip(found, expected, strict=True)}
    )


@pytest.mark.parametrize("name", ["mae", "rmse"])
@settings(max_examples=60, deadline=None)
@given(values=VALUES)
def test_errors_equal_scikit_learn(name: str, values: list[tuple[float, float]]) -> None:
    target, prediction = map(list, zip(*values, strict=True))
    assert of(name, target, prediction) == pytest.approx(REFERENCES[name](target, prediction))


@settings(max_examples=100, deadline=None)
@given(values=VALUES, shift=st.integers(-1000, 1000))
def test_correlations_equal_numpy(values: list[tuple[float, float]], shift: float) -> None:
    x, y = np.transpose(values) + shift
    both = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    covariance = np.cov(x, y, ddof=0)[0, 1]
    if np.ptp(x) > 0 and np.ptp(y) > 0:
        assert metrics.ccc(x, y) == pytest.approx(2 * covariance / both, abs=1e-6)
        assert metrics.pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
    else:
        assert metrics.ccc(x, y) == metrics.pearson(x, y) == 0


@settings(max_examples=100, deadline=None)
@given(values=VALUES, shift=st.integers(-1000, 1000))
def test_explained_variance_equals_scikit_learn(values: list[tuple[float, float]], shift: float) -> None:
    x, y = np.transpose(values) + shift
    if x.std() > 1e-3:
        assert metrics.r2(x, y) == pytest.approx(reference.r2_score(x, y), rel=1e-6, abs=1e-6)
    assert np.isnan(metrics.r2([2.0, 2.0], [1.0, 2.0])), "scikit-learn says 0"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**16), n_rows=st.integers(2, 40))
def test_ranks_of_labels_equal_scikit_learn_on_labels_that_can_be_ranked(seed: int, n_rows: int) -> None:
    rng = np.random.default_rng(seed)
    true, given = rng.random((n_rows, 5)) < (0.1, 0.3, 0.5, 0.9, 0.0), rng.random((n_rows, 5)).round(1)
    pairs = {"mean_average_precision": reference.average_precision_score, "mean_auroc": reference.roc_auc_score}
    for name, function in pairs.items():
        fit = true.any(axis=0) & (~true.all(axis=0) | (name == "mean_average_precision"))
        if fit.any():
            wanted = np.mean([function(true[:, label], given[:, label]) for label in np.flatnonzero(fit)])
            assert METRICS[name].function(true, given) == pytest.approx(wanted, abs=1e-6)
    assert np.isnan(metrics.mean_auroc([[1, 0]], [[0.3, 0.6]]))


@settings(max_examples=100, deadline=None)
@given(values=VALUES)
def test_signs_equal_scikit_learn_on_rows_that_have_one(values: list[tuple[float, float]]) -> None:
    target, prediction = np.transpose(values)
    kept = target != 0
    for name, label_metric in {"sign_accuracy": "accuracy", "sign_f1": "f1_weighted"}.items():
        if kept.any():
            wanted = REFERENCES[label_metric](target[kept] > 0, prediction[kept] > 0)
            assert of(name, target, prediction) == pytest.approx(wanted)
        else:
            assert np.isnan(of(name, target, prediction))


@settings(max_examples=60, deadline=None)
@given(values=VALUES)
def test_negative_or_not_equals_scikit_learn_on_all_rows(values: list[tuple[float, float]]) -> None:
    target, prediction = np.transpose(values).round(1)  # zeros are frequent
    for name, label_metric in {"nonnegative_accuracy": "accuracy", "nonnegative_f1": "f1_weighted"}.items():
        wanted = REFERENCES[label_metric](target >= 0, prediction >= 0)
        assert of(name, target, prediction) == pytest.approx(wanted)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**16), n_rows=st.integers(1, 40))
def test_probability_metrics_equal_scikit_learn(seed: int, n_rows: int) -> None:
    rng = np.random.default_rng(seed)
    target, probabilities = rng.choice(LABELS, n_rows), rng.dirichlet(np.full(4, 0.5), n_rows)
    assert metrics.log_loss(target, probabilities, LABELS) == pytest.approx(
        reference.log_loss(target, probabilities, labels=LABELS)
    )
    order = rng.permutation(4)
    shuffled = probabilities[:, order], np.array(LABELS)[order]
    assert metrics.log_loss(target, *shuffled) == pytest.approx(metrics.log_loss(target, probabilities, LABELS))
    assert 0 <= ece(target, *shuffled) <= 1
    assert ece(target, *shuffled) == pytest.approx(ece(target, probabilities, LABELS))


@pytest.mark.parametrize("kind", ["list", "object", "category", "arrow", "int"])
def test_labels_of_any_kind(kind: str) -> None:
    names = ["joy", "fear", "joy"]
    given = {
        "list": names,
        "object": np.array(names, dtype=object),
        "category": pd.Categorical(names),
        "arrow": pd.Series(names, dtype="str"),
        "int": [1, 0, 1],
    }[kind]
    assert metrics.accuracy(given, given) == 1.0
    assert METRICS["f1_macro"].function(given, given) == 1.0


def test_one_class_only() -> None:
    assert metrics.uar(["joy"] * 3, ["joy", "fear", "joy"]) == pytest.approx(2 / 3)
    assert metrics.f1_macro(["joy"] * 3, ["joy"] * 3) == 1.0
    assert metrics.log_loss(["joy"], [[1.0]], ["joy"]) == pytest.approx(0)


def test_a_label_the_model_never_saw_is_wrong_but_no_error() -> None:
    assert metrics.log_loss(["awe"], [[1.0]], ["joy"]) == pytest.approx(-np.log(np.finfo(float).eps))
    assert ece(["awe"], [[1.0]], ["joy"]) == 1.0


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6 + 0.1])
def test_constants_do_not_agree(constant: float) -> None:
    same = np.full(7, constant)
    assert metrics.ccc(same, same) == metrics.pearson(same, same) == 0.0
    assert metrics.ccc(np.arange(7), same) == metrics.pearson(same, np.arange(7)) == 0.0


def test_reliability_equals_scikit_learns_curve() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 500)
    target = rng.choice(LABELS, 500)
    table = reliability(target, probabilities, LABELS)
    accuracy, confidence = calibration_curve(
        np.array(LABELS)[probabilities.argmax(axis=1)] == target, probabilities.max(axis=1), n_bins=15
    )
    filled = table[table.n_rows > 0]
    np.testing.assert_allclose(filled.accuracy, accuracy)
    np.testing.assert_allclose(filled.confidence, confidence)
    gap = (filled.n_rows * (filled.accuracy - filled.confidence).abs()).sum() / 500
    assert ece(target, probabilities, LABELS) == pytest.approx(gap)


def test_bins_of_equal_mass_hold_as_many_rows() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 300)
    table = reliability(["joy"] * 300, probabilities, LABELS, n_bins=10, strategy="mass")
    assert table.n_rows.tolist() == [30] * 10
    with pytest.raises(ValueError, match="Unknown strategy 'weight'"):
        reliability(["joy"], [[1.0]], ["joy"], strategy="weight")


def test_a_perfect_and_an_overconfident_model() -> None:
    sure = np.tile([1.0, 0.0], (10, 1))
    assert ece(["a"] * 10, sure, ["a", "b"]) == 0.0
    assert ece(["a"] * 5 + ["b"] * 5, sure, ["a", "b"]) == pytest.approx(0.5)


def test_every_metric_has_a_name_a_label_and_a_direction() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.label
        assert getattr(metrics, name) is metric.function
    lower = {name for name, metric in METRICS.items() if not metric.higher_is_better}
    losses = {"log_loss", "ece", "multilabel_ece", "ece_mass", "ece_classwise", "brier", "brier_top", "aurc"}
    assert lower == {*losses, "mae", "rmse", "hamming_loss", "kld", "jsd"}


def test_unknown_metrics_and_own_ones() -> None:
    with pytest.raises(ValueError, match="did you mean 'f1_macro'"):
        find_metric("f1_makro")
    own = Metric("kappa", "kappa", reference.cohen_kappa_score)
    assert find_metrics([own, "f1_per_class"], ["fear", "joy"])[0] is own
    assert own.score(Outcomes.of_labels(["joy", "fear"], ["joy", "fear"])) == 1.0


def test_what_cannot_be_scored_says_so() -> None:
    with pytest.raises(ValueError, match="2 targets and 1 predictions"):
        metrics.accuracy(["joy", "fear"], ["joy"])
    with pytest.raises(ValueError, match="No rows to score"):
        metrics.ccc([], [])
    with pytest.raises(ValueError, match="for 2 classes; expected a column a class"):
        metrics.log_loss(["joy"], [[1.0]], ["fear", "joy"])
    with pytest.raises(ValueError, match="no predict_proba"):
        METRICS["ece"].score(Outcomes.of_labels(["joy"], ["joy"]))


@settings(max_examples=60, deadline=None)
@given(grades=GRADES, k=st.integers(0, 4))
def test_accuracy_within_counts_steps_and_exact_hits(grades: list[tuple[int, int]], k: int) -> None:
    target, prediction = np.transpose(grades)
    score = metrics.accuracy_within(target, prediction, k)
    assert score == pytest.approx((np.abs(target - prediction) <= k).mean())
    assert (
        score
        == metrics.accuracy_within(target.astype(str), prediction, k)
        == metrics.accuracy_within(-target, -prediction, k)
    )
    assert (
        score <= metrics.accuracy_within(target, prediction, k + 1) <= metrics.accuracy_within(target, prediction, 15)
    )
    assert metrics.accuracy_within(target, prediction, 0) == metrics.accuracy(target, prediction)


def test_accuracy_within_by_name_and_what_it_cannot_count() -> None:
    metric = find_metric("accuracy_within:2")
    outcomes = Outcomes.of_labels([1, 2, 10], [3, 5, 9])
    assert metric.score(outcomes) == pytest.approx(2 / 3)
    groups = np.array([0, 1, 1])
    assert metric.summary.finish(metric.summary.sums(outcomes, groups, 2)).tolist() == [1.0, 0.5]
    with pytest.raises(ValueError, match="whole number of steps"):
        find_metric("accuracy_within:one")
    with pytest.raises(ValueError, match="whole numbers, such as 1 to 7.*joy"):
        metrics.accuracy_within([1, "joy"], [1, 2])
