"""Linear models over a FeatureTable: missing values filled in, features standardised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from featmer._targets import check_values, encode_labels
from featmer.baselines.base import Baseline, BaselineClassifier
from featmer.context import add_context
from featmer.table import FeatureTable


class _Weights:
    """Counts the weights of a fitted pipeline whose last step is linear."""

    model_: Pipeline

    @property
    def n_parameters_(self) -> int:
        """Number of weights."""
        return np.size(self.model_[-1].coef_) + np.size(self.model_[-1].intercept_)


class LinearClassifier(_Weights, BaselineClassifier):
    """Classify by logistic regression.

    Missing values become the feature's mean, and for each modality a column tells where it is missing.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.
    context : int, default=0
        Number of previous turns of the dialogue whose features are set beside each row's own.
    C : float, default=0.1
        Inverse strength of the ridge penalty on the weights of standardised features. The default had the best mean
        score on the validation parts of the demo corpus, MELD (text) and RAVDESS (voice, face, both; five splits).
    class_weight : "balanced" or dict of label to float, default=None
        Weights of the classes; "balanced" makes all count the same.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels seen in fit.
    model_ : Pipeline
        Imputer, scaler and logistic regression.

    Examples
    --------
    >>> X = [[0.0, 1.0], [np.nan, 2.0], [4.0, 1.5], [5.0, 0.5]]
    >>> LinearClassifier().fit(X, ["joy", "joy", "anger", "anger"]).predict([[0.5, np.nan]])
    array(['joy'], dtype='<U5')
    """

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        context: int = 0,
        C: float = 0.1,
        class_weight: Mapping[Any, float] | str | None = None,
    ):
        self.modalities = modalities
        self.context = context
        self.C = C
        self.class_weight = class_weight

    def fit(self, X: Any, y: ArrayLike, validation: Any = None) -> Self:
        """Fit the weights.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,)
            Their labels.
        validation : tuple (X, y), default=None
            Not used; there is nothing to stop early.

        Returns
        -------
        self
            The fitted classifier.
        """
        table = self._check_table(X, reset=True)
        self.classes_, codes = encode_labels(y, len(table))
        weights = dict(enumerate(self._class_weights(codes)))
        model = LogisticRegression(C=self.C, class_weight=weights, max_iter=1000)
        self.model_ = _standardised(model).fit(_design(table, self.context), codes)
        return self

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
        check_is_fitted(self)
        return self.model_.predict_proba(_design(self._check_table(X, reset=False), self.context))


class LinearRegressor(_Weights, RegressorMixin, Baseline):
    """Predict numbers by ridge regression.

    Missing values become the feature's mean, and for each modality a column tells where it is missing.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.
    context : int, default=0
        Number of previous turns of the dialogue whose features are set beside each row's own.
    C : float, default=0.03
        Inverse strength of the ridge penalty on the weights of standardised features.

    Attributes
    ----------
    model_ : Pipeline
        Imputer, scaler and ridge regression.

    Examples
    --------
    >>> X = [[0.0, 1.0], [np.nan, 2.0], [4.0, 1.5], [5.0, 0.5]]
    >>> LinearRegressor(C=100.0).fit(X, [0.0, 0.3, 0.8, 1.0]).predict([[5.0, np.nan]]).round()
    array([1.])
    """

    def __init__(self, modalities: Iterable[str] | None = None, *, context: int = 0, C: float = 0.03):
        self.modalities = modalities
        self.context = context
        self.C = C

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: Any = None) -> Self:
        """Fit the weights.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Their values.
        validation : tuple (X, y), default=None
            Not used; there is nothing to stop early.

        Returns
        -------
        self
            The fitted regressor.
        """
        table = self._check_table(X, reset=True)
        targets = check_values(y, len(table))
        self.model_ = _standardised(Ridge(alpha=1 / self.C)).fit(_design(table, self.context), targets)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the predicted values.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to predict for.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
            The values.
        """
        check_is_fitted(self)
        return self.model_.predict(_design(self._check_table(X, reset=False), self.context))


def _design(table: FeatureTable, context: int) -> NDArray[np.float64]:
    """Return features and, after them, a column a block that tells where it is missing."""
    table = add_context(table, context)
    missing = [block.missing for block in table.blocks.values()]
    return np.column_stack([np.asarray(table), *missing])


def _standardised(model: Any) -> Pipeline:
    """Return a pipeline that fills in missing values and standardises before the model."""
    # A feature that is missing in all training rows is kept, so that widths stay as they were.
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), model)
