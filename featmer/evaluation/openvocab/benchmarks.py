"""Scores of several test sets put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from featmer._checks import check_name

MER_UNIBENCH = ("MER2023", "MER2024", "MELD", "IEMOCAP", "MOSI", "MOSEI", "SIMS", "SIMS v2", "OV-MERD+")
"""The nine test sets of MER-UniBench (AffectGPT, ICML 2025), which are averaged without weights."""


def benchmark_mean(scores: Mapping[str, float] | pd.DataFrame, sets: Iterable[str] = MER_UNIBENCH) -> float | pd.Series:
    """Average scores over the test sets of a benchmark, each set counting the same.

    Parameters
    ----------
    scores : dict of str to float, or DataFrame of shape (n_systems, n_sets)
        Scores by test set.
    sets : iterable of str, default=MER_UNIBENCH
        The sets that the benchmark is made of.

    Returns
    -------
    float or Series of n_systems values
        The mean.

    Raises
    ------
    ValueError
        If a set is missing or has no score: means over different sets are not comparable.

    Examples
    --------
    >>> benchmark_mean({"easy": 80.0, "hard": 60.0}, ["easy", "hard"])
    70.0
    """
    frame = scores if isinstance(scores, pd.DataFrame) else pd.DataFrame([dict(scores)])
    wanted = list(sets)
    for name in wanted:
        check_name(name, [str(column) for column in frame], "test set")
    unknown = frame[wanted].columns[frame[wanted].isna().any()]
    if len(unknown):
        raise ValueError(f"No score on {list(unknown)}; a mean over the other sets would not be comparable.")
    means = frame[wanted].mean(axis=1)
    return means if isinstance(scores, pd.DataFrame) else float(means.iloc[0])
