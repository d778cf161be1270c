"""Back-door adjustment: an answer averaged over what usually comes with each class, not only with the likeliest."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from featmer._deciding import DecidingClassifier
from featmer.calibration.wrapper import ClassifierWrapper

_FLOOR = 1e-6  # of probabilities, before their logarithm


def backdoor_probabilities(
    represented: NDArray[np.float64],
    confounders: NDArray[np.float64],
    prior: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ``sum_k P(k) softmax(W_k [r; u_k])``: the answer to each row, averaged over the confounders.

    Parameters
    ----------
    represented : ndarray of shape (n_rows, width)
        The rows, r.
    confounders : ndarray of shape (n_confounders, width)
        What comes with each class, u_k.
    prior : ndarray of shape (n_confounders,)
        How likely each is, P(k); sums to 1.
    weights : ndarray of shape (n_confounders, n_classes, 2 * width)
        A layer a confounder, W_k.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
        Rows sum to 1.

    Examples
    --------
    >>> one = backdoor_probabilities(np.array([[0.0, 1.0]]), np.zeros((1, 2)), np.ones(1), np.eye(2, 4)[None])
    >>> one.round(3).tolist()  # one confounder that weighs nothing: a softmax
    [[0.269, 0.731]]
    """
    return np.einsum("k,nkc->nc", prior, softmax(_scores(represented, confounders, weights), axis=2))


def _scores(
    represented: NDArray[np.float64], confounders: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the scores (n_rows, n_confounders, n_classes)."""
    width = represented.shape[1]
    shift = np.einsum("kcw,kw->kc", weights[:, :, width:], confounders)
    return np.einsum("kcw,nw->nkc", weights[:, :, :width], represented) + shift


class BackdoorClassifier(ClassifierWrapper, DecidingClassifier):
    """Adjust a classifier for what goes with each class in training.

    The representation r of a row is what the classifier says of it, as centred logarithms, and u_k the mean of r over
    the held-out rows of class k. A layer a class, `backdoor_probabilities`, starts at what the classifier says and is
    learnt on dialogues that the classifier was not trained on. To answer, the P(k) are equal and each u_k is the mean
    of all, so that neither how often a class came in training nor what came with it decides. In the paper r and u are
    embeddings inside its network; here the classifier may be any. Do not expect it to make up for skewed classes: on
    made-up ones it did not.

    Parameters
    ----------
    estimator : classifier
        Of featmer or scikit-learn, with ``predict_proba``, for one label a row.
    penalty : float, default=1.0
        How strongly the layers are drawn to where they start, against the sum of the losses of all rows.
    validation_share : float, default=0.2
        Share of the dialogues (of an array, rows) held out of training to learn the layers on, where ``fit`` is given
        no validation rows.
    random_state : int, RandomState or None, default=None
        Seed of the dialogues held out.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : classifier
        The fitted classifier.
    confounders_ : ndarray of shape (n_classes, n_classes)
        The u_k.
    prior_ : ndarray of shape (n_classes,)
        Share of each class among the rows that the layers were learnt on.
    weights_ : ndarray of shape (n_classes, n_classes, 2 * n_classes)
        The layers.

    References
    ----------
    CIDer: arXiv 2506.10452, 2025; there the module of multimodal causal inference.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> model = BackdoorClassifier(LogisticRegression(), random_state=0).fit(X, X[:, 0] > 0)
    >>> model.score(X, X[:, 0] > 0) > 0.95
    True
    """

    def __init__(
        self,
        estimator: Any,
        *,
        penalty: float = 1.0,
        validation_share: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.penalty = penalty
        self.validation_share = validation_share
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags

    def fit(self, X: Any, y: ArrayLike, validation: tuple[Any, ArrayLike] | None = None) -> Self:
        """Fit the classifier on some dialogues and the layers on the others.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,)
            Their labels.
        validation : tuple of (X, y), default=None
            Rows to learn the layers on, which the classifier then never sees; None holds dialogues of X out.

        Returns
        -------
        BackdoorClassifier
            Itself.

        Raises
        ------
        ValueError
            If there are several labels a row, or no dialogue can be held out.
        """
        unseen, targets = self._fit_estimator(X, y, validation)
        self.target_ = targets.kind
        _refuse_several(self, targets.kind)
        represented, n_classes = self._represent(unseen), len(self.classes_)
        is_of = targets.values[:, None] == np.arange(n_classes)
        counts = is_of.sum(axis=0)
        means = is_of.T @ represented / np.maximum(counts, 1)[:, None]
        self.confounders_ = np.where(counts[:, None] > 0, means, represented.mean(axis=0))
        self.prior_ = counts / counts.sum()
        start = np.tile(np.eye(n_classes, 2 * n_classes), (n_classes, 1, 1))
        loss = _Loss(represented, is_of, self.confounders_, self.prior_, start, self.penalty)
        self.weights_ = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B").x.reshape(start.shape)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the adjusted probability of each class.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; whole dialogues for classifiers that look at the context.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``.
        """
        represented, n_classes = self._represent(X), len(self.classes_)
        even = np.full(n_classes, 1 / n_classes)
        alike = np.broadcast_to(self.confounders_.mean(axis=0), self.confounders_.shape)
        return backdoor_probabilities(represented, alike, even, self.weights_)

    def _represent(self, X: Any) -> NDArray[np.float64]:
        said = np.log(np.maximum(super().predict_proba(X), _FLOOR))
        return said - said.mean(axis=1, keepdims=True)


class _Loss:
    """The negative log likelihood of the layers and its gradient."""

    def __init__(
        self,
        represented: NDArray[np.float64],
        is_of: NDArray[np.bool_],
        confounders: NDArray[np.float64],
        prior: NDArray[np.float64],
        start: NDArray[np.float64],
        penalty: float,
    ):
        self.represented, self.is_of, self.confounders = represented, is_of, confounders
        self.prior, self.start, self.penalty = prior, start, penalty

    def __call__(self, flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(self.start.shape)
        each = softmax(_scores(self.represented, self.confounders, weights), axis=2)
        right = self.prior * each[self.is_of.nonzero()[0], :, self.is_of.nonzero()[1]]  # (n_rows, n_confounders)
        likelihood = np.maximum(right.sum(axis=1), np.finfo(float).tiny)
        shares = right / likelihood[:, None]
        towards = shares[:, :, None] * (each - self.is_of[:, None, :])
        away = weights - self.start
        gradient = np.concatenate(
            [
                np.einsum("nkc,nw->kcw", towards, self.represented),
                np.einsum("nkc,kw->kcw", towards, self.confounders),
            ],
            axis=2,
        )
        value = -np.log(likelihood).sum() + self.penalty * (away**2).sum() / 2
        return float(value), (gradient + self.penalty * away).ravel()


def _refuse_several(model: Any, kind: str) -> None:
    if kind != "labels":
        raise ValueError(f"{type(model).__name__} takes one label a row, but y holds {kind}.")
