"""From probabilities to labels: thresholds, the sets of labels that pass them, and clips by what their frames say.

A label is given where its probability is strictly above its threshold, here and in all of featmer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from featmer._checks import check_name

GRID = np.arange(5, 96) / 100
"""The thresholds that are tried."""

_NEAREST_HALF_FIRST = GRID[np.argsort(np.abs(np.arange(5, 96) - 50), kind="stable")]


def tune_thresholds(
    y: ArrayLike, probabilities: ArrayLike, *, per: str = "all", metric: str = "f1_macro"
) -> NDArray[np.float64]:
    """Choose the thresholds that score best on validation rows.

    Thresholds of 0.05 to 0.95 in steps of 0.01 are tried; of equally good ones the nearest to 0.5 is taken. On these
    rows the score is never below that of 0.5, nor with ``per="class"`` below that of the best single threshold.

    Parameters
    ----------
    y : array-like of shape (n_rows, n_labels)
        1 where a label holds, else 0. Of validation rows: neither those that the model was fitted on nor test rows.
    probabilities : array-like of shape (n_rows, n_labels)
        Probability of each label.
    per : {"all", "class"}, default="all"
        One threshold for all labels, or one for each, improved in turn until none gets better.
    metric : {"f1_macro", "f1_micro", "jaccard"}, default="f1_macro"
        What is to be high: the mean F1 of labels, the F1 of all decisions pooled, or the mean over rows of the Jaccard
        index of true and given set, which is 1 where both are empty.

    Returns
    -------
    ndarray of shape (n_labels,)
        A threshold for each label, also where all are the same.

    Raises
    ------
    ValueError
        If shapes differ, y holds other things than 0 and 1, probabilities are not from 0 to 1, or a name is unknown.

    Examples
    --------
    >>> y = [[1, 0], [1, 1], [0, 1], [0, 0]]
    >>> probabilities = [[0.40, 0.2], [0.35, 0.9], [0.1, 0.8], [0.2, 0.7]]
    >>> tune_thresholds(y, probabilities, per="class").tolist()
    [0.34, 0.7]
    """
    check_name(per, ("all", "class"), "scope of thresholds")
    check_name(metric, THRESHOLD_METRICS, "metric of thresholds")
    true, given = _check_rows(y, probabilities)
    score = THRESHOLD_METRICS[metric]
    scores = [score(true, given > threshold) for threshold in _NEAREST_HALF_FIRST]
    best = int(np.argmax(scores))
    thresholds = np.full(given.shape[1], _NEAREST_HALF_FIRST[best])
    return thresholds if per == "all" else _improve(true, given, thresholds, score, scores[best])


def indicate_labels(probabilities: ArrayLike, thresholds: ArrayLike = 0.5) -> NDArray[np.int64]:
    """Return the indicator matrix of the labels whose probability is strictly above its threshold.

    Parameters
    ----------
    probabilities : array-like of shape (n_rows, n_labels)
        Probability of each label.
    thresholds : float or array-like of shape (n_labels,), default=0.5
        As `tune_thresholds` gives them.

    Returns
    -------
    ndarray of int of shape (n_rows, n_labels)
        1 where the label is given, else 0.

    Raises
    ------
    ValueError
        If the number of thresholds is not that of labels.

    Examples
    --------
    >>> indicate_labels([[0.5, 0.9], [0.6, 0.1]]).tolist()
    [[0, 1], [1, 0]]
    """
    given, limits = np.asarray(probabilities, np.float64), np.asarray(thresholds, np.float64)
    if given.ndim != 2 or limits.shape not in ((), (1,), given.shape[1:]):
        raise ValueError(
            f"Got probabilities of shape {given.shape} and thresholds of shape {limits.shape}; expected "
            f"(n_rows, n_labels) and one threshold, or one a label."
        )
    return (given > limits).astype(np.int64)


def label_sets(probabilities: ArrayLike, thresholds: ArrayLike, classes: ArrayLike) -> list[set[Any]]:
    """Return the set of labels of each row, which may be empty.

    Parameters
    ----------
    probabilities : array-like of shape (n_rows, n_labels)
        Probability of each label.
    thresholds : float or array-like of shape (n_labels,)
        As `tune_thresholds` gives them; for distributions, `inclusive_threshold`.
    classes : array-like of shape (n_labels,)
        The labels.

    Returns
    -------
    list of set of n_rows sets
        Labels whose probability is strictly above their threshold.

    Raises
    ------
    ValueError
        If the numbers of thresholds or classes are not that of labels.

    Examples
    --------
    >>> classes = ["neutral", "anger", "sadness", "joy"]
    >>> [sorted(labels) for labels in label_sets([[0.2, 0.4, 0.4, 0.0]], inclusive_threshold(4), classes)]
    [['anger', 'sadness']]
    """
    chosen = indicate_labels(probabilities, thresholds)
    names = np.asarray(classes)
    if names.shape != chosen.shape[1:]:
        raise ValueError(f"Got {names.size} classes for {chosen.shape[1]} columns of probabilities; give one a column.")
    return [set(names[row].tolist()) for row in chosen.astype(bool)]


def inclusive_threshold(n_classes: int) -> float:
    """Return the threshold of the all-inclusive rule: a distribution means the labels with more than an equal share.

    Parameters
    ----------
    n_classes : int
        Number of labels of the distribution.

    Returns
    -------
    float
        ``1 / n_classes``, and so much more that a share equal to it is never above it by rounding, of 32-bit floats
        included.

    References
    ----------
    Chou: Revisiting modeling and evaluation approaches in speech emotion recognition. Dissertation, arXiv 2510.05934,
    2025, section 4.4.5.

    Examples
    --------
    >>> indicate_labels([[0.26, 0.25, 0.25, 0.24]], inclusive_threshold(4)).tolist()
    [[1, 0, 0, 0]]
    """
    return (1 + 4 * float(np.finfo(np.float32).eps)) / n_classes


def decide_clips(outputs: ArrayLike, clips: ArrayLike, *, rule: str = "logits") -> tuple[NDArray, NDArray[np.int64]]:
    """Decide about clips by what was said of their frames.

    Parameters
    ----------
    outputs : array-like of shape (n_frames, n_classes)
        Scores of each class before the softmax; logarithms of probabilities are such.
    clips : array-like of shape (n_frames,)
        The clip of each frame.
    rule : {"logits", "probabilities", "vote"}, default="logits"
        The class with the highest mean score; that with the highest mean probability; or that which is the likeliest
        of most frames, of several such that with the highest mean probability. Of equals the first.

    Returns
    -------
    clips : ndarray of shape (n_clips,)
        The clips, sorted.
    classes : ndarray of int of shape (n_clips,)
        Number of the class of each.

    Raises
    ------
    ValueError
        If shapes do not fit, a score is missing, or the rule is unknown.

    References
    ----------
    Richet et al.: Textualized and feature-based models for compound multimodal emotion recognition in the wild.
    ECCV workshops, 2024.

    Examples
    --------
    >>> sure_once = [[0.0, 6.0], [2.0, 0.0], [2.0, 0.0]]
    >>> [decide_clips(sure_once, ["a"] * 3, rule=rule)[1].item() for rule in ("logits", "probabilities", "vote")]
    [1, 0, 0]
    """
    check_name(rule, ("logits", "probabilities", "vote"), "rule")
    scores, owners = np.asarray(outputs, np.float64), np.asarray(clips)
    if scores.ndim != 2 or not scores.size or owners.shape != scores.shape[:1]:
        raise ValueError(
            f"Got scores of shape {scores.shape} and clips of shape {owners.shape}; expected (n_frames, n_classes) and "
            f"(n_frames,), with at least one frame."
        )
    if not np.isfinite(scores).all():
        raise ValueError("Some scores are missing or infinite; leave out frames of which nothing is known.")
    names, codes = np.unique(owners, return_inverse=True)
    if rule == "logits":
        return names, _mean_by(codes, scores).argmax(axis=1)
    shares = _mean_by(codes, softmax(scores, axis=1))
    if rule == "vote":
        votes = _mean_by(codes, np.eye(scores.shape[1])[scores.argmax(axis=1)])
        shares = np.where(votes == votes.max(axis=1, keepdims=True), shares, 0.0)
    return names, shares.round(12).argmax(axis=1)  # so that the order of frames breaks no tie


def _mean_by(codes: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the rows of each code."""
    sums = np.stack([np.bincount(codes, column) for column in values.T], axis=1)
    return sums / np.bincount(codes)[:, None]


def _improve(true: NDArray, given: NDArray, start: NDArray, score: Callable[..., float], best: float) -> NDArray:
    """Move one label's threshold at a time to where the score is best, until no move makes it better."""
    thresholds, chosen = start.copy(), given > start
    better = True
    while better:
        better = False
        for label in range(given.shape[1]):
            trial = chosen.copy()
            for threshold in _NEAREST_HALF_FIRST:
                trial[:, label] = given[:, label] > threshold
                reached = score(true, trial)
                if reached > best:
                    best, thresholds[label], better = reached, threshold, True
            chosen[:, label] = given[:, label] > thresholds[label]
    return thresholds


def _f1_macro(true: NDArray, chosen: NDArray) -> float:
    return float(_f1((true & chosen).sum(axis=0), true.sum(axis=0) + chosen.sum(axis=0)).mean())


def _f1_micro(true: NDArray, chosen: NDArray) -> float:
    return float(_f1((true & chosen).sum(), true.sum() + chosen.sum()))


def _jaccard(true: NDArray, chosen: NDArray) -> float:
    both, either = (true & chosen).sum(axis=1), (true | chosen).sum(axis=1)
    return float(np.where(either > 0, both / np.maximum(either, 1), 1.0).mean())


def _f1(hits: NDArray, marks: NDArray) -> NDArray:
    """Return F1 from hits and from true and given labels together; 0 where there are none."""
    return 2 * hits / np.maximum(marks, 1)


def _check_rows(y: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    true, given = np.asarray(y), np.asarray(probabilities, np.float64)
    if given.ndim != 2 or true.shape != given.shape or not given.size:
        raise ValueError(
            f"Got y of shape {true.shape} and probabilities of shape {given.shape}; expected (n_rows, n_labels) twice, "
            f"with at least one row."
        )
    if not np.isin(true, (0, 1)).all():
        raise ValueError("y is to be 1 where a label holds and 0 where not; it holds other values, or gaps.")
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError("Probabilities are numbers from 0 to 1; some are not, or are missing.")
    return true.astype(bool), given


THRESHOLD_METRICS: dict[str, Callable[[NDArray, NDArray], float]] = {
    "f1_macro": _f1_macro,
    "f1_micro": _f1_micro,
    "jaccard": _jaccard,
}
