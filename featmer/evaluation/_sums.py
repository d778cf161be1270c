"""Sums over rows, group by group, and the scores that follow from them.

The first half gives arrays of shape (n_groups, ...); the second half takes any array of such sums, of shape
(..., *shape), and is NaN where the sums hold no row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from featmer.evaluation.outcomes import Outcomes

_TINY = np.finfo(float).eps


def confusion(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Count rows by group, true and predicted label: (n_groups, n_classes, n_classes)."""
    n_classes = len(outcomes.classes)
    cell = (groups * n_classes + outcomes.codes(outcomes.target)) * n_classes + outcomes.codes(outcomes.prediction)
    counts = np.bincount(cell, minlength=n_groups * n_classes**2)
    return counts.reshape(n_groups, n_classes, n_classes).astype(float)


def hits_of_label(label: str, outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the rows where a label is found, is true, is predicted, and all rows: (n_groups, 4)."""
    true, predicted = outcomes.holds(label)
    return _sum_by_group([true & predicted, true, predicted, np.ones_like(true)], groups, n_groups)


def hits_within(k: int, outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the rows whose label is at most k steps off, and rows."""
    steps = np.abs(_whole_numbers(outcomes.target) - _whole_numbers(outcomes.prediction))
    return mean_sums(np.where(steps <= k, 1.0, 0.0), groups, n_groups)


def log_losses(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum minus the logarithm of the true label's probability, and rows."""
    rows = np.arange(len(outcomes.target))
    true = outcomes.known_probabilities()[rows, outcomes.codes(outcomes.target)]
    return mean_sums(-np.log(np.clip(true, _TINY, 1.0)), groups, n_groups)


def brier(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the squared distance of probabilities and truth, and rows."""
    gap = outcomes.known_probabilities() - (outcomes.classes == outcomes.target[:, None])
    return mean_sums((gap**2).sum(axis=1), groups, n_groups)


def brier_top(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the squared gap between the likeliest class's probability and whether it is right, and rows."""
    correct, confidence = outcomes.confidence()
    return mean_sums((confidence - correct) ** 2, groups, n_groups)


def absolute_errors(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum absolute errors, and rows."""
    return mean_sums(np.abs(outcomes.prediction - outcomes.target), groups, n_groups)


def squared_errors(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum squared errors, and rows."""
    return mean_sums((outcomes.prediction - outcomes.target) ** 2, groups, n_groups)


def moments(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum rows, x, y, xx, yy and xy of targets x and predictions y.

    Both less the median target: a large offset would drown the variance, and two models' sums can be mixed.
    """
    centre = np.median(outcomes.target)
    x, y = outcomes.target - centre, outcomes.prediction - centre
    return _sum_by_group([np.ones_like(x), x, y, x * x, y * y, x * y], groups, n_groups)


def signs(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Count rows by group and whether true and predicted value are above zero; no true zeros: (n_groups, 2, 2)."""
    cell = (2 * groups + (outcomes.target > 0)) * 2 + (outcomes.prediction > 0)
    counts = np.bincount(cell[outcomes.target != 0], minlength=4 * n_groups)
    return counts.reshape(n_groups, 2, 2).astype(float)


def nonnegatives(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Count rows by group and whether true and predicted value are zero or above: (n_groups, 2, 2)."""
    cell = (2 * groups + (outcomes.target >= 0)) * 2 + (outcomes.prediction >= 0)
    return np.bincount(cell, minlength=4 * n_groups).reshape(n_groups, 2, 2).astype(float)


def _whole_numbers(labels: NDArray) -> NDArray[np.int64]:
    try:
        return labels.astype(np.int64)
    except ValueError as error:
        raise ValueError(f"Steps need labels that are whole numbers, such as 1 to 7: {error}.") from error


def mean_sums(values: NDArray, groups: NDArray, n_groups: int) -> NDArray:
    return _sum_by_group([values, np.ones_like(values)], groups, n_groups)


def _sum_by_group(terms: list[NDArray], groups: NDArray, n_groups: int) -> NDArray:
    return np.stack([np.bincount(groups, term, minlength=n_groups) for term in terms], axis=-1)


def accuracy(counts: NDArray) -> NDArray:
    """Return the share of a confusion matrix on its diagonal."""
    return ratio(_right(counts).sum(axis=-1), counts.sum(axis=(-2, -1)))


def f1_weighted(counts: NDArray) -> NDArray:
    """Return F1 averaged in proportion to the true labels."""
    true = counts.sum(axis=-1)
    return ratio((true * np.nan_to_num(_f1_by_label(counts))).sum(axis=-1), true.sum(axis=-1))


def f1_macro(counts: NDArray) -> NDArray:
    """Return the mean F1 of labels that are true or predicted."""
    return _mean_of_known(_f1_by_label(counts))


def uar(counts: NDArray) -> NDArray:
    """Return the mean recall of true labels."""
    return _mean_of_known(ratio(_right(counts), counts.sum(axis=-1)))


def kappa(counts: NDArray) -> NDArray:
    """Return 0 where both sides are always the same one label."""
    n_rows, chance = _chance(counts)
    right = _right(counts).sum(axis=-1)
    return np.where(n_rows > 0, np.nan_to_num(ratio(n_rows * right - chance, n_rows**2 - chance)), np.nan)


def mcc(counts: NDArray) -> NDArray:
    """Return 0 where either side is always the same label."""
    n_rows, chance = _chance(counts)
    right = _right(counts).sum(axis=-1)
    spreads = [n_rows**2 - (counts.sum(axis=axis) ** 2).sum(axis=-1) for axis in (-1, -2)]
    correlation = ratio(n_rows * right - chance, np.sqrt(spreads[0] * spreads[1]))
    return np.where(n_rows > 0, np.nan_to_num(correlation), np.nan)


def _chance(counts: NDArray) -> tuple[NDArray, NDArray]:
    """Return the rows, and their square times the share of right answers if they were dealt out at random."""
    true, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    return true.sum(axis=-1), (true * predicted).sum(axis=-1)


def _f1_by_label(counts: NDArray) -> NDArray:
    """Return F1 of shape (..., n_classes), NaN for a label neither true nor predicted."""
    return ratio(2 * _right(counts), counts.sum(axis=-1) + counts.sum(axis=-2))


def _right(counts: NDArray) -> NDArray:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def f1_of_label(sums: NDArray) -> NDArray:
    """Return the F1 of one label: 0 where it is neither true nor predicted, NaN where there is no row."""
    f1 = np.nan_to_num(ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2]))
    return np.where(sums[..., 3] > 0, f1, np.nan)


def mean(sums: NDArray) -> NDArray:
    """Divide a sum by its rows."""
    return ratio(sums[..., 0], sums[..., 1])


def root_mean(sums: NDArray) -> NDArray:
    """Return the root of a mean square."""
    return np.sqrt(mean(sums))


def r2(sums: NDArray) -> NDArray:
    """Return NaN where the true values are constant: nothing varies that could be explained."""
    n_rows, variances = sums[..., 0], _covariance(sums)[1]
    squares = sums[..., 3] + sums[..., 4] - 2 * sums[..., 5]
    return 1 - ratio(squares, n_rows * variances[..., 0])


def ccc(sums: NDArray) -> NDArray:
    """Return 0 where either side is constant."""
    means, variances, covariance = _covariance(sums)
    gap = means[..., 1] - means[..., 0]
    concordance = np.nan_to_num(ratio(2 * covariance, variances.sum(axis=-1) + gap**2))
    return np.where(sums[..., 0] > 0, concordance, np.nan)


def pearson(sums: NDArray) -> NDArray:
    """Return 0 where either side is constant."""
    _, variances, covariance = _covariance(sums)
    correlation = np.nan_to_num(ratio(covariance, np.sqrt(variances.prod(axis=-1))))
    return np.where(sums[..., 0] > 0, np.clip(correlation, -1, 1), np.nan)


def _covariance(sums: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return means and variances of x and y (..., 2) and their covariance; rounding of a constant counts as 0."""
    moments = ratio(sums[..., 1:6], sums[..., :1])
    means, squares = moments[..., :2], moments[..., 2:4]
    variances = squares - means**2
    variances = np.where(variances > 1e-14 * squares, variances, 0.0)
    covariance = moments[..., 4] - means.prod(axis=-1)
    return means, variances, np.where(variances.all(axis=-1), covariance, 0.0)


def ratio(numerator: NDArray, denominator: NDArray) -> NDArray:
    """Divide; NaN, without a warning, where the denominator is not above 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator > 0)


def _mean_of_known(values: NDArray) -> NDArray:
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))
