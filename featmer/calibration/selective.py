"""Any classifier, with a second one beside it that tells how likely its answers are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit, xlogy
from sklearn.model_selection import GroupKFold
from sklearn.utils.validation import check_is_fitted

from featmer._checks import check_name
from featmer.calibration.words import learn_words, say
from featmer.calibration.wrapper import ClassifierWrapper
from featmer.groups import group_codes
from featmer.table import FeatureTable

_N_FOLDS = 5


class SelectiveClassifier(ClassifierWrapper):
    """Tell how likely each answer of a classifier is right, in numbers and in words, and leave out the least sure.

    A logistic model is trained, on dialogues that the classifier has not seen, to tell its right answers from wrong
    ones by the probability of the likeliest class, its lead over the second, and the entropy of all.

    Parameters
    ----------
    estimator : classifier
        Of featmer or scikit-learn, with ``predict_proba``; one label a row.
    coverage : float, default=1.0
        Share of rows to answer, above 0; ``predict`` gives the others ``rejected``. Which confidence is too low for
        that is learned from the held-out rows, so that other rows are answered about as often. It may be set anew
        without fitting again.
    rejected : object, default="rejected"
        What ``predict`` returns for rows that are left out.
    loss : {"log", "brier"}, default="log"
        Proper score that the confidence is trained by.
    features : bool, default=False
        Whether confidence also looks at the features of the row; missing ones count as average.
    validation_share : float, default=0.2
        Share of the dialogues (of an array, rows) held out of training to learn confidence from, where ``fit`` is
        given no validation rows. Dialogues that alone have some label are not held out.
    random_state : int, RandomState or None, default=None
        Seed of the dialogues held out.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : classifier
        The fitted classifier.
    validation_correct_, validation_confidence_ : ndarray of shape (n_validation_rows,)
        Whether it is right about the held-out rows, and the confidence in each, learned from other dialogues than the
        row's own: what `featmer.evaluation.risk_coverage` needs to choose a coverage.

    References
    ----------
    El-Yaniv and Wiener, "On the foundations of noise-free selective classification", JMLR 11, 2010.
    EmoCaliber: Advancing reliable visual emotion comprehension via confidence verbalization and calibration,
    arXiv 2512.15528, 2025.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 1))
    >>> mood = np.where(X[:, 0] + 0.5 * rng.normal(size=600) > 0, "joy", "anger")
    >>> model = SelectiveClassifier(LogisticRegression(), coverage=0.7, random_state=0).fit(X, mood)
    >>> model.predict([[2.0], [0.01], [-2.0]]).tolist()
    ['joy', 'rejected', 'anger']
    >>> model.confidence_in_words([[2.0], [0.01]]).tolist()
    ['very sure', 'fairly sure']
    """

    def __init__(
        self,
        estimator: Any,
        *,
        coverage: float = 1.0,
        rejected: Any = "rejected",
        loss: str = "log",
        features: bool = False,
        validation_share: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.coverage = coverage
        self.rejected = rejected
        self.loss = loss
        self.features = features
        self.validation_share = validation_share
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Fit the classifier on some dialogues, and confidence in it on the others.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,)
            Their labels.
        validation : tuple of (X, y), default=None
            Rows to learn confidence from, which the classifier then never sees; None holds dialogues of X out.

        Returns
        -------
        SelectiveClassifier
            Itself.

        Raises
        ------
        ValueError
            If y is not one label a row, a parameter is out of range, or no dialogue can be held out.
        """
        check_name(self.loss, LOSSES, "loss of confidence")
        unseen, targets = self._fit_estimator(X, y, validation)
        if targets.kind != "labels":
            raise ValueError(f"Confidence is in one label a row, but y holds {targets.kind}.")
        if self.rejected in self.classes_.tolist():
            raise ValueError(f"rejected={self.rejected!r} is a label too; choose a word that is none.")
        probabilities = self.predict_proba(unseen)
        self.validation_correct_ = probabilities.argmax(axis=1) == targets.values
        signs = self._signs(unseen, probabilities)
        known = np.ma.masked_invalid(signs)
        self.centre_, self.spread_ = known.mean(axis=0).filled(0), known.std(axis=0).filled(0)
        design = self._design(signs)
        self.weights_ = _fit_weights(design, self.validation_correct_, self.loss)
        self.validation_confidence_ = _cross_fit(design, self.validation_correct_, self.loss, _groups(unseen))
        self.sureness_ = np.sort(expit(design @ self.weights_))
        self.words_ = learn_words(self.validation_correct_, self.validation_confidence_)
        return self

    def predict_confidence(self, X: Any) -> NDArray[np.float64]:
        """Return how likely the likeliest label of each row is right.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; whole dialogues for classifiers that look at the context.

        Returns
        -------
        ndarray of shape (n_rows,)
            From 0 to 1.
        """
        return self._confidence(X, self.predict_proba(X))

    def confidence_in_words(self, X: Any) -> NDArray[np.str_]:
        """Return the confidence in each answer as one of ``CONFIDENCE_WORDS``; `word_report` says what it is worth.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows.

        Returns
        -------
        ndarray of str of shape (n_rows,)
            Words; only such as held-out rows lived up to.
        """
        confidence = self.predict_confidence(X)
        return say(self.words_, confidence)

    def word_report(self) -> pd.DataFrame:
        """Return what the words in use were worth.

        Returns
        -------
        DataFrame with index ``word``, least sure first
            ``low``, from which confidence on the word is used; the ``accuracy`` that its rows had among the ``n_rows``
            held-out rows that it was said of.
        """
        check_is_fitted(self)
        return pd.DataFrame(self.words_).set_index("word")

    @property
    def threshold_(self) -> float:
        """Return the confidence below which rows are not answered at the coverage asked for."""
        if not 0 < self.coverage <= 1:
            raise ValueError(f"coverage is a share above 0 and up to 1, got {self.coverage}.")
        if self.coverage == 1:
            return -np.inf
        # Labels play no part in how often a confidence is reached, so here the one that is used may be asked itself.
        return float(self.sureness_[-int(np.ceil(self.coverage * len(self.sureness_)))])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest label of each row, or ``rejected`` where it is too unsure.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_rows,)
            Labels; of objects where the coverage is below 1.
        """
        probabilities = self.predict_proba(X)
        labels = self.classes_[probabilities.argmax(axis=1)]
        threshold = self.threshold_
        if threshold == -np.inf:
            return labels
        answers = labels.astype(object)
        answers[self._confidence(X, probabilities) < threshold] = self.rejected
        return answers

    def _confidence(self, X: Any, probabilities: NDArray) -> NDArray[np.float64]:
        return expit(self._design(self._signs(X, probabilities)) @ self.weights_)

    def _signs(self, X: Any, probabilities: NDArray) -> NDArray[np.float64]:
        """Return what confidence goes by: (n_rows, 3), or with features (n_rows, 3 + n_features)."""
        padded = np.column_stack([probabilities, np.zeros(len(probabilities))])  # there may be a single class
        second, first = np.sort(padded, axis=1)[:, [-2, -1]].T
        entropy = -xlogy(probabilities, probabilities).sum(axis=1)
        signs = np.column_stack([logit(np.clip(first, 1e-6, 1 - 1e-6)), first - second, entropy])
        return np.column_stack([signs, np.asarray(X, np.float64)]) if self.features else signs

    def _design(self, signs: NDArray) -> NDArray[np.float64]:
        """Return standardised signs and a constant; all features together weigh as much as one other sign."""
        spread = np.where(self.spread_ > 0, self.spread_, 1.0)
        scaled = np.nan_to_num((signs - self.centre_) / spread)
        scaled[:, 3:] /= max(scaled.shape[1] - 3, 1) ** 0.5
        return np.column_stack([scaled, np.ones(len(scaled))])


def _groups(X: Any) -> NDArray[np.int64]:
    return group_codes(X.segments) if isinstance(X, FeatureTable) else np.arange(X.shape[0])


def _cross_fit(design: NDArray, correct: NDArray, loss: str, groups: NDArray) -> NDArray[np.float64]:
    """Return the confidence in each row of a model that was fitted on other dialogues, where there are others."""
    n_groups = len(np.unique(groups))
    if n_groups == 1:
        return expit(design @ _fit_weights(design, correct, loss))
    confidence = np.empty(len(correct))
    for rest, rows in GroupKFold(min(_N_FOLDS, n_groups)).split(design, groups=groups):
        confidence[rows] = expit(design[rows] @ _fit_weights(design[rest], correct[rest], loss))
    return confidence


def _fit_weights(design: NDArray, correct: NDArray, loss: str) -> NDArray[np.float64]:
    """Return the weights of the logistic model with the lowest loss, drawn to 0 as by one row that is half right."""
    score, n_rows = LOSSES[loss], len(design)

    def penalised(weights: NDArray) -> tuple[float, NDArray]:
        value, slope = score(design @ weights, correct)
        return value.mean() + weights @ weights / (2 * n_rows), (design.T @ slope + weights) / n_rows

    return minimize(penalised, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x


def _log_score(odds: NDArray, correct: NDArray) -> tuple[NDArray, NDArray]:
    return np.logaddexp(0, odds) - correct * odds, expit(odds) - correct


def _brier_score(odds: NDArray, correct: NDArray) -> tuple[NDArray, NDArray]:
    sure = expit(odds)
    return (sure - correct) ** 2, 2 * (sure - correct) * sure * (1 - sure)


LOSSES: dict[str, Callable[[NDArray, NDArray], tuple[NDArray, NDArray]]] = {"log": _log_score, "brier": _brier_score}
"""Loss of each row and its slope, by log odds and whether the answer is right."""
