"""Scores of distributions over the labels: the shares of raters' votes against predicted probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from featmer.evaluation import _label_sums as label_sums
from featmer.evaluation import _sums as sums
from featmer.evaluation.metrics.metric import Metric, Summary, score_by_sums
from featmer.evaluation.outcomes import Outcomes


def kld(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean Kullback-Leibler divergence of the shares from the predicted ones, in nats.

    A predicted probability of 0 counts as the smallest float above it.

    Parameters
    ----------
    y_true, probabilities : array-like of shape (n_rows, n_labels)
        Rows sum to 1.

    Examples
    --------
    >>> round(kld([[0.5, 0.5], [1, 0]], [[0.5, 0.5], [0.5, 0.5]]), 4)
    0.3466
    """
    return _score(label_sums.divergences, sums.mean, y_true, probabilities)


def jsd(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean Jensen-Shannon divergence of true and predicted shares, in nats: at most log 2.

    Parameters
    ----------
    y_true, probabilities : array-like of shape (n_rows, n_labels)
        Rows sum to 1.

    References
    ----------
    Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37, 1991.

    Examples
    --------
    >>> round(jsd([[1, 0]], [[0, 1]]), 4)
    0.6931
    """
    return _score(label_sums.symmetric_divergences, sums.mean, y_true, probabilities)


def soft_f1_macro(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the plain mean of the F1 of all labels, each row taken to have those with more than an equal share.

    A share is above ``1 / n_labels`` or it is not, in target and prediction alike: the all-inclusive rule.

    Parameters
    ----------
    y_true, probabilities : array-like of shape (n_rows, n_labels)
        Rows sum to 1.

    References
    ----------
    Chou: Revisiting modeling and evaluation approaches in speech emotion recognition. Dissertation, arXiv 2510.05934,
    2025, section 4.4.5.

    Examples
    --------
    >>> round(soft_f1_macro([[0.2, 0.4, 0.4, 0.0]], [[0.1, 0.6, 0.2, 0.1]]), 3)
    0.25
    """
    return _score(label_sums.inclusive_hits, label_sums.f1_macro, y_true, probabilities)


def soft_f1_micro(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """As :func:`soft_f1_macro`, of all labels of all rows taken together.

    Parameters
    ----------
    y_true, probabilities : array-like of shape (n_rows, n_labels)
        Rows sum to 1.

    Examples
    --------
    >>> round(soft_f1_micro([[0.2, 0.4, 0.4, 0.0]], [[0.1, 0.6, 0.2, 0.1]]), 3)
    0.667
    """
    return _score(label_sums.inclusive_hits, label_sums.f1_micro, y_true, probabilities)


def soft_f1_weighted(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """As :func:`soft_f1_macro`, labels in proportion to how many rows have them.

    Parameters
    ----------
    y_true, probabilities : array-like of shape (n_rows, n_labels)
        Rows sum to 1.

    Examples
    --------
    >>> round(soft_f1_weighted([[0.2, 0.4, 0.4, 0.0]], [[0.1, 0.6, 0.2, 0.1]]), 3)
    0.5
    """
    return _score(label_sums.inclusive_hits, label_sums.f1_weighted, y_true, probabilities)


def _score(add: Callable, finish: Callable, y_true: ArrayLike, probabilities: ArrayLike) -> float:
    classes = np.arange(np.shape(y_true)[-1])
    return score_by_sums(add, finish, Outcomes.of_distributions(y_true, probabilities, classes))


DISTRIBUTION_METRICS = (
    Metric(
        "kld", "Kullback-Leibler divergence", kld, "distributions", False, Summary(label_sums.divergences, sums.mean)
    ),
    Metric(
        "jsd",
        "Jensen-Shannon divergence",
        jsd,
        "distributions",
        False,
        Summary(label_sums.symmetric_divergences, sums.mean),
    ),
    Metric(
        "soft_f1_macro",
        "macro F1 above an equal share",
        soft_f1_macro,
        "distributions",
        summary=Summary(label_sums.inclusive_hits, label_sums.f1_macro),
    ),
    Metric(
        "soft_f1_micro",
        "micro F1 above an equal share",
        soft_f1_micro,
        "distributions",
        summary=Summary(label_sums.inclusive_hits, label_sums.f1_micro),
    ),
    Metric(
        "soft_f1_weighted",
        "weighted F1 above an equal share",
        soft_f1_weighted,
        "distributions",
        summary=Summary(label_sums.inclusive_hits, label_sums.f1_weighted),
    ),
)
