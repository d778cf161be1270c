"""What any model must beat: the class shares of the training rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from featmer._targets import encode_classes
from featmer.baselines.base import BaselineClassifier
from featmer.decisions import indicate_labels


class MajorityClassifier(BaselineClassifier):
    """Predict the most frequent class whatever the features say.

    Of any number of labels a row it predicts those that more than half of the rows have; of distributions, their mean.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to check; none is looked at.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels seen in fit; of a matrix the names of its columns.
    target_ : {"labels", "indicators", "distributions"}
        What y was.
    shares_ : ndarray of shape (n_classes,)
        Share of each class among the training rows, which is every row's probability.

    Examples
    --------
    >>> MajorityClassifier().fit([[0.0], [1.0], [2.0]], ["joy", "anger", "joy"]).predict([[1.0]])
    array(['joy'], dtype='<U5')
    """

    def __init__(self, modalities: Iterable[str] | None = None):
        self.modalities = modalities

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: Any = None) -> Self:
        """Count the classes.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            Their labels; a matrix of 0 and 1 for any number of labels a row; or shares that sum to 1.
        validation : tuple (X, y), default=None
            Not used; there is nothing to stop early.

        Returns
        -------
        self
            The fitted classifier.
        """
        table = self._check_table(X, reset=True)
        targets = encode_classes(y, len(table))
        self.target_, self.classes_, values = targets.kind, targets.classes, targets.values
        self.shares_ = np.bincount(values) / len(values) if self.target_ == "labels" else values.mean(axis=0)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most frequent class for every row, or all labels that most rows have.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_classes)
            Labels; where y was an indicator matrix, one of 0 and 1.
        """
        check_is_fitted(self)
        return indicate_labels(self.predict_proba(X)) if self.target_ == "indicators" else super().predict(X)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the class shares for every row.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            The same row again and again.
        """
        check_is_fitted(self)
        return np.tile(self.shares_, (len(self._check_table(X, reset=False)), 1))
