"""A light classifier that learns what a heavy one says, of any number of labels a row too."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from featmer._deciding import DecidingClassifier
from featmer._nested import NestingEstimator
from featmer._targets import encode_classes, encode_like


class DistilledClassifier(DecidingClassifier, MetaEstimatorMixin, NestingEstimator):
    """Teach a classifier the probabilities that another one gives.

    The student learns from rows that count as much as the teacher believes in their label. Teach it ``weight * said +
    (1 - weight) * true`` to mix in the truth, or what the teacher is sure of: ``said > 0.3``.

    Parameters
    ----------
    student : classifier
        One that takes distributions as y: `BoostedClassifier`, `LinearClassifier`, `FusionClassifier`. Where y gives
        each label a probability of its own, each label gets a copy.
    thresholds : {"all", "class"} or float, default="all"
        Above which probability a label is given where there is any number of labels a row: chosen on the validation
        rows, if there are any, and else 0.5; or a number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels; the names of y's columns, or their numbers.
    target_ : {"labels", "indicators", "distributions"}
        What y was; probabilities of each label by itself are "indicators".
    students_ : list of classifier
        One, or one a label.

    References
    ----------
    Shvets: Emo Pillars: knowledge distillation to support fine-grained context-aware and context-less emotion
    classification. arXiv 2504.16856, 2025. Teacher and student differ from ours.

    Examples
    --------
    >>> from featmer.baselines import LinearClassifier
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> said = pd.DataFrame({"joy": 1 / (1 + np.exp(-3 * X[:, 0])), "fear": 0.2})
    >>> student = DistilledClassifier(LinearClassifier(C=100.0)).fit(X, said)
    >>> student.predict_proba([[0.0], [0.5]]).round(1).tolist()
    [[0.5, 0.2], [0.8, 0.2]]
    """

    nested: ClassVar = {"students_": "student"}

    def __init__(self, student: Any, *, thresholds: str | float = "all") -> None:
        self.student = student
        self.thresholds = thresholds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.student).input_tags
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Fit the student or students.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows, n_classes)
            A probability of each label; a DataFrame's columns name them. Where all rows sum to 1 it is a distribution.
            Labels and matrices of 0 and 1 are taken as the student takes them.
        validation : tuple of (X, y), default=None
            Rows with true labels, to choose thresholds on.

        Returns
        -------
        DistilledClassifier
            Itself.

        Raises
        ------
        ValueError
            If y holds other things.
        """
        self._check_thresholds()
        said = _probabilities(y)
        if said is None:
            self.students_ = [clone(self.student).fit(X, y)]
            self.target_, self.classes_ = encode_classes(y, len(np.asarray(y))).kind, self.students_[0].classes_
        else:
            answers = [pd.DataFrame({"no": 1 - said[name], "yes": said[name]}) for name in said]
            self.students_ = [clone(self.student).fit(X, answer) for answer in answers]
            self.target_, self.classes_ = "indicators", said.columns.to_numpy()
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.students_[0], name):
                setattr(self, name, getattr(self.students_[0], name))
        self._choose_thresholds(lambda: self._ask(validation))
        return self

    def _ask(self, validation: tuple[Any, ArrayLike] | None) -> tuple[ArrayLike, ArrayLike]:
        """Return the truth about the validation rows, and what is said about them."""
        if validation is None:
            return (), ()
        X, y = validation
        return encode_like(y, len(np.asarray(y)), self._known(), "validation rows"), self.predict_proba(X)

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
        if len(self.students_) == 1:
            return self.students_[0].predict_proba(X)
        return np.column_stack([student.predict_proba(X)[:, 1] for student in self.students_])


def _probabilities(y: ArrayLike) -> pd.DataFrame | None:
    """Return y if it gives each label a probability of its own."""
    values = np.asarray(y)
    if values.ndim != 2 or values.dtype.kind != "f":
        return None
    said = y if isinstance(y, pd.DataFrame) else pd.DataFrame(values)
    possible = (values >= 0).all() and (values <= 1).all()
    distribution = np.allclose(values.sum(axis=1), 1.0, atol=1e-4)
    return said if possible and values.shape[1] > 1 and not distribution and not np.isin(values, (0, 1)).all() else None
