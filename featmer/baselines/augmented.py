"""Any classifier, trained on its rows and on copies of them with features missing."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from featmer._estimator import TableEstimator
from featmer._nested import NestingEstimator
from featmer._targets import encode_classes
from featmer.baselines.linear import LinearClassifier
from featmer.missing import Missing
from featmer.table import FeatureTable


class AugmentedClassifier(MetaEstimatorMixin, ClassifierMixin, NestingEstimator, TableEstimator):
    """Train a classifier on rows as they are and on copies with features missing, so that it learns to do without.

    Heads that are trained in epochs had better be `featmer.nn.SelfDistilled`, which draws anew in each.

    Parameters
    ----------
    estimator : classifier, default=None
        Takes a FeatureTable with gaps. None is `LinearClassifier`.
    missing : Missing, default=None
        What goes missing in the copies; each draws anew. None takes whole modalities from rows at drawn rates.
    copies : int, default=1
        How many copies of each row. They are later turns of their dialogue, so that one that is held out is so whole.
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : classifier
        Fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> from featmer import Block
    >>> segments = pd.DataFrame({"dialogue": np.arange(40), "turn": 0})
    >>> y = np.arange(40) % 2
    >>> table = FeatureTable(segments, {name: Block(y[:, None], [f"{name}.a"]) for name in ("audio", "text")})
    >>> model = AugmentedClassifier(copies=4).fit(table, y)
    >>> model.score(Missing("audio").apply(table), y)
    1.0
    """

    nested: ClassVar = {"estimator_": "estimator"}
    kept_types: ClassVar = frozenset({"featmer.missing.Missing"})

    def __init__(
        self,
        estimator: Any = None,
        missing: Missing | None = None,
        *,
        copies: int = 1,
        modalities: Any = None,
    ):
        self.estimator = estimator
        self.missing = missing
        self.copies = copies
        self.modalities = modalities

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Fit the classifier on rows and copies.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            Labels, indicators or distributions, as the classifier takes them.
        validation : tuple (X, y), default=None
            Given to the classifier as it is, where it takes such.

        Returns
        -------
        self
            The fitted classifier.
        """
        table = self._check_table(X, reset=True)
        self.classes_ = encode_classes(y, len(table)).classes
        y = y if hasattr(y, "iloc") else np.asarray(y)
        missing = Missing(rate=None) if self.missing is None else self.missing
        tables = [table, *(self._copy(table, missing, number) for number in range(1, self.copies + 1))]
        rows = np.tile(np.arange(len(table)), len(tables))
        y = y.iloc[rows].reset_index(drop=True) if hasattr(y, "iloc") else y[rows]
        self.estimator_ = clone(LinearClassifier() if self.estimator is None else self.estimator)
        given = {}
        if validation is not None and has_fit_parameter(self.estimator_, "validation"):
            given["validation"] = (self._check_table(validation[0], reset=False), validation[1])
        self.estimator_.fit(FeatureTable.concat(tables), y, **given)
        return self

    @staticmethod
    def _copy(table: FeatureTable, missing: Missing, number: int) -> FeatureTable:
        """Return the rows with something missing, as turns after all others."""
        seed = missing.random_state + number
        copy = clone(missing).set_params(random_state=seed).apply(table)
        turns = table.segments["turn"]
        later = turns + number * (turns.max() - turns.min() + 1)
        return FeatureTable(copy.segments.assign(turn=later), copy.blocks, provenance=table.provenance)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(self._check_table(X, reset=False))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest label of each row, or all its labels.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_classes)
            As the classifier gives them.
        """
        check_is_fitted(self)
        return self.estimator_.predict(self._check_table(X, reset=False))
