"""Indicator matrices and distributions as targets of an evaluation, and their metrics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn import metrics as reference
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from featmer import Block, FeatureTable, FusionClassifier, evaluate, leaderboard
from featmer.baselines import MajorityClassifier
from featmer.evaluation import METRICS
from featmer.evaluation.outcomes import Outcomes
from featmer.evaluation.stats import approximate_randomisation, cluster_bootstrap, paired_bootstrap

NAMES = ["joy", "anger", "fear", "awe"]
F1 = ("macro", "micro", "weighted")


@st.composite
def matrices(draw):
    """Return two matrices of 0 and 1, with empty rows and columns among them."""
    n_rows, n_labels = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    rates = rng.choice([0.0, 0.3, 1.0], n_labels)
    return (rng.random((n_rows, n_labels)) < rates).astype(int), (rng.random((n_rows, n_labels)) < 0.4).astype(int)


@settings(max_examples=60, deadline=None)
@given(matrices())
def test_scores_of_indicators_are_those_of_scikit_learn(pair):
    true, said = pair
    for average in F1:
        wanted = reference.f1_score(true, said, average=average, zero_division=0)
        assert METRICS[f"multilabel_f1_{average}"].function(true, said) == pytest.approx(wanted)
    wanted = reference.jaccard_score(true, said, average="samples", zero_division=1)
    assert METRICS["jaccard"].function(true, said) == pytest.approx(wanted)
    wanted = reference.jaccard_score(true, said, average="macro", zero_division=0)
    assert METRICS["jaccard_macro"].function(true, said) == pytest.approx(wanted)
    assert METRICS["hamming_loss"].function(true, said) == pytest.approx(reference.hamming_loss(true, said))
    assert METRICS["subset_accuracy"].function(true, said) == pytest.approx(reference.accuracy_score(true, said))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 10), st.integers(2, 6))
def test_scores_of_distributions_are_those_of_scipy_and_scikit_learn(seed, n_rows, n_labels):
    rng = np.random.default_rng(seed)
    votes = rng.multinomial(5, np.full(n_labels, 1 / n_labels), n_rows)
    true, said = votes / 5, rng.dirichlet(np.ones(n_labels), n_rows)
    assert METRICS["kld"].function(true, said) == pytest.approx(entropy(true, said, axis=1).mean())
    assert METRICS["jsd"].function(true, said) == pytest.approx((jensenshannon(true, said, axis=1) ** 2).mean())
    above = votes * n_labels > 5, said > 1 / n_labels
    for average in F1:
        wanted = reference.f1_score(*above, average=average, zero_division=0)
        assert METRICS[f"soft_f1_{average}"].function(true, said) == pytest.approx(wanted)


def test_worked_examples():
    true, said = np.zeros((1, 11), int), np.zeros((1, 11), int)
    true[0, [1, 2]], said[0, [2, 3]] = 1, 1
    assert METRICS["jaccard"].function(true, said) == pytest.approx(1 / 3)
    assert METRICS["hamming_loss"].function(true, said) == pytest.approx(2 / 11)
    # The thesis's example of the all-inclusive rule: of (0.2, 0.4, 0.4, 0) the middle two are above 1/4.
    assert METRICS["soft_f1_micro"].function([[0.2, 0.4, 0.4, 0.0]], [[0.0, 0.5, 0.5, 0.0]]) == 1
    assert METRICS["soft_f1_micro"].function([[0.2, 0.4, 0.4, 0.0]], [[0.25, 0.25, 0.25, 0.25]]) == 0
    assert METRICS["kld"].function([[0.5, 0.5]], [[1.0, 0.0]]) > 10
    assert np.isnan(METRICS["mean_average_precision"].function([[0, 0]], [[0.1, 0.2]]))


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if "labels" not in metric.kinds])
def test_sums_of_groups_make_the_score_of_all_rows(name):
    metric = METRICS[name]
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(4), (2, 30))
    outcomes = {
        "indicators": Outcomes.of_indicators(shares[0] > 0.3, shares[1] > 0.3, NAMES, shares[1]),
        "distributions": Outcomes.of_distributions(*shares, NAMES),
        "values": Outcomes.of_values(shares[0, :, 0], shares[1, :, 0]),
    }[metric.kinds[0]]
    assert np.isfinite(metric.score(outcomes))
    if metric.summary is not None:
        sums = metric.summary.sums(outcomes, rng.integers(0, 5, 30), 6)
        assert metric.summary.finish(sums.sum(axis=0)) == pytest.approx(metric.score(outcomes))
        assert np.isnan(metric.summary.finish(sums[5])), "a group without rows has no score"


@pytest.fixture(scope="module")
def table():
    """Return 30 dialogues of 4 turns whose three numbers say which labels hold, and the votes of 5 raters."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 4))
    segments = pd.DataFrame({"dialogue": np.repeat(np.arange(30), 4), "turn": np.tile(np.arange(4), 30)})
    weights = np.exp(2 * values)
    votes = np.array([rng.multinomial(5, row / row.sum()) for row in weights])
    votes[:2] = 0
    segments[[f"votes.{name}" for name in NAMES]] = votes
    segments[[f"labels.{name}" for name in NAMES]] = (values > 0.3).astype(int)
    segments.loc[5, "labels.joy"] = np.nan
    return FeatureTable(segments, {"text": Block(values, [f"text.{name}" for name in NAMES])})


def test_any_number_of_labels_a_row(table):
    models = {
        "linear": OneVsRestClassifier(LogisticRegression()),
        "trees": RandomForestClassifier(20),
        "margins": OneVsRestClassifier(LinearSVC()),
    }
    metrics = ["multilabel_f1_macro", "jaccard", "mean_average_precision", "f1_per_class"]
    results, predictions = evaluate(
        models,
        table,
        target="labels.",
        splitter="by_dialogue",
        metrics=metrics,
        n_bootstrap=20,
        return_predictions=True,
        progress=False,
    )
    whole = results[results["fold"].isna() & (results["part"] == "test")].set_index(["model", "metric"])
    assert whole["n_rows"].unique().tolist() == [119]
    assert whole["n_left_out"].unique().tolist() == [1]
    for model in ("linear", "trees", "margins"):
        assert whole["value"][model, "jaccard"] > whole["value"]["majority", "jaccard"] + 0.2
        assert whole["value"][model, "f1:awe"] > 0.6
    assert whole["value"]["linear", "mean_average_precision"] > 0.9
    assert whole["error"]["margins", "mean_average_precision"] == "no predict_proba"
    assert {f"{kind}.{name}" for kind in "tdp" for name in NAMES} <= set(predictions)
    test = predictions[(predictions["part"] == "test") & (predictions["model"] == "linear")]
    true, said = (test[[f"{kind}.{name}" for name in NAMES]] for kind in "td")
    wanted = reference.f1_score(true, said, average="macro")
    assert whole["value"]["linear", "multilabel_f1_macro"] == pytest.approx(wanted)
    board = leaderboard(results, predictions, n_resamples=100)
    assert board["model"].iloc[-1] == "majority"
    assert board.set_index("model")["p"]["majority"] < 0.05


def test_votes_as_distributions(table):
    results, predictions = evaluate(
        {"fusion": FusionClassifier(objective="soft", epochs=60, lr=0.02, batch_size=64)},
        table,
        target="votes.",
        splitter="by_dialogue",
        n_bootstrap=20,
        return_predictions=True,
        progress=False,
    )
    whole = results[results["fold"].isna() & (results["part"] == "test")].set_index(["model", "metric"])
    assert whole["n_rows"].unique().tolist() == [118]
    assert whole["value"]["fusion", "kld"] < whole["value"]["majority", "kld"] - 0.2
    assert whole["value"]["fusion", "soft_f1_macro"] > whole["value"]["majority", "soft_f1_macro"] + 0.2
    assert (whole["low"] <= whole["value"]).all()
    assert (whole["value"] <= whole["high"]).all()
    test = predictions[predictions["part"] == "test"]
    fusion, majority = (test[test["model"] == name] for name in ("fusion", "majority"))
    assert paired_bootstrap("kld", fusion, majority, n_resamples=200).high < 0
    assert approximate_randomisation("soft_f1_macro", fusion, majority, n_resamples=200).pvalue < 0.05
    assert np.isfinite(cluster_bootstrap("jsd", fusion, n_resamples=20)).all()
    other = majority.assign(**{"t.joy": majority["t.joy"] / 2})
    with pytest.raises(ValueError, match="different rows"):
        paired_bootstrap("kld", fusion, other)


def test_no_label_reaches_the_model(table):
    seen = []

    class Spy(MajorityClassifier):
        def fit(self, X, y, validation=None):
            seen.extend([*X.segments.columns, *y.columns])
            return super().fit(X, y)

    evaluate(Spy(), table, target="votes.", n_bootstrap=0, progress=False)
    assert set(seen) == {"dialogue", "turn", *NAMES}


def test_folds_hold_rare_labels_in_proportion():
    segments = pd.DataFrame({"dialogue": np.arange(60), "turn": 0, "labels.common": 1, "labels.rare": 0})
    segments.loc[:4, "labels.rare"] = 1
    table = FeatureTable(segments, {"text": Block(np.zeros((60, 1)), ["text.length"])})
    _, predictions = evaluate(
        MajorityClassifier(), table, target="labels.", n_bootstrap=0, return_predictions=True, progress=False
    )
    test = predictions[(predictions["part"] == "test") & (predictions["model"] == "majority")]
    assert test.groupby("fold")["t.rare"].sum().tolist() == [1] * 5


def test_the_majority_of_each_kind():
    X, marks = np.zeros((4, 1)), pd.DataFrame({"joy": [1, 1, 1, 0], "fear": [0, 0, 1, 1]})
    model = MajorityClassifier().fit(X, marks)
    assert model.target_ == "indicators"
    assert model.predict_proba(X[:1]).tolist() == [[0.75, 0.5]]
    assert model.predict(X[:1]).tolist() == [[1, 0]]
    model = MajorityClassifier().fit(X[:2], pd.DataFrame({"joy": [0.4, 0.0], "fear": [0.6, 1.0]}))
    assert model.predict_proba(X[:1]).round(9).tolist() == [[0.2, 0.8]]
    assert model.predict(X[:1]).tolist() == ["fear"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "labels.", "metrics": ["kld"]}, "'kld' needs distributions, but target 'labels.' holds indicators"),
        ({"target": "votes.", "metrics": ["jaccard"]}, "needs indicators, but target 'votes.' holds distributions"),
        ({"target": "votes.", "metrics": ["f1:joy"]}, "needs labels or indicators"),
        ({"target": "emotion"}, "emotion"),
    ],
)
def test_what_does_not_fit_says_so(table, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(MajorityClassifier(), table, **options)


def test_columns_that_are_not_there_or_wrong_say_so(table):
    bare = FeatureTable(table.segments[["dialogue", "turn"]], table.blocks)
    with pytest.raises(ValueError, match=r"'labels.' means columns labels.<label>, but the segments have only"):
        evaluate(MajorityClassifier(), bare, target="labels.")
    wrong = FeatureTable(table.segments.assign(**{"labels.joy": 2}), table.blocks)
    with pytest.raises(ValueError, match=r"1 or 0 whether the label holds; row 0 has 2 in 'labels.joy'"):
        evaluate(MajorityClassifier(), wrong, target="labels.")


def test_answers_of_another_shape_are_a_failure_with_a_reason(table):
    class OneLabel(MajorityClassifier):
        def predict_proba(self, X):
            return super().predict_proba(X)[:, :1]

    results = evaluate(OneLabel(), table, target="votes.", n_bootstrap=0, progress=False)
    errors = results[results["model"] == "OneLabel"]["error"]
    assert errors.str.contains("a column for each of").all()
    results = evaluate(LinearSVC(), table, target="votes.", n_bootstrap=0, progress=False)
    assert results[results["model"] == "LinearSVC"]["error"].astype(bool).all()
