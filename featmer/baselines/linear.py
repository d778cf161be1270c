"""Linear models over a FeatureTable: missing values filled in, features standardised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from featmer._deciding import DecidingClassifier
from featmer._estimator import hold_out_dialogues
from featmer._targets import ClassTargets, check_values, encode_classes, encode_like
from featmer.baselines.base import Baseline
from featmer.baselines.questions import Question, ask, weigh
from featmer.context import add_context
from featmer.table import FeatureTable

_VALIDATION_SHARE = 0.15


class LinearClassifier(DecidingClassifier, Baseline):
    """Classify by logistic regression.

    An utterance has one label, any number of labels (then each has a regression of its own), or a share for each, as y
    says.

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
        Weights of the classes; "balanced" makes all count the same. Of several labels a row, the weight of the rows
        that have the label; "balanced" makes those with and without it count the same.
    thresholds : {"all", "class"} or float, default="all"
        Above which probability a label is given where there is any number of labels a row: the one for all labels, or
        for each label its own, with the best macro F1 on the validation rows (0.5 where there are none); or a number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; for a matrix as y, the names of its columns, or their numbers.
    target_ : {"labels", "indicators", "distributions"}
        What y was.
    thresholds_ : ndarray of shape (n_classes,)
        The threshold of each label; only where y was an indicator matrix.
    scaling_ : Pipeline
        Imputer and scaler.
    models_ : list of LogisticRegression
        One, or of several labels a row one a label; a DummyClassifier where there is but one answer.

    Examples
    --------
    >>> X = [[0.0, 1.0], [np.nan, 2.0], [4.0, 1.5], [5.0, 0.5]]
    >>> LinearClassifier().fit(X, ["joy", "joy", "anger", "anger"]).predict([[0.5, np.nan]])
    array(['joy'], dtype='<U5')
    """

    search_space: ClassVar[dict[str, list[Any]]] = {"C": [0.001, 0.01, 0.1, 1.0], "context": [0, 1, 2]}

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        context: int = 0,
        C: float = 0.1,
        class_weight: Mapping[Any, float] | str | None = None,
        thresholds: str | float = "all",
    ):
        self.modalities = modalities
        self.context = context
        self.C = C
        self.class_weight = class_weight
        self.thresholds = thresholds

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Fit the weights.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            Labels; a matrix of 0 and 1 for any number of labels a row; or shares that sum to 1. A DataFrame's
            columns name the classes.
        validation : tuple (X, y), default=None
            Rows to choose thresholds on, never trained on; None holds out whole dialogues of X for that, and fits once
            more with them. Where no thresholds are to be chosen it is not used.

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
        self.scaling_, self.models_ = self._regress(table, targets)
        self._choose_thresholds(lambda: self._ask_unseen(table, targets, validation))
        return self

    def _regress(self, table: FeatureTable, targets: ClassTargets) -> tuple[Pipeline, list[Any]]:
        """Return the fitted scaling and regressions."""
        scaling = _standardised()
        design = scaling.fit_transform(_design(table, self.context))
        questions = ask(targets, weigh(targets, self.class_weight))
        return scaling, [_answer(design, question, self.C) for question in questions]

    def _ask_unseen(
        self, table: FeatureTable, targets: ClassTargets, validation: tuple[Any, ArrayLike] | None
    ) -> tuple[ArrayLike, ArrayLike]:
        """Return targets and probabilities of the validation rows, or of dialogues held out for a trial."""
        if validation is not None:
            watched = self._check_table(validation[0], reset=False)
            values = encode_like(validation[1], len(watched), self._known(), "validation rows")
            return values, self._probabilities(watched, self.scaling_, self.models_)
        train, held_out = hold_out_dialogues(table, _VALIDATION_SHARE, seed=0)
        if not len(held_out):
            return (), ()
        trial = self._regress(table[train], replace(targets, values=targets.values[train]))
        return targets.values[held_out], self._probabilities(table[held_out], *trial)

    def _probabilities(self, table: FeatureTable, scaling: Pipeline, models: list[Any]) -> NDArray[np.float64]:
        design = scaling.transform(_design(table, self.context))
        several = self.target_ == "indicators"
        answers = np.zeros((len(models), len(table), 2 if several else len(self.classes_)))
        for answer, model in zip(answers, models, strict=True):
            answer[:, model.classes_] = model.predict_proba(design)  # which knows only those that it saw
        return answers[..., 1].T if several else answers[0]

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
        check_is_fitted(self)
        return self._probabilities(self._check_table(X, reset=False), self.scaling_, self.models_)

    @property
    def n_parameters_(self) -> int:
        """Number of weights."""
        return sum(map(_count, self.models_))


class LinearRegressor(RegressorMixin, Baseline):
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

    search_space: ClassVar[dict[str, list[Any]]] = {"C": [0.001, 0.01, 0.1, 1.0], "context": [0, 1, 2]}

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
        self.model_ = make_pipeline(*_standardised(), Ridge(alpha=1 / self.C)).fit(
            _design(table, self.context), targets
        )
        return self

    @property
    def n_parameters_(self) -> int:
        """Number of weights."""
        return _count(self.model_[-1])

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


def _answer(design: NDArray[np.float64], question: Question, strength: float) -> Any:
    """Return the model of one question."""
    rows, codes, weights = question
    if len(np.unique(codes)) == 1:
        return DummyClassifier().fit(design, codes)
    # A row that is asked about several times is copied as often as it has shares.
    repeated = design if len(rows) == len(design) else design[rows]
    return LogisticRegression(C=strength, max_iter=1000).fit(repeated, codes, weights)


def _count(model: Any) -> int:
    """Return how many weights a model has; one that always says the same has none."""
    return np.size(model.coef_) + np.size(model.intercept_) if hasattr(model, "coef_") else 0


def _standardised() -> Pipeline:
    """Return a pipeline that fills in missing values and standardises."""
    # A feature that is missing in all training rows is kept, so that widths stay as they were.
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
