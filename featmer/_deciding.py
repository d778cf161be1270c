"""From probabilities to answers: what all classifiers of labels, of several labels or of distributions do alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from featmer._checks import check_name
from featmer._targets import ClassTargets
from featmer.decisions import inclusive_threshold, indicate_labels, label_sets, tune_thresholds


class DecidingClassifier(ClassifierMixin):
    """Base of the classifiers that take any kind of classes as y.

    A subclass has a parameter ``thresholds``; its ``fit`` sets ``target_`` and ``classes_`` as
    `featmer._targets.ClassTargets` has them, and calls ``_choose_thresholds``; it gives ``predict_proba``.
    """

    thresholds: str | float
    target_: str
    classes_: NDArray[Any]
    thresholds_: NDArray[np.float64]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``; rows sum to 1 unless there is any number of labels a row.
        """
        raise NotImplementedError

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest label of each row, or all its labels.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_classes)
            Labels; where y was an indicator matrix, one of 0 and 1, by ``thresholds_``.
        """
        probabilities = self.predict_proba(X)
        if self.target_ == "indicators":
            return indicate_labels(probabilities, self.thresholds_)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_set(self, X: Any) -> list[set[Any]]:
        """Return the labels of each row as a set.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        list of set of n_rows sets
            Where y was an indicator matrix, the labels above their thresholds, perhaps none; where it held
            distributions, those with more than an equal share; else the likeliest label.
        """
        if self.target_ == "labels":
            return [{label} for label in self.predict(X).tolist()]
        thresholds = self.thresholds_ if self.target_ == "indicators" else inclusive_threshold(len(self.classes_))
        return label_sets(self.predict_proba(X), thresholds, self.classes_)

    def _known(self) -> ClassTargets:
        """Return the kind and the classes that were fitted."""
        return ClassTargets(self.target_, self.classes_, np.empty(0), getattr(self, "raters_", ()))

    def _check_thresholds(self) -> None:
        """Refuse thresholds that are neither chosen nor a probability."""
        check_thresholds(self.thresholds)

    def _choose_thresholds(self, unseen: Callable[[], tuple[ArrayLike, ArrayLike]]) -> None:
        """Set ``thresholds_`` where there may be several labels a row, by targets and probabilities of unseen rows."""
        if hasattr(self, "thresholds_"):
            del self.thresholds_  # of an earlier fit
        if self.target_ != "indicators":
            return
        fixed = 0.5 if isinstance(self.thresholds, str) else self.thresholds
        self.thresholds_ = np.full(len(self.classes_), float(fixed))
        if isinstance(self.thresholds, str):
            y, probabilities = unseen()
            if len(np.asarray(y)):
                self.thresholds_ = tune_thresholds(y, probabilities, per=self.thresholds)


def check_thresholds(given: str | float) -> None:
    """Refuse thresholds that are neither chosen nor a probability.

    Parameters
    ----------
    given : str or float
        The parameter ``thresholds``.

    Raises
    ------
    ValueError
        If it is neither "all" nor "class" nor a number from 0 to 1.
    """
    if isinstance(given, str):
        check_name(given, ("all", "class"), "choice of thresholds")
    elif not 0 <= given <= 1:
        raise ValueError(f"thresholds={given!r} is no probability; give a number from 0 to 1, or 'all' or 'class'.")
