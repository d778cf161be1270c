"""Charts without a browser: as text on a page, and as files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from featmer._checks import check_name, require
from featmer._saving import write_whole
from featmer.report.charts.style import ACCENT, INK, LINE, MUTED, PAPER

EXTRA = "report"
VEGA_LITE = "6.4"
_KINDS = (".pdf", ".png", ".svg")
# What a file, which has no style sheet, gets instead; as in templates/page.css.
ON_PAPER = {PAPER: "#ffffff", INK: "#1c2430", MUTED: "#5d6877", LINE: "#e4e8ee", ACCENT: "#0f6b8f"}
_WIDTH = 720


def still(spec: dict[str, Any]) -> str:
    """Return a chart as SVG in the colours of the page, for readers without JavaScript.

    Parameters
    ----------
    spec : dict
        A Vega-Lite chart.

    Raises
    ------
    MissingExtra
        If ``featmer[report]`` is not installed.

    Examples
    --------
    >>> still({"data": {"values": []}, "mark": "point"})[:4]
    '<svg'
    """
    return require("vl_convert", EXTRA).vegalite_to_svg(_sized(spec), vl_version=VEGA_LITE)


def save_chart(spec: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a chart to a file, black on white.

    Parameters
    ----------
    spec : dict
        A Vega-Lite chart.
    path : path-like
        Ends in ``.svg``, ``.pdf`` or ``.png``.

    Raises
    ------
    ValueError
        If the ending is another.
    MissingExtra
        If ``featmer[report]`` is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_chart({"data": {"values": []}, "mark": "point"}, f"{folder}/nothing.svg")
    """
    kind = Path(path).suffix
    check_name(kind, _KINDS, "kind of picture")
    converter = require("vl_convert", EXTRA)
    paper, scale = on_paper(spec), {"scale": 2} if kind == ".png" else {}
    drawn = getattr(converter, f"vegalite_to_{kind[1:]}")(paper, vl_version=VEGA_LITE, **scale)
    write_whole(Path(path), drawn.encode() if isinstance(drawn, str) else drawn)


def on_paper(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a chart as a file shows it: black on white, and of a width of its own.

    Examples
    --------
    >>> on_paper({"width": "container", "mark": {"type": "bar", "color": ACCENT}})
    {'width': 720, 'mark': {'type': 'bar', 'color': '#0f6b8f'}, 'background': '#ffffff'}
    """
    text = json.dumps(_sized(spec))
    for name, colour in ON_PAPER.items():
        text = text.replace(f'"{name}"', f'"{colour}"')
    return {**json.loads(text), "background": ON_PAPER[PAPER]}


def _sized(spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "width": _WIDTH} if spec.get("width") == "container" else spec
