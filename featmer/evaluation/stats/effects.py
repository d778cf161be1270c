"""How large a difference is, whatever its p-value."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def cohens_d(first: ArrayLike, second: ArrayLike) -> float:
    """Return the mean of paired differences in units of their standard deviation, corrected for few pairs.

    Parameters
    ----------
    first, second : array-like of shape (n_pairs,)
        Scores of two models on the same data sets, or of the same dialogues.

    Returns
    -------
    float
        Above 0 where the first is better; infinite where all differences are the same, 0 where they are 0.

    Raises
    ------
    ValueError
        If there are fewer than two pairs.

    References
    ----------
    Hedges, "Distribution theory for Glass's estimator of effect size", Journal of Educational Statistics 6, 1981.

    Examples
    --------
    >>> round(cohens_d([0.7, 0.8, 0.6], [0.6, 0.6, 0.6]), 3)
    0.571
    """
    differences = _paired(first, second)
    mean, spread, freedom = differences.mean(), differences.std(ddof=1), len(differences) - 1
    if spread == 0:
        return float(np.sign(mean) * np.inf) if mean else 0.0
    return float(mean / spread * (1 - 3 / (4 * freedom - 1)))


def rank_biserial(first: ArrayLike, second: ArrayLike) -> float:
    """Return how one-sided paired differences are: the effect that Wilcoxon's signed-rank test tests.

    Parameters
    ----------
    first, second : array-like of shape (n_pairs,)
        As for `cohens_d`; equal pairs are left out.

    Returns
    -------
    float
        1 where the first always wins, -1 where it always loses, 0 where ranks of wins and losses balance.

    References
    ----------
    Kerby, "The simple difference formula", Comprehensive Psychology 3, 2014.

    Examples
    --------
    >>> rank_biserial([3, 5, 4], [1, 2, 5])
    0.6666666666666666
    """
    differences = _paired(first, second)
    differences = differences[differences != 0]
    if not len(differences):
        return 0.0
    ranks = stats.rankdata(np.abs(differences))
    return float((np.sign(differences) * ranks).sum() / ranks.sum())


def cliffs_delta(first: ArrayLike, second: ArrayLike) -> float:
    """Return how much more often a score of the first is the larger one than the smaller one, of unpaired scores.

    Parameters
    ----------
    first, second : array-like
        Scores of two models, of their seeds for instance; need not be equally many.

    Returns
    -------
    float
        From -1 to 1.

    References
    ----------
    Cliff, "Dominance statistics: ordinal analyses to answer ordinal questions", Psychological Bulletin 114, 1993.

    Examples
    --------
    >>> cliffs_delta([3, 4], [1, 2, 3])
    0.8333333333333334
    """
    one, other = (np.asarray(scores, dtype=float) for scores in (first, second))
    return float(np.sign(one[:, None] - other).mean())


def _paired(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    one, other = (np.asarray(scores, dtype=float) for scores in (first, second))
    if one.shape != other.shape or one.ndim != 1 or len(one) < 2:
        raise ValueError(f"Got scores of shapes {one.shape} and {other.shape}, expected pairs, two or more.")
    return one - other
