"""Scores of predictions, each with what a person and a bootstrap need to know about it.

A metric of this module is a function of sums over rows (a confusion matrix, moments, ...). The score of any sample of
whole dialogues then follows from the sums of its dialogues, and ten thousand samples cost one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from featmer._checks import check_name
from featmer.evaluation import _sums as sums
from featmer.evaluation.calibration import calibration_sums, ece, ece_of_sums
from featmer.evaluation.outcomes import Outcomes

Needs = Literal["labels", "probabilities", "values"]
PER_CLASS = "f1_per_class"
F1_OF = "f1:"
WITHIN = "accuracy_within:"


@dataclass(frozen=True)
class Summary:
    """How a metric follows from sums over rows.

    Parameters
    ----------
    sums : callable
        ``sums(outcomes, groups, n_groups)`` gives an array of shape (n_groups, ...): the sums of each group of rows.
    finish : callable
        ``finish(sums)`` gives the score of sums of shape (..., *shape); NaN where they hold no row.

    Examples
    --------
    >>> outcomes = Outcomes.of_labels(["joy", "joy"], ["joy", "fear"])
    >>> summary = METRICS["accuracy"].summary
    >>> summary.finish(summary.sums(outcomes, np.array([0, 1]), 2)).tolist()
    [1.0, 0.0]
    """

    sums: Callable[[Outcomes, NDArray, int], NDArray]
    finish: Callable[[NDArray], NDArray]


@dataclass(frozen=True)
class Metric:
    """
    A score with its name, its direction and what it is computed from.

    Parameters
    ----------
    name : str
        As in results, ``"f1_weighted"``.
    label : str
        For people, ``"weighted F1"``.
    function : callable
        ``function(y_true, y_pred) -> float``, or ``function(y_true, probabilities, classes) -> float``
        for a metric that needs probabilities.
    needs : {"labels", "probabilities", "values"}, default="labels"
        What it compares.
    higher_is_better : bool, default=True
        The direction.
    summary : Summary or None, default=None
        The metric as a function of sums, where it is one; without it a bootstrap calls ``function`` again and again.

    Examples
    --------
    >>> from sklearn.metrics import matthews_corrcoef
    >>> metric = Metric("mcc", "Matthews correlation", matthews_corrcoef)
    >>> metric.score(Outcomes.of_labels(["joy", "fear"], ["joy", "fear"]))
    1.0
    """

    name: str
    label: str
    function: Callable[..., float]
    needs: Needs = "labels"
    higher_is_better: bool = True
    summary: Summary | None = None

    def score(self, outcomes: Outcomes) -> float:
        """Return the metric of the given outcomes."""
        if self.needs == "probabilities":
            return float(self.function(outcomes.target, outcomes.known_probabilities(), outcomes.classes))
        return float(self.function(outcomes.target, outcomes.prediction))


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
    return _score(partial(sums.hits_within, k), sums.mean, Outcomes.of_labels(y_true, y_pred))


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
    return {f"{F1_OF}{label}": _f1_of_label(label, y_true, y_pred) for label in labels}


def log_loss(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    """Return the mean of minus the logarithm of the true label's probability.

    A true label without a column, or with probability 0, counts as the smallest float above it (about 36 nats).

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        True labels.
    probabilities : array-like of shape (n_rows, n_classes)
        Predicted probabilities.
    classes : array-like of shape (n_classes,)
        Labels of the columns of ``probabilities``.

    Examples
    --------
    >>> round(log_loss(["joy"], [[0.5, 0.5]], ["fear", "joy"]), 3)
    0.693
    """
    return _score(sums.log_losses, sums.mean, Outcomes.of_probabilities(y_true, probabilities, classes))


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
    return _score(sums.moments, sums.ccc, Outcomes.of_values(y_true, y_pred))


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
    return _score(sums.moments, sums.pearson, Outcomes.of_values(y_true, y_pred))


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
    return _score(sums.absolute_errors, sums.mean, Outcomes.of_values(y_true, y_pred))


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
    return _score(sums.squared_errors, sums.root_mean, Outcomes.of_values(y_true, y_pred))


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
    return _score(sums.signs, sums.accuracy, Outcomes.of_values(y_true, y_pred))


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
    return _score(sums.signs, sums.f1_weighted, Outcomes.of_values(y_true, y_pred))


def find_metric(metric: str | Metric) -> Metric:
    """Return a metric by name; ``"f1:<label>"`` is the F1 of one label, ``"accuracy_within:<k>"`` takes k steps off.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the choices.

    Examples
    --------
    >>> find_metric("ccc").label, find_metric("f1:joy").label, find_metric("accuracy_within:1").label
    ('CCC', 'F1 of joy', 'accuracy within 1')
    """
    if isinstance(metric, Metric):
        return metric
    if metric.startswith(F1_OF):
        label = metric.removeprefix(F1_OF)
        summary = Summary(partial(sums.hits_of_label, label), sums.f1_of_label)
        return Metric(metric, f"F1 of {label}", partial(_f1_of_label, label), summary=summary)
    if metric.startswith(WITHIN):
        k = metric.removeprefix(WITHIN)
        if not k.isdecimal():
            raise ValueError(f"Got metric {metric!r}, expected a whole number of steps, as in '{WITHIN}1'.")
        summary = Summary(partial(sums.hits_within, int(k)), sums.mean)
        return Metric(metric, f"accuracy within {k}", partial(accuracy_within, k=int(k)), summary=summary)
    check_name(metric, METRICS, "metric")
    return METRICS[metric]


def find_metrics(metrics: Iterable[str | Metric], labels: Iterable[str] = ()) -> tuple[Metric, ...]:
    """Return metrics by name; ``"f1_per_class"`` becomes one metric for each of ``labels``.

    Examples
    --------
    >>> [metric.name for metric in find_metrics(["uar", "f1_per_class"], ["fear", "joy"])]
    ['uar', 'f1:fear', 'f1:joy']
    """
    found: list[Metric] = []
    for metric in metrics:
        names = [f"{F1_OF}{label}" for label in labels] if metric == PER_CLASS else [metric]
        found += map(find_metric, names)
    return tuple(found)


def _score(add: Callable, finish: Callable, outcomes: Outcomes) -> float:
    return float(finish(add(outcomes, np.zeros(len(outcomes.target), dtype=int), 1))[0])


def _score_labels(finish: Callable, y_true: ArrayLike, y_pred: ArrayLike) -> float:
    return _score(sums.confusion, finish, Outcomes.of_labels(y_true, y_pred))


def _f1_of_label(label: str, y_true: ArrayLike, y_pred: ArrayLike) -> float:
    return _score(partial(sums.hits_of_label, str(label)), sums.f1_of_label, Outcomes.of_labels(y_true, y_pred))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", accuracy, summary=Summary(sums.confusion, sums.accuracy)),
        Metric("f1_weighted", "weighted F1", f1_weighted, summary=Summary(sums.confusion, sums.f1_weighted)),
        Metric("f1_macro", "macro F1", f1_macro, summary=Summary(sums.confusion, sums.f1_macro)),
        Metric("uar", "UAR", uar, summary=Summary(sums.confusion, sums.uar)),
        Metric("log_loss", "log loss", log_loss, "probabilities", False, Summary(sums.log_losses, sums.mean)),
        Metric("ece", "calibration error", ece, "probabilities", False, Summary(calibration_sums, ece_of_sums)),
        Metric("ccc", "CCC", ccc, "values", summary=Summary(sums.moments, sums.ccc)),
        Metric("pearson", "Pearson correlation", pearson, "values", summary=Summary(sums.moments, sums.pearson)),
        Metric("mae", "mean absolute error", mae, "values", False, Summary(sums.absolute_errors, sums.mean)),
        Metric(
            "sign_accuracy", "accuracy of the sign", sign_accuracy, "values", summary=Summary(sums.signs, sums.accuracy)
        ),
        Metric("sign_f1", "weighted F1 of the sign", sign_f1, "values", summary=Summary(sums.signs, sums.f1_weighted)),
        Metric("rmse", "root mean squared error", rmse, "values", False, Summary(sums.squared_errors, sums.root_mean)),
    )
}
