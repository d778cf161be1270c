"""Scores of any number of labels a row, given as matrices of 0 and 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, roc_auc_score

from featmer.evaluation import _label_sums as label_sums
from featmer.evaluation import _sums as sums
from featmer.evaluation.calibration import classwise_sums, ece_per_label, mean_ece_of_sums
from featmer.evaluation.metrics.metric import Metric, Summary, score_by_sums
from featmer.evaluation.outcomes import Outcomes


def multilabel_f1_macro(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the plain mean of the F1 of all labels, 0 of one that is neither true nor predicted.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows, n_labels)
        1 where a label holds, or is said to; else 0.

    Examples
    --------
    >>> multilabel_f1_macro([[1, 0], [1, 0]], [[1, 0], [1, 0]])
    0.5
    """
    return _score(label_sums.hits, label_sums.f1_macro, y_true, y_pred)


def multilabel_f1_micro(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the F1 of all labels of all rows taken together.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows, n_labels)
        1 where a label holds, or is said to; else 0.

    Examples
    --------
    >>> multilabel_f1_micro([[1, 1], [1, 0]], [[1, 0], [1, 1]])
    0.6666666666666666
    """
    return _score(label_sums.hits, label_sums.f1_micro, y_true, y_pred)


def multilabel_f1_weighted(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the F1 of each label, averaged in proportion to how often it is true.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows, n_labels)
        1 where a label holds, or is said to; else 0.

    Examples
    --------
    >>> multilabel_f1_weighted([[1, 0], [1, 1]], [[1, 0], [1, 0]])
    0.6666666666666666
    """
    return _score(label_sums.hits, label_sums.f1_weighted, y_true, y_pred)


def jaccard(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean over rows of labels right over labels true or predicted; 1 where a row has neither.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows, n_labels)
        1 where a label holds, or is said to; else 0.

    Examples
    --------
    >>> jaccard([[1, 1, 0], [0, 0, 0]], [[0, 1, 1], [0, 0, 0]])
    0.6666666666666666
    """
    return _score(label_sums.jaccards, sums.mean, y_true, y_pred)


def jaccard_macro(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean over labels of rows found over rows true or predicted, 0 of a label that has neither.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows, n_labels)
        1 where a label holds, or is said to; else 0.

    Examples
    --------
    >>> jaccard_macro([[1, 0], [1, 1]], [[1, 0], [0, 1]])
    0.75
    """
    return _score(label_sums.hits, label_sums.jaccard_macro, y_true, y_pred)


def hamming_loss(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the share of all yes and no that is wrong.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows, n_labels)
        1 where a label holds, or is said to; else 0.

    Examples
    --------
    >>> hamming_loss([[1, 1, 0, 0]], [[0, 1, 1, 0]])
    0.5
    """
    return _score(label_sums.wrong_shares, sums.mean, y_true, y_pred)


def subset_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the share of rows of which every label is right.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows, n_labels)
        1 where a label holds, or is said to; else 0.

    Examples
    --------
    >>> subset_accuracy([[1, 1], [1, 0]], [[1, 1], [0, 0]])
    0.5
    """
    return _score(label_sums.equal_sets, sums.mean, y_true, y_pred)


def mean_average_precision(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean over labels of the average precision of rows ordered by the label's probability.

    Labels that never are true do not count; NaN where none is.

    Parameters
    ----------
    y_true : array-like of shape (n_rows, n_labels)
        1 where a label holds, else 0.
    probabilities : array-like of shape (n_rows, n_labels)
        Probability of each label.

    Examples
    --------
    >>> mean_average_precision([[1, 0], [0, 1]], [[0.9, 0.8], [0.1, 0.6]])
    0.75
    """
    true, given = np.asarray(y_true), np.asarray(probabilities, float)
    found = true.any(axis=0)
    return average_precision_score(true[:, found], given[:, found], average="macro") if found.any() else np.nan


def mean_auroc(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean over labels of the area under the ROC curve of the label's probability.

    Labels that are true of no row or of all do not count; NaN where none is left.

    Parameters
    ----------
    y_true : array-like of shape (n_rows, n_labels)
        1 where a label holds, else 0.
    probabilities : array-like of shape (n_rows, n_labels)
        Probability of each label.

    Examples
    --------
    >>> mean_auroc([[1, 0], [0, 1]], [[0.9, 0.8], [0.1, 0.6]])
    0.5
    """
    true, given = np.asarray(y_true), np.asarray(probabilities, float)
    found = true.any(axis=0) & ~true.all(axis=0)
    return roc_auc_score(true[:, found], given[:, found], average="macro") if found.any() else np.nan


def multilabel_ece(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean over labels of the calibration error of the label's probability, in 15 bins of equal width.

    Parameters
    ----------
    y_true : array-like of shape (n_rows, n_labels)
        1 where a label holds, else 0.
    probabilities : array-like of shape (n_rows, n_labels)
        Probability of each label.

    References
    ----------
    Chou: Revisiting modeling and evaluation approaches in speech emotion recognition. Dissertation, arXiv 2510.05934,
    2025.

    Examples
    --------
    >>> round(multilabel_ece([[1, 0], [1, 0]], [[0.9, 0.1], [0.9, 0.3]]), 3)
    0.15
    """
    return float(ece_per_label(y_true, probabilities, np.arange(np.shape(y_true)[-1])).mean())


def _score(add: Callable, finish: Callable, y_true: ArrayLike, y_pred: ArrayLike) -> float:
    classes = np.arange(np.shape(y_true)[-1])
    return score_by_sums(add, finish, Outcomes.of_indicators(y_true, y_pred, classes))


INDICATOR_METRICS = (
    Metric(
        "multilabel_f1_macro",
        "macro F1",
        multilabel_f1_macro,
        "indicators",
        summary=Summary(label_sums.hits, label_sums.f1_macro),
    ),
    Metric(
        "multilabel_f1_micro",
        "micro F1",
        multilabel_f1_micro,
        "indicators",
        summary=Summary(label_sums.hits, label_sums.f1_micro),
    ),
    Metric(
        "multilabel_f1_weighted",
        "weighted F1",
        multilabel_f1_weighted,
        "indicators",
        summary=Summary(label_sums.hits, label_sums.f1_weighted),
    ),
    Metric("jaccard", "Jaccard index", jaccard, "indicators", summary=Summary(label_sums.jaccards, sums.mean)),
    Metric(
        "jaccard_macro",
        "Jaccard index of labels",
        jaccard_macro,
        "indicators",
        summary=Summary(label_sums.hits, label_sums.jaccard_macro),
    ),
    Metric(
        "hamming_loss", "Hamming loss", hamming_loss, "indicators", False, Summary(label_sums.wrong_shares, sums.mean)
    ),
    Metric(
        "subset_accuracy",
        "subset accuracy",
        subset_accuracy,
        "indicators",
        summary=Summary(label_sums.equal_sets, sums.mean),
    ),
    Metric(
        "multilabel_ece",
        "calibration error of labels",
        multilabel_ece,
        "indicator_probabilities",
        False,
        Summary(classwise_sums, mean_ece_of_sums),
    ),
    Metric("mean_average_precision", "mean average precision", mean_average_precision, "indicator_probabilities"),
    Metric("mean_auroc", "mean AUROC of labels", mean_auroc, "indicator_probabilities"),
)
