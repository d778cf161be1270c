"""Resampling against plain loops, tests against their definitions and against simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference
from sklearn.metrics import cohen_kappa_score, f1_score

from featmer.evaluation import METRICS, Metric
from featmer.evaluation.metrics import find_metric
from featmer.evaluation.stats import (
    _runs,
    approximate_randomisation,
    cluster_bootstrap,
    corrected_t_test,
    holm,
    interval,
    paired_bootstrap,
)

LABELS = np.array(["anger", "fear", "joy", "neutral"])


def answers(rng: np.random.Generator, skill: float = 0.5, n_dialogues: int = 12, n_turns: int = 4) -> pd.DataFrame:
    """Return predictions that are right about as often as ``skill``, more in some dialogues than in others."""
    n_rows = n_dialogues * n_turns
    truth = np.random.default_rng(0).choice(4, n_rows, p=[0.1, 0.2, 0.3, 0.4])
    ease = np.repeat(rng.normal(skill, 0.2, n_dialogues), n_turns)
    guess = np.where(rng.random(n_rows) < ease, truth, rng.integers(0, 4, n_rows))
    probabilities = 0.6 * np.eye(4)[guess] + 0.1
    frame = pd.DataFrame(probabilities, columns=[f"p.{label}" for label in LABELS])
    return frame.assign(
        dialogue=np.repeat(np.arange(n_dialogues), n_turns),
        turn=np.tile(np.arange(n_turns), n_dialogues),
        target=LABELS[truth],
        prediction=LABELS[guess],
    )


def values(rng: np.random.Generator) -> pd.DataFrame:
    frame = answers(rng)
    target = np.random.default_rng(1).normal(3, 1, len(frame))
    return frame.assign(target=target, prediction=target + rng.normal(0, 1, len(frame)))


def indicators(rng: np.random.Generator) -> pd.DataFrame:
    frame = shares(rng)
    true, said = (frame[[f"{kind}.{label}" for label in LABELS]] > 0.3 for kind in "tp")
    frame[[f"t.{label}" for label in LABELS]] = true.astype(int)
    return frame.assign(**{f"d.{label}": said[f"p.{label}"].astype(int) for label in LABELS})


def shares(rng: np.random.Generator) -> pd.DataFrame:
    frame = answers(rng).drop(columns=["target", "prediction"])
    true, said = np.random.default_rng(1).dirichlet(np.ones(4), len(frame)), rng.dirichlet(np.ones(4), len(frame))
    frame[[f"t.{label}" for label in LABELS]] = true
    frame[[f"p.{label}" for label in LABELS]] = (true + said) / 2
    return frame


MAKERS = {"labels": answers, "values": values, "indicators": indicators, "distributions": shares}


def without_sums(name: str) -> Metric:
    """Return a metric that the bootstrap must compute sample by sample."""
    metric = find_metric(name)
    return Metric(metric.name, metric.label, metric.function, metric.needs, metric.higher_is_better)


@pytest.mark.parametrize("name", [*METRICS, "f1:joy"])
def test_sums_equal_a_plain_loop(name: str) -> None:
    make = MAKERS[find_metric(name).kinds[0]]
    first, second = make(np.random.default_rng(1)), make(np.random.default_rng(2))
    fast, slow = (cluster_bootstrap(metric, first, n_resamples=40) for metric in (name, without_sums(name)))
    np.testing.assert_allclose(fast, slow)
    swaps = [approximate_randomisation(metric, first, second, n_resamples=40) for metric in (name, without_sums(name))]
    assert swaps[0].pvalue == swaps[1].pvalue
    assert swaps[0].difference == pytest.approx(swaps[1].difference)


def test_what_fits_into_memory_at_once_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (answers(np.random.default_rng(seed)) for seed in (1, 2))

    def drawn() -> list:
        tests = (paired_bootstrap, approximate_randomisation)
        return [cluster_bootstrap("uar", first, n_resamples=50).tolist()] + [
            test("uar", first, second, n_resamples=50) for test in tests
        ]

    at_once = drawn()
    monkeypatch.setattr(_runs, "_CELLS_AT_ONCE", 100)  # eight resamples of twelve dialogues
    np.testing.assert_equal(drawn(), at_once)


def test_the_bootstrap_draws_whole_dialogues() -> None:
    frame = answers(np.random.default_rng(0))
    by_dialogue = [rows for _, rows in frame.groupby("dialogue")]
    rng = np.random.default_rng(5)
    loop = []
    for _ in range(500):
        sample = pd.concat([by_dialogue[i] for i in rng.integers(12, size=12)])
        loop.append(f1_score(sample["target"], sample["prediction"], average="weighted", zero_division=0))
    drawn = cluster_bootstrap("f1_weighted", frame, n_resamples=4000)
    assert drawn.mean() == pytest.approx(np.mean(loop), abs=0.015)
    assert drawn.std() == pytest.approx(np.std(loop), rel=0.15)


def test_rows_that_depend_on_each_other_are_less_evidence() -> None:
    frame = answers(np.random.default_rng(0))
    frame["prediction"] = frame["target"].where(frame["dialogue"] % 2 == 0, "none")
    by_row, by_dialogue = (cluster_bootstrap("accuracy", frame, by=by).std() for by in ("row", "dialogue"))
    assert by_dialogue == pytest.approx(2 * by_row, rel=0.1)  # dialogues of four turns: the root of four


def test_runs_are_averaged_after_the_draw() -> None:
    one, other = answers(np.random.default_rng(0)), answers(np.random.default_rng(1))
    both = pd.concat([one.assign(fold=0, seed=0), other.assign(fold=0, seed=1)])
    mean = (cluster_bootstrap("uar", one, n_resamples=20) + cluster_bootstrap("uar", other, n_resamples=20)) / 2
    np.testing.assert_allclose(cluster_bootstrap("uar", both, n_resamples=20), mean)


def test_a_fold_without_drawn_dialogues_is_left_out() -> None:
    frame = answers(np.random.default_rng(0), n_dialogues=3).assign(fold=lambda rows: rows["dialogue"], seed=0)
    assert not np.isnan(cluster_bootstrap("f1_macro", frame, n_resamples=200)).any()


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth = METRICS["accuracy"].function(*answers(rng, n_dialogues=4000)[["target", "prediction"]].to_numpy().T)
    inside = 0
    for _ in range(150):
        low, high = interval(cluster_bootstrap("accuracy", answers(rng, n_dialogues=30), n_resamples=200))
        inside += low <= truth <= high
    assert 0.87 <= inside / 150 <= 0.99


@pytest.mark.parametrize("test", [approximate_randomisation, paired_bootstrap])
def test_equal_models_are_called_different_one_time_in_twenty(test) -> None:
    rng = np.random.default_rng(0)
    pvalues = [test("accuracy", answers(rng), answers(rng), n_resamples=150).pvalue for _ in range(200)]
    assert 0.01 <= np.mean(np.array(pvalues) < 0.05) <= 0.1


@pytest.mark.parametrize("test", [approximate_randomisation, paired_bootstrap])
def test_a_better_model_is_found_whichever_comes_first(test) -> None:
    rng = np.random.default_rng(0)
    good, poor = answers(rng, skill=0.9), answers(rng, skill=0.3)
    forth, back = test("f1_weighted", good, poor), test("f1_weighted", poor, good)
    assert forth.pvalue < 0.01
    assert forth.difference == pytest.approx(-back.difference)
    assert forth.difference > 0.2
    assert test("f1_weighted", good, good).pvalue == 1.0


def test_rows_are_matched_by_what_they_are() -> None:
    rng = np.random.default_rng(0)
    first, second = answers(rng), answers(rng)
    shuffled = second.sample(frac=1, random_state=0)
    assert paired_bootstrap("uar", first, shuffled) == paired_bootstrap("uar", first, second)
    with pytest.raises(ValueError, match="different rows"):
        paired_bootstrap("uar", first, second.iloc[1:])


def test_the_corrected_t_test_is_the_paired_one_with_more_variance() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.6, 0.1, 10), rng.normal(0.5, 0.1, 10)
    plain = corrected_t_test(first, second, test_share=0)
    assert plain.pvalue == pytest.approx(reference.ttest_rel(first, second).pvalue)
    expected = reference.ttest_rel(first, second).confidence_interval()
    assert (plain.low, plain.high) == pytest.approx((expected.low, expected.high))
    corrected = corrected_t_test(first, second, test_share=0.25)
    statistic = (first - second).mean() / np.sqrt((1 / 10 + 0.25) * (first - second).var(ddof=1))
    assert corrected.pvalue == pytest.approx(2 * reference.t.sf(abs(statistic), 9))
    assert corrected.pvalue > plain.pvalue


def test_too_little_to_test() -> None:
    assert np.isnan(corrected_t_test([0.5], [0.4], 0).pvalue)
    assert corrected_t_test([0.5, 0.6], [0.5, 0.6], 0).pvalue == 1
    assert corrected_t_test([0.5, 0.6], [0.4, 0.5], 0).pvalue == pytest.approx(0, abs=1e-6)
    assert np.isnan(interval([np.nan])).all()


def test_holm_step_by_step() -> None:
    assert holm([0.01, np.nan, 0.02, 0.03]).tolist() == pytest.approx([0.03, np.nan, 0.04, 0.04], nan_ok=True)
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_an_own_metric_can_be_tested() -> None:
    rng = np.random.default_rng(0)
    kappa = Metric("kappa", "kappa", cohen_kappa_score)
    found = approximate_randomisation(kappa, answers(rng, 0.9), answers(rng, 0.2), n_resamples=50)
    assert found.pvalue < 0.05
