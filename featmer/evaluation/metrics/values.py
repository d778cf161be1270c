"""Scores of values: valence, arousal, sentiment."""

from __future__ import annotations

from numpy.typing import ArrayLike

from featmer.evaluation import _sums as sums
from featmer.evaluation.metrics.metric import score_by_sums
from featmer.evaluation.outcomes import Outcomes


def ccc(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return Lin's concordance correlation coefficient.

    It is 1 for equal values, and 0 where either side is constant, also where both are the same constant:
    without variance there is no evidence of agreement.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values.

    References
    ----------
    Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45, 1989.

    Examples
    --------
    >>> ccc([1, 2, 3], [1, 2, 3]), round(ccc([1, 2, 3], [2, 3, 4]), 3), ccc([1, 2, 3], [2, 2, 2])
    (1.0, 0.571, 0.0)
    """
    return score_by_sums(sums.moments, sums.ccc, Outcomes.of_values(y_true, y_pred))


def pearson(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the linear correlation, 0 where either side is constant.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values.

    Examples
    --------
    >>> round(pearson([1, 2, 3], [2, 3, 4]), 6), pearson([1, 2, 3], [2, 2, 2])
    (1.0, 0.0)
    """
    return score_by_sums(sums.moments, sums.pearson, Outcomes.of_values(y_true, y_pred))


def mae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean absolute error, in the unit of the target.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values.

    Examples
    --------
    >>> mae([1, 2], [2, 4])
    1.5
    """
    return score_by_sums(sums.absolute_errors, sums.mean, Outcomes.of_values(y_true, y_pred))


def rmse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the root of the mean squared error, in the unit of the target.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values.

    Examples
    --------
    >>> rmse([1, 2], [2, 3])
    1.0
    """
    return score_by_sums(sums.squared_errors, sums.root_mean, Outcomes.of_values(y_true, y_pred))


def r2(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the coefficient of determination: the share of the variance of the true values that is explained.

    It is 1 for equal values, 0 for their mean and below 0 for worse; NaN where all true values are equal.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values.

    Examples
    --------
    >>> r2([1, 2, 3], [1, 2, 3]), r2([1, 2, 3], [2, 2, 2]), r2([1, 2, 3], [2, 3, 4])
    (1.0, 0.0, -0.5)
    """
    return score_by_sums(sums.moments, sums.r2, Outcomes.of_values(y_true, y_pred))


def sign_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the share of rows on the right side of zero; rows whose true value is zero do not count.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values; a predicted zero is not positive.

    Examples
    --------
    >>> sign_accuracy([1, -2, 0], [0.1, 0.3, 5])
    0.5
    """
    return score_by_sums(sums.signs, sums.accuracy, Outcomes.of_values(y_true, y_pred))


def sign_f1(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the weighted F1 of positive and negative; rows whose true value is zero do not count.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values; a predicted zero is not positive.

    Examples
    --------
    >>> round(sign_f1([1, 1, -2, 0], [0.1, 2, 0.3, 5]), 3)
    0.533
    """
    return score_by_sums(sums.signs, sums.f1_weighted, Outcomes.of_values(y_true, y_pred))


def nonnegative_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the share of rows rightly told to be negative or not; zero is not negative, and all rows count.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values.

    Examples
    --------
    >>> nonnegative_accuracy([1, -2, 0, 0], [0.1, 0.3, 5, -1])
    0.5
    """
    return score_by_sums(sums.nonnegatives, sums.accuracy, Outcomes.of_values(y_true, y_pred))


def nonnegative_f1(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the weighted F1 of negative and not negative; zero is not negative, and all rows count.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted values.

    Examples
    --------
    >>> round(nonnegative_f1([1, -2, 0, 0], [0.1, -0.3, 5, -1]), 3)
    0.767
    """
    return score_by_sums(sums.nonnegatives, sums.f1_weighted, Outcomes.of_values(y_true, y_pred))
