"""How sure a difference is: resampling by whole dialogues, and tests that know that folds share their training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from featmer.evaluation._resampling import Pair, draw, mean_over_runs, split_runs, swapped
from featmer.evaluation.metrics import Metric, find_metric
from featmer.groups import group_codes

N_RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Comparison:
    """A difference between two models, its interval and its p-value.

    Parameters
    ----------
    difference : float
        Score of the first model less that of the second.
    low, high : float
        95 % interval of the difference; NaN for a test that gives none.
    pvalue : float
        Two-sided.

    Examples
    --------
    >>> Comparison(0.02, -0.01, 0.05, 0.2).pvalue
    0.2
    """

    difference: float
    low: float
    high: float
    pvalue: float


def cluster_bootstrap(
    metric: str | Metric,
    predictions: pd.DataFrame,
    *,
    by: str = "dialogue",
    n_resamples: int = N_RESAMPLES,
    random_state: int = 0,
) -> NDArray[np.float64]:
    """Score resamples of whole dialogues or speakers.

    Rows of a dialogue depend on each other, so dialogues are drawn, with replacement, and never rows.
    Where the predictions hold several runs (fold and seed), a resample's score is the mean over its runs.

    Parameters
    ----------
    metric : str or Metric
        What to compute.
    predictions : DataFrame
        One model's rows of one part, as `evaluate` returns them.
    by : {"dialogue", "speaker", "row"}, default="dialogue"
        What is drawn.
    n_resamples : int, default=1000
        Number of resamples.
    random_state : int, default=0
        Seed.

    Returns
    -------
    ndarray of shape (n_resamples,)
        The scores; NaN for a resample that cannot be scored.

    References
    ----------
    Field and Welsh, "Bootstrapping clustered data", JRSS B 69, 2007.

    Examples
    --------
    >>> rows = pd.DataFrame({"dialogue": [1, 2], "target": ["joy", "fear"], "prediction": ["joy", "joy"]})
    >>> sorted(set(cluster_bootstrap("accuracy", rows, n_resamples=50).tolist()))
    [0.0, 0.5, 1.0]
    """
    groups = group_codes(predictions, by)
    weights = draw(groups.max() + 1, n_resamples, random_state)
    return mean_over_runs(find_metric(metric), split_runs(predictions, groups), weights)


def interval(values: ArrayLike, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentiles that hold the middle ``level`` of resampled values; NaN where there are none.

    Parameters
    ----------
    values : array-like
        Resampled scores; NaN are left out.
    level : float, default=0.95
        Share inside.

    Returns
    -------
    tuple of float
        Low and high end.

    Examples
    --------
    >>> interval([3, 1, 2, 4, 5], level=0.5)
    (2.0, 4.0)
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_bootstrap(
    metric: str | Metric,
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    by: str = "dialogue",
    n_resamples: int = N_RESAMPLES,
    random_state: int = 0,
) -> Comparison:
    """Compare two models on the same resamples of whole dialogues or speakers.

    Parameters
    ----------
    metric : str or Metric
        What to compute.
    first, second : DataFrame
        Predictions of the two models for the same rows, folds and seeds.
    by, n_resamples, random_state
        As for `cluster_bootstrap`.

    Returns
    -------
    Comparison
        With the percentile interval, and the p-value of that interval just reaching 0.

    Raises
    ------
    ValueError
        If the two are not of the same rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"dialogue": range(20), "turn": 0, "target": ["joy", "fear"] * 10, "prediction": "joy"})
    >>> paired_bootstrap("accuracy", rows.assign(prediction=rows.target), rows).difference
    0.5
    """
    metric, pair = find_metric(metric), Pair.of(first, second, by)
    weights = draw(pair.n_groups, n_resamples, random_state)
    draws = mean_over_runs(metric, pair.first, weights) - mean_over_runs(metric, pair.second, weights)
    draws = draws[~np.isnan(draws)]
    tail = min((draws <= 0).sum(), (draws >= 0).sum())
    return Comparison(pair.difference(metric), *interval(draws), min(1.0, 2 * (tail + 1) / (len(draws) + 1)))


def approximate_randomisation(
    metric: str | Metric,
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    by: str = "dialogue",
    n_resamples: int = N_RESAMPLES,
    random_state: int = 0,
) -> Comparison:
    """Test two models by swapping their answers, whole dialogues or speakers at a time.

    If the models are equally good, it does not matter whose answer is whose; the p-value is the share of random
    swaps with a difference at least as large as the one seen.

    Parameters
    ----------
    metric : str or Metric
        What to compute.
    first, second : DataFrame
        Predictions of the two models for the same rows, folds and seeds.
    by, n_resamples, random_state
        As for `cluster_bootstrap`.

    Returns
    -------
    Comparison
        Without an interval.

    Raises
    ------
    ValueError
        If the two are not of the same rows.

    References
    ----------
    Noreen, "Computer-intensive methods for testing hypotheses", Wiley 1989.

    Examples
    --------
    >>> rows = pd.DataFrame({"dialogue": range(20), "turn": 0, "target": ["joy", "fear"] * 10, "prediction": "joy"})
    >>> approximate_randomisation("accuracy", rows.assign(prediction=rows.target), rows).pvalue < 0.01
    True
    """
    metric, pair = find_metric(metric), Pair.of(first, second, by)
    swaps = np.random.default_rng(random_state).integers(2, size=(n_resamples, pair.n_groups))
    draws = swapped(metric, pair, swaps)
    difference = pair.difference(metric)
    at_least = (np.abs(draws) >= abs(difference) - 1e-12).sum()
    return Comparison(difference, np.nan, np.nan, float((at_least + 1) / (n_resamples + 1)))


def corrected_t_test(first: ArrayLike, second: ArrayLike, test_share: float) -> Comparison:
    """Compare scores of two models over the same folds and seeds, knowing that the folds overlap.

    Folds share training rows, so their scores vary less than independent ones would; Nadeau and Bengio add
    the share of test rows to the variance.

    Parameters
    ----------
    first, second : array-like of shape (n_runs,)
        Scores of the two models, run by run; give zeros as second for the interval of a mean.
    test_share : float
        Test rows divided by training rows of a run; 0 gives the ordinary paired t-test.

    Returns
    -------
    Comparison
        With the t interval; NaN where there are fewer than two runs.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52, 2003.

    Examples
    --------
    >>> result = corrected_t_test([0.5, 0.6, 0.7], [0.4, 0.5, 0.5], test_share=0.5)
    >>> round(result.difference, 3), round(result.pvalue, 3)
    (0.133, 0.127)
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    n_runs, mean = len(differences), float(differences.mean())
    if n_runs < 2:
        return Comparison(mean, np.nan, np.nan, np.nan)
    error = float(np.sqrt((1 / n_runs + test_share) * differences.var(ddof=1)))
    margin = error * stats.t.ppf((1 + LEVEL) / 2, n_runs - 1)
    if error == 0:
        return Comparison(mean, mean, mean, float(mean == 0))
    return Comparison(mean, mean - margin, mean + margin, float(2 * stats.t.sf(abs(mean) / error, n_runs - 1)))


def holm(pvalues: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values for their number by Holm's step-down method.

    Parameters
    ----------
    pvalues : array-like of shape (n_tests,)
        NaN is no test: it stays NaN and is not counted.

    Returns
    -------
    ndarray of shape (n_tests,)
        The corrected p-values.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(pvalues, dtype=float)
    order = np.argsort(given)[: int((~np.isnan(given)).sum())]
    steps = given[order] * np.arange(len(order), 0, -1)
    corrected = np.full(len(given), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
