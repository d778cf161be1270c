"""Charts of whole models: scores, mean ranks, cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from featmer.evaluation.metrics import find_metric
from featmer.report.charts.style import ACCENT, INK, MUTED, PAPER, chart, names, quantity, rows_of
from featmer.report.ranking import leads

_LEADING = {"condition": {"test": "datum.leads", "value": ACCENT}, "value": MUTED}


def scores_chart(board: pd.DataFrame, results: pd.DataFrame, part: str = "test") -> dict[str, Any]:
    """Draw each model's mean with its interval, and the mean of each seed as a faint dot.

    Parameters
    ----------
    board : DataFrame
        From `featmer.leaderboard`.
    results : DataFrame
        From `featmer.evaluate`.
    part : {"test", "valid"}, default="test"
        Which rows the scores are of.

    Returns
    -------
    dict
        A Vega-Lite chart.

    Examples
    --------
    >>> board = pd.DataFrame({"model": ["a"], "mean": [0.5], "low": [0.4], "high": [0.6], "p": [np.nan]})
    >>> board.attrs["metric"] = "uar"
    >>> results = pd.DataFrame({"model": ["a"], "seed": 0, "part": "test", "metric": "uar", "value": [0.5]})
    >>> scores_chart(board, results)["description"]
    'UAR: a 0.500.'
    """
    metric = find_metric(board.attrs["metric"])
    rows = _scored(board)[["model", "mean", "low", "high", "leads"]]
    chosen = results[(results["part"] == part) & (results["metric"] == metric.name)]
    seeds = chosen.groupby(["model", "seed"])["value"].mean().rename("one seed").reset_index()
    said = "; ".join(f"{model} {mean:.3f}" for model, mean in zip(rows["model"], rows["mean"], strict=True))
    place = {"y": names("model", list(rows["model"]), axis={"labelColor": INK}), "color": _LEADING}
    tooltip = [{"field": name, "format": ".3f"} for name in ("mean", "low", "high")]
    marks: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"type": "rule", "size": 2.5, "opacity": 0.55}, {"x": quantity("low", metric.label), "x2": {"field": "high"}}),
        ({"type": "point", "size": 22, "opacity": 0.4, "aria": False}, {"x": quantity("one seed", metric.label)}),
        (
            {"type": "point", "size": 90, "opacity": 1, "stroke": PAPER},
            {"x": quantity("mean", metric.label), "tooltip": [{"field": "model"}, *tooltip]},
        ),
    ]
    layers = [{"mark": mark, "encoding": {**place, **more}} for mark, more in marks]
    values = pd.concat([rows, seeds.merge(rows[["model", "leads"]], on="model")], ignore_index=True)
    return chart(values, f"{metric.label}: {said}.", **rows_of(len(rows)), layer=layers)


def cost_chart(board: pd.DataFrame) -> dict[str, Any]:
    """Draw scores against seconds of fitting and against parameters; the models that nothing cheaper beats are named.

    Parameters
    ----------
    board : DataFrame
        From `featmer.leaderboard`.

    Returns
    -------
    dict
        A Vega-Lite chart.

    Examples
    --------
    >>> board = pd.DataFrame({"model": ["a", "b"], "mean": [0.5, 0.4], "p": [np.nan, 0.2]})
    >>> board = board.assign(fit_seconds=[1.0, 2.0], parameters=np.nan)
    >>> board.attrs["metric"] = "uar"
    >>> [row["worth"] for row in cost_chart(board)["hconcat"][0]["data"]["values"]]
    [True, False]
    """
    metric = find_metric(board.attrs["metric"])
    panels = []
    for cost, title, form in (
        ("fit_seconds", "seconds to fit (log)", "~g"),
        ("parameters", "learned parameters (log)", "~s"),
    ):
        rows = _scored(board)
        rows = rows[rows[cost] > 0].sort_values(cost)
        if rows.empty:
            continue
        gain = metric.gain(rows["mean"])
        rows = rows.assign(cost=rows[cost], worth=gain > gain.cummax().shift(fill_value=-np.inf))
        rows = rows.assign(named=_apart(rows[rows["worth"]]).reindex(rows.index, fill_value=False))
        rows = rows.assign(cheap=rows["cost"] ** 2 < rows["cost"].min() * rows["cost"].max())
        rows = rows[["model", "mean", "cost", "leads", "worth", "named", "cheap"]]
        panels.append(_cost_panel(rows, title, metric.label, form))
    described = f"{metric.label} against seconds of fitting and number of parameters, which the table lists too."
    return {**chart(board[:0], described), "hconcat": panels}


def _cost_panel(rows: pd.DataFrame, title: str, score: str, form: str) -> dict[str, Any]:
    axis = {"format": form, "grid": False, "tickCount": 4}
    place: dict[str, Any] = {
        "x": quantity("cost", title, scale={"type": "log", "nice": False, "padding": 16}, axis=axis),
        "y": quantity("mean", score, scale={"zero": False, "padding": 18}),
    }
    told = {"field": "mean", "title": score, "format": ".3f"}
    tooltip = [{"field": "model"}, told, {"field": "cost", "title": title}]
    worth = {"filter": "datum.worth"}
    step = {"type": "line", "interpolate": "step-after", "strokeDash": [4, 4], "strokeWidth": 1, "aria": False}
    points = {"type": "point", "size": 80, "opacity": 0.9, "stroke": PAPER}
    layers: list[dict[str, Any]] = [
        {"mark": step, "transform": [worth], "encoding": place},
        {"mark": points, "encoding": {**place, "color": _LEADING, "tooltip": tooltip}},
    ]
    # Below and right of its dot, or above and left, a name meets no line; which side keeps it within the chart.
    for cheap, align, dx, dy in ((True, "left", 6, 13), (False, "right", -6, -9)):
        if not (rows["named"] & (rows["cheap"] == cheap)).any():
            continue  # Vega warns of a layer without rows
        label = {"type": "text", "align": align, "dx": dx, "dy": dy, "fontSize": 11, "limit": 130, "aria": False}
        here = {"filter": {"and": ["datum.named", f"datum.cheap === {str(cheap).lower()}"]}}
        layers.append({"mark": label, "transform": [here], "encoding": {**place, "text": {"field": "model"}}})
    return {"data": chart(rows, "")["data"], "width": 222, "height": 230, "layer": layers}


def _apart(rows: pd.DataFrame) -> pd.Series:
    """Tell which names can be written without lying on that of a better model."""
    places = pd.DataFrame({"x": np.log(rows["cost"]), "y": rows["mean"]})
    spans = (places.max() - places.min()).clip(lower=1e-9)
    named: list[int] = []
    for place in reversed(rows.index):  # the dearest is the best
        away = (places.loc[named] - places.loc[place]).abs() / spans
        if not ((away["x"] < 0.35) & (away["y"] < 0.09)).any():
            named.append(place)
    return pd.Series(data=True, index=named)


def _scored(board: pd.DataFrame) -> pd.DataFrame:
    rows = board[board["mean"].notna()].reset_index(drop=True)
    return rows.assign(leads=[leads(row) for _, row in rows.iterrows()])
