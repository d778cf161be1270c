"""Calibration and confidence: VECBench's definitions, scikit-learn's, and the edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from featmer.evaluation import METRICS, confidence_report, group_report, metrics, risk_coverage
from featmer.evaluation.calibration import ece, ece_of_events, ece_per_label, reliability
from featmer.evaluation.confidence import aurc, auroc, brier
from featmer.evaluation.outcomes import Outcomes
from featmer.evaluation.stats import cluster_bootstrap, interval
from featmer.report.charts import risk_coverage_chart

LABELS = ["anger", "joy", "neutral"]
CORRECT, SURE = [1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6]
EVENTS = st.lists(st.tuples(st.booleans(), st.integers(0, 20).map(lambda n: n / 20)), min_size=1, max_size=30)


def answers(seed, n_rows=400):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(3), n_rows)
    target = [rng.choice(LABELS, p=0.7 * row + 0.1) for row in probabilities]
    return np.array(target), probabilities


def test_the_worked_example_of_the_section():
    report = confidence_report(CORRECT, SURE, n_resamples=0)["value"]
    assert report[["ece", "brier", "auroc"]].to_numpy() == pytest.approx([0.35, 0.175, 2 / 3])


def test_a_confidence_of_one_and_of_nought_is_counted():
    for closed in ("left", "right"):
        for strategy in ("width", "mass"):
            options = {"n_bins": 10, "closed": closed, "strategy": strategy}
            assert ece_of_events([1, 0], [1.0, 1.0], **options) == pytest.approx(0.5)
            assert ece_of_events([1, 0], [0.0, 0.0], **options) == pytest.approx(0.5)
            assert ece_of_events([1], [1.0], **options) == 0
    assert confidence_report([1, 0], [1.0, 1.3], n_resamples=0)["value"]["ece"] == pytest.approx(0.5)


def test_an_edge_belongs_to_the_bin_above_or_below():
    sides = {
        closed: reliability(["a"], [[0.5, 0.5]], ["a", "b"], n_bins=2, closed=closed).n_rows.tolist()
        for closed in ("left", "right")
    }
    assert sides == {"left": [0, 1], "right": [1, 0]}
    # Bins of their own leave gaps of 0.3 and 0.6; in one bin the two answers make up for each other.
    assert ece_of_events([1, 0], [0.7, 0.6], n_bins=10, closed="left") == pytest.approx(0.45)
    assert ece_of_events([1, 0], [0.7, 0.65], n_bins=10, closed="right") == pytest.approx(0.35 / 2)


@settings(max_examples=50, deadline=None)
@given(events=EVENTS, n_bins=st.integers(1, 12), strategy=st.sampled_from(["width", "mass"]))
def test_calibration_errors_lie_between_the_plain_gap_and_the_mean_gap(events, n_bins, strategy):
    happened, sure = np.transpose(events).astype(float)
    for closed in ("left", "right"):
        error = ece_of_events(happened, sure, n_bins=n_bins, strategy=strategy, closed=closed)
        assert abs(happened.mean() - sure.mean()) - 1e-9 <= error <= np.abs(happened - sure).mean() + 1e-9
    assert ece_of_events(happened, sure, n_bins=1) == pytest.approx(abs(happened.mean() - sure.mean()))


def test_brier_scores_are_scikit_learns():
    target, probabilities = answers(0)
    wanted = brier_score_loss(target, probabilities, labels=LABELS, scale_by_half=False)
    assert metrics.brier(target, probabilities, LABELS) == pytest.approx(wanted)
    correct = np.array(LABELS)[probabilities.argmax(axis=1)] == target
    wanted = brier_score_loss(correct, probabilities.max(axis=1))
    assert metrics.brier_top(target, probabilities, LABELS) == pytest.approx(wanted)
    assert brier(correct, probabilities.max(axis=1)) == pytest.approx(wanted)


def test_auroc_is_scikit_learns_and_unknown_without_both_kinds():
    target, probabilities = answers(1)
    correct, sure = np.array(LABELS)[probabilities.argmax(axis=1)] == target, probabilities.max(axis=1)
    assert metrics.auroc(target, probabilities, LABELS) == pytest.approx(roc_auc_score(correct, sure))
    assert np.isnan(auroc([1, 1], [0.3, 0.4]))


def test_class_wise_error_is_the_mean_over_classes():
    target, probabilities = answers(2)
    by_class = [ece_of_events(target == label, probabilities[:, i]) for i, label in enumerate(LABELS)]
    assert metrics.ece_classwise(target, probabilities, LABELS) == pytest.approx(np.mean(by_class))


def test_class_wise_error_sees_what_the_likeliest_class_hides():
    probabilities = np.tile([0.5, 0.4, 0.1], (10, 1))
    target = ["anger"] * 5 + ["joy"] * 1 + ["neutral"] * 4
    assert ece(target, probabilities, LABELS) == pytest.approx(0)
    assert metrics.ece_classwise(target, probabilities, LABELS) == pytest.approx((0 + 0.3 + 0.3) / 3)


def test_the_mass_metric_is_the_error_over_equal_mass():
    target, probabilities = answers(3)
    assert metrics.ece_mass(target, probabilities, LABELS) == ece(target, probabilities, LABELS, strategy="mass")
    assert metrics.ece_mass(target, probabilities, LABELS) != ece(target, probabilities, LABELS)


def test_several_labels_have_an_error_each():
    rng = np.random.default_rng(0)
    probabilities = rng.random((4000, 2))
    y = (rng.random((4000, 2)) < probabilities ** [1.0, 3.0]).astype(int)
    errors = ece_per_label(y, probabilities, ["joy", "fear"])
    assert errors["joy"] < 0.04
    assert errors["fear"] == pytest.approx(1 / 4, abs=0.03)  # the mean of p - p ** 3
    assert errors["fear"] == ece_of_events(y[:, 1], probabilities[:, 1])
    assert metrics.multilabel_ece(y, probabilities) == pytest.approx(errors.mean())
    with pytest.raises(ValueError, match="a class a column"):
        ece_per_label(y, probabilities, ["joy"])


def test_risk_falls_with_coverage_where_confidence_is_right():
    curve = risk_coverage(CORRECT, SURE)
    assert curve["coverage"].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve["risk"].to_numpy() == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert aurc(CORRECT, SURE) == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)


@settings(max_examples=50, deadline=None)
@given(events=EVENTS)
def test_equal_confidence_counts_as_random_order(events):
    correct, sure = np.transpose(events).astype(float)
    rng = np.random.default_rng(0)
    orders = []
    for _ in range(300):
        order = np.lexsort([rng.random(len(sure)), -sure])
        orders.append(((1 - correct[order]).cumsum() / np.arange(1, len(sure) + 1)).mean())
    assert aurc(correct, sure) == pytest.approx(np.mean(orders), abs=4 * np.std(orders) / 300**0.5 + 1e-9)
    curve = risk_coverage(correct, sure)
    assert curve["coverage"].iloc[-1] == 1
    assert curve["risk"].iloc[-1] == pytest.approx(1 - correct.mean())
    assert curve["threshold"].is_monotonic_decreasing


def test_the_curve_of_the_report_is_that_of_the_metric():
    target, probabilities = answers(4)
    correct, sure = Outcomes.of_probabilities(target, probabilities, LABELS).confidence()
    assert metrics.aurc(target, probabilities, LABELS) == aurc(correct, sure)
    assert METRICS["aurc"].higher_is_better is False
    assert aurc(correct, sure) < aurc(correct, -sure)


def test_intervals_are_drawn_by_dialogue():
    rng = np.random.default_rng(0)
    correct, sure = np.repeat(rng.integers(0, 2, 60), 8), np.full(480, 0.5)
    by_row, by_dialogue = (
        confidence_report(correct, sure, groups=groups, n_resamples=200) for groups in (None, np.arange(480) // 8)
    )
    widths = [report.loc["accuracy", "high"] - report.loc["accuracy", "low"] for report in (by_row, by_dialogue)]
    assert widths[1] == pytest.approx(8**0.5 * widths[0], rel=0.2)
    assert (by_dialogue["low"] <= by_dialogue["high"]).all()
    pd.testing.assert_frame_equal(
        by_dialogue, confidence_report(correct, sure, groups=np.arange(480) // 8, n_resamples=200)
    )


def test_registered_errors_have_intervals_by_dialogue():
    target, probabilities = answers(5)
    frame = pd.DataFrame(probabilities, columns=[f"p.{label}" for label in LABELS]).assign(
        target=target, prediction=np.array(LABELS)[probabilities.argmax(axis=1)], dialogue=np.arange(400) // 5, turn=0
    )
    for name in ("ece", "ece_mass", "ece_classwise", "brier", "brier_top", "auroc", "aurc"):
        low, high = interval(cluster_bootstrap(name, frame, n_resamples=50))
        assert low < high


def test_a_report_without_wrong_answers_has_no_auroc():
    report = confidence_report([1, 1, 1], [0.9, 0.8, 0.7], n_resamples=20)
    assert report.loc["auroc"].isna().all()
    assert report.drop("auroc").notna().all(axis=None)


@pytest.mark.parametrize(
    ("correct", "sure", "message"),
    [([1], [0.5, 0.5], "one each a row"), ([], [], "of any row"), ([2], [0.5], "0 or 1"), ([1], [np.nan], "finite")],
)
def test_what_cannot_be_scored_says_so(correct, sure, message):
    with pytest.raises(ValueError, match=message):
        confidence_report(correct, sure)


def task(n_right, n_rows):
    return pd.DataFrame({"target": "joy", "prediction": np.where(np.arange(n_rows) < n_right, "joy", "fear")})


# Accuracies of EmoCaliber's stage 3 on the parts of VECBench; right answers of as many rows give its percentages.
VECBENCH = {
    "ID VSA": ({"FI-2": (881, 1000), "WebEmo-2": (758, 1000)}, 81.95, 81.95),
    "ID VER": (
        {"FI-8": (697, 1000), "EmoSet-8": (681, 1000), "WebEmo-7": (540, 1000), "WebEmo-25": (282, 997)},
        55.02,
        55.04,
    ),
    "OOD VER": ({"Abstract-8": (67, 229), "ArtPhoto-8": (338, 806), "UnbiasedEmo-6": (799, 1000)}, 50.37, 59.17),
}


@pytest.mark.parametrize("group", sorted(VECBENCH))
def test_groups_of_vecbench_by_task_and_by_row(group):
    counts, macro, pooled = VECBENCH[group]
    tasks = {name: task(*count) for name, count in counts.items()}
    for how, wanted in (("macro", macro), ("pooled", pooled)):
        report = group_report(tasks, how=how)
        assert 100 * report.loc[how, "accuracy"] == pytest.approx(
            wanted, abs=0.006
        )  # theirs are means of rounded figures
        assert report.loc[how, "n_rows"] == sum(n_rows for _, n_rows in counts.values())
        assert report.index.tolist() == [*tasks, how]


def test_tasks_with_other_labels_are_pooled_by_confidence():
    one = pd.DataFrame({"target": ["joy"], "prediction": ["joy"], "p.joy": [0.9], "p.fear": [0.1]})
    other = pd.DataFrame({"target": ["awe"], "prediction": ["boredom"], "p.awe": [0.3], "p.boredom": [0.7]})
    report = group_report({"one": one, "other": other}, how="pooled", metrics=["ece", "brier_top", "f1_weighted"])
    assert report.loc["pooled", "ece"] == pytest.approx((0.1 + 0.7) / 2)
    assert report.loc["pooled", "brier_top"] == pytest.approx((0.01 + 0.49) / 2)
    with pytest.raises(ValueError, match="way to report a group 'mean'"):
        group_report({"one": one}, how="mean")
    with pytest.raises(ValueError, match="no task"):
        group_report({})


def test_the_chart_of_risk_is_the_curve_of_each_model_that_gives_probabilities():
    target, probabilities = answers(6)
    rows = pd.DataFrame(probabilities, columns=[f"p.{label}" for label in LABELS]).assign(
        model="sure", target=target, prediction=np.array(LABELS)[probabilities.argmax(axis=1)]
    )
    mute = rows[["target", "prediction"]].assign(model="mute")
    drawn = pd.DataFrame(risk_coverage_chart(pd.concat([rows, mute]), ["mute", "sure"])["data"]["values"])
    assert set(drawn["model"]) == {"sure"}
    assert len(drawn) <= 150
    curve = risk_coverage(*Outcomes.of_probabilities(target, probabilities, LABELS).confidence())
    assert drawn["risk"].iloc[-1] == pytest.approx(curve["risk"].iloc[-1], abs=1e-5)
    known = np.interp(drawn["coverage"], curve["coverage"], curve["risk"])
    np.testing.assert_allclose(drawn["risk"], known, atol=1e-4)
    assert risk_coverage_chart(mute, ["mute"]) is None
