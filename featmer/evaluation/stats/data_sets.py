"""Scores with a row a data set: what tests over data sets count."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from featmer._checks import check_name
from featmer.evaluation.metrics import Metric, find_metric

_NO_DATA_SETS = ("seed", "fold", "repetition", "run")


def data_set_scores(
    results: pd.DataFrame, metric: str | Metric | None = None, part: str = "test", by: str = "corpus"
) -> pd.DataFrame:
    """Average seeds and folds away: one score a model and data set.

    Parameters
    ----------
    results : DataFrame
        As `featmer.evaluate` returns it, of several corpora, put together; one target and protocol each.
    metric : str or Metric, default=None
        Which score; None takes the first of the results.
    part : {"test", "valid"}, default="test"
        Which rows.
    by : str, default="corpus"
        Column that tells the data sets apart.

    Returns
    -------
    DataFrame of shape (n_sets, n_models)
        The mean over seeds of the score of all folds together. Models without a score on every data set are left out.

    Raises
    ------
    ValueError
        If a data set was tested in several ways: its rows would not be comparable.

    Examples
    --------
    >>> runs = {"corpus": ["x", "x", "y", "y"], "model": ["a", "b"] * 2, "value": [0.6, 0.5, 0.8, 0.7]}
    >>> results = pd.DataFrame({**runs, "part": "test", "metric": "uar", "fold": 0, "seed": 0})
    >>> data_set_scores(results).loc["y"].to_dict()
    {'a': 0.8, 'b': 0.7}
    """
    chosen = find_metric(results["metric"].iloc[0] if metric is None else metric).name
    check_name(chosen, set(results["metric"]), "metric of the results")
    rows = results[(results["metric"] == chosen) & (results["part"] == part)]
    for column in ("target", "protocol", "features_digest"):
        if column in rows and rows[[by, column]].drop_duplicates()[by].duplicated().any():
            raise ValueError(f"The results hold several values of {column!r} for one {by}; keep the rows of one.")
    pooled = rows["fold"].isna()
    whole = rows[pooled | ~rows[by].isin(rows.loc[pooled, by])]
    return whole.pivot_table(index=by, columns="model", values="value", dropna=False).dropna(axis=1)


def rank_models(scores: pd.DataFrame | ArrayLike, higher_is_better: bool = True) -> pd.DataFrame:
    """Rank models within each data set: 1 is the best, equal scores share the mean of their ranks.

    Parameters
    ----------
    scores : DataFrame or array-like of shape (n_sets, n_models)
        A row a data set, a column a model.
    higher_is_better : bool, default=True
        Direction of the scores.

    Returns
    -------
    DataFrame of shape (n_sets, n_models)
        The ranks.

    Raises
    ------
    ValueError
        If rows are seeds or folds of one data set, a score is missing, or there are fewer than two rows or columns.

    Examples
    --------
    >>> rank_models([[0.9, 0.8, 0.8], [0.5, 0.6, 0.7]]).to_numpy().tolist()
    [[1.0, 2.5, 2.5], [3.0, 2.0, 1.0]]
    """
    return check_data_sets(scores).rank(axis=1, ascending=not higher_is_better)


def check_data_sets(scores: pd.DataFrame | ArrayLike) -> pd.DataFrame:
    """Return scores as a frame, or raise where its rows are not data sets.

    Seeds and folds of one data set repeat each other: as many of them as one likes show nothing about other data, and
    a test that counts them calls chance a discovery.

    Parameters
    ----------
    scores : DataFrame or array-like of shape (n_sets, n_models)
        A row a data set, named by the index; an array is taken at its word.

    Returns
    -------
    DataFrame of shape (n_sets, n_models)
        The scores.

    Raises
    ------
    ValueError
        If a data set has several rows, rows are named seed or fold, a score is missing, or there is nothing to compare.

    Examples
    --------
    >>> check_data_sets(pd.DataFrame({"a": [0.5, 0.6], "b": [0.4, 0.7]}, index=["meld", "meld"]))
    Traceback (most recent call last):
    ValueError: Got 2 rows of only 1 data set ('meld' ...): N counts data sets, never their seeds or folds...
    """
    frame = scores if isinstance(scores, pd.DataFrame) else pd.DataFrame(np.asarray(scores, dtype=float))
    _check_index(frame)
    if min(frame.shape) < 2:
        raise ValueError(f"Got {frame.shape[0]} data sets and {frame.shape[1]} models, expected two or more of each.")
    unknown = frame.isna().any()
    if unknown.any():
        raise ValueError(f"Models {list(frame.columns[unknown])} lack a score on some data set; leave them out.")
    return frame.astype(float)


def _check_index(frame: pd.DataFrame) -> None:
    named = [name for name in (*frame.index.names, *frame.columns) if name in _NO_DATA_SETS]
    advice = "N counts data sets, never their seeds or folds; data_set_scores(results) gives a row each."
    if named:
        raise ValueError(f"Got rows by {' and '.join(map(str, named))}: {advice}")
    repeated = frame.index[frame.index.duplicated()]
    if len(repeated):
        n_sets = frame.index.nunique()
        count = f"{len(frame)} rows of only {n_sets} data set{'s' * (n_sets > 1)}"
        raise ValueError(f"Got {count} ({repeated[0]!r} more than once): {advice}")
