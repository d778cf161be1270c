"""What is left of a score when things go missing, and what a selection on test rows would have gained."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def auilc(rates: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under a curve of scores over rates of missing features, a rate of 1 being all.

    Parameters
    ----------
    rates : array-like of shape (n_rates,)
        Rising.
    scores : array-like of shape (n_rates,)
        The score at each.

    Returns
    -------
    float
        The mean score over the rates that the curve spans, by the trapezoidal rule; of a single rate its score.

    Raises
    ------
    ValueError
        If rates and scores differ in number, or rates do not rise.

    References
    ----------
    Area under indicators line chart, CIDer: arXiv 2506.10452, 2025.

    Examples
    --------
    >>> auilc([0.0, 0.5, 1.0], [0.8, 0.6, 0.2])
    0.55
    """
    places, heights = np.asarray(rates, float), np.asarray(scores, float)
    if places.ndim != 1 or places.shape != heights.shape or not len(places) or (np.diff(places) <= 0).any():
        raise ValueError(f"Give a score for each of some rising rates; got rates {rates!r} and scores {scores!r}.")
    span = places[-1] - places[0]
    return float(np.trapezoid(heights, places) / span if span else heights[0])


def selection_gap(results: pd.DataFrame) -> pd.DataFrame:
    """Set what was selected on validation rows beside what test rows would have selected.

    Parameters
    ----------
    results : DataFrame
        As `featmer.evaluate` returns it with ``audit=True``.

    Returns
    -------
    DataFrame
        A row a model and metric: the mean test score ``dev_selected``, that of the audit, ``test_selected``, which is
        no result but what papers report that pick epochs or thresholds on test rows, and their ``difference``. Models
        that select nothing are not there.

    Raises
    ------
    ValueError
        If the results hold no audit.

    Examples
    --------
    >>> runs = {"model": "a", "part": "test", "metric": "uar", "fold": 0, "selection": ["valid", "test"]}
    >>> selection_gap(pd.DataFrame({**runs, "value": [0.5, 0.75]})).loc[("a", "uar")].to_dict()
    {'dev_selected': 0.5, 'test_selected': 0.75, 'difference': 0.25}
    """
    if "selection" not in results:
        raise ValueError("The results hold no audit: call evaluate(..., audit=True).")
    rows = results[results["part"] == "test"]
    if "condition" in rows:
        rows = rows[rows["condition"].fillna("") == ""]
    if rows["fold"].isna().any():  # the answers of all folds together
        rows = rows[rows["fold"].isna()]
    means = rows.pivot_table(index=["model", "metric"], columns="selection", values="value", sort=False)
    means = means.reindex(columns=["valid", "test"]).rename(columns="{}_selected".format)
    gap = means.rename(columns={"valid_selected": "dev_selected"}).rename_axis(columns=None).dropna()
    return gap.assign(difference=gap["test_selected"] - gap["dev_selected"])
