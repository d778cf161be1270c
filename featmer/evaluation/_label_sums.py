"""As `_sums`, of several labels a row: which hold, and which share each has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from featmer.decisions import inclusive_threshold
from featmer.evaluation import _sums as sums
from featmer.evaluation.outcomes import Outcomes

_TINY = np.finfo(float).eps


def hits(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the rows where a label is found, is true, is predicted, and all rows: (n_groups, n_labels, 4)."""
    by_label = [sums.hits_of_label(label, outcomes, groups, n_groups) for label in outcomes.classes]
    return np.stack(by_label, axis=1)


def inclusive_hits(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """As `hits`, of the labels that have more than an equal share."""
    threshold = inclusive_threshold(len(outcomes.classes))
    above = Outcomes(outcomes.target > threshold, outcomes.prediction > threshold, outcomes.classes)
    return hits(above, groups, n_groups)


def jaccards(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the Jaccard index of each row's true and predicted labels, 1 where both are none, and rows."""
    both = (outcomes.target & outcomes.prediction).sum(axis=1)
    either = (outcomes.target | outcomes.prediction).sum(axis=1)
    return sums.mean_sums(np.where(either > 0, both / np.maximum(either, 1), 1.0), groups, n_groups)


def wrong_shares(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the share of labels on which a row is wrong, and rows."""
    return sums.mean_sums((outcomes.target != outcomes.prediction).mean(axis=1), groups, n_groups)


def equal_sets(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the rows that are right on every label, and rows."""
    return sums.mean_sums((outcomes.target == outcomes.prediction).all(axis=1).astype(float), groups, n_groups)


def divergences(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the Kullback-Leibler divergence of each row's shares from the predicted ones, and rows."""
    return sums.mean_sums(_divergence(outcomes.target, outcomes.prediction), groups, n_groups)


def symmetric_divergences(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray:
    """Sum the Jensen-Shannon divergence of each row's shares and the predicted ones, and rows."""
    middle = (outcomes.target + outcomes.prediction) / 2
    either = (_divergence(outcomes.target, middle) + _divergence(outcomes.prediction, middle)) / 2
    return sums.mean_sums(either, groups, n_groups)


def _divergence(true: NDArray, predicted: NDArray) -> NDArray:
    logs = np.log(np.maximum(true, _TINY)) - np.log(np.maximum(predicted, _TINY))
    return np.where(true > 0, true * logs, 0.0).sum(axis=1)


def f1_macro(hit: NDArray) -> NDArray:
    """Return the mean F1 of all labels."""
    return sums.f1_of_label(hit).mean(axis=-1)


def f1_micro(hit: NDArray) -> NDArray:
    """Return the F1 of all decisions together."""
    return sums.f1_of_label(hit.sum(axis=-2))


def f1_weighted(hit: NDArray) -> NDArray:
    """Return F1 averaged in proportion to how often labels are true; 0 where none ever is."""
    true = hit[..., 1]
    weighted = np.nan_to_num(sums.ratio((true * np.nan_to_num(sums.f1_of_label(hit))).sum(axis=-1), true.sum(axis=-1)))
    return np.where(hit[..., 0, 3] > 0, weighted, np.nan)


def jaccard_macro(hit: NDArray) -> NDArray:
    """Return the mean Jaccard index of all labels, 0 of one that is neither true nor predicted."""
    found, true, predicted, rows = np.moveaxis(hit, -1, 0)
    index = np.nan_to_num(sums.ratio(found, true + predicted - found))
    return np.where(rows[..., 0] > 0, index.mean(axis=-1), np.nan)
