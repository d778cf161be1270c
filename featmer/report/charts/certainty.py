"""Charts of how far answers can be trusted: calibration, risk, agreement, and what is left without modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from featmer.evaluation.calibration import reliability
from featmer.evaluation.confidence import risk_coverage
from featmer.evaluation.metrics import find_metric
from featmer.evaluation.outcomes import Outcomes
from featmer.report.charts.style import ACCENT, MUTED, PALETTE, PAPER, chart, choice, names, quantity

_SIDE = 300
_N_POINTS = 400
_N_STEPS = 150
_CHOSEN = {"filter": "datum.model === model"}


def calibration_chart(predictions: pd.DataFrame, models: Sequence[str]) -> dict[str, Any] | None:
    """Draw accuracy against confidence of a model of choice, the others faint behind it.

    Parameters
    ----------
    predictions : DataFrame
        Of one part, with columns ``p.<class>``.
    models : sequence of str
        Best first; those without probabilities are left out.

    Returns
    -------
    dict or None
        A Vega-Lite chart; None where no model gives probabilities.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "target": ["x"], "prediction": ["x"], "p.x": 0.9, "p.y": 0.1})
    >>> calibration_chart(rows, ["a"])["data"]["values"][0]["accuracy"]
    1.0
    """
    bins = []
    for model in models:
        outcomes = Outcomes.of_frame(predictions[predictions["model"] == model])
        if outcomes.probabilities is not None:
            found = reliability(outcomes.target, outcomes.probabilities, outcomes.classes).query("n_rows > 0")
            bins.append(found[["confidence", "accuracy", "n_rows"]].assign(model=model))
    if not bins:
        return None
    sure = [frame["model"].iloc[0] for frame in bins]
    place = {
        "x": quantity("confidence", "confidence", scale={"domain": [0, 1]}, axis={"tickCount": 5}),
        "y": quantity("accuracy", "accuracy", scale={"domain": [0, 1]}, axis={"tickCount": 5}),
    }
    tooltip = [{"field": "n_rows", "title": "rows"}, *_shown("confidence", "accuracy")]
    size = {"field": "n_rows", "type": "quantitative", "scale": {"range": [20, 420]}, "legend": None}
    faint, line, dot = (
        {"type": "line", "opacity": 0.3, "strokeWidth": 1, "aria": False},
        {"type": "line", "color": ACCENT, "strokeWidth": 1.5, "aria": False},
        {"type": "point", "color": ACCENT, "opacity": 0.9, "stroke": PAPER, "clip": False},
    )
    layers = [
        _diagonal(0, 1),
        {"mark": faint, "encoding": {**place, "detail": {"field": "model"}}},
        {"mark": line, "transform": [_CHOSEN], "encoding": place},
        {"mark": dot, "transform": [_CHOSEN], "encoding": {**place, "size": size, "tooltip": tooltip}},
    ]
    described = f"Accuracy against confidence in bins, for a model of choice among {len(sure)}."
    params = [choice("model", sure, "model", sure[0])]
    values = pd.concat(bins, ignore_index=True)
    return chart(values, described, width=_SIDE, height=_SIDE, params=params, layer=layers)


def risk_coverage_chart(predictions: pd.DataFrame, models: Sequence[str]) -> dict[str, Any] | None:
    """Draw how many answers are wrong when only the most confident are given, of a model of choice, the others faint.

    Parameters
    ----------
    predictions : DataFrame
        Of one part, with columns ``p.<class>``.
    models : sequence of str
        Best first; those without probabilities are left out.

    Returns
    -------
    dict or None
        A Vega-Lite chart of at most 150 points a model; None where no model gives probabilities.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "target": ["x", "y"], "p.x": [0.9, 0.6], "p.y": [0.1, 0.4]})
    >>> risk_coverage_chart(rows.assign(prediction="x"), ["a"])["data"]["values"]
    [{'coverage': 0.5, 'risk': 0.0, 'model': 'a'}, {'coverage': 1.0, 'risk': 0.5, 'model': 'a'}]
    """
    curves = []
    for model in models:
        outcomes = Outcomes.of_frame(predictions[predictions["model"] == model])
        if outcomes.probabilities is not None:
            curve = risk_coverage(*outcomes.confidence())
            steps = np.unique(np.linspace(0, len(curve) - 1, _N_STEPS).astype(int))
            curves.append(curve.iloc[steps][["coverage", "risk"]].assign(model=model))
    if not curves:
        return None
    sure = [frame["model"].iloc[0] for frame in curves]
    share = {"format": "%", "tickCount": 5}
    place = {
        "x": quantity("coverage", "share of rows answered", scale={"domain": [0, 1]}, axis=share),
        "y": quantity("risk", "share of answers wrong", axis=share),
    }
    faint, line = (
        {"type": "line", "opacity": 0.3, "strokeWidth": 1, "aria": False},
        {"type": "line", "color": ACCENT, "strokeWidth": 2, "aria": False},
    )
    layers = [
        {"mark": faint, "encoding": {**place, "detail": {"field": "model"}}},
        {"mark": line, "transform": [_CHOSEN], "encoding": {**place, "tooltip": _shown("coverage", "risk")}},
    ]
    described = f"Share of wrong answers against the share of rows answered, for a model of choice among {len(sure)}."
    params = [choice("model", sure, "model", sure[0])]
    values = pd.concat(curves, ignore_index=True)
    return chart(values, described, width=_SIDE, height=_SIDE, params=params, layer=layers)


def agreement_chart(predictions: pd.DataFrame, models: Sequence[str]) -> dict[str, Any]:
    """Draw predicted values against true ones, for a model of choice.

    Parameters
    ----------
    predictions : DataFrame
        Of one part.
    models : sequence of str
        Best first.

    Returns
    -------
    dict
        A Vega-Lite chart of at most 400 rows a model, evenly spread over the true values.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "target": [0.0, 1.0], "prediction": [0.1, 0.8]})
    >>> agreement_chart(rows, ["a"])["data"]["values"][0]
    {'model': 'a', 'target': 0.0, 'prediction': 0.1}
    """
    rows = predictions[predictions["model"].isin(list(models))].sort_values("target")
    rows = pd.concat([some.iloc[:: len(some) // _N_POINTS + 1] for _, some in rows.groupby("model")])
    low, high = rows["target"].min(), rows["target"].max()
    place = {"x": quantity("target", "true"), "y": quantity("prediction", "predicted")}
    dot = {"type": "point", "size": 16, "color": ACCENT, "opacity": 0.4}
    layers = [_diagonal(low, high), {"mark": dot, "transform": [_CHOSEN], "encoding": place}]
    described = f"Predicted against true values, for a model of choice among {len(models)}."
    params = [choice("model", models, "model", models[0])]
    values = rows[["model", "target", "prediction"]]
    return chart(values, described, width=_SIDE, height=_SIDE, params=params, layer=layers)


def robustness_chart(curves: pd.DataFrame, models: Sequence[str], metric: str) -> dict[str, Any]:
    """Draw the score that is left at each rate of what is taken away, a panel a condition.

    Parameters
    ----------
    curves : DataFrame
        Columns ``model``, ``condition``, ``rate`` and ``value``, from `featmer.report.variants.curves_of`.
    models : sequence of str
        Best first.
    metric : str
        Name of the metric.

    Returns
    -------
    dict
        A Vega-Lite chart.

    Examples
    --------
    >>> curves = pd.DataFrame({"model": "a", "condition": "no audio", "rate": [0.0, 1.0], "value": [0.5, 0.4]})
    >>> robustness_chart(curves, ["a"], "uar")["columns"]
    1
    """
    models = [model for model in models if model in set(curves["model"])]
    conditions = list(dict.fromkeys(curves["condition"]))
    label = find_metric(metric).label
    scale = {"domain": models, "range": [PALETTE[place % len(PALETTE)] for place in range(len(models))]}
    chosen = {"condition": {"test": "model === 'all' || datum.model === model", "value": 1}, "value": 0.12}
    place = {
        "x": quantity("rate", "share taken away", axis={"format": "%", "tickCount": 5}),
        "y": quantity("value", label),
        "color": names("model", models, None, scale=scale, legend={"orient": "bottom", "columns": 6}),
        "opacity": chosen,
    }
    told = [*({"field": name} for name in ("model", "condition", "rate")), *_shown("value")]
    shape = names("model", models, None, scale={"domain": models})
    layers = [
        {"mark": {"type": "line", "aria": False}, "encoding": place},
        {"mark": {"type": "point", "size": 40}, "encoding": {**place, "shape": shape, "tooltip": told}},
    ]
    spec = {"width": 240, "height": 210, "layer": layers}
    facet = names("condition", conditions, header={"title": None})
    described = f"{label} as more is taken away: {', '.join(conditions)}. The areas are in the table below."
    params = [choice("model", ["all", *models], "show", "all")]
    return chart(curves, described, params=params, facet=facet, columns=min(4, len(conditions)), spec=spec)


def _shown(*fields: str) -> list[dict[str, Any]]:
    return [{"field": name, "format": ".3f"} for name in fields]


def _diagonal(low: float, high: float) -> dict[str, Any]:
    ends = {"x": quantity("x"), "y": quantity("y")}
    line = {"type": "line", "color": MUTED, "strokeDash": [4, 4], "strokeWidth": 1, "aria": False}
    values = [{"x": end, "y": end} for end in (float(low), float(high))]
    return {"data": {"values": values}, "mark": line, "encoding": ends}
