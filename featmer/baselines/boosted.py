"""Gradient-boosted trees over a FeatureTable, by LightGBM: missing values are taken as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import lightgbm
import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from featmer._estimator import hold_out_dialogues
from featmer._targets import check_values, encode_labels
from featmer.baselines.base import Baseline, BaselineClassifier
from featmer.context import add_context
from featmer.table import FeatureTable

_VALIDATION_SHARE = 0.15


class _Rows(NamedTuple):
    """What trees are grown on or stopped by."""

    features: NDArray[Any]  # (n_rows, n_features)
    targets: NDArray[Any]  # (n_rows, n_outputs)
    weights: NDArray[np.float64]  # (n_rows,)

    def take(self, rows: NDArray[Any]) -> _Rows:
        """Return some of the rows, by number or mask."""
        return _Rows(self.features[rows], self.targets[rows], self.weights[rows])


class _Boosted(Baseline):
    """Base of both: the parameters, and how trees are grown and asked."""

    trees_: list[str]

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        context: int = 0,
        n_estimators: int = 300,
        learning_rate: float = 0.1,
        num_leaves: int = 15,
        min_child_samples: int = 10,
        max_features: int = 200,
        patience: int = 20,
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        self.modalities = modalities
        self.context = context
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.max_features = max_features
        self.patience = patience
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _features(self, table: FeatureTable) -> NDArray[Any]:
        """Return the features with those of the previous turns."""
        return np.asarray(add_context(table, self.context))

    def _grow(self, table: FeatureTable, rows: _Rows, validation: _Rows | None, objective: dict[str, Any]) -> None:
        """Grow trees for each target until the loss on the validation rows stops falling.

        Without validation rows, whole dialogues are held out of the table for that, then put back, and as many trees
        are grown again on all its rows.
        """
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        parameters = {**self._parameters(seed, rows.features.shape[1]), **objective}
        train, held_out = hold_out_dialogues(table, _VALIDATION_SHARE, seed)
        self.trees_ = []
        for column in range(rows.targets.shape[1]):
            rounds = self.n_estimators
            if validation is None and len(held_out):
                rounds = self._boost(parameters, rounds, column, rows.take(train), rows.take(held_out)).best_iteration
            booster = self._boost(parameters, rounds, column, rows, validation)
            self.trees_.append(booster.model_to_string())

    def _boost(
        self, parameters: dict[str, Any], rounds: int, column: int, rows: _Rows, validation: _Rows | None
    ) -> lightgbm.Booster:
        """Boost on some rows, until the loss on others stops falling if there are any."""
        data = lightgbm.Dataset(rows.features, rows.targets[:, column], weight=rows.weights, params=parameters)
        if validation is None or not len(validation.features):
            return lightgbm.train(parameters, data, rounds)
        valid = data.create_valid(validation.features, validation.targets[:, column], weight=validation.weights)
        stop: list[Any] = [lightgbm.early_stopping(self.patience, verbose=False)]
        return lightgbm.train(parameters, data, rounds, [valid], callbacks=stop)

    def _parameters(self, seed: int, n_features: int) -> dict[str, Any]:
        """Return what LightGBM is told whatever the objective."""
        return {
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_child_samples": self.min_child_samples,
            "feature_fraction": min(1.0, self.max_features / n_features),
            # Few bins and thresholds drawn at random: faster, and on small tables better.
            "max_bin": 63,
            "extra_trees": True,
            "seed": seed,
            # Sums within a feature are then made in one order, so that results do not depend on the threads.
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": effective_n_jobs(self.n_jobs),
            "verbosity": -1,
        }

    def _ask(self, X: Any) -> list[NDArray[np.float64]]:
        """Return what the trees of each target say."""
        check_is_fitted(self)
        features = self._features(self._check_table(X, reset=False))
        boosters = [lightgbm.Booster(model_str=text) for text in self.trees_]
        return [
            np.asarray(booster.predict(features, num_threads=effective_n_jobs(self.n_jobs))) for booster in boosters
        ]


class BoostedClassifier(BaselineClassifier, _Boosted):
    """Classify by gradient-boosted trees.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.
    context : int, default=0
        Number of previous turns of the dialogue whose features, and whether they had the same speaker, are set
        beside each row's own; NaN where there is none.
    class_weight : "balanced" or dict of label to float, default=None
        Weights of the classes; "balanced" makes all count the same.
    n_estimators : int, default=300
        Most rounds of boosting; each grows one tree a class.
    learning_rate : float, default=0.1
        Share of each tree's answer that is added.
    num_leaves : int, default=15
        Most leaves of a tree.
    min_child_samples : int, default=10
        Fewest training rows in a leaf.
    max_features : int, default=200
        Most features that a tree may look at, drawn anew for each.
    patience : int, default=20
        Rounds without a lower loss on the held-out rows after which boosting stops; the best round is kept.
    n_jobs : int, default=None
        Threads; None is one, -1 all. Results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of the drawn features and of the held-out dialogues.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels seen in fit.
    trees_ : list of one str
        The trees in LightGBM's text format.

    References
    ----------
    Ke et al., "LightGBM: A highly efficient gradient boosting decision tree", NeurIPS 2017. Thresholds are drawn at
    random: Geurts et al., "Extremely randomized trees", Machine Learning, 2006.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> model = BoostedClassifier(random_state=0).fit(X, np.where(X[:, 0] > 0, "joy", "anger"))
    >>> model.predict([[2.0, np.nan, 0.0], [-2.0, 0.0, 0.0]])
    array(['joy', 'anger'], dtype='<U5')
    """

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        context: int = 0,
        class_weight: Mapping[Any, float] | str | None = None,
        n_estimators: int = 300,
        learning_rate: float = 0.1,
        num_leaves: int = 15,
        min_child_samples: int = 10,
        max_features: int = 200,
        patience: int = 20,
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        super().__init__(
            modalities,
            context=context,
            n_estimators=n_estimators,
            learning_rate=learning_rate,
            num_leaves=num_leaves,
            min_child_samples=min_child_samples,
            max_features=max_features,
            patience=patience,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Grow trees until the loss on held-out dialogues stops falling.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,)
            Their labels.
        validation : tuple (X, y), default=None
            Rows to stop by, never trained on; labels that y lacks are left out. None holds out whole dialogues of X.

        Returns
        -------
        self
            The fitted classifier.
        """
        table = self._check_table(X, reset=True)
        self.classes_, codes = encode_labels(y, len(table))
        weights = self._class_weights(codes)
        rows = _Rows(self._features(table), codes[:, None], weights[codes])
        stopping = None
        if validation is not None:
            labels = np.asarray(validation[1])
            known = np.isin(labels, self.classes_)
            codes = np.searchsorted(self.classes_, labels[known])
            features = self._features(self._check_table(validation[0], reset=False))
            stopping = _Rows(features[known], codes[:, None], weights[codes])
        # LightGBM wants two classes at least.
        objective = {"objective": "multiclass", "num_class": max(2, len(self.classes_))}
        self._grow(table, rows, stopping, objective)
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
        probabilities = self._ask(X)[0][:, : len(self.classes_)]
        return probabilities / probabilities.sum(axis=1, keepdims=True)


class BoostedRegressor(RegressorMixin, _Boosted):
    """Predict numbers by gradient-boosted trees.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.
    context : int, default=0
        Number of previous turns of the dialogue whose features, and whether they had the same speaker, are set
        beside each row's own; NaN where there is none.
    n_estimators : int, default=300
        Most rounds of boosting; each grows one tree.
    learning_rate : float, default=0.1
        Share of each tree's answer that is added.
    num_leaves : int, default=15
        Most leaves of a tree.
    min_child_samples : int, default=10
        Fewest training rows in a leaf.
    max_features : int, default=200
        Most features that a tree may look at, drawn anew for each.
    patience : int, default=20
        Rounds without a lower loss on the held-out rows after which boosting stops; the best round is kept.
    n_jobs : int, default=None
        Threads; None is one, -1 all. Results do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of the drawn features and of the held-out dialogues.

    Attributes
    ----------
    trees_ : list of n_outputs str
        The trees of each target in LightGBM's text format.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> BoostedRegressor(random_state=0).fit(X, X[:, 0]).predict([[2.0, np.nan, 0.0]]).item() > 0.5
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Grow trees until the error on held-out dialogues stops falling.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Their values.
        validation : tuple (X, y), default=None
            Rows to stop by, never trained on. None holds out whole dialogues of X.

        Returns
        -------
        self
            The fitted regressor.
        """
        table = self._check_table(X, reset=True)
        stopping = None
        if validation is not None:
            stopping = self._rows(self._check_table(validation[0], reset=False), validation[1])
        self._grow(table, self._rows(table, y), stopping, {"objective": "l2"})
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
        columns = self._ask(X)
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def _rows(self, table: FeatureTable, y: ArrayLike) -> _Rows:
        """Return what to grow trees on, all rows of equal weight."""
        targets = check_values(y, len(table)).reshape(len(table), -1)
        return _Rows(self._features(table), targets, np.ones(len(table)))
