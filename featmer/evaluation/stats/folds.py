"""Tests on the scores of folds and seeds, which share their training rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from featmer.evaluation.stats.comparison import LEVEL, Comparison


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


def five_by_two_cv_test(first: ArrayLike, second: ArrayLike) -> Comparison:
    """Compare two models by the combined F test over five repetitions of two-fold cross-validation.

    Each repetition halves the rows anew; both halves are tested once. The variance is taken within repetitions, where
    the two training halves share no row.

    Parameters
    ----------
    first, second : array-like of shape (5, 2)
        Scores of the two models: a row a repetition, a column a half.

    Returns
    -------
    Comparison
        Without an interval.

    Raises
    ------
    ValueError
        If the scores are not five by two.

    References
    ----------
    Alpaydin, "Combined 5 x 2 cv F test for comparing supervised classification learning algorithms", Neural
    Computation 11, 1999.

    Examples
    --------
    >>> first = [[0.62, 0.65], [0.60, 0.66], [0.63, 0.64], [0.61, 0.67], [0.64, 0.62]]
    >>> second = [[0.60, 0.60], [0.57, 0.61], [0.59, 0.62], [0.60, 0.60], [0.61, 0.60]]
    >>> result = five_by_two_cv_test(first, second)
    >>> round(result.difference, 3), round(result.pvalue, 3)
    (0.034, 0.142)
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if differences.shape != (5, 2):
        raise ValueError(
            f"Got scores of shape {differences.shape}, expected (5, 2): five repetitions of two halves. "
            "For other numbers of folds take corrected_t_test."
        )
    mean, squares = float(differences.mean()), float((differences**2).sum())
    spread = 2 * float(2 * differences.var(axis=1).sum())
    if spread == 0:
        return Comparison(mean, np.nan, np.nan, float(squares == 0))
    return Comparison(mean, np.nan, np.nan, float(stats.f.sf(squares / spread, 10, 5)))
