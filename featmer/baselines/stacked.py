"""A classifier of what classifiers of single modalities say, beside the features themselves."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import GroupKFold
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from featmer._estimator import TableEstimator
from featmer._nested import NestingEstimator
from featmer._targets import encode_classes
from featmer.baselines.linear import LinearClassifier
from featmer.groups import group_codes
from featmer.table import Block, FeatureTable


class StackedClassifier(MetaEstimatorMixin, ClassifierMixin, NestingEstimator, TableEstimator):
    """Classify by the features and by what a classifier of each modality says of them.

    Modalities may be several embeddings of one thing, such as those of three language models. What a modality's
    classifier says of a training row comes from one that was fitted without the row's dialogue; rows to predict are
    asked of one fitted on all training rows. scikit-learn's ``StackingClassifier`` neither keeps dialogues whole
    without routing nor takes distributions.

    Parameters
    ----------
    base : classifier, default=None
        Takes a FeatureTable; fitted on each modality by itself. None is `LinearClassifier`.
    meta : classifier, default=None
        Fitted on features and probabilities; any that takes a FeatureTable, of boosted trees, or a fusion model that
        looks at the dialogue. None is `LinearClassifier`.
    n_folds : int, default=5
        Into how many parts the dialogues are shared out to ask of each what was learnt on the others.
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; for a matrix as y, the names of its columns, or their numbers.
    bases_ : dict of str to classifier
        Fitted on all training rows, one a modality.
    meta_ : classifier
        Fitted on features and probabilities.

    References
    ----------
    Wolpert: Stacked generalization. Neural Networks 5, 1992. For emotions, with embeddings of three language models:
    arXiv 2410.03979, 2024.

    Examples
    --------
    >>> import pandas as pd
    >>> segments = pd.DataFrame({"dialogue": np.arange(20), "turn": 0})
    >>> noise, y = np.random.default_rng(0).normal(size=(20, 2)), np.tile([[1, 0], [1, 1]], (10, 1))
    >>> blocks = {name: Block(y + 0.1 * noise, [f"{name}.a", f"{name}.b"]) for name in ("word", "char")}
    >>> model = StackedClassifier().fit(FeatureTable(segments, blocks), y)
    >>> model.predict(FeatureTable(segments, blocks)[:2]).tolist()
    [[1, 0], [1, 1]]
    """

    nested: ClassVar = {"bases_": "base", "meta_": "meta"}

    def __init__(self, base: Any = None, meta: Any = None, *, n_folds: int = 5, modalities: Any = None):
        self.base = base
        self.meta = meta
        self.n_folds = n_folds
        self.modalities = modalities

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Fit a classifier of each modality, several times over, and one of what they say.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows, of at least two dialogues; rows of an array are dialogues of their own.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            Labels, indicators or distributions, as the classifiers take them.
        validation : tuple (X, y), default=None
            Rows to stop early or to choose thresholds on, given to the last classifier; never trained on.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        ValueError
            If all rows are of one dialogue, or targets do not fit.
        """
        table = self._check_table(X, reset=True)
        targets = encode_classes(y, len(table))
        y = y if hasattr(y, "iloc") else np.asarray(y)
        n_dialogues = len(np.unique(group_codes(table.segments)))
        if n_dialogues < 2 or self.n_folds < 2:
            raise ValueError(
                f"n_folds={self.n_folds} and {n_dialogues} dialogues (n_samples={len(table)}): stacking asks of one "
                f"part of the dialogues what was learnt on the others, and takes two parts at least."
            )
        folds = list(GroupKFold(min(self.n_folds, n_dialogues)).split(table, groups=group_codes(table.segments)))
        base = LinearClassifier(thresholds=0.5) if self.base is None else self.base
        self.classes_, self.bases_, said = targets.classes, {}, {}
        for modality in self.modalities_:
            said[modality], alone = np.zeros((len(table), len(self.classes_))), table.select([modality])
            for train, asked in folds:
                model = clone(base).fit(alone[train], _safe_indexing(y, train))
                said[modality][asked] = self._say(model, alone[asked])
            self.bases_[modality] = clone(base).fit(alone, y)
        self.meta_ = clone(LinearClassifier() if self.meta is None else self.meta)
        given = {}
        if validation is not None and has_fit_parameter(self.meta_, "validation"):
            given["validation"] = (self._stacked(validation[0]), validation[1])
        self.meta_.fit(_beside(table, said), y, **given)
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
        check_is_fitted(self)
        return self.meta_.predict_proba(self._stacked(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest label of each row, or all its labels.

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
        return self.meta_.predict(self._stacked(X))

    def predict_set(self, X: Any) -> list[set[Any]]:
        """Return the labels of each row as a set.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        list of set of n_rows sets
            As the last classifier gives them.
        """
        check_is_fitted(self)
        return self.meta_.predict_set(self._stacked(X))

    def _stacked(self, X: Any) -> FeatureTable:
        """Return the features and what the classifiers of all training rows say of them."""
        table = self._check_table(X, reset=False)
        return _beside(table, {name: self._say(model, table.select([name])) for name, model in self.bases_.items()})

    def _say(self, model: Any, table: FeatureTable) -> NDArray[np.float64]:
        """Return probabilities in the order of our classes; 0 of those that the model never saw."""
        probabilities = np.zeros((len(table), len(self.classes_)))
        probabilities[:, np.isin(self.classes_, model.classes_)] = model.predict_proba(table)
        return probabilities


def _beside(table: FeatureTable, said: dict[str, NDArray[np.float64]]) -> FeatureTable:
    """Return a table with a block of probabilities after each modality's features."""
    blocks = dict(table.blocks)
    for modality, probabilities in said.items():
        name = f"{modality}_says"
        blocks[name] = Block(probabilities, [f"{name}.{number}" for number in range(probabilities.shape[1])])
    return FeatureTable(table.segments, blocks)
