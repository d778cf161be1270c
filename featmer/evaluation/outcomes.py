"""What a model said of some rows beside what was true: the one shape that metrics and tests read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

PROBABILITY = "p."
NO_CLASSES = np.array([], dtype=str)


@dataclass(frozen=True)
class Outcomes:
    """Targets, predictions and class probabilities of the same rows.

    Labels are held as strings, so that 1 and "1" are one label.

    Parameters
    ----------
    target : ndarray of shape (n_rows,)
        True labels (strings) or true values (floats).
    prediction : ndarray of shape (n_rows,)
        Predicted labels or values.
    classes : ndarray of shape (n_classes,)
        Sorted labels; empty where the target is a value.
    probabilities : ndarray of shape (n_rows, n_classes) or None
        A column a class, in the order of ``classes``.

    Examples
    --------
    >>> outcomes = Outcomes.of_labels(["joy", "fear"], ["joy", "joy"])
    >>> outcomes.classes.tolist(), outcomes.codes(outcomes.target).tolist()
    (['fear', 'joy'], [1, 0])
    """

    target: NDArray
    prediction: NDArray
    classes: NDArray
    probabilities: NDArray | None = None

    def __post_init__(self) -> None:
        if len(self.target) != len(self.prediction):
            raise ValueError(
                f"Got {len(self.target)} targets and {len(self.prediction)} predictions; give one each a row."
            )
        if not len(self.target):
            raise ValueError("No rows to score: give at least one target and its prediction.")

    @classmethod
    def of_labels(cls, y_true: ArrayLike, y_pred: ArrayLike, classes: ArrayLike = NO_CLASSES) -> Outcomes:
        """Pair true and predicted labels; ``classes`` adds labels that neither may hold."""
        target, prediction = as_labels(y_true), as_labels(y_pred)
        return cls(target, prediction, np.unique(np.concatenate([target, prediction, as_labels(classes)])))

    @classmethod
    def of_values(cls, y_true: ArrayLike, y_pred: ArrayLike) -> Outcomes:
        """Pair true and predicted values."""
        return cls(np.asarray(y_true, dtype=float).ravel(), np.asarray(y_pred, dtype=float).ravel(), NO_CLASSES)

    @classmethod
    def of_probabilities(cls, y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> Outcomes:
        """Pair true labels with probabilities, a column for each of ``classes``; the largest is the prediction."""
        given, columns = np.asarray(probabilities, dtype=float), as_labels(classes)
        if given.ndim != 2 or given.shape[1] != len(columns):
            raise ValueError(
                f"Got probabilities of shape {given.shape} for {len(columns)} classes; expected a column a class."
            )
        labels = cls.of_labels(y_true, columns[given.argmax(axis=1)], columns)
        return cls(labels.target, labels.prediction, labels.classes, _spread(given, columns, labels.classes))

    @classmethod
    def of_frame(cls, predictions: pd.DataFrame, classes: ArrayLike = NO_CLASSES) -> Outcomes:
        """Read a predictions frame of :func:`~featmer.evaluation.evaluate`.

        Parameters
        ----------
        predictions : DataFrame of n_rows rows
            Columns ``target``, ``prediction`` and, where the model gives them, ``p.<class>``.
        classes : array-like of str, optional
            Labels to add to those found, so that two models share one order.
        """
        if is_values(predictions["target"]):
            return cls.of_values(predictions["target"], predictions["prediction"])
        columns = [name for name in predictions.columns if name.startswith(PROBABILITY)]
        given = predictions[columns].to_numpy(float)
        names = np.array([name.removeprefix(PROBABILITY) for name in columns], dtype=str)
        labels = cls.of_labels(
            predictions["target"], predictions["prediction"], np.concatenate([names, as_labels(classes)])
        )
        if not columns or np.isnan(given).all(axis=1).any():
            return labels
        return cls(
            labels.target, labels.prediction, labels.classes, _spread(np.nan_to_num(given), names, labels.classes)
        )

    def take(self, rows: NDArray) -> Outcomes:
        """Return the given rows, which may repeat."""
        chosen = None if self.probabilities is None else self.probabilities[rows]
        return Outcomes(self.target[rows], self.prediction[rows], self.classes, chosen)

    def beside(self, other: Outcomes) -> Outcomes:
        """Put the rows of another model, of the same classes, below these."""
        known = self.probabilities is not None and other.probabilities is not None
        return Outcomes(
            np.concatenate([self.target, other.target]),
            np.concatenate([self.prediction, other.prediction]),
            self.classes,
            np.concatenate([self.probabilities, other.probabilities]) if known else None,
        )

    def known_probabilities(self) -> NDArray[np.float64]:
        """Return the probabilities, or raise ValueError where the model gave none."""
        if self.probabilities is None:
            raise ValueError("No probabilities to score: the model has no predict_proba, or gave NaN.")
        return self.probabilities

    def confidence(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return whether the likeliest class of each row is right, and its probability."""
        probabilities = self.known_probabilities()
        return self.classes[probabilities.argmax(axis=1)] == self.target, probabilities.max(axis=1)

    def codes(self, labels: NDArray) -> NDArray[np.int64]:
        """Return the position in ``classes`` of each label."""
        return np.searchsorted(self.classes, labels)


def as_labels(values: ArrayLike) -> NDArray:
    """Return labels of any kind, Arrow-backed ones too, as a flat array of strings.

    Examples
    --------
    >>> as_labels([1, 2]).tolist()
    ['1', '2']
    """
    return np.asarray(values, dtype=object).ravel().astype(str)


def is_values(target: pd.Series) -> bool:
    """Tell whether a target column holds values to be estimated rather than labels.

    Examples
    --------
    >>> is_values(pd.Series([0.5, 1.0])), is_values(pd.Series(["joy"]))
    (True, False)
    """
    return pd.api.types.is_float_dtype(target.dtype)


def _spread(probabilities: NDArray, columns: NDArray, classes: NDArray) -> NDArray:
    """Put the given columns where ``classes`` has them; a class without a column has probability 0."""
    spread = np.zeros((len(probabilities), len(classes)))
    spread[:, np.searchsorted(classes, columns)] = probabilities
    return spread
