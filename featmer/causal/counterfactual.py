"""Counterfactual subtraction: what a classifier says by its shortcuts alone, taken from what it says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.utils import check_array

from featmer._checks import check_name
from featmer._deciding import DecidingClassifier
from featmer.calibration.wrapper import ClassifierWrapper
from featmer.causal.backdoor import _FLOOR, _refuse_several
from featmer.table import Block, FeatureTable

TAUS = np.arange(31) / 10


def varied_features(counts: ArrayLike, y: ArrayLike, *, variation: float = 0.1, most: int = 100) -> NDArray[np.int64]:
    """Find features that come with some classes more than with others: the paper's list of words.

    It cannot tell causes from shortcuts, as both vary with the class: where you know better, name the shortcuts.

    Parameters
    ----------
    counts : array-like of shape (n_rows, n_features)
        How often each word is in each row, say; NaN counts as 0.
    y : array-like of shape (n_rows,)
        Labels.
    variation : float, default=0.1
        Least coefficient of variation (standard deviation over mean) of a feature's sums over classes.
    most : int, default=100
        How many at most, those with the largest sums.

    Returns
    -------
    ndarray of int
        Numbers of the features, rising.

    Examples
    --------
    >>> varied_features([[1, 1, 0], [1, 0, 0]], ["joy", "fear"]).tolist()
    [1]
    """
    given, labels = np.abs(np.nan_to_num(np.asarray(counts, float))), np.asarray(y)
    sums = np.stack([given[labels == label].sum(axis=0) for label in np.unique(labels)])
    mean = sums.mean(axis=0)
    varied = np.flatnonzero(sums.std(axis=0) >= variation * np.maximum(mean, np.finfo(float).tiny))
    return np.sort(varied[np.argsort(-mean[varied], kind="stable")[:most]])


class CounterfactualClassifier(ClassifierWrapper, DecidingClassifier):
    """Answer by ``log p(y | x) - tau log p(y | shortcuts of x)``.

    The second term is what the same classifier says where all but the shortcuts is hidden: missing in a table, the
    mean of the training rows in an array.

    Parameters
    ----------
    estimator : classifier
        Of featmer or scikit-learn, with ``predict_proba``, for one label a row.
    shortcuts : iterable of str or int, default=None
        What the classifier leans on too much: names of modalities or features of a table, column numbers of an array.
        None takes those of `varied_features`, for arrays of counts.
    tau : "validation" or float, default="validation"
        How much is taken away. "validation" takes the largest of 0, 0.1, ..., 3 that costs at most ``tolerance`` of
        accuracy, against 0, on rows like the training rows that the classifier was not trained on. Where ``fit`` is
        told of shifted rows too, it takes the one of these that is best for them.
    tolerance : float, default=0.02
        Of accuracy: what may be lost on rows like the training rows.
    validation_share : float, default=0.2
        Share of the dialogues (of an array, rows) held out of training, where ``fit`` is given no validation rows.
    random_state : int, RandomState or None, default=None
        Seed of the dialogues held out.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : classifier
        The fitted classifier.
    tau_ : float
        How much is taken away.
    shortcuts_ : list
        Names or numbers.

    References
    ----------
    CIDer: arXiv 2506.10452, 2025; its code picks tau by each metric on test labels, which is not done here.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> model = CounterfactualClassifier(LogisticRegression(), [1], random_state=0).fit(X, X[:, 0] > 0)
    >>> model.score(X, X[:, 0] > 0) > 0.9
    True
    """

    def __init__(
        self,
        estimator: Any,
        shortcuts: Iterable[str | int] | None = None,
        *,
        tau: str | float = "validation",
        tolerance: float = 0.02,
        validation_share: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.shortcuts = shortcuts
        self.tau = tau
        self.tolerance = tolerance
        self.validation_share = validation_share
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        tags.input_tags.sparse = False
        return tags

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        validation: tuple[Any, ArrayLike] | None = None,
        shifted: ArrayLike | None = None,
    ) -> Self:
        """Fit the classifier on some dialogues and choose tau on the others.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,)
            Their labels.
        validation : tuple of (X, y), default=None
            Rows to choose tau on, which the classifier then never sees; None holds dialogues of X out.
        shifted : array-like of bool of shape (n_validation_rows,), default=None
            Which of these rows are of conditions where the shortcuts may not hold: what is lost on them is no cost,
            what is gained on them is looked for. None of them by default.

        Returns
        -------
        CounterfactualClassifier
            Itself.

        Raises
        ------
        ValueError
            If tau is neither "validation" nor a number from 0 on, shortcuts are unknown, or not to be found in a table,
            or ``shifted`` is not of as many rows as ``validation``.
        """
        if isinstance(self.tau, str):
            check_name(self.tau, ("validation",), "choice of tau")
        elif self.tau < 0:
            raise ValueError(f"tau is how much is taken away, 0 or more, got {self.tau!r}.")
        if not isinstance(X, FeatureTable):
            check_array(X, dtype=None, ensure_all_finite=False, ensure_min_samples=0, ensure_min_features=0)
        unseen, targets = self._fit_estimator(X, y, validation)
        self.target_ = targets.kind
        _refuse_several(self, targets.kind)
        if isinstance(X, FeatureTable):
            self.shortcuts_ = self._named(X)
        else:
            values = check_array(X, dtype=float, ensure_all_finite="allow-nan")
            self.shortcuts_ = list(
                varied_features(values, np.asarray(y).ravel()) if self.shortcuts is None else self.shortcuts
            )
            self.means_ = np.nanmean(values, axis=0)
        elsewhere = self._shifted(shifted, len(targets.values), validation is not None)
        self.tau_ = self._best(unseen, targets.values, elsewhere) if isinstance(self.tau, str) else float(self.tau)
        return self

    def _named(self, table: FeatureTable) -> list[Any]:
        if self.shortcuts is None:
            raise ValueError("Shortcuts of a table must be named: shortcuts=['audio'], or features of it.")
        names = [self.shortcuts] if isinstance(self.shortcuts, str) else list(self.shortcuts)
        for name in names:
            check_name(name, [*table.modalities, *table.feature_names], "shortcut")
        return names

    @staticmethod
    def _shifted(shifted: ArrayLike | None, n_rows: int, given: bool) -> NDArray[np.bool_]:
        if shifted is None:
            return np.zeros(n_rows, bool)
        told = np.asarray(shifted, bool)
        if not given or told.shape != (n_rows,):
            rows = n_rows if given else 0
            raise ValueError(f"shifted tells of each of {rows} validation rows whether it is, got {told.shape}.")
        return told

    def _best(self, unseen: Any, codes: NDArray[np.int64], shifted: NDArray[np.bool_]) -> float:
        whole, shortcut = self._logarithms(unseen)
        right = np.array([(whole - tau * shortcut).argmax(axis=1) == codes for tau in TAUS])
        alike, gained = right[:, ~shifted].sum(axis=1), right[:, shifted].sum(axis=1)
        cheap = alike[0] - alike <= self.tolerance * (~shifted).sum()
        return float(TAUS[cheap & (gained == gained[cheap].max())].max())

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return what is left of the probability of each class, brought to a sum of 1.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; whole dialogues for classifiers that look at the context.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            In the order of ``classes_``.
        """
        whole, shortcut = self._logarithms(X)
        return softmax(whole - self.tau_ * shortcut, axis=1)

    def _logarithms(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the logarithms of what is said of rows, and of their shortcuts alone."""
        whole = super().predict_proba(X)
        shortcut = super().predict_proba(self._hidden(X))
        return np.log(np.maximum(whole, _FLOOR)), np.log(np.maximum(shortcut, _FLOOR))

    def _hidden(self, X: Any) -> Any:
        """Return rows of which only the shortcuts can be seen."""
        if isinstance(X, FeatureTable):
            blocks = {name: self._hidden_block(name, block) for name, block in X.blocks.items()}
            return FeatureTable(X.segments, blocks, provenance=X.provenance)
        values = np.asarray(X, float)
        hidden = np.tile(self.means_, (len(values), 1))
        hidden[:, self.shortcuts_] = values[:, self.shortcuts_]
        return type(X)(hidden, index=X.index, columns=X.columns) if hasattr(X, "iloc") else hidden

    def _hidden_block(self, modality: str, block: Block) -> Block:
        if modality in self.shortcuts_:
            return block
        seen = np.isin(block.names, self.shortcuts_)
        frames = np.where(seen, block.frames, np.nan).astype(block.frames.dtype)
        return Block.from_frames(frames, block.names, block.offsets, frame_times=block.frame_times)
