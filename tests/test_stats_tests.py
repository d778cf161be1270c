"""Worked examples of the tests to the digits their sources give, their errors, and how often they are wrong."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from featmer.evaluation.stats import (
    Comparison,
    cliffs_delta,
    cliques,
    cohens_d,
    corrected_t_test,
    count_discordant,
    data_set_scores,
    five_by_two_cv_test,
    friedman,
    mcnemar,
    nemenyi,
    nemenyi_cd,
    paired_bootstrap,
    power_analysis,
    rank_biserial,
    rank_models,
    wilcoxon_holm,
)

# Table 6 of Demšar (2006): AUC on 14 data sets.
DEMSAR = pd.DataFrame(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.0, 1.0, 1.0, 1.0],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ],
    index=[f"set {i}" for i in range(14)],
    columns=["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"],
)


def _of_benchmark() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "stats.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_stats", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


benchmark = _of_benchmark()


def test_friedman_on_demsars_table_as_printed() -> None:
    found = friedman(DEMSAR)
    assert found.mean_ranks.round(3).tolist() == [3.143, 2.0, 2.929, 1.929]
    assert round(found.chi_square, 3) == 9.857
    assert round(found.statistic, 3) == 3.987
    assert round(found.pvalue, 4) == 0.0144
    assert (round(found.tied_chi_square, 3), round(found.tied_chi_square_pvalue, 4)) == (10.952, 0.0120)
    scipys = reference.friedmanchisquare(*DEMSAR.to_numpy().T)
    assert found.tied_chi_square == pytest.approx(scipys.statistic)
    assert found.tied_chi_square_pvalue == pytest.approx(scipys.pvalue)


@given(st.integers(2, 6), st.integers(2, 20), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_ties_are_corrected_for_as_scipy_does(n_models: int, n_sets: int, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 4, (n_sets, n_models)).astype(float)
    if n_models < 3 or (scores == scores[:, :1]).all():
        return  # scipy wants three, and has no value without any difference
    expected = reference.friedmanchisquare(*scores.T)
    found = friedman(scores)
    assert found.tied_chi_square == pytest.approx(expected.statistic)
    assert found.chi_square <= found.tied_chi_square + 1e-9


def test_friedman_on_the_ranks_that_demsar_had() -> None:
    ranks = rank_models(DEMSAR)
    ranks.loc["set 12", ["C4.5+cf", "C4.5+m+cf"]] = 2, 3  # a tie in print, none in the unrounded scores
    found = friedman(ranks=ranks)
    assert found.mean_ranks.round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    assert round(found.chi_square, 2) == 9.28
    assert round(found.statistic, 2) == 3.69


def test_the_critical_difference() -> None:
    assert (round(nemenyi_cd(4, 14), 4), round(nemenyi_cd(4, 14, alpha=0.1), 4)) == (1.2536, 1.1181)
    for alpha, table in {
        0.05: [1.960, 2.344, 2.569, 2.728, 2.850, 2.948, 3.031, 3.102, 3.164],
        0.10: [1.645, 2.052, 2.291, 2.460, 2.589, 2.693, 2.780, 2.855, 2.920],
    }.items():
        quantiles = [nemenyi_cd(k, 10, alpha) / np.sqrt(k * (k + 1) / 60) for k in range(2, 11)]
        assert np.round(quantiles, 3).tolist() == table


def test_pairs_as_scikit_posthocs_has_them() -> None:
    """From scikit-posthocs 0.17.1: posthoc_nemenyi_friedman; posthoc_wilcoxon with holm and zsplit."""
    upper = np.triu_indices(4, 1)
    expected = [0.0886727093, 0.9716864713, 0.0616832589, 0.226696886, 0.998882344, 0.1700516357]
    assert nemenyi(DEMSAR).to_numpy()[upper] == pytest.approx(expected)
    expected = [0.0658109794, 0.8641167623, 0.0716493876, 0.1542480867, 0.8641167623, 0.1209832486]
    assert wilcoxon_holm(DEMSAR).to_numpy()[upper] == pytest.approx(expected)


@given(st.integers(2, 6), st.integers(2, 30), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_nemenyis_pvalue_and_critical_difference_agree(n_models: int, n_sets: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(n_sets, n_models)) + np.linspace(0, 1, n_models)
    means = rank_models(scores).mean()
    distant = np.abs(np.subtract.outer(means.to_numpy(), means.to_numpy())) > nemenyi_cd(n_models, n_sets)
    assert ((nemenyi(scores) < 0.05).to_numpy() == distant).all()
    for group in cliques(means, nemenyi(scores)):
        assert means[group].max() - means[group].min() < nemenyi_cd(n_models, n_sets)


def test_direction_and_ties_of_ranks() -> None:
    assert friedman(DEMSAR, higher_is_better=False).mean_ranks.sum() == 10
    assert friedman(-DEMSAR, higher_is_better=False).pvalue == pytest.approx(friedman(DEMSAR).pvalue)
    same = friedman(np.ones((5, 3)))
    assert (same.pvalue, same.tied_chi_square_pvalue, same.kendall_w) == (1.0, 1.0, 0.0)
    unanimous = friedman([[3, 2, 1]] * 4)
    assert (unanimous.kendall_w, unanimous.pvalue) == (1.0, 0.0)
    assert (wilcoxon_holm(np.ones((5, 3))) == 1).all(axis=None)


def test_n_counts_data_sets() -> None:
    folds = DEMSAR.set_axis(["meld"] * 7 + ["mosi"] * 7)
    for frame in (folds, DEMSAR.rename_axis("seed"), DEMSAR.reset_index(names="fold")):
        with pytest.raises(ValueError, match="N counts data sets, never their seeds or folds"):
            friedman(frame)
    with pytest.raises(ValueError, match="14 rows of only 2 data sets"):
        wilcoxon_holm(folds)
    with pytest.raises(ValueError, match="N counts data sets"):
        nemenyi_cd(4, 1)
    with pytest.raises(ValueError, match="1 data sets and 4 models"):
        friedman(DEMSAR.iloc[:1])
    with pytest.raises(ValueError, match="either scores or ranks"):
        friedman()
    with pytest.raises(ValueError, match=r"\['C4.5'\] lack a score"):
        nemenyi(DEMSAR.where(DEMSAR != 0.599))


def test_seeds_and_folds_become_one_score_a_data_set() -> None:
    rows = [
        {"corpus": corpus, "model": model, "fold": fold, "seed": seed, "value": value + 0.01 * seed, "n_rows": 9}
        for corpus, folds in {"x": [0, 1, None], "y": [0]}.items()
        for model, base in {"a": 0.5, "b": 0.4}.items()
        for seed in (0, 1)
        for fold, value in ((fold, base + 0.2 * (fold is None)) for fold in folds)
    ]
    results = pd.DataFrame(rows).assign(metric="uar", part="test", target="emotion")
    scores = data_set_scores(results)
    assert scores.loc["x"].to_dict() == pytest.approx({"a": 0.705, "b": 0.605})  # of all folds together
    assert scores.loc["y"].to_dict() == pytest.approx({"a": 0.505, "b": 0.405})
    assert friedman(scores).n_sets == 2
    lacking = results[~((results["corpus"] == "y") & (results["model"] == "b"))]
    assert list(data_set_scores(lacking)) == ["a"]
    mixed = pd.concat([results, results.assign(target="sentiment")])
    with pytest.raises(ValueError, match="several values of 'target'"):
        data_set_scores(mixed)
    with pytest.raises(ValueError, match="never their seeds or folds"):
        friedman(results)


def test_mcnemar_by_all_three_methods() -> None:
    pvalues = [mcnemar(10, 20, method).pvalue for method in ("exact", "mid-p", "corrected")]
    assert np.round(pvalues, 5).tolist() == [0.09874, 0.07076, 0.10035]
    assert mcnemar(10, 20, "corrected").statistic == pytest.approx(2.7)
    assert mcnemar(10, 20) == mcnemar(10, 20, "exact")
    assert [mcnemar(0, 0, method).pvalue for method in ("exact", "mid-p", "corrected")] == [1, 1, 1]
    assert mcnemar(7, 7).pvalue == 1
    assert mcnemar(7, 7, "mid-p").pvalue == pytest.approx(1 - reference.binom.pmf(7, 14, 0.5) / 2)
    assert mcnemar(3, 0).odds_ratio == np.inf
    with pytest.raises(ValueError, match="whole numbers"):
        mcnemar(-1, 2)
    with pytest.raises(ValueError, match="did you mean 'exact'"):
        mcnemar(1, 2, "exakt")


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_does_not_care_who_is_first(b: int, c: int) -> None:
    for method in ("exact", "mid-p", "corrected"):
        assert mcnemar(b, c, method).pvalue == pytest.approx(mcnemar(c, b, method).pvalue)
        assert 0 <= mcnemar(b, c, method).pvalue <= 1
    assert mcnemar(b, c, "mid-p").pvalue <= mcnemar(b, c).pvalue


def test_discordant_rows_are_counted_once() -> None:
    rows = pd.DataFrame({"dialogue": range(5), "turn": 0, "target": list("ababc"), "prediction": list("abaaa")})
    other = rows.assign(prediction=list("bbabc"))
    assert count_discordant(rows, other) == (1, 2)
    assert count_discordant(other, rows.sample(frac=1, random_state=0)) == (2, 1)
    seeds = [pd.concat([frame.assign(seed=0), frame.assign(seed=1)]) for frame in (rows, other)]
    with pytest.raises(ValueError, match="2 seeds, expected one"):
        count_discordant(*seeds)


def test_five_by_two_by_its_definition() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.6, 0.1, (2, 5, 2))
    gap = first - second
    squares = sum((gap[i, j] - gap[i].mean()) ** 2 for i in range(5) for j in range(2))
    statistic = (gap**2).sum() / (2 * squares)
    assert five_by_two_cv_test(first, second).pvalue == pytest.approx(reference.f.sf(statistic, 10, 5))
    assert five_by_two_cv_test(first, first).pvalue == 1
    assert five_by_two_cv_test(first + 0.1, first).pvalue == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match=r"\(10,\), expected \(5, 2\)"):
        five_by_two_cv_test(first.ravel(), second.ravel())


def test_effect_sizes_by_their_definitions() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.6, 0.1, 12), rng.normal(0.55, 0.1, 12)
    gap = first - second
    assert cohens_d(first, second) == pytest.approx(gap.mean() / gap.std(ddof=1) * (1 - 3 / 43))
    u = reference.mannwhitneyu(first, second).statistic
    assert cliffs_delta(first, second) == pytest.approx(2 * u / 144 - 1)
    wins = reference.wilcoxon(first, second, alternative="greater").statistic
    assert rank_biserial(first, second) == pytest.approx(2 * wins / (12 * 13 / 2) - 1)
    assert (cohens_d([1, 2], [1, 2]), cohens_d([2, 3], [1, 2]), rank_biserial([1, 2], [1, 2])) == (0, np.inf, 0)
    with pytest.raises(ValueError, match="expected pairs"):
        cohens_d([1, 2, 3], [1, 2])


def test_the_dialogues_asked_for_show_the_difference() -> None:
    """A pilot tells how many dialogues are needed; test sets of that size find it about four times in five."""
    rng = np.random.default_rng(2)

    def models(n_dialogues: int) -> list[pd.DataFrame]:
        rows = pd.DataFrame({"dialogue": np.repeat(np.arange(n_dialogues), 4), "target": "joy"})
        rows["turn"] = np.tile(np.arange(4), n_dialogues)
        ease = np.repeat(rng.normal(0, 0.15, n_dialogues), 4)
        chances = (0.7 + ease, 0.6 + ease)
        return [rows.assign(prediction=np.where(rng.random(len(rows)) < p, "joy", "awe")) for p in chances]

    pilot = power_analysis("accuracy", *models(1000), difference=0.1)
    n_needed = round(pilot.n_needed)
    assert pilot.at(n_needed) == pytest.approx(0.8, abs=0.01)
    assert pilot.at(2 * n_needed) > pilot.at(n_needed) > pilot.at(n_needed // 2)
    found = np.mean(
        [paired_bootstrap("accuracy", *models(n_needed), n_resamples=300).pvalue < 0.05 for _ in range(200)]
    )
    assert 0.7 < found < 0.9


def test_what_can_be_detected_fits_what_is_needed() -> None:
    first, second = benchmark.equal_pair(np.random.default_rng(0))
    detectable = power_analysis("f1_weighted", first, second).detectable
    again = power_analysis("f1_weighted", first, second, difference=detectable)
    assert again.n_needed == pytest.approx(again.n_groups)
    assert power_analysis("f1_weighted", first, first).n_needed == np.inf
    assert power_analysis("f1_weighted", first, second, difference=0).at(100) == pytest.approx(0.05)  # both tails
    with pytest.raises(ValueError, match="power 80"):
        power_analysis("f1_weighted", first, second, power=80)


def test_a_thousand_null_comparisons_in_small() -> None:
    """The benchmark has all thousand, within .03 and .07."""
    for name, rate in benchmark.rates(150).items():
        assert 0.005 <= rate <= 0.1, name


def test_a_test_that_ignores_the_overlap_of_folds_is_wrong_far_too_often() -> None:
    rng = np.random.default_rng(0)
    wrong = np.zeros(2)
    for _ in range(200):
        scores = benchmark.equal_learners(rng, benchmark.random_parts(rng, 15, 200, 20))
        tests: list[Comparison] = [corrected_t_test(*scores, share) for share in (20 / 180, 0)]
        wrong += [test.pvalue < 0.05 for test in tests]
    assert wrong[0] / 200 < 0.1
    assert wrong[1] / 200 > 0.15


def test_intervals_hold_the_truth() -> None:
    assert (benchmark.coverage(150) >= 0.91).all()


def test_ten_thousand_resamples_are_no_matter() -> None:
    assert benchmark.speed(n_loops=20)["ratio"] > 50
