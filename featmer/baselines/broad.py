"""Broad learning: one wide layer of random nodes, and a ridge regression that grows without starting again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from featmer._targets import check_values, encode_labels
from featmer.baselines.base import Baseline, BaselineClassifier
from featmer.table import FeatureTable

Array = NDArray[np.float64]


class _BroadLearning(Baseline):
    """Nodes and ridge regression; a subclass says what the targets are."""

    nodes: int
    enhancements: int
    penalty: float
    random_state: int | np.random.RandomState | None

    def _fit(self, table: FeatureTable, targets: Array) -> Self:
        """Draw the nodes and solve for the weights of all."""
        random = check_random_state(self.random_state)
        values = np.asarray(table, np.float64)
        present = np.isfinite(values)
        count = np.maximum(present.sum(axis=0), 1)
        self.mean_ = np.where(present, values, 0.0).sum(axis=0) / count
        deviation = np.sqrt(np.square(np.where(present, values - self.mean_, 0.0)).sum(axis=0) / count)
        self.scale_ = np.where(deviation > 1e-6 * np.abs(self.mean_), deviation, 1.0)
        width = values.shape[1]
        self.map_weight_ = random.standard_normal((width, self.nodes)) / np.sqrt(width)
        self.map_bias_ = random.uniform(-1, 1, self.nodes)
        self.enhance_weight_, self.enhance_bias_ = self._draw(random, self.enhancements)
        nodes = self._nodes(table)
        self.intercept_, self.node_mean_ = targets.mean(axis=0), nodes.mean(axis=0)
        nodes -= self.node_mean_
        self.inverse_ = np.linalg.inv(nodes.T @ nodes + self.penalty * np.eye(nodes.shape[1]))
        self.coef_ = self.inverse_ @ (nodes.T @ (targets - self.intercept_))
        self.n_rows_ = len(nodes)
        return self

    def _draw(self, random: np.random.RandomState, n_nodes: int) -> tuple[Array, Array]:
        """Return weights, orthonormal as far as there is room, and biases of new enhancement nodes."""
        blocks = []
        for start in range(0, n_nodes, self.nodes):
            square, _ = np.linalg.qr(random.standard_normal((self.nodes, self.nodes)))
            blocks.append(square[:, : n_nodes - start])
        return np.column_stack([np.empty((self.nodes, 0)), *blocks]), random.uniform(-1, 1, n_nodes)

    def _mapped(self, table: FeatureTable) -> Array:
        values = np.asarray(table, np.float64)
        standard = np.where(np.isfinite(values), (values - self.mean_) / self.scale_, 0.0)
        return np.tanh(standard @ self.map_weight_ + self.map_bias_)

    def _nodes(self, table: FeatureTable) -> Array:
        """Return mapped and enhancement nodes of each row."""
        mapped = self._mapped(table)
        return np.column_stack([mapped, np.tanh(mapped @ self.enhance_weight_ + self.enhance_bias_)])

    def _grow(self, table: FeatureTable, targets: Array, n_nodes: int) -> Self:
        """Add enhancement nodes by the inverse of a matrix in blocks."""
        if len(table) != self.n_rows_:
            raise ValueError(f"add_nodes takes the rows of fit again: got {len(table)}, expected {self.n_rows_}.")
        old = self._nodes(table) - self.node_mean_
        # Other numbers than those that fit and earlier growth drew from the same seed.
        seed = check_random_state(self.random_state).randint(2**31 - 1) + len(self.enhance_bias_)
        weight, bias = self._draw(np.random.RandomState(seed), n_nodes)
        new = np.tanh(self._mapped(table) @ weight + bias)
        mean = new.mean(axis=0)
        new -= mean
        known = self.inverse_ @ (old.T @ new)  # what the old nodes know of the new
        inverse = np.linalg.inv(new.T @ new + self.penalty * np.eye(n_nodes) - (old.T @ new).T @ known)
        centred = targets - self.intercept_
        coef = inverse @ (new.T @ (centred - old @ self.coef_))
        corner = known @ inverse
        self.inverse_ = np.block([[self.inverse_ + corner @ known.T, -corner], [-corner.T, inverse]])
        self.coef_ = np.concatenate([self.coef_ - known @ coef, coef])
        self.node_mean_ = np.concatenate([self.node_mean_, mean])
        self.enhance_weight_ = np.column_stack([self.enhance_weight_, weight])
        self.enhance_bias_ = np.concatenate([self.enhance_bias_, bias])
        return self

    def _scores(self, X: Any) -> Array:
        check_is_fitted(self)
        nodes = self._nodes(self._check_table(X, reset=False))
        return (nodes - self.node_mean_) @ self.coef_ + self.intercept_

    @property
    def n_parameters_(self) -> int:
        """Number of weights that are solved for."""
        return np.size(self.coef_) + np.size(self.intercept_)


class BroadLearningClassifier(BaselineClassifier, _BroadLearning):
    """Classify by broad learning: random nodes and a ridge regression on the classes.

    ``Z = tanh(X W_e + b_e)`` are mapped nodes, ``H = tanh(Z W_h + b_h)`` with orthonormal
    W_h enhancement nodes, all random; a ridge regression from ``[Z, H]`` to the classes
    is all that is learned. Features are standardised; a missing one is its mean.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.
    nodes : int, default=100
        Mapped nodes.
    enhancements : int, default=300
        Enhancement nodes.
    penalty : float, default=1.0
        Ridge penalty on the weights.
    random_state : int, RandomState or None, default=None
        Seed of the nodes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels seen in fit.
    coef_ : ndarray of shape (n_nodes, n_classes)
        Weights of the nodes.

    References
    ----------
    Chen, Liu: Broad learning system: An effective and efficient incremental learning
    system without the need for deep architecture. IEEE TNNLS, 2018.

    Examples
    --------
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["same", "other", "other", "same"]
    >>> BroadLearningClassifier(penalty=0.01, random_state=0).fit(X, y).predict(X).tolist()
    ['same', 'other', 'other', 'same']
    """

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        nodes: int = 100,
        enhancements: int = 300,
        penalty: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.modalities = modalities
        self.nodes = nodes
        self.enhancements = enhancements
        self.penalty = penalty
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, validation: Any = None) -> Self:
        """Draw the nodes and solve for their weights.

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
        return self._fit(table, np.eye(len(self.classes_))[codes])

    def add_nodes(self, X: Any, y: ArrayLike, n_nodes: int) -> Self:
        """Widen by enhancement nodes without solving for the old ones again.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            The rows of fit.
        y : array-like of shape (n_rows,)
            Their labels.
        n_nodes : int
            How many nodes.

        Returns
        -------
        self
            As if fitted with all nodes from the start.
        """
        check_is_fitted(self)
        table = self._check_table(X, reset=False)
        labels, codes = encode_labels(y, len(table))
        if not np.array_equal(labels, self.classes_):
            raise ValueError(f"add_nodes takes the labels of fit again: got {labels}, expected {self.classes_}.")
        return self._grow(table, np.eye(len(labels))[codes], n_nodes)

    def predict_proba(self, X: Any) -> Array:
        """Return the share of each class in the regression.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Scores below zero cut off, rows brought to a sum of 1.
        """
        scores = self._scores(X).clip(min=1e-6)
        return scores / scores.sum(axis=1, keepdims=True)


class BroadLearningRegressor(RegressorMixin, _BroadLearning):
    """Predict numbers by broad learning; see :class:`BroadLearningClassifier`.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.
    nodes : int, default=100
        Mapped nodes.
    enhancements : int, default=300
        Enhancement nodes.
    penalty : float, default=1.0
        Ridge penalty on the weights.
    random_state : int, RandomState or None, default=None
        Seed of the nodes.

    Attributes
    ----------
    coef_ : ndarray of shape (n_nodes,) or (n_nodes, n_outputs)
        Weights of the nodes.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = BroadLearningRegressor(penalty=0.01, random_state=0).fit(X, np.sin(4 * X[:, 0]))
    >>> bool(model.score(X, np.sin(4 * X[:, 0])) > 0.95)
    True
    """

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        nodes: int = 100,
        enhancements: int = 300,
        penalty: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.modalities = modalities
        self.nodes = nodes
        self.enhancements = enhancements
        self.penalty = penalty
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: Any = None) -> Self:
        """Draw the nodes and solve for their weights.

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
        return self._fit(table, check_values(y, len(table)))

    def add_nodes(self, X: Any, y: ArrayLike, n_nodes: int) -> Self:
        """Widen by enhancement nodes without solving for the old ones again.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            The rows of fit.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Their values.
        n_nodes : int
            How many nodes.

        Returns
        -------
        self
            As if fitted with all nodes from the start.
        """
        check_is_fitted(self)
        table = self._check_table(X, reset=False)
        return self._grow(table, check_values(y, len(table)), n_nodes)

    def predict(self, X: Any) -> Array:
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
        return self._scores(X)
