"""Compound emotions from a classifier of basic ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.validation import _num_samples, check_is_fitted, has_fit_parameter

from featmer._nested import NestingEstimator
from featmer._targets import ClassTargets, encode_labels, encode_like
from featmer.labels import compound_components
from featmer.labels.compounds import score_pairs
from featmer.labels.spaces import LabelSpace

Pairs = Mapping[Any, tuple[Any, Any]]


class PairwiseCompound(MetaEstimatorMixin, ClassifierMixin, NestingEstimator):
    """Classify compound emotions by the probabilities of the two basic ones that each is made of.

    The classifier inside learns basic emotions only. Where y has nothing but those, no compound emotion is ever seen,
    and all of the label space are told apart; where y has compound ones too, each of their rows is half of either
    component to the classifier inside, and those that occur are told apart. Labels that are neither, such as "other",
    are classes by themselves; "neutral" counts as a basic emotion, of which no compound is made.

    Parameters
    ----------
    classifier : classifier
        Learns the basic emotions; must take distributions as y if compound ones are to be learned from. One that is
        fitted already is used as it is within scikit-learn's ``FrozenEstimator``: then y only says which classes there
        are.
    compounds : str or LabelSpace, default="c_expr"
        "c_expr", "raf_ce", or "plutchik_dyads", see `featmer.labels.compound_components`.
    basic : str or LabelSpace, default="ekman"
        The space of the components.
    rule : {"product", "geometric", "minimum"}, default="product"
        Score of a pair: product, geometric mean or minimum of the two; scores are made to sum to 1.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The compound emotions, and labels of y that are neither compound nor basic.
    classifier_ : classifier
        The fitted classifier of basic emotions.
    pairs_ : dict of label to pair of label
        What each class is made of; a class by itself is a pair of itself.

    References
    ----------
    Richet et al.: Textualized and feature-based models for compound multimodal emotion recognition in the wild.
    ECCV workshops, 2024 (the task and its pairs).

    Examples
    --------
    >>> from featmer.baselines import LinearClassifier
    >>> basic = ["anger", "disgust", "fear", "joy", "sadness", "surprise"]
    >>> model = PairwiseCompound(LinearClassifier(C=10.0)).fit(np.eye(6), basic)  # no compound emotion among them
    >>> model.predict([[0.5, 0, 0, 0, 0.5, 0], [0, 0, 0, 0.6, 0, 0.4]])
    array(['sadly angry', 'happily surprised'], dtype='<U21')
    """

    nested: ClassVar = {"classifier_": "classifier"}
    kept_types: ClassVar = frozenset({"featmer.labels.spaces.LabelSpace"})

    def __init__(
        self,
        classifier: Any,
        *,
        compounds: str | LabelSpace = "c_expr",
        basic: str | LabelSpace = "ekman",
        rule: str = "product",
    ):
        self.classifier = classifier
        self.compounds = compounds
        self.basic = basic
        self.rule = rule

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Fit the classifier of basic emotions.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,)
            Basic or compound emotions, or both.
        validation : tuple (X, y), default=None
            Given on to the classifier if its fit takes it.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        ValueError
            If the classifier does not know a basic emotion that a class is made of.
        """
        seen, codes = encode_labels(y, _num_samples(X))
        pairs = compound_components(self.compounds, self.basic)
        taught_only = {component for pair in pairs.values() for component in pair} | {"neutral"}
        labels = seen.tolist()
        compounds = [label for label in labels if label in pairs]
        if not compounds and taught_only.intersection(labels):
            compounds = list(pairs)
        alone = [label for label in labels if label not in pairs and label not in taught_only]
        self.classes_ = np.array(sorted([*compounds, *alone]), None if compounds else seen.dtype)
        self.pairs_ = {label: pairs.get(label, (label, label)) for label in self.classes_.tolist()}
        given = {}
        if validation is not None and has_fit_parameter(self.classifier, "validation"):
            known = ClassTargets("labels", seen, codes)
            watched = encode_like(validation[1], _num_samples(validation[0]), known, "validation rows")
            given["validation"] = (validation[0], self._targets(seen, watched, pairs))
        self.classifier_ = clone(self.classifier).fit(X, self._targets(seen, codes, pairs), **given)
        unknown = sorted({each for pair in self.pairs_.values() for each in pair}.difference(self._basic()))
        if unknown:
            raise ValueError(
                f"The classifier of basic emotions knows {self._basic()}, but the classes are also made of {unknown}; "
                f"give it rows of all, in the words of the label space {self.basic!r}."
            )
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the score of each class, made to sum to 1.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``; all the same where no pair has any probability.
        """
        check_is_fitted(self, "classifier_")
        basic = pd.DataFrame(self.classifier_.predict_proba(X), columns=self._basic())
        return score_pairs(basic, self.pairs_, self.rule).to_numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of the highest score.

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

    def _basic(self) -> list[Any]:
        return self.classifier_.classes_.tolist()

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in fit."""
        return self.classifier_.n_features_in_

    def _targets(self, seen: NDArray[Any], codes: NDArray[np.int64], pairs: Pairs) -> Any:
        """Return what the classifier inside learns: labels, or shares of components if any label is a compound one."""
        labels = seen.tolist()
        if not any(label in pairs for label in labels):
            return seen[codes]
        made_of = [pairs.get(label, (label, label)) for label in labels]
        components = sorted({each for pair in made_of for each in pair})
        shares = [[pair.count(component) / 2 for component in components] for pair in made_of]
        return pd.DataFrame(np.array(shares)[codes], columns=components)
