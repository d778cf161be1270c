"""What a classifier around another one shares: dialogues held out of training, delegation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.validation import check_is_fitted

from featmer._nested import NestingEstimator
from featmer._targets import ClassTargets, encode_classes, encode_like
from featmer.groups import group_codes
from featmer.table import FeatureTable

_N_DRAWS = 10


class ClassifierWrapper(MetaEstimatorMixin, ClassifierMixin, NestingEstimator):
    """Base of classifiers that fit another one, and learn something about it from rows that it was not trained on.

    A subclass has parameters ``estimator, validation_share, random_state``.
    """

    nested: ClassVar = {"estimator_": "estimator"}

    estimator: Any
    validation_share: float
    random_state: int | np.random.RandomState | None
    estimator_: Any

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_label = inner.classifier_tags.multi_label
            tags.classifier_tags.poor_score = inner.classifier_tags.poor_score
        return tags

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in fit."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features, where X had some."""
        return self.estimator_.feature_names_in_

    @property
    def n_parameters_(self) -> int:
        """Number of weights of the wrapped classifier, where it tells."""
        return self.estimator_.n_parameters_

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; whole dialogues for classifiers that look at the context.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return _as_matrix(self.estimator_.predict_proba(X))

    def _fit_estimator(
        self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None
    ) -> tuple[Any, ClassTargets]:
        """Fit the wrapped classifier; return the rows it has not seen, and their targets."""
        if not 0 < self.validation_share < 1:
            raise ValueError(f"validation_share is a share between 0 and 1, got {self.validation_share}.")
        X = _rows_of(X)
        targets = encode_classes(y, X.shape[0])
        y = targets.classes[targets.values] if targets.kind == "labels" else _rows_of(y)
        if validation is None:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            train, held_out = _hold_out(X, targets, self.validation_share, seed)
            unseen, wanted = _take(X, held_out), targets.values[held_out]
            X, y = _take(X, train), _take(y, train)
        else:
            unseen = _rows_of(validation[0])
            wanted = encode_like(validation[1], unseen.shape[0], targets, "validation rows")
        self.estimator_ = clone(self.estimator)
        if not hasattr(self.estimator_, "predict_proba"):
            raise ValueError(f"{self.estimator!r} has no predict_proba; wrap a classifier that gives probabilities.")
        self.estimator_.fit(X, y)
        self.classes_ = self.estimator_.classes_ if targets.kind == "labels" else targets.classes
        return unseen, ClassTargets(targets.kind, self.classes_, wanted)


def _rows_of(X: Any) -> Any:
    """Return X, or a matrix y, as something whose rows can be taken."""
    return indexable(X if hasattr(X, "shape") else np.asarray(X))[0]


def _take(X: Any, rows: NDArray[np.int64]) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _as_matrix(probabilities: Any) -> NDArray[np.float64]:
    """Return probabilities of classes or labels; for several labels scikit-learn's trees give a list of pairs."""
    if isinstance(probabilities, list):
        probabilities = np.column_stack([pair[:, 1] for pair in probabilities])
    return np.asarray(probabilities, np.float64)


def _hold_out(X: Any, targets: ClassTargets, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return training rows, which have every label, and those of about ``share`` of the dialogues, with most labels."""
    groups = group_codes(X.segments) if isinstance(X, FeatureTable) else np.arange(X.shape[0])
    if groups.min() == groups.max():
        raise ValueError(
            f"Got a single dialogue (n_samples={len(groups)}), so that none can be held out to learn how far to trust "
            f"the classifier; give validation=(X, y)."
        )
    has = targets.values > 0
    if targets.kind == "labels":
        has = targets.values[:, None] == np.arange(len(targets.classes))
    draws = GroupShuffleSplit(_N_DRAWS, test_size=share, random_state=seed).split(groups, groups=groups)
    train, held_out = max(draws, key=lambda draw: has[draw[1]].any(axis=0).sum())
    lacking = ~has[train].any(axis=0)
    back = np.isin(groups, groups[held_out[has[held_out][:, lacking].any(axis=1)]])
    mine = np.isin(groups, groups[held_out]) & ~back
    if not mine.any():
        raise ValueError(
            f"Every label has too few dialogues in {len(groups)} rows (n_samples={len(groups)}) to hold some out; give "
            f"validation=(X, y)."
        )
    return np.flatnonzero(~mine), np.flatnonzero(mine)
