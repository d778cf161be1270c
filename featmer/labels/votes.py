"""From the votes of several raters to targets, with an account of what each rule throws away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from featmer._checks import check_name
from featmer.labels.spaces import label_set

VOTES = "votes."
RULES = ("majority", "plurality", "all")
FORMS = ("hard", "soft", "multilabel", "each")


class Targets(NamedTuple):
    """What `aggregate_votes` makes of votes.

    Attributes
    ----------
    values : Series or DataFrame of n_kept rows
        The targets of the rows that are kept, under their index.
    kept : Series of bool, n_rows rows
        Which rows these are: ``table[targets.kept]`` goes with ``targets.values``.
    retention : Series
        ``rows`` with votes and ``rows_kept``, ``votes`` and ``votes_kept`` (of kept rows, those that the target speaks
        for), and both as shares, ``rows_share`` and ``votes_share``.
    """

    values: pd.Series | pd.DataFrame
    kept: pd.Series
    retention: pd.Series


def aggregate_votes(
    votes: pd.DataFrame | ArrayLike,
    *,
    rule: str = "all",
    form: str = "soft",
    labels: Iterable[str] | None = None,
    random_state: int = 0,
) -> Targets:
    """Turn votes into targets.

    Parameters
    ----------
    votes : DataFrame with columns ``votes.<label>``, or array-like of shape (n_rows, n_labels)
        How many raters chose each label; missing counts as 0. Rows without any vote are never kept. `count_votes`
        makes it of what each rater said.
    rule : {"majority", "plurality", "all"}, default="all"
        Which rows are kept: those of which more than half of the votes agree; those with one label that has more votes
        than any other; or all, the all-inclusive rule.
    form : {"hard", "soft", "multilabel", "each"}, default="soft"
        What the targets are. "hard": the label with most votes, where "all" draws among equals. "soft": a
        distribution, the shares of the votes. "multilabel": 1 for labels with more than ``1 / n_labels`` of the votes.
        "each": every rater kept, a row for each row and label with the number of its ``votes``, as a weight.
    labels : iterable of str, default=None
        Names of an array's columns; a DataFrame has its own.
    random_state : int, default=0
        Seed of the draws among equals.

    Returns
    -------
    Targets
        Values, which rows are kept, and what was lost.

    Raises
    ------
    ValueError
        If there are no votes, or some are negative or no numbers.

    References
    ----------
    Chou: Revisiting modeling and evaluation approaches in speech emotion recognition: considering subjectivity of
    annotators and ambiguity of emotions. Dissertation, arXiv 2510.05934, 2025 (the all-inclusive rule).

    Examples
    --------
    >>> votes = pd.DataFrame({"votes.neutral": [1, 0], "votes.anger": [2, 4], "votes.sadness": [2, 1], "votes.joy": 0})
    >>> aggregate_votes(votes).values.round(1).values.tolist()
    [[0.2, 0.4, 0.4, 0.0], [0.0, 0.8, 0.2, 0.0]]
    >>> aggregate_votes(votes, form="multilabel").values.values.tolist()
    [[0, 1, 1, 0], [0, 1, 0, 0]]
    >>> targets = aggregate_votes(votes, rule="majority", form="hard")
    >>> targets.values.to_dict(), targets.retention[["rows_share", "votes_share"]].tolist()
    ({1: 'anger'}, [0.5, 0.4])
    """
    check_name(rule, RULES, "rule")
    check_name(form, FORMS, "form of targets")
    counts = read_votes(votes, labels)
    cast, top = counts.sum(axis=1), counts.max(axis=1)
    if rule == "all":
        kept = cast > 0
    elif rule == "majority":
        kept = top > cast / 2
    else:
        kept = counts.eq(top, axis=0).sum(axis=1).eq(1) & (cast > 0)
    chosen = counts[kept]
    values = _hard(chosen, random_state) if form == "hard" else _FORMS[form](chosen)
    if form == "hard":
        used = top[kept].sum()
    elif form == "multilabel":
        used = (chosen * values).to_numpy().sum()
    else:
        used = cast[kept].sum()
    return Targets(values, kept, _retention((cast > 0).sum(), kept.sum(), cast.sum(), used))


def read_votes(votes: pd.DataFrame | ArrayLike, labels: Iterable[str] | None = None) -> pd.DataFrame:
    """Return votes as a frame with a column a label.

    Parameters
    ----------
    votes, labels
        As in `aggregate_votes`.

    Returns
    -------
    DataFrame of n_rows rows
        Numbers of votes; columns are the labels, without ``votes.``.

    Raises
    ------
    ValueError
        If there are no votes, or some are negative or no numbers.

    Examples
    --------
    >>> read_votes(pd.DataFrame({"dialogue": ["d1"], "votes.joy": [2], "votes.fear": [None]}))
       joy  fear
    0  2.0   0.0
    """
    if isinstance(votes, pd.DataFrame):
        if labels is not None:
            raise ValueError("labels names the columns of an array; the votes are a DataFrame, which has its own.")
        columns = [column for column in votes if str(column).startswith(VOTES)]
        if not columns:
            raise ValueError(f"No column of votes among {list(votes)}: expected votes.<label>, as count_votes gives.")
        frame = votes[columns].rename(columns=lambda column: column.removeprefix(VOTES))
    else:
        values = np.asarray(votes, np.float64)
        names = None if labels is None else list(labels)
        if names is None or values.ndim != 2 or values.shape[1] != len(names):
            raise ValueError(f"An array of votes needs its labels, one a column: got {values.shape} and {names}.")
        frame = pd.DataFrame(values, columns=names)
    counts = frame.apply(pd.to_numeric).astype(np.float64).fillna(0.0)
    if not np.isfinite(counts).to_numpy().all() or (counts < 0).to_numpy().any():
        raise ValueError("Votes are numbers from 0 on; some are negative or infinite.")
    return counts


def count_votes(ratings: pd.DataFrame, labels: Iterable[str] | None = None) -> pd.DataFrame:
    """Count what raters said.

    Parameters
    ----------
    ratings : DataFrame of n_rows rows
        A column a rater: a label, several labels, or missing where the rater did not see the row.
    labels : iterable of str, default=None
        The labels, in order. None takes those that occur, sorted.

    Returns
    -------
    DataFrame of n_rows rows
        Columns ``votes.<label>``.

    Raises
    ------
    ValueError
        If a rater said something that is not among ``labels``.

    Examples
    --------
    >>> ratings = pd.DataFrame({"Ann": ["joy", None], "Bob": ["joy", ["fear", "joy"]]})
    >>> count_votes(ratings)
       votes.fear  votes.joy
    0           0          2
    1           1          1
    """
    said, names = read_ratings(ratings, labels)
    return pd.DataFrame(said.sum(axis=1), ratings.index, [VOTES + name for name in names]).astype(np.int64)


def read_ratings(ratings: pd.DataFrame, labels: Iterable[str] | None = None) -> tuple[NDArray[np.bool_], list[str]]:
    """Return who said what as an array.

    Parameters
    ----------
    ratings, labels
        As in `count_votes`.

    Returns
    -------
    said : ndarray of bool of shape (n_rows, n_raters, n_labels)
        Which labels a rater gave a row; none where the rater did not see it.
    labels : list of str
        The labels.

    Raises
    ------
    ValueError
        If a rater said something that is not among ``labels``.

    Examples
    --------
    >>> read_ratings(pd.DataFrame({"Ann": ["joy"], "Bob": [["fear", "joy"]]}))[0].tolist()
    [[[False, True], [True, True]]]
    """
    sets = [[label_set(value) or () for value in ratings[rater]] for rater in ratings]
    found = {label for column in sets for row in column for label in row}
    names = sorted(found) if labels is None else list(labels)
    place = {label: number for number, label in enumerate(names)}
    for label in sorted(found):
        check_name(label, names, "label of a rater")
    said = np.zeros((*ratings.shape, len(names)), bool)
    for rater, column in enumerate(sets):
        for row, given in enumerate(column):
            said[row, rater, [place[label] for label in given]] = True
    return said, names


def smooth_targets(targets: pd.DataFrame, amount: float = 0.05) -> pd.DataFrame:
    """Move a little of each row's distribution to the other labels.

    ``(1 - amount) y + amount (1 - y) / (n_labels - 1)``, so that rows still sum to 1.

    Parameters
    ----------
    targets : DataFrame of shape (n_rows, n_labels)
        Distributions.
    amount : float, default=0.05
        How much a label that has everything loses.

    Returns
    -------
    DataFrame of shape (n_rows, n_labels)
        Smoothed distributions.

    Examples
    --------
    >>> smooth_targets(pd.DataFrame({"joy": [1.0], "fear": [0.0]})).values.tolist()
    [[0.95, 0.05]]
    """
    return (1 - amount) * targets + amount * (1 - targets) / (targets.shape[1] - 1)


def count_cooccurrence(votes: pd.DataFrame | ArrayLike, labels: Iterable[str] | None = None) -> pd.DataFrame:
    """Count in how many rows two labels both have votes.

    Parameters
    ----------
    votes, labels
        As in `aggregate_votes`; of training rows.

    Returns
    -------
    DataFrame of int of shape (n_labels, n_labels)
        Symmetric; on the diagonal the rows in which a label has votes.

    Examples
    --------
    >>> count_cooccurrence([[1, 2, 0], [0, 3, 0]], ["anger", "disgust", "joy"]).loc["disgust"].tolist()
    [1, 2, 0]
    """
    counts = read_votes(votes, labels)
    chosen = (counts > 0).to_numpy().astype(np.int64)
    return pd.DataFrame(chosen.T @ chosen, counts.columns, counts.columns)


def penalty_matrix(votes: pd.DataFrame | ArrayLike, labels: Iterable[str] | None = None) -> pd.DataFrame:
    """Return how bad it is to say one label where another is right: bad if raters rarely choose both.

    ``1 - n[j, z] / n[j, j]`` with n from `count_cooccurrence`, 0 on the diagonal. The paper gives no normalisation;
    this one makes a row the share of the rows of label j in which nobody chose z.

    Parameters
    ----------
    votes, labels
        As in `aggregate_votes`; of training rows.

    Returns
    -------
    DataFrame of shape (n_labels, n_labels)
        From 0 to 1; rows are the right label, columns the one that is said. A label without votes has 1.

    References
    ----------
    Chou, Lee, Busso: Exploiting co-occurrence frequency of emotions in perceptual evaluations to train a speech emotion
    classifier. Interspeech, 2022.

    Examples
    --------
    >>> penalty_matrix([[1, 2, 0], [0, 3, 0]], ["anger", "disgust", "joy"]).loc["disgust"].tolist()
    [0.5, 0.0, 1.0]
    """
    together = count_cooccurrence(votes, labels)
    alone = np.diag(together).astype(np.float64)
    penalties = 1 - together.to_numpy() / np.maximum(alone, 1)[:, None]
    np.fill_diagonal(penalties, 0.0)
    return pd.DataFrame(penalties, together.index, together.columns)


def _hard(counts: pd.DataFrame, random_state: int) -> pd.Series:
    """Return the label with most votes; among equals, one by lot."""
    draws = np.random.default_rng(random_state).random(counts.shape)
    best = np.where(counts.eq(counts.max(axis=1), axis=0), draws, -1.0).argmax(axis=1)
    return pd.Series(counts.columns.to_numpy()[best], counts.index)


def _soft(counts: pd.DataFrame) -> pd.DataFrame:
    return counts.div(counts.sum(axis=1), axis=0)


def _multilabel(counts: pd.DataFrame) -> pd.DataFrame:
    # In whole numbers, so that a share of exactly 1 / n_labels is never above it by rounding.
    return (counts * counts.shape[1]).gt(counts.sum(axis=1), axis=0).astype(np.int64)


def _each(counts: pd.DataFrame) -> pd.DataFrame:
    rows, columns = np.nonzero(counts.to_numpy())
    labels, votes = counts.columns.to_numpy()[columns], counts.to_numpy()[rows, columns]
    return pd.DataFrame({"label": labels, "votes": votes}, counts.index[rows])


_FORMS = {"soft": _soft, "multilabel": _multilabel, "each": _each}


def _retention(rows: int, rows_kept: int, votes: float, votes_kept: float) -> pd.Series:
    counts = {"rows": rows, "rows_kept": rows_kept, "votes": votes, "votes_kept": votes_kept}
    shares = {"rows_share": rows_kept / max(rows, 1), "votes_share": votes_kept / max(votes, 1)}
    return pd.Series({**counts, **shares}, dtype=np.float64)
