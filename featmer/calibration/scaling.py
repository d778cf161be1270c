"""Maps from probabilities to better ones, learned on rows that the classifier has not seen.

Probabilities of classes sum to 1 and are mapped as log probabilities before a softmax; those of several labels are
mapped as log odds before a sigmoid, each label by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.isotonic import IsotonicRegression

Map = dict[str, Any]
"""``scale`` and ``shift``, arrays of shape () or (n_classes,); or ``curves``, a pair of arrays (or None) a class."""

_SMALLEST = 1e-12
_LOG_TEMPERATURES = (-7.0, 7.0)
# A normal prior around no change, of variance 1/2: few rows that are all right would else ask for endless certainty.
_PRIOR = 1.0


def fit_temperature(probabilities: NDArray, targets: NDArray, *, several: bool) -> Map:
    """Divide the scores by the temperature with the lowest log loss, one for all classes, or one for each of several.

    The log loss of these rows is never higher than before, and within a row, or a label, the order stays. A weak prior
    around 1 keeps few rows that are all right from asking for endless certainty.

    Parameters
    ----------
    probabilities, targets : ndarray of shape (n_rows, n_classes)
        What the classifier said, and what was true: 0 or 1, or shares.
    several : bool
        Whether a row may have several labels.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    >>> sure = np.tile([0.9, 0.1], (2000, 1))
    >>> truth = np.eye(2)[[0, 0, 0, 1] * 500]
    >>> apply_map(fit_temperature(sure, truth, several=False), sure, several=False)[0].round(2).tolist()
    [0.75, 0.25]
    """
    scores = _scores(probabilities, several)
    if not several:
        return {"scale": np.float64(1 / _best_temperature(scores, targets, several)), "shift": np.float64(0)}
    each = [_best_temperature(scores[:, [k]], targets[:, [k]], several) for k in range(scores.shape[1])]
    return {"scale": 1 / np.array(each), "shift": np.zeros(len(each))}


def fit_vector(probabilities: NDArray, targets: NDArray, *, several: bool) -> Map:
    """Multiply and shift the scores of each class so that the log loss is lowest.

    Parameters
    ----------
    probabilities, targets, several
        As for `fit_temperature`.

    References
    ----------
    Guo et al. 2017 as above; for several labels this is Platt's scaling of each.
    """
    scores = _scores(probabilities, several)
    n_classes = scores.shape[1]
    start = np.concatenate([np.ones(n_classes), np.zeros(n_classes)])
    prior = _PRIOR / len(scores)

    def loss(weights: NDArray) -> tuple[float, NDArray]:
        mapped = scores * weights[:n_classes] + weights[n_classes:]
        gap = (_link(mapped, several) - targets) / len(scores)
        moved = weights - start
        gradient = np.concatenate([(gap * scores).sum(axis=0), gap.sum(axis=0)]) + 2 * prior * moved
        return _log_loss(mapped, targets, several) + prior * float(moved @ moved), gradient

    best = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return {"scale": best[:n_classes], "shift": best[n_classes:]}


def fit_isotonic(probabilities: NDArray, targets: NDArray, *, several: bool) -> Map:
    """Find for each class the rising step curve from its probability to its share; rows are scaled to sum to 1 again.

    A class that these rows never show keeps its probability, and none becomes impossible or certain: n rows that all
    agree leave a chance of 1 / (n + 2).

    Parameters
    ----------
    probabilities, targets, several
        As for `fit_temperature`.

    References
    ----------
    Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002.
    """
    curves: list[tuple[NDArray, NDArray] | None] = []
    least = 1 / (len(targets) + 2)
    for column, truth in zip(probabilities.T, targets.T, strict=True):
        found = IsotonicRegression(y_min=least, y_max=1 - least).fit(column, truth)
        curves.append((found.X_thresholds_, found.y_thresholds_) if truth.any() else None)
    return {"curves": curves}


def apply_map(learned: Map, probabilities: NDArray, *, several: bool) -> NDArray[np.float64]:
    """Return the mapped probabilities.

    Parameters
    ----------
    learned : dict
        From one of ``METHODS``.
    probabilities : ndarray of shape (n_rows, n_classes)
        What the classifier says.
    several : bool
        Whether a row may have several labels.

    Examples
    --------
    >>> half = {"scale": np.float64(0.5), "shift": np.float64(0)}
    >>> apply_map(half, np.array([[0.9, 0.1]]), several=False).round(2).tolist()
    [[0.75, 0.25]]
    """
    if "curves" not in learned:
        return _link(_scores(probabilities, several) * learned["scale"] + learned["shift"], several)
    columns = [
        column if curve is None else np.interp(column, *curve)
        for column, curve in zip(probabilities.T, learned["curves"], strict=True)
    ]
    mapped = np.column_stack(columns)
    if several:
        return mapped
    return mapped / mapped.sum(axis=1, keepdims=True)


def _best_temperature(scores: NDArray, targets: NDArray, several: bool) -> float:
    def penalised(log_temperature: float) -> float:
        loss = _log_loss(scores / np.exp(log_temperature), targets, several)
        return loss + _PRIOR / len(scores) * log_temperature**2

    found = minimize_scalar(penalised, bounds=_LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-9})
    return float(np.exp(found.x)) if found.fun < penalised(0.0) else 1.0


def _scores(probabilities: NDArray, several: bool) -> NDArray[np.float64]:
    known = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST if several else 1)
    return np.log(known) - np.log1p(-known) if several else np.log(known)


def _link(scores: NDArray, several: bool) -> NDArray[np.float64]:
    return expit(scores) if several else softmax(scores, axis=1)


def _log_loss(scores: NDArray, targets: NDArray, several: bool) -> float:
    """Return the mean over rows of minus the logarithm of what was true."""
    if several:
        return float((np.logaddexp(0, scores) - targets * scores).sum(axis=1).mean())
    return float(-(targets * log_softmax(scores, axis=1)).sum(axis=1).mean())


METHODS: dict[str, Callable[..., Map]] = {
    "temperature": fit_temperature,
    "vector": fit_vector,
    "isotonic": fit_isotonic,
}
