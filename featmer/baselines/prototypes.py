"""Emotions read from action units by the prototypes of the literature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, softmax
from sklearn.utils.validation import check_is_fitted

from featmer._estimator import ARRAY_MODALITY
from featmer._targets import encode_labels
from featmer.baselines.base import BaselineClassifier
from featmer.descriptions import ACTION_UNITS
from featmer.descriptions.measures import read_measures
from featmer.labels import FacePrototype, face_prototypes
from featmer.table import FeatureTable

Array = NDArray[np.float64]

_CORE = 0.85
_BACKGROUND = 0.05


class AUPrototypeClassifier(BaselineClassifier):
    """Classify by how well the action units of a face fit the prototype of each emotion.

    Naive Bayes: an emotion's face shows its core action units with probability .85, its secondary ones with the share
    that the table gives, any other with .05; of several prototypes of an emotion each counts the same. An action unit
    that is missing, in a row or in all, says nothing (it is marginalised, never taken for absent). Only what no
    prototype tells is learned from the training rows: how frequent each class is, and the action units of classes that
    the table does not have.

    Features that are no action unit are not used. A plain array without names has no action units: there each column is
    taken for one, and learned.

    Parameters
    ----------
    modalities : list of str, default=None
        Modalities of the table to use; None uses all.
    table : {"du", "emfacs"}, default="du"
        Where the prototypes are from, see `featmer.labels.face_prototypes`; classes are matched by its labels, basic
        emotions by Ekman's, too. `featmer.labels.map_labels` brings others to these words.
    threshold : float, default=None
        Value from which an action unit is there, 1.0 for intensities from 0 to 5. With None the values, clipped to 0
        and 1, are the probabilities that it is.
    class_weight : "balanced" or dict of label to float, default=None
        Weights of the classes; "balanced" makes all as probable before the face is seen.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels seen in fit.
    action_units_ : list of str
        The features that are used.
    rates_ : ndarray of shape (n_prototypes, n_action_units)
        Probability of each action unit in each prototype.
    prototype_classes_ : ndarray of shape (n_prototypes,)
        Number of the class that a prototype stands for.
    learned_ : list
        The classes that have no prototype in the table.

    References
    ----------
    Du, Tao, Martinez: Compound facial expressions of emotion. PNAS, 2014.
    Ekman, Friesen: EMFACS-7: emotional facial action coding system, 1983.

    Examples
    --------
    >>> faces = pd.DataFrame({"AU04": [0.1, 0.9], "AU12": [0.9, 0.0], "AU15": [0.1, 0.8], "AU25": [0.7, 0.1]})
    >>> model = AUPrototypeClassifier().fit(faces, ["happy", "sad"])
    >>> model.predict(pd.DataFrame({"AU04": [0.2], "AU12": [np.nan], "AU15": [0.9], "AU25": [np.nan]}))
    array(['sad'], dtype='<U5')
    """

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        table: str = "du",
        threshold: float | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
    ):
        self.modalities = modalities
        self.table = table
        self.threshold = threshold
        self.class_weight = class_weight

    def fit(self, X: Any, y: ArrayLike, validation: Any = None) -> Self:
        """Look up the prototypes, and learn what they do not tell.

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

        Raises
        ------
        ValueError
            If the table of prototypes is unknown, or no feature is an action unit.
        """
        table = self._check_table(X, reset=True)
        self.classes_, codes = encode_labels(y, len(table))
        shown = self._shown(table)
        self.action_units_ = [str(name) for name in shown]
        known = face_prototypes(self.table)
        if not set(shown) <= set(ACTION_UNITS):
            known = {}  # of columns without names nothing is known
        self.learned_ = [label for label in self.classes_.tolist() if label not in known]
        rates = [
            np.array([_rates(one, self.action_units_) for one in known[label]])
            if label in known
            else _learn_rates(shown.to_numpy()[codes == number])
            for number, label in enumerate(self.classes_.tolist())
        ]
        self.rates_ = np.concatenate(rates)
        self.prototype_classes_ = np.repeat(np.arange(len(rates)), [len(each) for each in rates])
        weighted = np.bincount(codes) * self._class_weights(codes)
        self.prior_ = weighted / weighted.sum()
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            What to classify.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``; rows sum to 1. Where no action unit is known it is the share of each class.
        """
        check_is_fitted(self)
        shown = self._shown(self._check_table(X, reset=False)).to_numpy()
        there, not_there = np.nan_to_num(shown), np.nan_to_num(1 - shown)
        scores = there @ np.log(self.rates_).T + not_there @ np.log1p(-self.rates_).T
        counts = np.bincount(self.prototype_classes_)
        by_class = [logsumexp(scores[:, self.prototype_classes_ == number], axis=1) for number in range(len(counts))]
        prior = np.log(np.maximum(self.prior_, np.finfo(np.float64).tiny))
        return softmax(np.column_stack(by_class) - np.log(counts) + prior, axis=1)

    def _shown(self, table: FeatureTable) -> pd.DataFrame:
        """Return the probability that each action unit is there, NaN where it is not known."""
        values = read_measures(table).face
        if not len(values.columns) and table.modalities == (ARRAY_MODALITY,):
            values = pd.DataFrame(np.asarray(table, np.float64), columns=table.feature_names)
        if not len(values.columns):
            raise ValueError(
                f"No feature of {list(table.modalities)} is an action unit, such as 'face.au.AU12'; extract faces "
                "with FaceLandmarks, PyFeat or FaceCsv."
            )
        if self.threshold is None:
            return values.clip(0.0, 1.0)
        return (values >= self.threshold).astype(np.float64).where(values.notna())


def _rates(prototype: FacePrototype, action_units: list[str]) -> list[float]:
    """Return the probability of each action unit in a face of the prototype."""
    core = dict.fromkeys(prototype.core, _CORE)
    return [{**prototype.secondary, **core}.get(unit, _BACKGROUND) for unit in action_units]


def _learn_rates(shown: Array) -> Array:
    """Return the share of faces that show each action unit, as if one more did and one did not, as one prototype."""
    return (1 + np.nansum(shown, axis=0, keepdims=True)) / (2 + np.isfinite(shown).sum(axis=0, keepdims=True))
