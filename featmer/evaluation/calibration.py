"""Whether a model that says 70 % is right 70 % of the time."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from featmer._checks import check_name
from featmer.evaluation.outcomes import Outcomes

N_BINS = 15
Strategy = Literal["width", "mass"]
Closed = Literal["right", "left"]


def reliability(
    y_true: ArrayLike,
    probabilities: ArrayLike,
    classes: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Strategy = "width",
    closed: Closed = "right",
) -> pd.DataFrame:
    """Compare confidence with accuracy, bin by bin of the confidence.

    The confidence of a row is the probability of its likeliest class.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,)
        True labels.
    probabilities : array-like of shape (n_rows, n_classes)
        Predicted probabilities.
    classes : array-like of shape (n_classes,)
        Labels of the columns of ``probabilities``.
    n_bins : int, default=15
        Number of bins over 0 to 1.
    strategy : {"width", "mass"}, default="width"
        Bins of equal width, or of (nearly) equally many rows.
    closed : {"right", "left"}, default="right"
        Which of its ends a bin holds: low < confidence <= high, or low <= confidence < high. The outermost ends always
        belong to their bins, so that a confidence of exactly 0 or 1 is counted.

    Returns
    -------
    DataFrame of at most n_bins rows
        ``low``, ``high``, ``n_rows``, and the mean ``confidence`` and ``accuracy`` of the bin (NaN where it is empty).

    Examples
    --------
    >>> table = reliability(["a", "b"], [[0.9, 0.1], [0.6, 0.4]], ["a", "b"], n_bins=2)
    >>> table[["low", "high", "n_rows", "accuracy"]].values.tolist()
    [[0.0, 0.5, 0.0, nan], [0.5, 1.0, 2.0, 0.5]]
    """
    correct, confidence = Outcomes.of_probabilities(y_true, probabilities, classes).confidence()
    return reliability_of_events(correct, confidence, n_bins=n_bins, strategy=strategy, closed=closed)


def reliability_of_events(
    happened: ArrayLike,
    probability: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Strategy = "width",
    closed: Closed = "right",
) -> pd.DataFrame:
    """Compare the probability of an event, such as that a label holds, with how often it happened, bin by bin.

    Parameters
    ----------
    happened : array-like of shape (n_rows,)
        1 where it did, or else 0.
    probability : array-like of shape (n_rows,)
        What was predicted.
    n_bins, strategy, closed
        As for :func:`reliability`.

    Returns
    -------
    DataFrame of at most n_bins rows
        As :func:`reliability` returns it: ``confidence`` is the mean probability, ``accuracy`` the share of events.

    Examples
    --------
    >>> reliability_of_events([1, 0, 0], [0.9, 0.8, 0.1], n_bins=2)[["n_rows", "accuracy"]].values.tolist()
    [[1.0, 0.0], [2.0, 0.5]]
    """
    happened, probability = np.asarray(happened, dtype=float), np.asarray(probability, dtype=float)
    edges = bin_edges(probability, n_bins, strategy, closed)
    (sums,) = sum_bins(happened, probability, edges, closed=closed)
    count = sums[:, 0]
    means = np.divide(sums[:, 1:], count[:, None], out=np.full((len(count), 2), np.nan), where=count[:, None] > 0)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "n_rows": count.astype(int),
            "confidence": means[:, 0],
            "accuracy": means[:, 1],
        }
    )


def ece(
    y_true: ArrayLike,
    probabilities: ArrayLike,
    classes: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Strategy = "width",
    closed: Closed = "right",
) -> float:
    """Return the expected calibration error of the likeliest class.

    The gap between confidence and accuracy, averaged over bins in proportion to their rows.

    Parameters
    ----------
    y_true, probabilities, classes, n_bins, strategy, closed
        As for :func:`reliability`.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    >>> ece(["a", "b"], [[0.9, 0.1], [0.9, 0.1]], ["a", "b"])
    0.4
    """
    outcomes = Outcomes.of_probabilities(y_true, probabilities, classes)
    return ece_of_events(*outcomes.confidence(), n_bins=n_bins, strategy=strategy, closed=closed)


def ece_classwise(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike, *, n_bins: int = N_BINS) -> float:
    """Return the calibration error of every class's probability, averaged over the classes.

    Parameters
    ----------
    y_true, probabilities, classes
        As for :func:`reliability`.
    n_bins : int, default=15
        Number of bins of equal width over 0 to 1.

    References
    ----------
    Kull et al., "Beyond temperature scaling: obtaining well-calibrated multiclass probabilities with Dirichlet
    calibration", NeurIPS 2019.

    Examples
    --------
    >>> round(ece_classwise(["a", "b"], [[0.9, 0.1], [0.9, 0.1]], ["a", "b"]), 3)
    0.4
    """
    outcomes = Outcomes.of_probabilities(y_true, probabilities, classes)
    rows = np.zeros(len(outcomes.target), dtype=int)
    return float(mean_ece_of_sums(classwise_sums(outcomes, rows, 1, n_bins))[0])


def ece_per_label(
    y: ArrayLike, probabilities: ArrayLike, classes: ArrayLike, *, n_bins: int = N_BINS, strategy: Strategy = "width"
) -> pd.Series:
    """Return the calibration error of the probability of each of several labels; "multilabel_ece" is its mean.

    Parameters
    ----------
    y : array-like of shape (n_rows, n_labels)
        1 where a label holds, else 0.
    probabilities : array-like of shape (n_rows, n_labels)
        Probability of each label.
    classes : array-like of shape (n_labels,)
        The labels.
    n_bins : int, default=15
        Number of bins over 0 to 1.
    strategy : {"width", "mass"}, default="width"
        Bins of equal width, or of (nearly) equally many rows.

    Returns
    -------
    Series of n_labels floats
        By label.

    References
    ----------
    Chou: Revisiting modeling and evaluation approaches in speech emotion recognition. Dissertation, arXiv 2510.05934,
    2025.

    Examples
    --------
    >>> ece_per_label([[1, 0], [1, 0]], [[0.9, 0.1], [0.9, 0.3]], ["joy", "fear"]).round(2).to_dict()
    {'joy': 0.1, 'fear': 0.2}
    """
    true, given, names = np.asarray(y), np.asarray(probabilities, dtype=float), np.asarray(classes)
    if true.shape != given.shape or given.shape[1:] != names.shape or not given.size:
        raise ValueError(
            f"Got y of shape {true.shape}, probabilities of shape {given.shape} and {names.size} classes; expected "
            f"(n_rows, n_labels) twice, with a class a column and at least one row."
        )
    errors = [
        ece_of_events(column, sure, n_bins=n_bins, strategy=strategy)
        for column, sure in zip(true.T, given.T, strict=True)
    ]
    return pd.Series(errors, index=names, name="ece")


def ece_of_events(
    happened: ArrayLike,
    probability: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Strategy = "width",
    closed: Closed = "right",
) -> float:
    """Return the calibration error of the probability of an event, such as that an answer is right.

    Parameters
    ----------
    happened : array-like of shape (n_rows,)
        Whether it did.
    probability : array-like of shape (n_rows,)
        How likely it was said to be.
    n_bins, strategy, closed
        As for :func:`reliability`.

    Examples
    --------
    >>> round(ece_of_events([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6], n_bins=10, closed="left"), 6)
    0.35
    """
    given = np.asarray(probability, dtype=float)
    edges = bin_edges(given, n_bins, strategy, closed)
    return float(ece_of_sums(sum_bins(np.asarray(happened), given, edges, closed=closed))[0])


def calibration_sums(outcomes: Outcomes, groups: NDArray, n_groups: int) -> NDArray[np.float64]:
    """Sum rows, confidence and correct answers by group of rows and bin of confidence.

    Returns
    -------
    ndarray of shape (n_groups, n_bins, 3)

    Examples
    --------
    >>> outcomes = Outcomes.of_probabilities(["a"], [[0.9, 0.1]], ["a", "b"])
    >>> calibration_sums(outcomes, np.array([0]), 1)[0, 13].tolist()
    [1.0, 0.9, 1.0]
    """
    correct, confidence = outcomes.confidence()
    return sum_bins(correct, confidence, bin_edges(confidence, N_BINS), groups, n_groups)


def classwise_sums(outcomes: Outcomes, groups: NDArray, n_groups: int, n_bins: int = N_BINS) -> NDArray[np.float64]:
    """Sum rows, probability and truth by group of rows, class and bin of the class's probability.

    A row may have one label or several.

    Returns
    -------
    ndarray of shape (n_groups, n_classes, n_bins, 3)

    Examples
    --------
    >>> outcomes = Outcomes.of_probabilities(["a"], [[0.9, 0.1]], ["a", "b"])
    >>> classwise_sums(outcomes, np.array([0]), 1).sum(axis=2).tolist()
    [[[1.0, 0.9, 1.0], [1.0, 0.1, 0.0]]]
    """
    probabilities = outcomes.known_probabilities()
    truth = outcomes.target if outcomes.target.ndim == 2 else outcomes.target[:, None] == outcomes.classes
    edges = bin_edges(probabilities, n_bins)
    sums = [
        sum_bins(holds, column, edges, groups, n_groups) for holds, column in zip(truth.T, probabilities.T, strict=True)
    ]
    return np.stack(sums, axis=1)


def ece_of_sums(sums: NDArray) -> NDArray[np.float64]:
    """Return the calibration error of sums of shape (..., n_bins, 3); NaN where they hold no row.

    Examples
    --------
    >>> ece_of_sums(np.array([[1.0, 0.9, 1.0]])).round(3).item()
    0.1
    """
    n_rows = sums[..., 0].sum(axis=-1)
    gap = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    return np.divide(gap, n_rows, out=np.full(n_rows.shape, np.nan), where=n_rows > 0)


def mean_ece_of_sums(sums: NDArray) -> NDArray[np.float64]:
    """Return the mean over classes of the calibration error of sums of shape (..., n_classes, n_bins, 3).

    Examples
    --------
    >>> mean_ece_of_sums(np.array([[[1.0, 0.9, 1.0]], [[1.0, 0.3, 0.0]]])).round(3).item()
    0.2
    """
    return ece_of_sums(sums).mean(axis=-1)


def sum_bins(
    happened: NDArray,
    probability: NDArray,
    edges: NDArray,
    groups: NDArray | None = None,
    n_groups: int = 1,
    closed: Closed = "right",
) -> NDArray[np.float64]:
    """Sum rows, probability and events by group of rows and bin of the probability.

    Returns
    -------
    ndarray of shape (n_groups, n_bins, 3)

    Examples
    --------
    >>> sum_bins(np.array([1, 0]), np.array([0.5, 1.0]), np.array([0.0, 0.5, 1.0]), closed="left").tolist()
    [[[0.0, 0.0, 0.0], [2.0, 1.5, 1.0]]]
    """
    n_bins = len(edges) - 1
    found = np.searchsorted(edges, probability, side="left" if closed == "right" else "right")
    cell = np.clip(found - 1, 0, n_bins - 1) + (0 if groups is None else groups * n_bins)
    terms = (np.ones_like(probability), probability, happened)
    sums: list[NDArray] = [np.bincount(cell, term, minlength=n_groups * n_bins) for term in terms]
    return np.stack(sums, axis=-1).reshape(n_groups, n_bins, 3)


def bin_edges(
    probability: NDArray, n_bins: int, strategy: Strategy = "width", closed: Closed = "right"
) -> NDArray[np.float64]:
    """Return the ends of bins over 0 to 1, of equal width or equally many rows; equal ends count once.

    Examples
    --------
    >>> bin_edges(np.array([0.2, 0.9, 0.8, 0.7]), 2, "mass").tolist()
    [0.0, 0.7, 1.0]
    """
    check_name(strategy, ("width", "mass"), "strategy")
    check_name(closed, ("right", "left"), "closed end")
    places = np.arange(1, n_bins)
    if strategy == "width":
        inner = places / n_bins
    else:  # each bin's largest confidence, or its smallest
        first = places * len(probability) // n_bins
        inner = np.sort(probability)[np.maximum(first - 1, 0) if closed == "right" else first]
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))
