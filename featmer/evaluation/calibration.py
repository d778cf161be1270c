"""Whether a model that says 70 % is right 70 % of the time."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from featmer.evaluation.outcomes import Outcomes

N_BINS = 15


def reliability(
    y_true: ArrayLike,
    probabilities: ArrayLike,
    classes: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Literal["width", "mass"] = "width",
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
        Number of bins over (0, 1].
    strategy : {"width", "mass"}, default="width"
        Bins of equal width, or of (nearly) equally many rows.

    Returns
    -------
    DataFrame of at most n_bins rows
        ``low``, ``high`` (a bin is low < confidence <= high), ``n_rows``, and the mean ``confidence`` and
        ``accuracy`` of the bin (NaN where it is empty).

    Examples
    --------
    >>> table = reliability(["a", "b"], [[0.9, 0.1], [0.6, 0.4]], ["a", "b"], n_bins=2)
    >>> table[["low", "high", "n_rows", "accuracy"]].values.tolist()
    [[0.0, 0.5, 0.0, nan], [0.5, 1.0, 2.0, 0.5]]
    """
    outcomes = Outcomes.of_probabilities(y_true, probabilities, classes)
    edges = _edges(outcomes.known_probabilities().max(axis=1), n_bins, strategy)
    (sums,) = calibration_sums(outcomes, np.zeros(len(outcomes.target), dtype=int), 1, edges)
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
    strategy: Literal["width", "mass"] = "width",
) -> float:
    """Return the expected calibration error of the likeliest class.

    The gap between confidence and accuracy, averaged over bins in proportion to their rows.

    Parameters
    ----------
    y_true, probabilities, classes, n_bins, strategy
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
    edges = _edges(outcomes.known_probabilities().max(axis=1), n_bins, strategy)
    return float(ece_of_sums(calibration_sums(outcomes, np.zeros(len(outcomes.target), dtype=int), 1, edges))[0])


def calibration_sums(
    outcomes: Outcomes, groups: NDArray, n_groups: int, edges: NDArray | None = None
) -> NDArray[np.float64]:
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
    edges = np.linspace(0, 1, N_BINS + 1) if edges is None else edges
    probabilities = outcomes.known_probabilities()
    confidence = probabilities.max(axis=1)
    n_bins = len(edges) - 1
    cell = groups * n_bins + np.clip(np.searchsorted(edges, confidence) - 1, 0, n_bins - 1)
    correct = outcomes.classes[probabilities.argmax(axis=1)] == outcomes.target
    terms = (np.ones_like(confidence), confidence, correct)
    sums: list[NDArray] = [np.bincount(cell, term, minlength=n_groups * n_bins) for term in terms]
    return np.stack(sums, axis=-1).reshape(n_groups, n_bins, 3)


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


def _edges(confidence: NDArray, n_bins: int, strategy: str) -> NDArray[np.float64]:
    if strategy == "width":
        return np.linspace(0, 1, n_bins + 1)
    if strategy != "mass":
        raise ValueError(f"Unknown strategy {strategy!r}; choose 'width' or 'mass'.")
    last = np.arange(1, n_bins) * len(confidence) // n_bins - 1  # place of each bin's largest confidence
    inner = np.sort(confidence)[np.maximum(last, 0)]
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))
