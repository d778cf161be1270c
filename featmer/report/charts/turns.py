"""Charts of one dialogue, which the explorer fills: answers turn by turn, and tracks over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from featmer.report.charts.style import INK, LINE, PALETTE, chart, names, quantity
from featmer.report.tracks import KINDS


def answers_chart(labels: Sequence[str], colours: Sequence[str]) -> dict[str, Any]:
    """Draw how sure each model was of each label, turn by turn, the true labels on top.

    Parameters
    ----------
    labels : sequence of str
        All labels; none where the target is a value, which is drawn as a line a model.
    colours : sequence of str
        A colour a label.

    Returns
    -------
    dict
        A Vega-Lite chart without rows; they have ``model``, ``turn`` and ``label`` with ``share``, or ``value``.

    Examples
    --------
    >>> answers_chart(["joy"], ["#e0a800"])["spec"]["mark"]["type"]
    'bar'
    """
    turn = names("turn", None, "turn", axis={"labelAngle": 0})
    if not labels:
        legend = {"title": None, "orient": "top"}
        colour = names("model", None, None, scale={"range": list(PALETTE)}, legend=legend)
        line = {"type": "line", "point": True}
        values = {"x": turn, "y": quantity("value", "value"), "color": colour}
        return chart(pd.DataFrame(), "Values turn by turn.", width="container", height=180, mark=line, encoding=values)
    scale = {"domain": list(labels), "range": list(colours)}
    share = {"field": "share", "type": "quantitative", "title": None, "axis": None}
    place: dict[str, Any] = {
        "x": {**turn, "scale": {"paddingInner": 0.06, "paddingOuter": 0.03}},
        "y": share,
        "color": names("label", None, None, scale=scale, legend={"orient": "top", "columns": 5, "title": None}),
        "tooltip": [{"field": "model"}, {"field": "turn"}, {"field": "label"}, {"field": "share", "format": ".1%"}],
    }
    header = {"title": None, "labelAngle": 0, "labelAlign": "left", "labelLimit": 120}
    facet = {"row": names("model", None, None, header=header)}
    spec = {"width": 520, "height": 46, "mark": {"type": "bar"}, "encoding": place}
    described = "How sure each model was of each label, turn by turn; the true labels are the first row."
    return chart(pd.DataFrame(), described, facet=facet, spec=spec, spacing=8)


def tracks_chart() -> dict[str, Any]:
    """Draw action units, pitch and energy over a dialogue, each kind on a scale of its own.

    Returns
    -------
    dict
        A Vega-Lite chart without rows; they have ``kind``, ``name``, ``x`` and ``y``, and those of kind, ``start``
        and ``turn`` mark where a turn begins.

    Examples
    --------
    >>> tracks_chart()["resolve"]
    {'scale': {'y': 'independent'}}
    """
    legend = {"orient": "top", "title": None, "columns": 2}
    place: dict[str, Any] = {
        "x": quantity("x", "time", scale={"zero": True, "nice": False}),
        "y": quantity("y", None, axis={"tickCount": 3}),
        "color": names("name", None, None, scale={"range": list(PALETTE)}, legend=legend),
        "tooltip": [{"field": "name"}, {"field": "x"}, {"field": "y"}],
    }
    begin = {**place["x"], "field": "start"}
    start = {"x": begin, "color": {"value": LINE}}
    number = {"x": begin, "y": {"value": 0}, "text": {"field": "turn"}, "color": {"value": INK}}
    begun, seen = ([{"filter": f"isValid(datum.{field})"}] for field in ("start", "name"))
    layers = [
        {"mark": {"type": "rule", "aria": False}, "transform": begun, "encoding": start},
        {
            "mark": {"type": "text", "align": "left", "dx": 3, "dy": -7, "fontSize": 10, "aria": False},
            "transform": begun,
            "encoding": number,
        },
        {
            "mark": {"type": "line", "strokeWidth": 1.5, "point": {"size": 8}, "aria": False},
            "transform": seen,
            "encoding": place,
        },
    ]
    facet = {"row": names("kind", KINDS, None, header={"title": None, "labelAngle": 0, "labelAlign": "left"})}
    spec = {"width": 520, "height": 90, "layer": layers}
    described = "What face and voice did over the dialogue; numbers mark where a turn begins."
    resolve = {"scale": {"y": "independent"}}
    return chart(pd.DataFrame(), described, facet=facet, spec=spec, resolve=resolve)
