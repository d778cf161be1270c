"""What the baselines share: prediction from class probabilities, class weights, saving and loading."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight

from featmer._estimator import TableEstimator
from featmer._saving import read_skops, replaced_folder

_FILE = "estimator.skops"


class Baseline(TableEstimator):
    """Base of the baselines: an estimator whose fitted state is numbers, text and parts of scikit-learn."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the estimator to a folder, without pickle.

        Parameters
        ----------
        path : path-like
            The folder to make, or to replace if it holds a saved baseline; it appears whole or not at all.
        """
        import skops.io

        with replaced_folder(path, _FILE) as folder:
            skops.io.dump(self, folder / _FILE)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            The folder.

        Returns
        -------
        estimator
            The estimator as it was when saved.

        Raises
        ------
        ValueError
            If the folder holds another kind of estimator, or types that are not to be trusted.
        """
        return read_skops(Path(path, _FILE), f"{cls.__module__}.{cls.__qualname__}")


class BaselineClassifier(ClassifierMixin, Baseline):
    """Base of the classifiers: a subclass fits and gives ``predict_proba``."""

    classes_: NDArray[Any]
    class_weight: Mapping[Any, float] | str | None

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows,)
            Labels out of ``classes_``.
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``; rows sum to 1.
        """
        raise NotImplementedError

    def _class_weights(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the weight of each class in ``classes_``."""
        return compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[codes])
