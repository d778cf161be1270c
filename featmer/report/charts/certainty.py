"""Charts of how far answers can be trusted: calibration, risk, agreement, and what is left without modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from featmer.evaluation.calibration import reliability, reliability_of_events
from featmer.evaluation.confidence import risk_coverage
from featmer.evaluation.metrics import find_metric
from featmer.evaluation.outcomes import PROBABILITY, TRUE, Outcomes
from featmer.report.answers import by_frequency
from featmer.report.charts.style import ACCENT, MUTED, PALETTE, PAPER, chart, choice, names, quantity

_SIDE = 300
_N_POINTS = 400
_N_STEPS = 150
_N_LABEL_BINS = 10  # fewer than of all labels together, for a rare label has few rows
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
    layers = _reliability_layers("accuracy", "model", [], [_CHOSEN])
    described = f"Accuracy against confidence in bins, for a model of choice among {len(sure)}."
    params = [choice("model", sure, "model", sure[0])]
    values = pd.concat(bins, ignore_index=True)
    return chart(values, described, width=_SIDE, height=_SIDE, params=params, layer=layers)


def label_calibration_chart(predictions: pd.DataFrame, models: Sequence[str]) -> dict[str, Any] | None:
    """Draw how often a label held against how likely a model thought it, of a model and label of choice.

    Parameters
    ----------
    predictions : DataFrame
        Of one part, any number of labels a row, with columns ``t.<label>`` and ``p.<label>``.
    models : sequence of str
        Best first; those without probabilities are left out.

    Returns
    -------
    dict or None
        A Vega-Lite chart, the model's other labels faint behind; None where no model gives probabilities.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "t.joy": [1, 0], "d.joy": [1, 1], "p.joy": [0.7, 0.7]})
    >>> label_calibration_chart(rows, ["a"])["data"]["values"][0]["held"]
    0.5
    """
    labels = by_frequency(predictions)
    bins = []
    for model in models:
        rows = predictions[predictions["model"] == model]
        for label in labels:
            given = rows[[TRUE + label, PROBABILITY + label]].dropna() if PROBABILITY + label in rows else rows[:0]
            if len(given):
                found = reliability_of_events(*given.to_numpy(float).T, n_bins=_N_LABEL_BINS).query("n_rows > 0")
                found = found.rename(columns={"accuracy": "held"})[["confidence", "held", "n_rows"]]
                bins.append(found.assign(model=model, label=label))
    if not bins:
        return None
    sure = list(dict.fromkeys(frame["model"].iloc[0] for frame in bins))
    one = {"filter": "datum.label === label"}
    layers = _reliability_layers("held", "label", [_CHOSEN], [_CHOSEN, one])
    described = f"How often each of {len(labels)} labels held against its probability, for a model of choice."
    params = [choice("model", sure, "model", sure[0]), choice("label", labels, "label", labels[0])]
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
    layers = [_diagonal(low, high, place), {"mark": dot, "transform": [_CHOSEN], "encoding": place}]
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


def _reliability_layers(
    happened: str, one_line: str, behind: list[dict[str, str]], chosen: list[dict[str, str]]
) -> list[dict[str, Any]]:
    """Return the diagonal, faint lines, and the chosen one with a dot a bin, as large as its rows are many."""
    titles = {"confidence": "confidence", "accuracy": "accuracy", "held": "share of rows where it holds"}
    if one_line == "label":
        titles["confidence"] = "probability of the label"
    x, y = (
        quantity(field, titles[field], scale={"domain": [0, 1]}, axis={"tickCount": 5})
        for field in ("confidence", happened)
    )
    place = {"x": x, "y": y}
    tooltip = [{"field": one_line}, {"field": "n_rows", "title": "rows"}, *_shown("confidence", happened)]
    size = {"field": "n_rows", "type": "quantitative", "scale": {"range": [20, 420]}, "legend": None}
    faint, line, dot = (
        {"type": "line", "opacity": 0.3, "strokeWidth": 1, "aria": False},
        {"type": "line", "color": ACCENT, "strokeWidth": 1.5, "aria": False},
        {"type": "point", "color": ACCENT, "opacity": 0.9, "stroke": PAPER, "clip": False},
    )
    return [
        _diagonal(0, 1, place),
        {"mark": faint, "transform": behind, "encoding": {**place, "detail": {"field": one_line}}},
        {"mark": line, "transform": chosen, "encoding": place},
        {"mark": dot, "transform": chosen, "encoding": {**place, "size": size, "tooltip": tooltip}},
    ]


def _shown(*fields: str) -> list[dict[str, Any]]:
    return [{"field": name, "format": ".3f"} for name in fields]


def _diagonal(low: float, high: float, place: dict[str, Any]) -> dict[str, Any]:
    """Return the line of equal numbers; layers that share axes must share their titles, or else there are none."""
    ends = {axis: quantity(axis, place[axis]["title"]) for axis in ("x", "y")}
    line = {"type": "line", "color": MUTED, "strokeDash": [4, 4], "strokeWidth": 1, "aria": False}
    values = [{"x": end, "y": end} for end in (float(low), float(high))]
    return {"data": {"values": values}, "mark": line, "encoding": ends}
