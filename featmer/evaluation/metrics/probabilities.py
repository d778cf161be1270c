"""Scores of class probabilities: how good they are, how honest, and how well they tell right answers from wrong."""

from __future__ import annotations

from numpy.typing import ArrayLike

from featmer.evaluation import _sums as sums
from featmer.evaluation import confidence
from featmer.evaluation.calibration import N_BINS, ece, ece_classwise
from featmer.evaluation.metrics.metric import score_by_sums
from featmer.evaluation.outcomes import Outcomes

__all__ = ["aurc", "auroc", "brier", "brier_top", "ece", "ece_classwise", "ece_mass", "log_loss"]


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
    return score_by_sums(sums.log_losses, sums.mean, Outcomes.of_probabilities(y_true, probabilities, classes))


def brier(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    """Return the Brier score of all classes: the squared distance of probabilities and truth, from 0 to 2.

    Parameters
    ----------
    y_true, probabilities, classes
        As for :func:`log_loss`; a true label without a column has probability 0.

    References
    ----------
    Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78, 1950.

    Examples
    --------
    >>> round(brier(["joy"], [[0.3, 0.7]], ["fear", "joy"]), 3)
    0.18
    """
    return score_by_sums(sums.brier, sums.mean, Outcomes.of_probabilities(y_true, probabilities, classes))


def brier_top(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    """Return the Brier score of the likeliest class: the squared gap between its probability and whether it is right.

    Parameters
    ----------
    y_true, probabilities, classes
        As for :func:`log_loss`.

    Examples
    --------
    >>> round(brier_top(["joy"], [[0.3, 0.7]], ["fear", "joy"]), 3)
    0.09
    """
    return score_by_sums(sums.brier_top, sums.mean, Outcomes.of_probabilities(y_true, probabilities, classes))


def ece_mass(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike, *, n_bins: int = N_BINS) -> float:
    """Return the expected calibration error over bins of equally many rows.

    Parameters
    ----------
    y_true, probabilities, classes
        As for :func:`log_loss`.
    n_bins : int, default=15
        Number of bins.

    References
    ----------
    Nixon, Dusenberry, Zhang, Jerfel and Tran, "Measuring calibration in deep learning", CVPR workshops, 2019.

    Examples
    --------
    >>> round(ece_mass(["a", "b"], [[0.9, 0.1], [0.8, 0.2]], ["a", "b"], n_bins=2), 3)
    0.45
    """
    return ece(y_true, probabilities, classes, n_bins=n_bins, strategy="mass")


def auroc(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    """Return how often a right answer is given with more confidence than a wrong one.

    Parameters
    ----------
    y_true, probabilities, classes
        As for :func:`log_loss`.

    Returns
    -------
    float
        Area under the ROC curve of the likeliest class's probability; NaN where all answers are right, or all wrong.

    Examples
    --------
    >>> auroc(["joy", "joy"], [[0.3, 0.7], [0.6, 0.4]], ["fear", "joy"])
    1.0
    """
    return confidence.auroc(*Outcomes.of_probabilities(y_true, probabilities, classes).confidence())


def aurc(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    """Return the share of wrong answers among the most confident rows, averaged over how many rows are answered.

    Parameters
    ----------
    y_true, probabilities, classes
        As for :func:`log_loss`.

    References
    ----------
    Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019.

    Examples
    --------
    >>> aurc(["joy", "joy"], [[0.3, 0.7], [0.6, 0.4]], ["fear", "joy"])
    0.25
    """
    return confidence.aurc(*Outcomes.of_probabilities(y_true, probabilities, classes).confidence())
