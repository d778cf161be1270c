"""Confidence in words that keep what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from featmer.evaluation.calibration import bin_edges, sum_bins

CONFIDENCE_WORDS = {"unsure": 0.0, "fairly sure": 0.5, "sure": 0.75, "very sure": 0.9}
"""The accuracy that each word promises, at least."""

_MOST_BINS = 10
_ROWS_A_BIN = 20

Words = dict[str, Any]
"""The words in use, ``word``; from which confidence on, ``low``; ``accuracy`` and ``n_rows`` on validation rows."""


def learn_words(correct: NDArray, confidence: NDArray) -> Words:
    """Choose from which confidence on each word is used, so that validation rows live up to it.

    Rows are sorted into bins of equal mass by confidence; accuracies of the bins are made to rise with it (by pooling
    neighbours that do not), and each bin is called by the most that its accuracy allows. So the rows of a word have at
    least the accuracy that it promises, and less than what the next word does; a word that no bin deserves is not used.

    Parameters
    ----------
    correct, confidence : ndarray of shape (n_rows,)
        Of rows that confidence was not learned from.

    Returns
    -------
    dict
        Arrays of an entry a word in use, least sure first.

    Examples
    --------
    >>> confidence = np.repeat([0.2, 0.8], 40)
    >>> words = learn_words(np.tile([1, 0, 1, 1], 20), confidence)
    >>> words["word"].tolist(), words["accuracy"].tolist()
    (['sure'], [0.75])
    """
    n_bins = int(np.clip(len(confidence) // _ROWS_A_BIN, 1, _MOST_BINS))
    edges = bin_edges(confidence, n_bins, "mass", "left")
    (sums,) = sum_bins(correct, confidence, edges, closed="left")
    filled = sums[:, 0] > 0
    count, hits, low = sums[filled, 0], sums[filled, 2], edges[:-1][filled]
    accuracy = isotonic_regression(hits / count, sample_weight=count, y_min=0, y_max=1)
    names, promises = np.array(list(CONFIDENCE_WORDS)), np.array(list(CONFIDENCE_WORDS.values()))
    # Pooled means may miss a promise that they equal by rounding.
    place = np.searchsorted(promises, accuracy + 1e-9, side="right") - 1
    used, first = np.unique(place, return_index=True)
    rows, right = (np.add.reduceat(terms, first) for terms in (count, hits))
    return {"word": names[used], "low": low[first], "accuracy": right / rows, "n_rows": rows.astype(int)}


def say(words: Words, confidence: NDArray) -> NDArray[np.str_]:
    """Return the word for each confidence.

    Examples
    --------
    >>> words = learn_words(np.repeat([0, 1], 40), np.repeat([0.2, 0.8], 40))
    >>> say(words, np.array([0.1, 0.79, 0.8])).tolist()
    ['unsure', 'unsure', 'very sure']
    """
    place = np.searchsorted(words["low"], confidence, side="right") - 1
    return words["word"][np.maximum(place, 0)]
