"""Sets of words compared as they are, or with the synonyms of a row made one word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.labels.spaces import folded, label_set

Words = frozenset[str]

PENALTIES: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "reciprocal": lambda true, predicted: 1 / (predicted - true + 1),
    "ratio": lambda true, predicted: true / predicted,
    "logarithm": lambda true, predicted: np.log(true) / np.log(predicted),
}
"""What remains of a row's score with more words than the truth has, by the numbers of true and predicted words.

P1, P2 and P3 of AffectGPT-R1 (arXiv 2508.01318, 2025).
"""


@dataclass(frozen=True)
class SetScores:
    """How sets of words agree.

    Attributes
    ----------
    precision, recall : float
        Mean over rows of the share of predicted words that are true, and of true words that are predicted. The first is
        called accuracy in MER2024.
    f1 : float
        Harmonic mean of these two means; not the mean of the rows' F1.
    average : float
        Their plain mean.
    penalised_f1, penalised_recall : float
        Mean of the rows' F1 or recall, each lowered where the prediction has more words than the truth.
    mean_size, mean_true_size : float
        Different words a row, before mapping: predicted and true.
    coverage : float
        Share of predicted words that the mapping knows; the others are dropped.
    n_rows, n_skipped : float
        Rows scored, and rows without any true word that the mapping knows. Means, where there are several wheels.
    per_wheel : DataFrame
        The same scores wheel by wheel; empty without wheels.

    Examples
    --------
    >>> set_level_scores([["joy"]], [["joy", "fear"]]).precision
    0.5
    """

    precision: float
    recall: float
    f1: float
    average: float
    penalised_f1: float
    penalised_recall: float
    mean_size: float
    mean_true_size: float
    coverage: float
    n_rows: float
    n_skipped: float
    per_wheel: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)


def set_level_scores(
    y_true: Iterable[Any],
    y_pred: Iterable[Any],
    groups: Sequence[Iterable[Iterable[str]]] | None = None,
    *,
    penalty: str = "ratio",
) -> SetScores:
    """Compare sets of words as they are, or after synonyms were made one word.

    Parameters
    ----------
    y_true, y_pred : iterable of collections of str, of n_rows rows
        The words of each row. Case, outer blanks, order and repetition do not matter.
    groups : sequence of n_rows iterables of iterables of str, default=None
        For each row groups of words that mean the same there, such as MER2024's. Each word becomes the first of its
        group; one without a group stays.
    penalty : {"reciprocal", "ratio", "logarithm"}, default="ratio"
        How words beyond the number of true ones lower ``penalised_f1``.

    Returns
    -------
    SetScores
        Scores; rows without true words are skipped, rows without predicted words score 0.

    Raises
    ------
    ValueError
        If the numbers of rows differ, or no row has a true word.

    References
    ----------
    Lian et al.: Explainable multimodal emotion reasoning. arXiv 2306.15401, 2023; MER2024, track 3.

    Examples
    --------
    >>> scores = set_level_scores([["happy", "joyful"]], [["glad", "sad"]], [[["happy", "joyful", "glad"], ["sad"]]])
    >>> scores.precision, scores.recall, scores.mean_size
    (0.5, 1.0, 2.0)
    """
    rows = Rows.of(y_true, y_pred)
    if groups is None:
        return rows.score(rows.true, rows.predicted, penalty)
    if len(groups) != len(rows.true):
        raise ValueError(f"Got groups of {len(groups)} rows for {len(rows.true)} rows of words; give one each.")
    names = [{folded(word): folded(words[0]) for words in map(list, row) for word in words} for row in groups]
    true, predicted = (
        [frozenset(named.get(word, word) for word in words) for words, named in zip(sets, names, strict=True)]
        for sets in (rows.true, rows.predicted)
    )
    return rows.score(true, predicted, penalty)


@dataclass(frozen=True)
class Rows:
    """True and predicted words, row by row.

    Parameters
    ----------
    true, predicted : list of frozenset of str
        The words as they are compared: without case and outer blanks.

    Examples
    --------
    >>> Rows.of([["Joy "]], ["joy"]).true
    [frozenset({'joy'})]
    """

    true: list[Words]
    predicted: list[Words]

    @classmethod
    def of(cls, y_true: Iterable[Any], y_pred: Iterable[Any]) -> Rows:
        """Pair true and predicted words, or raise ValueError where they are not equally many rows."""
        true, predicted = word_sets(y_true), word_sets(y_pred)
        if len(true) != len(predicted):
            raise ValueError(
                f"Got {len(true)} rows of true and {len(predicted)} of predicted words; give one each a row."
            )
        return cls(true, predicted)

    def score(self, true: list[Words], predicted: list[Words], penalty: str, coverage: float = 1.0) -> SetScores:
        """Compare what the words were mapped to; the words themselves are counted for sizes and penalties."""
        check_name(penalty, PENALTIES, "penalty")
        hits, n_true, n_predicted, size_true, size = (
            np.array(counts, dtype=float)
            for counts in (
                [len(one & other) for one, other in zip(true, predicted, strict=True)],
                *([len(words) for words in sets] for sets in (true, predicted, self.true, self.predicted)),
            )
        )
        kept = n_true > 0
        if not kept.any():
            raise ValueError("No row has a true word that the mapping knows; nothing can be scored.")
        precision = float((hits / np.maximum(n_predicted, 1))[kept].mean())
        recalls = hits[kept] / n_true[kept]
        recall = float(recalls.mean())
        f1 = 2 * hits[kept] / (n_true + n_predicted)[kept]
        remains = _remains(size_true[kept], size[kept], penalty)
        return SetScores(
            precision,
            recall,
            2 * precision * recall / (precision + recall) if precision + recall else 0.0,
            (precision + recall) / 2,
            float((f1 * remains).mean()),
            float((recalls * remains).mean()),
            float(size[kept].mean()),
            float(size_true[kept].mean()),
            coverage,
            int(kept.sum()),
            int((~kept).sum()),
        )


def word_sets(rows: Iterable[Any]) -> list[Words]:
    """Return the words of each row as they are compared; nobody's and empty words are none.

    Examples
    --------
    >>> word_sets([["Joy", "joy "], None, "fear"])
    [frozenset({'joy'}), frozenset(), frozenset({'fear'})]
    """
    return [frozenset(folded(word) for word in label_set(row) or ()) - {""} for row in rows]


def _remains(true: NDArray, predicted: NDArray, penalty: str) -> NDArray[np.float64]:
    """Return what remains of each row's score; all of it without words beyond the number of true ones."""
    remains = np.ones(len(true))
    more = predicted > true
    remains[more] = PENALTIES[penalty](true[more], predicted[more])
    return remains
