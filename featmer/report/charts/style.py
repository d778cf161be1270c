"""The look that all charts share: colours are the page's own, so that one drawing serves light, dark and print."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

PAPER, INK, MUTED, LINE, ACCENT = (f"var(--{name})" for name in ("paper", "ink", "muted", "line", "accent"))
# Okabe and Ito's colours, which colour-blind readers tell apart, each legible on white and on near-black.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8c6bb1", "#7f7f7f", "#a65628", "#4daf4a")
_USUAL = {
    **{"anger": "#d55e00", "angry": "#d55e00", "disgust": "#009e73", "fear": "#8c6bb1", "fearful": "#8c6bb1"},
    **{"joy": "#e0a800", "happy": "#e0a800", "happiness": "#e0a800", "sadness": "#0072b2", "sad": "#0072b2"},
    **{"surprise": "#cc79a7", "surprised": "#cc79a7", "neutral": "#8a929c", "calm": "#56b4e9"},
}
_FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_CONFIG: dict[str, Any] = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        **{"labelColor": MUTED, "titleColor": MUTED, "gridColor": LINE, "domain": False, "ticks": False},
        **{"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelPadding": 6, "labelLimit": 230},
    },
    "axisQuantitative": {"labelOverlap": "parity", "labelSeparation": 6},
    "legend": {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 12, "titleFontWeight": "normal"},
    "header": {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 12, "labelLimit": 240},
    "title": {"color": INK, "fontSize": 13, "fontWeight": "normal", "anchor": "start", "limit": 320},
    "text": {"color": INK, "fontSize": 12},
    "rule": {"color": MUTED},
    "point": {"color": MUTED, "filled": True},
    "line": {"color": MUTED},
}


def chart(values: pd.DataFrame, description: str, **parts: Any) -> dict[str, Any]:
    """Return a Vega-Lite chart of a few rows in the look of the page.

    Parameters
    ----------
    values : DataFrame
        A row a mark; numbers are rounded to five digits, NaN is left out of the drawing.
    description : str
        The chart in words, for those who cannot see it.
    **parts
        All else that makes a Vega-Lite chart.

    Returns
    -------
    dict
        What ``vegaEmbed`` takes.

    Examples
    --------
    >>> chart(pd.DataFrame({"model": ["a"], "mean": [1 / 3]}), "One model.", mark="bar")["data"]
    {'values': [{'model': 'a', 'mean': 0.33333}]}
    """
    rows = json.loads(values.round(5).to_json(orient="records"))
    return {"data": {"values": rows}, "description": description, "config": _CONFIG, **parts}


def quantity(field: str, title: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a channel of numbers; the axis need not start at zero.

    Examples
    --------
    >>> quantity("mean", "UAR")["scale"]
    {'zero': False}
    """
    return {"field": field, "type": "quantitative", "title": title, "scale": {"zero": False}, **more}


def names(field: str, order: Sequence[str] | None = None, title: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a channel of names, in the order given.

    Examples
    --------
    >>> names("model", ["b", "a"])["sort"]
    ['b', 'a']
    """
    return {"field": field, "type": "nominal", "title": title, "sort": None if order is None else list(order), **more}


def rows_of(n_models: int) -> dict[str, Any]:
    """Return the size of a chart with a row a model, as wide as there is room.

    Examples
    --------
    >>> rows_of(2)
    {'width': 'container', 'height': 50}
    """
    return {"width": "container", "height": 25 * n_models}


def choice(name: str, options: Iterable[str], label: str, value: str) -> dict[str, Any]:
    """Return a parameter that a reader sets by a drop-down list.

    Examples
    --------
    >>> choice("model", ["a", "b"], "model", "a")["bind"]["options"]
    ['a', 'b']
    """
    return {"name": name, "value": value, "bind": {"input": "select", "options": list(options), "name": f"{label} "}}


def colours(labels: Sequence[str]) -> list[str]:
    """Return a colour a label: the usual one of an emotion, or else the next of the palette.

    Examples
    --------
    >>> colours(["joy", "x", "y"])
    ['#e0a800', '#0072b2', '#d55e00']
    """
    taken = [_USUAL.get(label.lower()) for label in labels]
    free = [colour for colour in PALETTE if colour not in taken] or list(PALETTE)
    others = (free[place % len(free)] for place in range(len(labels)))
    return [colour or next(others) for colour in taken]


def heat(x: dict[str, Any], y: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """Return the two layers of a table of percentages: tinted cells, and the numbers on them.

    Examples
    --------
    >>> len(heat(names("label"), names("model"), "percent"))
    2
    """
    place = {"x": x, "y": y}
    tint = {"field": field, "type": "quantitative", "scale": {"domain": [0, 100], "range": [0, 0.92]}, "legend": None}
    # From here on paper is the better colour of numbers; the light page has it at 88, the dark one at 67.
    legible = {"condition": {"test": f"datum.{field} > 75", "value": PAPER}, "value": INK}
    number = {"field": field, "type": "quantitative", "format": ".0f"}
    return [
        {"mark": {"type": "rect", "color": ACCENT}, "encoding": {**place, "fillOpacity": tint}},
        {"mark": {"type": "text", "aria": False}, "encoding": {**place, "text": number, "color": legible}},
    ]
