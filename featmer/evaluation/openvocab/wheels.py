"""Sets of words compared by the labels that emotion wheels lead them to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd
from sklearn.metrics import adjusted_rand_score

from featmer.evaluation.openvocab.sets import Rows, SetScores, word_sets
from featmer.labels.wheels import EmotionWheel


def ew_score(
    y_true: Iterable[Any],
    y_pred: Iterable[Any],
    wheels: EmotionWheel | Iterable[EmotionWheel],
    *,
    level: int = 1,
    penalty: str = "ratio",
) -> SetScores:
    """Compare sets of words by the labels of emotion wheels, averaged over the wheels.

    Parameters
    ----------
    y_true, y_pred, penalty
        As for `set_level_scores`.
    wheels : EmotionWheel or iterable of EmotionWheel
        Words that a wheel does not know are dropped; rows without any true word that it knows are skipped.
    level : {1, 2}, default=1
        Ring of the labels compared.

    Returns
    -------
    SetScores
        Means over wheels; ``per_wheel`` has each.

    Raises
    ------
    ValueError
        As for `set_level_scores`.

    References
    ----------
    Lian et al.: AffectGPT: a new dataset, model, and benchmark for emotion understanding with multimodal large language
    models. ICML, 2025.

    Examples
    --------
    >>> from featmer.labels import EMOTION_WHEELS
    >>> scores = ew_score([["furious", "tears"]], [["annoyed", "happy"]], EMOTION_WHEELS["roberts"])
    >>> scores.precision, scores.recall, round(scores.f1, 3)
    (0.5, 1.0, 0.667)
    """
    rows = Rows.of(y_true, y_pred)
    scores = {wheel.name: _score_on(rows, wheel, level, penalty) for wheel in _several(wheels)}
    per_wheel = pd.DataFrame(
        {name: {one.name: getattr(each, one.name) for one in fields(each)} for name, each in scores.items()}
    ).T
    per_wheel = per_wheel.drop(columns="per_wheel").astype(float)
    means = {str(name): float(value) for name, value in per_wheel.mean().items()}
    return SetScores(**means, per_wheel=per_wheel)


@dataclass(frozen=True)
class HitRate:
    """How often the true label is among the words.

    Attributes
    ----------
    rate : float
        Share of rows with a hit.
    penalised_rate : float
        The same, each hit lowered where there is more than one word.
    mean_size : float
        Different words a row, before mapping.
    coverage : float
        Share of predicted words that the wheels know.
    n_rows, n_skipped : float
        Rows scored, and rows whose label the wheels do not know; means over wheels.
    per_wheel : Series of float
        The rate on each wheel.

    Examples
    --------
    >>> HitRate(0.5, 0.5, 1.0, 1.0, 2, 0, pd.Series({"mine": 0.5})).rate
    0.5
    """

    rate: float
    penalised_rate: float
    mean_size: float
    coverage: float
    n_rows: float
    n_skipped: float
    per_wheel: pd.Series = field(compare=False, repr=False)


def hit_rate(
    y_true: Iterable[str],
    y_pred: Iterable[Any],
    wheels: EmotionWheel | Iterable[EmotionWheel],
    *,
    level: int = 1,
    penalty: str = "ratio",
) -> HitRate:
    """Tell how often the one true label is among the words, by the labels of emotion wheels.

    Parameters
    ----------
    y_true : iterable of str, of n_rows rows
        A label a row. Most wheels lack "neutral": its rows are skipped, and counted.
    y_pred : iterable of collections of str, of n_rows rows
        The words of each row.
    wheels, level, penalty
        As for `ew_score`.

    Returns
    -------
    HitRate
        Means over wheels; ``per_wheel`` has each.

    Raises
    ------
    TypeError
        If a row has several true labels.
    ValueError
        As for `set_level_scores`.

    Examples
    --------
    >>> from featmer.labels import EMOTION_WHEELS
    >>> scores = hit_rate(["anger", "joy"], [["annoyed"], ["sad", "afraid"]], EMOTION_WHEELS["shaver"])
    >>> scores.rate, scores.mean_size
    (0.5, 1.5)
    """
    labels = list(y_true)
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"A hit is of one true label a row, got {label!r}; for several, take ew_score.")
    found = ew_score(labels, y_pred, wheels, level=level, penalty=penalty)
    return HitRate(
        found.recall,
        found.penalised_recall,
        found.mean_size,
        found.coverage,
        found.n_rows,
        found.n_skipped,
        found.per_wheel["recall"],
    )


def word_coverage(words: Iterable[Any], wheels: EmotionWheel | Iterable[EmotionWheel]) -> tuple[pd.Series, pd.Series]:
    """Return how much of the words each wheel knows, and the words that none knows.

    Parameters
    ----------
    words : iterable of collections of str
        The words of each row.
    wheels : EmotionWheel or iterable of EmotionWheel
        What is asked.

    Returns
    -------
    shares : Series of float
        Share of known words by wheel, each word counted as often as it is used.
    unknown : Series of int
        Uses of each word that no wheel knows, the most frequent first.

    Examples
    --------
    >>> from featmer.labels import EMOTION_WHEELS
    >>> shares, unknown = word_coverage([["joy", "serious"], ["joy"]], EMOTION_WHEELS["plutchik"])
    >>> shares.round(3).to_dict(), unknown.to_dict()
    ({'plutchik': 0.667}, {'serious': 1})
    """
    counts = pd.Series([word for row in word_sets(words) for word in sorted(row)], dtype=object).value_counts()
    found = {wheel.name: [wheel.map(word) is not None for word in counts.index] for wheel in _several(wheels)}
    known = pd.DataFrame(found, counts.index)
    return known.mul(counts, axis=0).sum() / counts.sum(), counts[~known.any(axis=1)]


def wheel_agreement(first: EmotionWheel, second: EmotionWheel, level: int = 1) -> float:
    """Return how far two wheels put the same words together: the adjusted Rand index over the words of both.

    Parameters
    ----------
    first, second : EmotionWheel
        The wheels.
    level : {1, 2}, default=1
        Ring of the labels.

    Returns
    -------
    float
        1 for the same groups, about 0 for groups that have nothing to do with each other.

    Raises
    ------
    ValueError
        If they share fewer than two words.

    Examples
    --------
    >>> from featmer.labels import EMOTION_WHEELS
    >>> wheel_agreement(EMOTION_WHEELS["shaver"], EMOTION_WHEELS["shaver"])
    1.0
    """
    shared = sorted(first.words & second.words)
    if len(shared) < 2:
        raise ValueError(
            f"The wheels {first.name!r} and {second.name!r} share {len(shared)} words, expected 2 or more."
        )
    return float(adjusted_rand_score(*([str(wheel.map(word, level)) for word in shared] for wheel in (first, second))))


def _several(wheels: EmotionWheel | Iterable[EmotionWheel]) -> list[EmotionWheel]:
    found = [wheels] if isinstance(wheels, EmotionWheel) else list(wheels)
    if len({wheel.name for wheel in found}) < max(len(found), 1):
        raise ValueError(f"Got wheels {[wheel.name for wheel in found]}, expected one or more of different names.")
    return found


def _score_on(rows: Rows, wheel: EmotionWheel, level: int, penalty: str) -> SetScores:
    """Score on one wheel; words that it does not know are dropped."""
    labels = {word: wheel.map(word, level) for word in frozenset().union(*rows.true, *rows.predicted)}
    true, predicted = (
        [frozenset(label for word in words if (label := labels[word]) is not None) for words in sets]
        for sets in (rows.true, rows.predicted)
    )
    known = [labels[word] is not None for words in rows.predicted for word in words]
    return rows.score(true, predicted, penalty, sum(known) / len(known) if known else 1.0)
