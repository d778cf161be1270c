"""Scores of labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from numpy.typing import ArrayLike

from featmer.evaluation import _sums as sums
from featmer.evaluation.metrics.metric import score_by_sums
from featmer.evaluation.outcomes import Outcomes

F1_OF = "f1:"


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the share of rows whose label is right.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted labels.

    Examples
    --------
    >>> accuracy(["joy", "fear"], ["joy", "joy"])
    0.5
    """
    return _score_labels(sums.accuracy, y_true, y_pred)


def accuracy_within(y_true: ArrayLike, y_pred: ArrayLike, k: int = 1) -> float:
    """Return the share of rows whose label is at most ``k`` steps off; exact hits count.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted labels of an ordered scale: whole numbers, also written as text.
    k : int, default=1
        Steps, 0 or more; 0 is plain accuracy.

    Raises
    ------
    ValueError
        If a label is no whole number.

    Examples
    --------
    >>> accuracy_within([1, 5, 7], [1, 4, 2]), accuracy_within([1, 5, 7], [1, 4, 2], k=0)
    (0.6666666666666666, 0.3333333333333333)
    """
    return score_by_sums(partial(sums.hits_within, k), sums.mean, Outcomes.of_labels(y_true, y_pred))


def f1_weighted(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the F1 of each true label, averaged in proportion to its rows.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted labels.

    Examples
    --------
    >>> round(f1_weighted(["joy", "joy", "fear"], ["joy", "joy", "joy"]), 3)
    0.533
    """
    return _score_labels(sums.f1_weighted, y_true, y_pred)


def f1_macro(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the plain mean of the F1 of every label that is true or predicted somewhere.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted labels.

    Examples
    --------
    >>> f1_macro(["joy", "joy", "fear"], ["joy", "joy", "joy"])
    0.4
    """
    return _score_labels(sums.f1_macro, y_true, y_pred)


def uar(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the unweighted average recall of the labels in ``y_true``.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted labels.

    Examples
    --------
    >>> uar(["joy", "joy", "fear"], ["joy", "joy", "joy"])
    0.5
    """
    return _score_labels(sums.uar, y_true, y_pred)


def kappa(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return Cohen's kappa: accuracy beyond chance, as a share of what could be beyond it.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted labels.

    Returns
    -------
    float
        1 if all are right, 0 at the level of chance, and where both sides are always the same one label.

    References
    ----------
    Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960.

    Examples
    --------
    >>> kappa([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2])
    0.5
    """
    return _score_labels(sums.kappa, y_true, y_pred)


def mcc(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the Matthews correlation coefficient, of any number of labels.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted labels.

    Returns
    -------
    float
        1 if all are right; 0 at the level of chance, and where either side is always the same label.

    References
    ----------
    Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", Computational Biology
    and Chemistry 28, 2004.

    Examples
    --------
    >>> round(mcc([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2]), 5)
    0.52223
    """
    return _score_labels(sums.mcc, y_true, y_pred)


def f1_per_class(y_true: ArrayLike, y_pred: ArrayLike) -> dict[str, float]:
    """Return the F1 of each label that is true or predicted somewhere, by metric name.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_rows,)
        True and predicted labels.

    Examples
    --------
    >>> f1_per_class(["joy", "joy", "fear"], ["joy", "joy", "joy"])
    {'f1:fear': 0.0, 'f1:joy': 0.8}
    """
    labels = Outcomes.of_labels(y_true, y_pred).classes
    return {f"{F1_OF}{label}": f1_of_label(label, y_true, y_pred) for label in labels}


def f1_of_label(label: str, y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the F1 of one label; 0 where it is neither true nor predicted.

    Examples
    --------
    >>> round(f1_of_label("joy", ["joy", "fear"], ["joy", "joy"]), 3)
    0.667
    """
    return score_by_sums(partial(sums.hits_of_label, str(label)), sums.f1_of_label, Outcomes.of_labels(y_true, y_pred))


def _score_labels(finish: Callable, y_true: ArrayLike, y_pred: ArrayLike) -> float:
    return score_by_sums(sums.confusion, finish, Outcomes.of_labels(y_true, y_pred))
