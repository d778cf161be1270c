"""What results may hold beside models as they are: runs with something taken away, and figures picked on test rows.

Results and predictions may have these columns; where one lacks, all rows are of models as they are.

============= ====================================================================================================
``condition`` what was taken away at test, "audio missing" or "frames missing"; empty or missing for nothing
``rate``      how much of it, from 0 to 1
``selection`` "test" for what an epoch or threshold picked on test rows would have scored, an audit of that practice;
              "valid" for the score beside it; missing where there was no audit
============= ====================================================================================================
"""

from __future__ import annotations

import pandas as pd

from featmer.evaluation import auilc, selection_gap

_AUDIT = "test"


def all_folds(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that score all folds together; all rows where there is but one fold.

    Examples
    --------
    >>> all_folds(pd.DataFrame({"fold": [0, 1, None], "value": [0.2, 0.4, 0.35]}))["value"].tolist()
    [0.35]
    """
    return results[results["fold"].isna()] if results["fold"].isna().any() else results


def as_they_are(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of models as they are: nothing taken away, nothing picked on test rows.

    Parameters
    ----------
    rows : DataFrame
        Results or predictions.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> rows = pd.DataFrame({"condition": ["", "audio missing"], "value": [0.5, 0.4]})
    >>> as_they_are(rows)["value"].tolist()
    [0.5]
    """
    return rows[~_changed(rows) & ~_audited(rows)]


def curves_of(results: pd.DataFrame, metric: str, part: str = "test") -> pd.DataFrame:
    """Return the score that each model keeps at each rate of each condition.

    Parameters
    ----------
    results : DataFrame
        As `featmer.evaluate` returns it, with the columns ``condition`` and ``rate``.
    metric : str
        Which score.
    part : {"test", "valid"}, default="test"
        Which rows.

    Returns
    -------
    DataFrame
        Columns ``model``, ``condition``, ``rate``, ``value`` (mean over seeds); each curve starts at rate 0, which is
        the model as it is where the results do not say otherwise. Empty without conditions.

    Examples
    --------
    >>> runs = {"model": "a", "part": "test", "metric": "uar", "fold": 0, "condition": ["", "no audio"]}
    >>> curves_of(pd.DataFrame({**runs, "rate": [0.0, 1.0], "value": [0.5, 0.4]}), "uar")["value"].tolist()
    [0.5, 0.4]
    """
    chosen = results[(results["part"] == part) & (results["metric"] == metric) & ~_audited(results)]
    changed = chosen[_changed(chosen)]
    if changed.empty:
        return pd.DataFrame(columns=["model", "condition", "rate", "value"])
    whole = all_folds(as_they_are(chosen)).groupby("model")["value"].mean()
    lines = []
    for (model, condition), rows in all_folds(changed).groupby(["model", "condition"]):
        line = rows.groupby("rate")["value"].mean()
        start = whole.reindex([model]).set_axis([0.0]).dropna()
        line = pd.concat([start[~start.index.isin(line.index)], line]).sort_index()
        curve = {"model": model, "condition": condition, "rate": line.index, "value": line.to_numpy()}
        lines.append(pd.DataFrame(curve))
    return pd.concat(lines, ignore_index=True)


def areas_of(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the area under each curve over the rates it spans: the mean score a model keeps.

    Parameters
    ----------
    curves : DataFrame
        From `curves_of`.

    Returns
    -------
    DataFrame
        A row a model, a column a condition.

    Examples
    --------
    >>> curves = pd.DataFrame({"model": "a", "condition": "c", "rate": [0.0, 0.5, 1.0], "value": [0.8, 0.6, 0.2]})
    >>> areas_of(curves).loc["a"].round(3).to_dict()
    {'c': 0.55}
    """
    found = []
    for (model, condition), line in curves.dropna(subset="value").groupby(["model", "condition"], sort=False):
        found.append((model, condition, auilc(line["rate"], line["value"])))
    areas = pd.DataFrame(found, columns=["model", "condition", "area"])
    return areas.pivot_table(index="model", columns="condition", values="area", sort=False)


def picked_on_test(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return what epochs or thresholds picked on test rows would have scored: an audit, never a result.

    Parameters
    ----------
    results : DataFrame
        As `featmer.evaluate` returns it, with the column ``selection``.
    metric : str
        Which score.

    Returns
    -------
    DataFrame
        By model: ``test_selected`` and its ``difference`` to what the same runs scored; empty without audit.

    Examples
    --------
    >>> runs = {"model": "a", "part": "test", "metric": "uar", "fold": 0, "selection": ["valid", "test"]}
    >>> picked_on_test(pd.DataFrame({**runs, "value": [0.5, 0.75]}), "uar").loc["a"].to_dict()
    {'test_selected': 0.75, 'difference': 0.25}
    """
    chosen = results[results["metric"] == metric]
    if not _audited(chosen).any():
        return pd.DataFrame(columns=["test_selected", "difference"])
    return selection_gap(chosen).droplevel("metric")[["test_selected", "difference"]]


def _changed(rows: pd.DataFrame) -> pd.Series:
    if "condition" not in rows:
        return pd.Series(data=False, index=rows.index)
    return rows["condition"].fillna("").astype(str) != ""


def _audited(rows: pd.DataFrame) -> pd.Series:
    if "selection" not in rows:
        return pd.Series(data=False, index=rows.index)
    return rows["selection"].fillna("").astype(str) == _AUDIT
