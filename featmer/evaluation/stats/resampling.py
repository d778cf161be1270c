"""Intervals and tests from resamples and swaps of whole dialogues or speakers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from featmer.evaluation.metrics import Metric, find_metric
from featmer.evaluation.stats._runs import Pair, resampled_scores, split_runs
from featmer.evaluation.stats.comparison import LEVEL, Comparison
from featmer.groups import group_codes

N_RESAMPLES = 1000


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
    runs = split_runs(predictions, groups)
    return resampled_scores(find_metric(metric), [runs], int(groups.max()) + 1, n_resamples, random_state)[0]


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
        With the percentile interval, and the two-sided p-value of that interval just reaching 0: of draws that are
        not shifted, ``2 (min(#<=0, #>=0) + 1) / (n_resamples + 1)``, at most 1.

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
    draws = pair.resampled(metric, n_resamples, random_state)
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
    draws = pair.swapped(metric, n_resamples, random_state)
    difference = pair.difference(metric)
    at_least = (np.abs(draws) >= abs(difference) - 1e-12).sum()
    return Comparison(difference, np.nan, np.nan, float((at_least + 1) / (n_resamples + 1)))
