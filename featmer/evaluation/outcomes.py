"""What a model said of some rows beside what was true: the one shape that metrics and tests read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

PROBABILITY, TRUE, DECIDED = "p.", "t.", "d."
NO_CLASSES = np.array([], dtype=str)


@dataclass(frozen=True)
class Outcomes:
    """Targets, predictions and class probabilities of the same rows.

    Labels are held as strings, so that 1 and "1" are one label.

    Parameters
    ----------
    target : ndarray of shape (n_rows,) or (n_rows, n_classes)
        True labels (strings) or true values (floats); where a row has several labels, 0 and 1 or shares for each.
    prediction : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Predicted labels or values; 0 and 1 for each label; for shares the probabilities.
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
    def of_indicators(
        cls, y_true: ArrayLike, y_pred: ArrayLike, classes: ArrayLike, probabilities: NDArray | None = None
    ) -> Outcomes:
        """Pair matrices that say by 0 and 1 which of ``classes`` hold, and which were said to."""
        true, predicted = np.asarray(y_true), np.asarray(y_pred)
        for matrix in (true, predicted):
            if not np.isin(matrix, (0, 1)).all():
                raise ValueError("A matrix of several labels a row says by 0 and 1 which hold; it has other numbers.")
        return cls(*_alike(true.astype(bool), predicted.astype(bool), classes), probabilities)

    @classmethod
    def of_distributions(cls, y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> Outcomes:
        """Pair true shares of ``classes`` with predicted ones."""
        true, predicted, names = _alike(np.asarray(y_true, float), np.asarray(probabilities, float), classes)
        for matrix in (true, predicted):
            sums = matrix.sum(axis=1)
            if not ((matrix >= 0).all() and np.allclose(sums, 1.0, atol=1e-4)):
                raise ValueError(
                    f"Shares of labels are not below 0 and sum to 1; got sums of {sums.min():g} to {sums.max():g}."
                )
        return cls(true, predicted, names, predicted)

    @classmethod
    def of_frame(cls, predictions: pd.DataFrame, classes: ArrayLike = NO_CLASSES) -> Outcomes:
        """Read a predictions frame of :func:`~featmer.evaluation.evaluate`.

        Parameters
        ----------
        predictions : DataFrame of n_rows rows
            Columns ``target``, ``prediction`` and, where the model gives them, ``p.<class>``; of several labels a row
            ``t.<label>``, ``p.<label>`` and, where each holds or does not, ``d.<label>``.
        classes : array-like of str, optional
            Labels to add to those found, so that two models share one order.
        """
        if "target" not in predictions:
            return _of_matrices(predictions)
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

    def holds(self, label: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return in which rows a label is true and in which it is predicted."""
        if self.target.ndim == 1:
            return np.asarray(self.target == label, bool), np.asarray(self.prediction == label, bool)
        column = np.flatnonzero(self.classes == label)[:1]
        if not len(column):  # a label that the matrices do not know is never true
            return np.zeros(len(self.target), bool), np.zeros(len(self.target), bool)
        return self.target[:, column[0]].astype(bool), self.prediction[:, column[0]].astype(bool)

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


def labels_in(predictions: pd.DataFrame) -> NDArray:
    """Return the labels that predictions name as true or predicted; none of values, or where they are columns.

    Examples
    --------
    >>> labels_in(pd.DataFrame({"target": ["joy"], "prediction": ["fear"]})).tolist()
    ['joy', 'fear']
    """
    if "target" not in predictions or is_values(predictions["target"]):
        return NO_CLASSES
    return as_labels(pd.concat([predictions["target"], predictions["prediction"]]))


def _of_matrices(predictions: pd.DataFrame) -> Outcomes:
    """Read the outcomes of several labels a row."""
    names = [name.removeprefix(TRUE) for name in map(str, predictions) if name.startswith(TRUE)]
    if not names:
        raise ValueError(
            f"Predictions have columns target and prediction, or t.<label> and p.<label>; got {list(predictions)}."
        )
    true, decided, given = (
        predictions.reindex(columns=[prefix + name for name in names]).to_numpy(float)
        for prefix in (TRUE, DECIDED, PROBABILITY)
    )
    if DECIDED + names[0] not in predictions:
        return Outcomes.of_distributions(true, given, names)
    return Outcomes.of_indicators(true, decided, names, None if np.isnan(given).any() else given)


def _alike(true: NDArray, predicted: NDArray, classes: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """Return two matrices and the labels of their columns, or raise ValueError where the shapes differ."""
    names = as_labels(classes)
    if true.ndim != 2 or true.shape != predicted.shape or true.shape[1] != len(names):
        raise ValueError(
            f"Got targets of shape {true.shape} and predictions of shape {predicted.shape} for {len(names)} labels; "
            f"expected (n_rows, n_labels) twice."
        )
    return true, predicted, names


def _spread(probabilities: NDArray, columns: NDArray, classes: NDArray) -> NDArray:
    """Put the given columns where ``classes`` has them; a class without a column has probability 0."""
    spread = np.zeros((len(probabilities), len(classes)))
    spread[:, np.searchsorted(classes, columns)] = probabilities
    return spread
