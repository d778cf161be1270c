"""Annotators, people or models, whose labels are combined, and how far each of them can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from featmer._checks import check_name
from featmer.labels.spaces import label_set
from featmer.labels.votes import read_ratings

RULES = ("union", "intersection", "majority", "dawid_skene")
_TINY = 1e-10  # of a label that an annotator never gave


class DawidSkene(NamedTuple):
    """What `dawid_skene` finds out.

    Attributes
    ----------
    probabilities : DataFrame of shape (n_rows, n_labels)
        Of each label to be the right one; missing where nobody annotated.
    confusion : dict of annotator to DataFrame of shape (n_labels, n_labels)
        How often the annotator says the label of the column where the label of the row is right.
    prior : Series of n_labels values
        Share of each label.
    log_likelihood : list of float
        Of the annotations, in nats, at each step; it never falls.
    """

    probabilities: pd.DataFrame
    confusion: dict[Any, pd.DataFrame]
    prior: pd.Series
    log_likelihood: list[float]


def dawid_skene(
    ratings: pd.DataFrame, labels: Iterable[str] | None = None, *, max_steps: int = 200, tolerance: float = 1e-9
) -> DawidSkene:
    """Weigh annotators by how they err, without knowing what is right.

    Each row has one right label; each annotator says labels by a confusion matrix of its own. Expectation
    maximisation from the shares of the votes finds matrices and right labels together. An annotator that gives several
    labels counts as one that answered several times, as in the paper.

    Parameters
    ----------
    ratings : DataFrame of n_rows rows
        A column an annotator: a label, several labels, or missing.
    labels : iterable of str, default=None
        The labels, in order. None takes those that occur, sorted.
    max_steps : int, default=200
        Steps at most.
    tolerance : float, default=1e-9
        Stop when the log likelihood of a row grows by less, in nats.

    Returns
    -------
    DawidSkene
        Probabilities of the labels, confusion matrices of the annotators, shares of the labels.

    Raises
    ------
    ValueError
        If nobody annotated anything.

    References
    ----------
    Dawid, Skene: Maximum likelihood estimation of observer error-rates using the EM algorithm. Applied Statistics,
    1979.

    Examples
    --------
    >>> said = {"Ann": ["joy", "joy", "fear", "fear"], "Bob": ["joy", "joy", "fear", "fear"], "Contrary": ["fear"] * 4}
    >>> found = dawid_skene(pd.DataFrame(said))
    >>> found.probabilities.idxmax(axis=1).tolist(), found.confusion["Contrary"].loc["joy", "fear"].round(2).item()
    (['joy', 'joy', 'fear', 'fear'], 1.0)
    """
    said, names = read_ratings(ratings, labels)
    seen = said.any(axis=(1, 2))
    if not seen.any():
        raise ValueError("Nobody annotated anything: every rating is missing.")
    answers = said[seen].astype(np.float64)
    votes = answers.sum(axis=1)
    right = votes / votes.sum(axis=1, keepdims=True)
    history: list[float] = []
    for _ in range(max_steps):
        prior, confusion = _maximise(answers, right)
        joint = np.log(prior) + np.einsum("nrl,rkl->nk", answers, np.log(confusion))
        evidence = logsumexp(joint, axis=1)
        right = np.exp(joint - evidence[:, None])
        history.append(float(evidence.sum()))
        if len(history) > 1 and history[-1] - history[-2] < tolerance * len(right):
            break
    probabilities = np.full((len(ratings), len(names)), np.nan)
    probabilities[seen] = right
    return DawidSkene(
        pd.DataFrame(probabilities, ratings.index, names),
        {rater: pd.DataFrame(matrix, names, names) for rater, matrix in zip(ratings, confusion, strict=True)},
        pd.Series(prior, names),
        history,
    )


def _maximise(answers: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return the shares of the labels and each annotator's confusion matrix, given what is right."""
    confusion = np.einsum("nk,nrl->rkl", right, answers) + _TINY
    prior = right.mean(axis=0) + _TINY
    return prior / prior.sum(), confusion / confusion.sum(axis=2, keepdims=True)


def combine_annotators(ratings: pd.DataFrame, rule: str, labels: Iterable[str] | None = None) -> pd.Series:
    """Combine the label sets of several annotators to one a row.

    Parameters
    ----------
    ratings : DataFrame of n_rows rows
        A column an annotator: a label, several labels, or missing where it did not see the row.
    rule : {"union", "intersection", "majority", "dawid_skene"}
        Labels that any annotator gave; that all gave who saw the row; that more than half of them gave; or the one
        that `dawid_skene` finds most probable.
    labels : iterable of str, default=None
        The labels, in order. None takes those that occur, sorted.

    Returns
    -------
    Series of n_rows rows
        Tuples of labels; an empty one abstains, missing is where nobody annotated.

    Raises
    ------
    ValueError
        If the rule is unknown or an annotator gave a label that is not among ``labels``.

    References
    ----------
    L3Cube-MahaEmotions, arXiv 2506.00863, 2025 (union and intersection of models as annotators).

    Examples
    --------
    >>> ratings = pd.DataFrame({"GPT": [["joy", "pride"], "fear"], "Llama": ["joy", "anger"]})
    >>> combine_annotators(ratings, "union").tolist()
    [('joy', 'pride'), ('anger', 'fear')]
    >>> combine_annotators(ratings, "intersection").tolist()
    [('joy',), ()]
    """
    check_name(rule, RULES, "rule")
    said, names = read_ratings(ratings, labels)
    count = said.sum(axis=1)
    n_seen = np.array([[label_set(value) is not None for value in ratings[rater]] for rater in ratings]).sum(axis=0)
    if rule == "dawid_skene":
        probabilities = dawid_skene(ratings, names).probabilities.fillna(0.0).to_numpy()
        chosen = np.eye(len(names), dtype=bool)[probabilities.argmax(axis=1)] & (count > 0).any(axis=1, keepdims=True)
    else:
        enough = {"union": np.ones(len(n_seen)), "intersection": n_seen, "majority": n_seen // 2 + 1}[rule]
        chosen = (count >= enough[:, None]) & (count > 0)
    sets = [tuple(name for name, is_in in zip(names, row, strict=True) if is_in) for row in chosen]
    return pd.Series([found if seen else None for found, seen in zip(sets, n_seen, strict=True)], ratings.index)


def annotator_report(ratings: pd.DataFrame, gold: Iterable[str]) -> pd.DataFrame:
    """Score annotators, and all rules that combine them, against labels that are known to be right.

    Parameters
    ----------
    ratings : DataFrame of n_rows rows
        As in `combine_annotators`.
    gold : iterable of str
        The right label of each row.

    Returns
    -------
    DataFrame of columns coverage, accuracy, hits
        A row an annotator and a rule: share of rows with a label; share of these in which the right one is among
        them; share of all rows in which it is.

    Examples
    --------
    >>> ratings = pd.DataFrame({"GPT": [["joy", "pride"], "fear"], "Llama": ["joy", "anger"]})
    >>> annotator_report(ratings, ["pride", "fear"]).loc[["GPT", "Llama", "union", "intersection"], "hits"].tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    gold = list(gold)
    columns = {rater: ratings[rater] for rater in ratings}
    columns.update({rule: combine_annotators(ratings, rule) for rule in RULES})
    rows = {}
    for name, column in columns.items():
        sets = [label_set(value) or () for value in column]
        covered = sum(bool(found) for found in sets)
        hits = sum(right in found for right, found in zip(gold, sets, strict=True))
        rows[name] = (covered / len(sets), hits / covered if covered else np.nan, hits / len(sets))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["coverage", "accuracy", "hits"])
