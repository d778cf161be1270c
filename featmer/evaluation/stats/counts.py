"""Tests on the rows that one of two models has right and the other wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from featmer._checks import check_name
from featmer.evaluation.stats._runs import Pair

MCNEMAR_METHODS = ("exact", "mid-p", "corrected")


@dataclass(frozen=True)
class McNemar:
    """What McNemar's test says.

    Attributes
    ----------
    statistic : float
        Rows that only the first model has right; for the corrected method chi-square.
    pvalue : float
        Two-sided.
    odds_ratio : float
        ``b / c``, the size of the effect; NaN without discordant rows.

    Examples
    --------
    >>> mcnemar(10, 20).odds_ratio
    0.5
    """

    statistic: float
    pvalue: float
    odds_ratio: float


def mcnemar(b: int, c: int, method: str = "exact") -> McNemar:
    """Test whether two models are equally often right, where rows are independent of each other.

    Turns of a dialogue are not: there `approximate_randomisation`, which swaps whole dialogues, is the test to take.

    Parameters
    ----------
    b, c : int
        Rows that only the first model has right, and only the second, as `count_discordant` counts them.
    method : {"exact", "mid-p", "corrected"}, default="exact"
        The binomial test, which errs on the side of no difference; the same with half of the probability of what was
        seen, which errs less; chi-square with Edwards's correction for continuity, for large counts.

    Returns
    -------
    McNemar
        With ``pvalue``; 1 without discordant rows.

    Raises
    ------
    ValueError
        If a count is negative or no whole number, or the method is unknown.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947.
    Fagerland, Lydersen, Laake, "The McNemar test for binary matched-pairs data: mid-p and asymptotic are better than
    exact conditional", BMC Medical Research Methodology 13, 2013.

    Examples
    --------
    >>> [round(mcnemar(10, 20, method).pvalue, 5) for method in MCNEMAR_METHODS]
    [0.09874, 0.07076, 0.10035]
    """
    check_name(method, MCNEMAR_METHODS, "method of McNemar's test")
    if min(b, c) < 0 or int(b) != b or int(c) != c:
        raise ValueError(
            f"Got {b} and {c} discordant rows, expected whole numbers from 0; count_discordant gives them."
        )
    n_rows = int(b + c)
    if not n_rows:
        return McNemar(0.0, 1.0, np.nan)
    odds_ratio = float(b / c) if c else np.inf
    if method == "corrected":
        statistic = max(abs(b - c) - 1, 0) ** 2 / n_rows
        return McNemar(statistic, float(stats.chi2.sf(statistic, 1)), odds_ratio)
    pvalue = float(stats.binomtest(int(b), n_rows).pvalue)
    if method == "mid-p":
        pvalue -= float(stats.binom.pmf(b, n_rows, 0.5)) * (0.5 if b == c else 1.0)
    return McNemar(float(b), pvalue, odds_ratio)


def count_discordant(first: pd.DataFrame, second: pd.DataFrame) -> tuple[int, int]:
    """Count the rows that only one of two models has right.

    Parameters
    ----------
    first, second : DataFrame
        Predictions of the two models for the same rows, one run each.

    Returns
    -------
    tuple of two int
        Rows that only the first has right, and only the second.

    Raises
    ------
    ValueError
        If the two are not of the same rows, or hold several seeds: the same row twice is no more evidence.

    Examples
    --------
    >>> rows = pd.DataFrame({"dialogue": range(4), "turn": 0, "target": list("abab"), "prediction": "a"})
    >>> count_discordant(rows.assign(prediction=list("abbb")), rows)
    (2, 1)
    """
    pair = Pair.of(first, second, "row")
    if len(pair.first) > 1:
        raise ValueError(f"Got predictions of {len(pair.first)} seeds, expected one: take the rows of one seed.")
    one, other = (run.outcomes for runs in (pair.first, pair.second) for run in runs.values())
    right, also_right = one.prediction == one.target, other.prediction == other.target
    return int((right & ~also_right).sum()), int((also_right & ~right).sum())
