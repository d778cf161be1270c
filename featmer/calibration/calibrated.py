"""Any classifier, with probabilities that were put right on held-out dialogues."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from featmer._checks import check_name
from featmer._deciding import DecidingClassifier
from featmer.calibration.scaling import METHODS, apply_map
from featmer.calibration.wrapper import ClassifierWrapper


class CalibratedClassifier(ClassifierWrapper, DecidingClassifier):
    """Calibrate the probabilities of a classifier on dialogues that it was not trained on.

    Parameters
    ----------
    estimator : classifier
        Of featmer or scikit-learn, with ``predict_proba``: one label a row, several, or shares.
    method : {"temperature", "vector", "isotonic"}, default="temperature"
        "temperature" divides the scores by one number, or with several labels by one for each, and keeps every order;
        "vector" multiplies and shifts the scores of each class; "isotonic" finds a rising step curve for each, which
        needs many rows.
    validation_share : float, default=0.2
        Share of the dialogues (of an array, rows) held out of training to calibrate on, where ``fit`` is given no
        validation rows. Dialogues that alone have some label are not held out.
    random_state : int, RandomState or None, default=None
        Seed of the dialogues held out.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : classifier
        The fitted classifier.
    map_ : dict
        What was learned: ``scale`` and ``shift`` of the scores, or ``curves``.
    temperature_ : float or ndarray of shape (n_classes,)
        With method "temperature"; above 1 where the classifier was too sure.
    thresholds_ : ndarray of shape (n_classes,)
        With several labels a row: those of the classifier where it has some, mapped like its probabilities so that the
        same labels are given, else 0.5.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> rng = np.random.default_rng(0)
    >>> mood = rng.integers(0, 2, 4000)
    >>> X = np.repeat(mood[:, None] + rng.normal(size=(4000, 1)), 9, axis=1)  # nine times the same evidence
    >>> model = CalibratedClassifier(GaussianNB(), validation_share=0.5, random_state=0).fit(X, mood)
    >>> round(model.temperature_)
    9
    """

    def __init__(
        self,
        estimator: Any,
        method: str = "temperature",
        *,
        validation_share: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.method = method
        self.validation_share = validation_share
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Fit the classifier on some dialogues and calibrate it on the others.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            Their labels, indicators of labels, or shares.
        validation : tuple of (X, y), default=None
            Rows to calibrate on, which the classifier then never sees; None holds dialogues of X out.

        Returns
        -------
        CalibratedClassifier
            Itself.

        Raises
        ------
        ValueError
            If the method is unknown, or no dialogue can be held out.
        """
        check_name(self.method, METHODS, "method of calibration")
        unseen, targets = self._fit_estimator(X, y, validation)
        self.target_ = targets.kind
        truth = targets.values
        if targets.kind == "labels":
            truth = (truth[:, None] == np.arange(len(self.classes_))).astype(np.float64)
        given = super().predict_proba(unseen)
        self.map_ = METHODS[self.method](given, truth, several=self._several)
        if self._several:
            limits = getattr(self.estimator_, "thresholds_", None)
            even = np.full(len(self.classes_), 0.5)
            self.thresholds_ = even if limits is None else apply_map(self.map_, limits[None], several=True)[0]
        return self

    @property
    def temperature_(self) -> Any:
        """The temperature that was found."""
        if self.method != "temperature":
            raise AttributeError(f"method={self.method!r} has no temperature.")
        return 1 / self.map_["scale"]

    @property
    def _several(self) -> bool:
        return self.target_ == "indicators"

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the calibrated probability of each class.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; whole dialogues for classifiers that look at the context.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``; rows sum to 1 unless there are several labels a row.
        """
        given = super().predict_proba(X)
        return apply_map(self.map_, given, several=self._several)
