"""Which labels to believe: agreement among raters, and claims that independent judges confirm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from featmer._checks import check_name, require
from featmer.labels.votes import read_votes


def rater_agreement(votes: pd.DataFrame | ArrayLike, labels: Iterable[str] | None = None) -> float:
    """Return Krippendorff's alpha of nominal labels.

    It takes any number of votes a row, as crowds give, where kappas need the same raters everywhere. Computed by the
    package ``krippendorff`` (extra ``raters``; GPL-3).

    Parameters
    ----------
    votes, labels
        As in `featmer.labels.aggregate_votes`; rows with fewer than two votes say nothing and are left out.

    Returns
    -------
    float
        1 for perfect agreement, 0 for what chance gives, NaN if all votes are for one label.

    Raises
    ------
    ValueError
        If no row has two votes.
    MissingExtra
        If ``krippendorff`` is not installed.

    References
    ----------
    Krippendorff: Content analysis: an introduction to its methodology. Sage, 4th edition, 2018.

    Examples
    --------
    >>> rater_agreement([[1, 0], [0, 1]], ["joy", "fear"])
    Traceback (most recent call last):
    ValueError: No row has two votes; agreement needs rows that several raters saw.
    """
    counts = read_votes(votes, labels).to_numpy()
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise ValueError("No row has two votes; agreement needs rows that several raters saw.")
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return float("nan")
    return float(require("krippendorff", "raters").alpha(value_counts=counts, level_of_measurement="nominal"))


def confirm_labels(
    claims: pd.Series, judges: Sequence[pd.DataFrame], *, min_votes: int, min_score: float = 0.0
) -> pd.Series:
    """Keep the claimed labels that independent judges confirm.

    A judge votes for a claim if that is its most probable label; the claim's score is its mean probability. With
    classifiers of single modalities as judges this is the review of pseudo-labels.

    Parameters
    ----------
    claims : Series of n_rows labels
        What is claimed; missing is never kept.
    judges : sequence of DataFrame of shape (n_rows, n_labels)
        Each judge's probabilities; columns are labels. A row of NaN is an abstention, which does not count in the
        score either.
    min_votes : int
        How many judges must vote for a claim.
    min_score : float, default=0.0
        The mean probability it must have.

    Returns
    -------
    Series of bool, n_rows rows
        Which claims are kept.

    Raises
    ------
    ValueError
        If a claim is no label of a judge, or the rows differ.

    References
    ----------
    Lian et al.: AffectGPT. ICML, 2025 (crowds of models). Omni-Emotion, arXiv 2501.09502, 2025 (self-review).

    Examples
    --------
    >>> claims = pd.Series(["joy", "fear"])
    >>> face = pd.DataFrame({"fear": [0.1, 0.3], "joy": [0.9, 0.7]})
    >>> voice = pd.DataFrame({"fear": [0.4, 0.8], "joy": [0.6, 0.2]})
    >>> confirm_labels(claims, [face, voice], min_votes=2).tolist()
    [True, False]
    >>> confirm_labels(claims, [face, voice], min_votes=1, min_score=0.6).tolist()
    [True, False]
    """
    votes, scores = np.zeros(len(claims), int), []
    stated = claims.notna().to_numpy()
    for judge in judges:
        if len(judge) != len(claims):
            raise ValueError(f"A judge has {len(judge)} rows, but there are {len(claims)} claims.")
        for label in claims[stated].unique():
            check_name(label, judge.columns, "label of a judge")
        values = judge.to_numpy(np.float64)
        claimed = values[np.arange(len(values)), judge.columns.get_indexer(pd.Index(claims))]
        claimed[~stated] = np.nan
        scores.append(claimed)
        votes += claimed >= np.nan_to_num(values, nan=-np.inf).max(axis=1)
    known = np.isfinite(scores)
    mean = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return pd.Series(stated & (votes >= min_votes) & (mean >= min_score), claims.index)


def review_report(kept: ArrayLike, correct: ArrayLike) -> pd.Series:
    """Say what keeping some claims is worth, by rows that people reviewed.

    Parameters
    ----------
    kept : array-like of bool, n_rows values
        Which claims are kept.
    correct : array-like of bool, n_rows values
        Which claims are right; missing where nobody reviewed, and these rows do not count.

    Returns
    -------
    Series
        ``reviewed`` rows, the share ``kept`` of them, ``precision`` (right among the kept) and ``recall`` (kept among
        the right); NaN of nothing.

    Examples
    --------
    >>> review_report([True, True, False, True], [True, False, True, None]).round(2).tolist()
    [3.0, 0.67, 0.5, 0.5]
    """
    reviewed = pd.notna(np.asarray(correct, object))
    kept = np.asarray(kept, bool)[reviewed]
    correct = np.asarray(correct, object)[reviewed].astype(bool)
    parts = {"kept": kept, "precision": correct[kept], "recall": kept[correct]}
    shares = {name: part.mean() if len(part) else np.nan for name, part in parts.items()}
    return pd.Series({"reviewed": len(kept), **shares}, dtype=np.float64)
