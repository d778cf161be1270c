"""True and predicted answers of any kind of target in one shape, for people to look at and for ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer.evaluation.outcomes import DECIDED, PROBABILITY, TRUE, is_values

Kind = Literal["labels", "values", "indicators", "distributions"]


def kind_of(predictions: pd.DataFrame) -> Kind:
    """Tell what a row's target is: a label, a value, any number of labels, or a share of each.

    Examples
    --------
    >>> kind_of(pd.DataFrame({"target": ["joy"]})), kind_of(pd.DataFrame({"t.joy": [0.5], "p.joy": [0.4]}))
    ('labels', 'distributions')
    """
    if "target" in predictions:
        return "values" if is_values(predictions["target"]) else "labels"
    return "indicators" if _names(predictions, DECIDED) else "distributions"


def labels_of(predictions: pd.DataFrame) -> list[str]:
    """Return all labels, sorted, or in the order of their columns; none for values.

    Examples
    --------
    >>> labels_of(pd.DataFrame({"target": ["joy"], "p.fear": [0.2], "p.joy": [0.8]}))
    ['fear', 'joy']
    """
    kind = kind_of(predictions)
    if kind == "values":
        return []
    if kind == "labels":
        return sorted(set(predictions["target"].astype(str)) | set(_names(predictions, PROBABILITY)))
    return _names(predictions, TRUE)


def by_frequency(predictions: pd.DataFrame) -> list[str]:
    """Return the labels of which a row may have several, the commonest first.

    Examples
    --------
    >>> by_frequency(pd.DataFrame({"t.fear": [0, 1], "t.joy": [1, 1]}))
    ['joy', 'fear']
    """
    counts = predictions[[TRUE + label for label in labels_of(predictions)]].sum()
    return [str(name).removeprefix(TRUE) for name in counts.sort_values(ascending=False, kind="stable").index]


def indicators(predictions: pd.DataFrame, labels: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which labels hold and which were said to hold, 0 or 1: two arrays of shape (n_rows, n_labels).

    Examples
    --------
    >>> [array.tolist() for array in indicators(pd.DataFrame({"t.joy": [1], "d.joy": [0]}), ["joy"])]
    [[[1.0]], [[0.0]]]
    """
    return _columns(predictions, TRUE, labels), _columns(predictions, DECIDED, labels)


def goodness(predictions: pd.DataFrame) -> pd.Series:
    """Return how right each row is; more is better.

    Parameters
    ----------
    predictions : DataFrame of n_rows rows
        As `featmer.evaluate` returns them.

    Returns
    -------
    Series of n_rows values
        1 or 0 for a label; the error of a value made negative; the share of labels that are rightly said to hold or
        not; the share that two distributions have in common.

    Examples
    --------
    >>> goodness(pd.DataFrame({"t.a": [0.5], "t.b": [0.5], "p.a": [0.9], "p.b": [0.1]})).round(3).tolist()
    [0.6]
    """
    kind = kind_of(predictions)
    if kind == "values":
        return -(predictions["target"] - predictions["prediction"]).abs()
    if kind == "labels":
        return (predictions["target"].astype(str) == predictions["prediction"].astype(str)).astype(float)
    labels = labels_of(predictions)
    if kind == "indicators":
        true, said = indicators(predictions, labels)
        return pd.Series((true == said).mean(axis=1), predictions.index)
    shared = np.minimum(_columns(predictions, TRUE, labels), _columns(predictions, PROBABILITY, labels)).sum(axis=1)
    return pd.Series(shared, predictions.index)


def true_answers(predictions: pd.DataFrame, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is true of each row.

    Parameters
    ----------
    predictions : DataFrame of n_rows rows
        As `featmer.evaluate` returns them.
    labels : sequence of str
        From `labels_of`.

    Returns
    -------
    list of dict
        ``said``, a list of labels or a value, and for labels ``p``, a share of each in thousandths.

    Examples
    --------
    >>> true_answers(pd.DataFrame({"target": ["joy"]}), ["fear", "joy"])
    [{'said': ['joy'], 'p': [0, 1000]}]
    """
    kind = kind_of(predictions)
    if kind == "values":
        return [{"said": round(float(value), 3)} for value in predictions["target"]]
    if kind == "labels":
        shares = (predictions["target"].astype(str).to_numpy()[:, None] == np.array(labels, dtype=object)).astype(float)
    else:
        shares = _columns(predictions, TRUE, labels)
    return _told(_sets(shares, kind), shares, labels)


def mean_answers(predictions: pd.DataFrame, key: Sequence[str], labels: Sequence[str]) -> dict[Any, dict[str, Any]]:
    """Return what one model answered to each turn over all seeds.

    Parameters
    ----------
    predictions : DataFrame
        Of one model and part.
    key : sequence of str
        Columns that tell turns apart.
    labels : sequence of str
        From `labels_of`.

    Returns
    -------
    dict of tuple to dict
        By the values of the key, as `true_answers`. Probabilities are averaged; the answer is the likeliest label, the
        commonest one of a model without probabilities, or those labels that most seeds say hold.

    Examples
    --------
    >>> rows = pd.DataFrame({"dialogue": "x", "turn": [0, 0], "target": "joy", "prediction": ["joy", "fear"]})
    >>> rows = rows.assign(**{"p.fear": [0.2, 0.6], "p.joy": [0.8, 0.4]})
    >>> mean_answers(rows, ["dialogue", "turn"], ["fear", "joy"])
    {('x', 0): {'said': ['joy'], 'p': [400, 600]}}
    """
    kind = kind_of(predictions)
    groups = [predictions[name] for name in key]
    if kind == "values":
        means = predictions["prediction"].groupby(groups, sort=False).mean()
        return {place: {"said": round(float(value), 3)} for place, value in means.items()}
    shares = _mean_columns(predictions, PROBABILITY, labels, groups)
    given = shares.notna().all(axis=1).to_numpy()
    if kind == "indicators":
        decided = _mean_columns(predictions, DECIDED, labels, groups).to_numpy()
        told = _told(decided >= 0.5, np.where(given[:, None], shares, decided), labels)
    elif kind == "labels" and not given.all():
        commonest = predictions["prediction"].astype(str).groupby(groups, sort=False).agg(lambda said: said.mode()[0])
        told = [{"said": [said]} for said in commonest]
    else:
        told = _told(_sets(shares.to_numpy(), kind), shares.to_numpy(), labels)
    return dict(zip(shares.index, told, strict=True))


def _sets(shares: NDArray, kind: Kind) -> NDArray[np.bool_]:
    """Return which labels an answer names: all that hold, or else the likeliest alone."""
    if kind == "indicators":
        return shares >= 0.5
    return np.arange(shares.shape[1]) == shares.argmax(axis=1)[:, None]


def _told(said: NDArray[np.bool_], shares: NDArray, labels: Sequence[str]) -> list[dict[str, Any]]:
    mille = np.rint(1000 * shares).astype(int).tolist()
    return [
        {"said": [label for label, holds in zip(labels, row, strict=True) if holds], "p": share}
        for row, share in zip(said, mille, strict=True)
    ]


def _names(predictions: pd.DataFrame, prefix: str) -> list[str]:
    return [str(name).removeprefix(prefix) for name in predictions if str(name).startswith(prefix)]


def _columns(predictions: pd.DataFrame, prefix: str, labels: Sequence[str]) -> NDArray[np.float64]:
    return predictions.reindex(columns=[prefix + label for label in labels]).to_numpy(float)


def _mean_columns(
    predictions: pd.DataFrame, prefix: str, labels: Sequence[str], groups: list[pd.Series]
) -> pd.DataFrame:
    chosen = predictions.reindex(columns=[prefix + label for label in labels]).astype(float)
    if kind_of(predictions) == "labels" and chosen.notna().any(axis=None):
        chosen = chosen.fillna(0.0)  # a class that a fold did not have has no probability there
    return chosen.groupby(groups, sort=False).mean()
