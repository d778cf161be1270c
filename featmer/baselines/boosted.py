"""Gradient-boosted trees over a FeatureTable, by LightGBM: missing values are taken as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Self

import lightgbm
import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from featmer._deciding import DecidingClassifier
from featmer._estimator import hold_out_dialogues
from featmer._targets import check_values, encode_classes, encode_like
from featmer.baselines.base import Baseline
from featmer.baselines.questions import Question, ask, weigh
from featmer.context import add_context
from featmer.table import FeatureTable

_VALIDATION_SHARE = 0.15
_YES_NO = {"objective": "binary", "lambda_l2": 1.0, "min_sum_hessian_in_leaf": 1.0}  # else rare labels explode


class _Rows(NamedTuple):
    """What trees are grown on or stopped by: rows, and what is to be answered about them."""

    features: NDArray[Any]  # (n_rows, n_features)
    questions: list[Question]

    def take(self, rows: NDArray[np.int64]) -> _Rows:
        """Return some of the rows."""
        return _Rows(self.features[rows], [question.among(rows) for question in self.questions])


class _Boosted(Baseline):
    """Base of both: the parameters, and how trees are grown and asked."""

    search_space: ClassVar[dict[str, list[Any]]] = {"learning_rate": [0.03, 0.1, 0.3], "num_leaves": [7, 15, 31]}
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

    def _grow(
        self, table: FeatureTable, rows: _Rows, validation: _Rows | None, objective: dict[str, Any]
    ) -> tuple[_Rows, list[lightgbm.Booster]]:
        """Grow trees for each question until the loss on the validation rows stops falling.

        Without validation rows, whole dialogues are held out of the table for that, then put back, and as many trees
        are grown again on all its rows. Returns the rows to stop by, and trees that were not grown on them.
        """
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        parameters = {**self._parameters(seed, rows.features.shape[1]), **objective}
        train, held_out = hold_out_dialogues(table, _VALIDATION_SHARE, seed)
        rounds = [self.n_estimators] * len(rows.questions)
        watched, boosters = validation, []
        if watched is None:
            watched = rows.take(held_out)
            if len(held_out):
                boosters = self._boost(parameters, rounds, rows.take(train), watched)
                rounds = [booster.best_iteration for booster in boosters]
        grown = self._boost(parameters, rounds, rows, validation)
        self.trees_ = [booster.model_to_string() for booster in grown]
        return watched, grown if validation else boosters

    def _boost(
        self, parameters: dict[str, Any], rounds: list[int], rows: _Rows, validation: _Rows | None
    ) -> list[lightgbm.Booster]:
        """Boost on some rows for each question, until the loss on others stops falling if there are any."""
        data = lightgbm.Dataset(rows.features, params=parameters).construct()
        watched = validation if validation and len(validation.features) else None
        held_out = data.create_valid(watched.features, params=parameters).construct() if watched else None
        boosters = []
        for number, question in enumerate(rows.questions):
            given: dict[str, Any] = {}
            if watched and held_out:
                given["valid_sets"] = [_labelled(held_out, watched.questions[number])]
                given["callbacks"] = [lightgbm.early_stopping(self.patience, verbose=False)]
            boosters.append(lightgbm.train(parameters, _labelled(data, question), rounds[number], **given))
        return boosters

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
        """Return what the trees say to each question."""
        check_is_fitted(self)
        features = self._features(self._check_table(X, reset=False))
        return self._answers([lightgbm.Booster(model_str=text) for text in self.trees_], features)

    def _answers(self, boosters: list[lightgbm.Booster], features: NDArray[Any]) -> list[NDArray[np.float64]]:
        return [np.asarray(trees.predict(features, num_threads=effective_n_jobs(self.n_jobs))) for trees in boosters]


def _labelled(data: lightgbm.Dataset, question: Question) -> lightgbm.Dataset:
    """Return the data with targets; a row that is asked about several times is repeated in its binned form only."""
    if len(question.rows) != data.num_data():
        data = data.subset(question.rows.tolist()).construct()
    return data.set_label(question.targets).set_weight(question.weights)


class BoostedClassifier(DecidingClassifier, _Boosted):
    """Classify by gradient-boosted trees.

    An utterance has one label, any number of labels (then each has trees of its own), or a share for each, as y says.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.
    context : int, default=0
        Number of previous turns of the dialogue whose features, and whether they had the same speaker, are set
        beside each row's own; NaN where there is none.
    class_weight : "balanced" or dict of label to float, default=None
        Weights of the classes; "balanced" makes all count the same. Of several labels a row, the weight of the rows
        that have the label; "balanced" makes those with and without it count the same.
    thresholds : {"all", "class"} or float, default="all"
        Above which probability a label is given where there is any number of labels a row: the one for all labels, or
        for each label its own, with the best macro F1 on the validation rows (0.5 where there are none); or a number.
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
        The labels; for a matrix as y, the names of its columns, or their numbers.
    target_ : {"labels", "indicators", "distributions"}
        What y was.
    thresholds_ : ndarray of shape (n_classes,)
        The threshold of each label; only where y was an indicator matrix.
    trees_ : list of str
        The trees in LightGBM's text format; of several labels a row, one text a label.

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
        thresholds: str | float = "all",
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
        self.thresholds = thresholds

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Grow trees until the loss on held-out dialogues stops falling.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            Labels; a matrix of 0 and 1 for any number of labels a row; or shares that sum to 1. A DataFrame's
            columns name the classes.
        validation : tuple (X, y), default=None
            Rows to stop by and to choose thresholds on, never trained on; labels that y lacks are left out. None holds
            out whole dialogues of X.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        ValueError
            If rows and targets, or those of the validation rows, do not fit together.
        """
        self._check_thresholds()
        table = self._check_table(X, reset=True)
        targets = encode_classes(y, len(table))
        self.target_, self.classes_ = targets.kind, targets.classes
        weights = weigh(targets, self.class_weight)
        rows = _Rows(self._features(table), ask(targets, weights))
        stopping = None if validation is None else self._watch(*validation, weights)
        # LightGBM wants two classes at least.
        choice = {"objective": "multiclass", "num_class": max(2, len(self.classes_))}
        watched, boosters = self._grow(table, rows, stopping, _YES_NO if self.target_ == "indicators" else choice)
        self._choose_thresholds(lambda: self._ask_unseen(watched, boosters))
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
            In the order of ``classes_``; rows sum to 1 unless there is any number of labels a row.
        """
        answers = self._ask(X)
        if self.target_ == "indicators":
            return np.column_stack(answers)
        probabilities = answers[0][:, : len(self.classes_)]
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def _ask_unseen(self, watched: _Rows, boosters: list[lightgbm.Booster]) -> tuple[ArrayLike, ArrayLike]:
        """Return indicators and probabilities of the rows that the trees were not grown on; of none without trees."""
        if not boosters:
            return (), ()
        true = np.column_stack([question.targets for question in watched.questions])
        return true, np.column_stack(self._answers(boosters, watched.features))

    def _watch(self, X: Any, y: ArrayLike, weights: NDArray[np.float64]) -> _Rows:
        """Return validation rows, without those of labels that training did not have."""
        table = self._check_table(X, reset=False)
        features = self._features(table)
        if self.target_ == "labels":
            known = np.isin(np.asarray(y), self.classes_)
            features, y = features[known], np.asarray(y)[known]
        values = encode_like(y, len(features), self._known(), "validation rows")
        return _Rows(features, ask(replace(self._known(), values=values), weights))


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
        columns = check_values(y, len(table)).reshape(len(table), -1).T
        every, ones = np.arange(len(table)), np.ones(len(table))
        return _Rows(self._features(table), [Question(every, values, ones) for values in columns])
