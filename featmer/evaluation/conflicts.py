"""Rows in which modalities tell different emotions, and how far a model believes one more than another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from featmer.evaluation.outcomes import as_labels
from featmer.labels import aggregate_votes

CONSISTENT = "consistent"
ALIGNED = "-aligned"


def conflict_subsets(truth: ArrayLike, **modalities: ArrayLike) -> pd.Series:
    """Say of each row which modality shows its true label.

    Parameters
    ----------
    truth : array-like of shape (n_rows,)
        Labels; missing where there is none.
    **modalities : array-like of shape (n_rows,)
        At least two: the label that each modality shows by itself, as people who had nothing else voted
        (`vote_labels`), or as a model of this modality alone predicts for rows that it was not trained on.

    Returns
    -------
    Series of n_rows str
        "consistent" where all show the true label, "audio-aligned" where audio alone does and so on; else empty.

    Raises
    ------
    ValueError
        If there are fewer than two modalities, or rows differ in number.

    References
    ----------
    CA-MER: Han et al., "Benchmarking and bridging emotion conflicts for multimodal emotion reasoning", ACM Multimedia,
    2025.

    Examples
    --------
    >>> voice, face = ["joy", "joy", "fear", "fear"], ["joy", "fear", "joy", "fear"]
    >>> conflict_subsets(["joy", "joy", "joy", "joy"], audio=voice, face=face).tolist()
    ['consistent', 'audio-aligned', 'face-aligned', '']
    """
    if len(modalities) < 2:
        raise ValueError(f"A conflict is between modalities: give the labels of two at least, got {list(modalities)}.")
    known = pd.notna(np.asarray(truth, dtype=object).ravel())
    labels = as_labels(truth)
    if any(len(as_labels(shown)) != len(labels) for shown in modalities.values()):
        raise ValueError(f"Give every modality a label for each of the {len(labels)} rows.")
    right = np.column_stack([(as_labels(shown) == labels) & known for shown in modalities.values()])
    subset = np.full(len(labels), "", object)
    subset[right.all(axis=1)] = CONSISTENT
    alone = right.sum(axis=1) == 1
    subset[alone] = np.array([name + ALIGNED for name in modalities], object)[right[alone].argmax(axis=1)]
    return pd.Series(subset, name="subset")


def vote_labels(segments: pd.DataFrame, rule: str = "plurality") -> pd.Series:
    """Return the label that people voted for, missing where they do not agree.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        With columns ``votes.<label>``, such as `featmer.corpora.load_crema_d` gives for each channel.
    rule : {"plurality", "majority"}, default="plurality"
        Whether one label must have more votes than any other, or more than half of all.

    Returns
    -------
    Series of n_rows

    Examples
    --------
    >>> vote_labels(pd.DataFrame({"votes.joy": [3, 1], "votes.fear": [1, 1]})).fillna("none").tolist()
    ['joy', 'none']
    """
    votes = segments[[name for name in segments if str(name).startswith("votes.")]]
    return pd.Series(aggregate_votes(votes, rule=rule, form="hard").values).reindex(segments.index)


def conflict_report(predictions: pd.DataFrame, subsets: ArrayLike) -> pd.DataFrame:
    """Compare the accuracy of models on consistent rows and on those of each modality.

    Parameters
    ----------
    predictions : DataFrame
        As `featmer.evaluate` returns them; rows of the test part count, and of models as they are.
    subsets : array-like of shape (n_rows_of_table,)
        From `conflict_subsets`, a row a row of the table that was evaluated.

    Returns
    -------
    DataFrame
        A row a model: accuracy on each subset, "n <subset>" rows of it (over all seeds), and ``gap``, the largest
        difference of accuracy between rows of one modality and of another: 0 where the model believes all alike.

    Examples
    --------
    >>> answers = pd.DataFrame({"model": "a", "part": "test", "row": [0, 1], "target": "joy"})
    >>> answers["prediction"] = ["joy", "fear"]
    >>> float(conflict_report(answers, ["audio-aligned", "face-aligned"]).loc["a", "gap"])
    1.0
    """
    rows = predictions[predictions["part"] == "test"]
    for column, plain in (("condition", ("",)), ("selection", ("", "valid"))):
        if column in rows:
            rows = rows[rows[column].fillna("").isin(plain)]
    subset = np.asarray(subsets, dtype=object)[rows["row"].to_numpy(int)]
    right = pd.Series(as_labels(rows["prediction"]) == as_labels(rows["target"]), rows.index)
    told = pd.DataFrame({"model": rows["model"], "subset": subset, "right": right})
    told = told[told["subset"] != ""]
    table = told.pivot_table(index="model", columns="subset", values="right", aggfunc="mean", sort=False)
    counts = told.pivot_table(index="model", columns="subset", values="right", aggfunc="count", sort=False)
    aligned = [name for name in table if str(name).endswith(ALIGNED)]
    gaps = [(table[one] - table[other]).abs() for one, other in combinations(aligned, 2)]
    gap = pd.concat(gaps, axis=1).max(axis=1) if gaps else np.nan
    return pd.concat([table, counts.add_prefix("n ")], axis=1).rename_axis(columns=None).assign(gap=gap)
