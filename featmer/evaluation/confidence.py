"""Whether a model knows when it is right: its confidence beside its hits, and what leaving out unsure rows gains."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from featmer.evaluation.calibration import Closed, Strategy, ece_of_events


def auroc(correct: ArrayLike, confidence: ArrayLike) -> float:
    """Return how often a right answer is given with more confidence than a wrong one.

    Parameters
    ----------
    correct : array-like of shape (n_rows,)
        Whether each answer is right.
    confidence : array-like of shape (n_rows,)
        How sure the model was, on any scale.

    Returns
    -------
    float
        Area under the ROC curve; NaN where all answers are right, or all wrong.

    Examples
    --------
    >>> round(auroc([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6]), 3)
    0.667
    """
    right, sure = _check_answers(correct, confidence)
    return float(roc_auc_score(right, sure)) if 0 < right.mean() < 1 else np.nan


def brier(correct: ArrayLike, confidence: ArrayLike) -> float:
    """Return the mean squared gap between confidence and whether the answer is right.

    Parameters
    ----------
    correct : array-like of shape (n_rows,)
        Whether each answer is right.
    confidence : array-like of shape (n_rows,)
        How likely the model said it is, from 0 to 1.

    Examples
    --------
    >>> round(brier([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6]), 6)
    0.175
    """
    right, sure = _check_answers(correct, confidence)
    return float(((sure - right) ** 2).mean())


def risk_coverage(correct: ArrayLike, confidence: ArrayLike) -> pd.DataFrame:
    """Tell how many answers are wrong when only the most confident ones are given.

    Parameters
    ----------
    correct : array-like of shape (n_rows,)
        Whether each answer is right.
    confidence : array-like of shape (n_rows,)
        How sure the model was, on any scale.

    Returns
    -------
    DataFrame of a row a different confidence, highest first
        ``threshold``; ``coverage``, the share of rows with at least that confidence; ``risk``, the share of these that
        are wrong.

    References
    ----------
    El-Yaniv and Wiener, "On the foundations of noise-free selective classification", JMLR 11, 2010.

    Examples
    --------
    >>> risk_coverage([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.7]).round(2).values.tolist()
    [[0.9, 0.25, 0.0], [0.8, 0.5, 0.0], [0.7, 1.0, 0.25]]
    """
    right, sure = _check_answers(correct, confidence)
    thresholds, place, count = np.unique(-sure, return_inverse=True, return_counts=True)
    answered = count.cumsum()
    wrong = np.bincount(place, 1 - right).cumsum()
    return pd.DataFrame({"threshold": -thresholds, "coverage": answered / len(right), "risk": wrong / answered})


def aurc(correct: ArrayLike, confidence: ArrayLike) -> float:
    """Return the area under risk and coverage: the risk, averaged over answering 1, 2, ... all rows.

    Parameters
    ----------
    correct : array-like of shape (n_rows,)
        Whether each answer is right.
    confidence : array-like of shape (n_rows,)
        How sure the model was, on any scale. Rows of equal confidence are answered in random order, on average.

    References
    ----------
    Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019.

    Examples
    --------
    >>> aurc([1, 0], [0.9, 0.8]), aurc([0, 1], [0.9, 0.8]), aurc([0, 1], [0.9, 0.9])
    (0.25, 0.75, 0.5)
    """
    right, sure = _check_answers(correct, confidence)
    _, place = np.unique(-sure, return_inverse=True)
    wrong = (np.bincount(place, 1 - right) / np.bincount(place))[np.sort(place)]
    return float((wrong.cumsum() / np.arange(1, len(wrong) + 1)).mean())


def confidence_report(
    correct: ArrayLike,
    confidence: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_bins: int = 10,
    strategy: Strategy = "width",
    closed: Closed = "left",
    n_resamples: int = 1000,
    random_state: int = 0,
) -> pd.DataFrame:
    """Score the confidence in answers, whoever gave it, with intervals by whole groups of rows.

    Parameters
    ----------
    correct : array-like of shape (n_rows,)
        Whether each answer is right.
    confidence : array-like of shape (n_rows,)
        How likely the model said it is; clipped to 0 to 1.
    groups : array-like of shape (n_rows,), default=None
        What to draw for the intervals: the dialogue or speaker of each row. None draws rows.
    n_bins, strategy, closed
        Bins of the calibration error, as for `featmer.evaluation.calibration.reliability`. The defaults are those of
        VECBench, with a confidence of 1 in the last bin.
    n_resamples : int, default=1000
        Draws for the intervals; 0 leaves them out.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    DataFrame with index ``ece``, ``brier``, ``auroc``, ``aurc``, ``accuracy``
        ``value`` and its 95 % interval ``low`` to ``high``. The calibration error of few rows is biased upwards, and so
        is its interval.

    References
    ----------
    EmoCaliber: Advancing reliable visual emotion comprehension via confidence verbalization and calibration,
    arXiv 2512.15528, 2025 (VECBench).

    Examples
    --------
    >>> report = confidence_report([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6], n_resamples=0)
    >>> report["value"].round(3).to_dict()
    {'ece': 0.35, 'brier': 0.175, 'auroc': 0.667, 'aurc': 0.146, 'accuracy': 0.75}
    """
    right, sure = _check_answers(correct, confidence)
    sure = np.clip(sure, 0, 1)
    error = partial(ece_of_events, n_bins=n_bins, strategy=strategy, closed=closed)

    def score(rows: NDArray) -> list[float]:
        answers = right[rows], sure[rows]
        return [error(*answers), brier(*answers), auroc(*answers), aurc(*answers), float(answers[0].mean())]

    every = np.arange(len(right))
    table = {"value": score(every), "low": np.nan, "high": np.nan}
    if n_resamples:
        units = every if groups is None else np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
        drawn = pd.DataFrame([score(rows) for rows in _draw_groups(units, n_resamples, random_state)])
        table["low"], table["high"] = drawn.quantile([0.025, 0.975]).to_numpy()  # an AUROC may be missing
    return pd.DataFrame(table, index=["ece", "brier", "auroc", "aurc", "accuracy"])


def _draw_groups(units: NDArray, n_resamples: int, random_state: int) -> Iterable[NDArray]:
    """Yield the rows of as many groups as there are, drawn with replacement."""
    rows = np.split(np.argsort(units, kind="stable"), np.bincount(units).cumsum()[:-1])
    for drawn in np.random.default_rng(random_state).integers(len(rows), size=(n_resamples, len(rows))):
        yield np.concatenate([rows[group] for group in drawn])


def _check_answers(correct: ArrayLike, confidence: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    right, sure = np.asarray(correct, dtype=float), np.asarray(confidence, dtype=float)
    if right.ndim != 1 or right.shape != sure.shape or not len(right):
        raise ValueError(f"Got answers {right.shape} and confidence {sure.shape}; expected one each a row, of any row.")
    if not np.isin(right, (0, 1)).all() or not np.isfinite(sure).all():
        raise ValueError("Whether an answer is right is 0 or 1, and confidence a finite number; some are not.")
    return right, sure
