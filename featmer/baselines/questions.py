"""What to fit for y of any kind: rows, the class that each is to have, and how much it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import compute_class_weight

from featmer._targets import ClassTargets


class Question(NamedTuple):
    """What one model is to answer.

    Attributes
    ----------
    rows : ndarray of int of shape (n_examples,)
        Rising row numbers: every row stands there at least once, and once a class if it is to have several.
    targets : ndarray of shape (n_examples,)
        Class number, or value, of each.
    weights : ndarray of shape (n_examples,)
        How much each counts.
    """

    rows: NDArray[np.int64]
    targets: NDArray[Any]
    weights: NDArray[np.float64]

    def among(self, chosen: NDArray[np.int64]) -> Self:
        """Return the question for some of the rows, which are numbered anew.

        Parameters
        ----------
        chosen : ndarray of int
            Rising row numbers.

        Returns
        -------
        Question
            Its rows are places in ``chosen``.

        Examples
        --------
        >>> Question(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]), np.ones(4)).among(np.array([1, 2])).rows
        array([0, 0, 1])
        """
        there = np.isin(self.rows, chosen)
        return type(self)(np.searchsorted(chosen, self.rows[there]), self.targets[there], self.weights[there])


def ask(targets: ClassTargets, weights: NDArray[np.float64] | None = None) -> list[Question]:
    """Return what to fit: a choice of one class, or whether each label holds.

    Parameters
    ----------
    targets : ClassTargets
        Labels, indicators or distributions of n_rows rows.
    weights : ndarray, default=None
        How much each answer counts, as :func:`weigh` tells; None is 1 for all.

    Returns
    -------
    list of Question
        One, or of indicators one a label, whose targets are 1 where it holds. The row of a distribution is there once
        for each class that has a share, and counts as much as that.

    Examples
    --------
    >>> shares = ClassTargets("distributions", np.array(["joy", "fear"]), np.array([[0.8, 0.2], [1.0, 0.0]]))
    >>> (question,) = ask(shares)
    >>> question.rows.tolist(), question.targets.tolist(), question.weights.tolist()
    ([0, 0, 1], [0, 1, 0], [0.8, 0.2, 1.0])
    """
    kind, values = targets.kind, targets.values
    every, ones = np.arange(len(values)), np.ones(len(values))
    if kind == "distributions":
        rows, codes = np.nonzero(values)
        asked = [Question(rows, codes, values[rows, codes])]
    else:
        columns = values.T if kind == "indicators" else [values]
        asked = [Question(every, column.astype(np.int64), ones) for column in columns]
    if weights is None:
        return asked
    return [each._replace(weights=each.weights * own[each.targets]) for each, own in zip(asked, weights, strict=True)]


def weigh(targets: ClassTargets, class_weight: Mapping[Any, float] | str | None) -> NDArray[np.float64]:
    """Return how much the answers about training rows count.

    Parameters
    ----------
    targets : ClassTargets
        Labels, indicators or distributions of the training rows.
    class_weight : "balanced" or dict of label to float or None
        Weights of the classes; of several labels a row, of the rows that have the label. "balanced" makes all classes
        that occur count the same; of several labels a row, those with and without the label.

    Returns
    -------
    ndarray of shape (1, n_classes), or of indicators (n_classes, 2)
        A row for each question of :func:`ask`.

    Examples
    --------
    >>> weigh(ClassTargets("labels", np.array(["fear", "joy"]), np.array([1, 1, 1, 0])), "balanced").round(2)
    array([[2.  , 0.67]])
    """
    classes, questions = targets.classes, ask(targets)
    if targets.kind != "indicators":
        return np.array([_weigh_answers(questions[0], class_weight, classes)])
    given = [
        {0: 1.0, 1: class_weight.get(label, 1.0)} if isinstance(class_weight, Mapping) else class_weight
        for label in classes.tolist()
    ]
    return np.array([_weigh_answers(*each, np.arange(2)) for each in zip(questions, given, strict=True)])


def _weigh_answers(
    question: Question, class_weight: Mapping[Any, float] | str | None, answers: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the weight of each answer; 1 for those that do not occur."""
    present, places = np.unique(question.targets, return_inverse=True)
    names, weights = answers[present], np.ones(len(answers))
    weights[present] = compute_class_weight(
        class_weight, classes=names, y=names[places], sample_weight=question.weights
    )
    return weights
