"""The critical-difference diagram: mean ranks, and bars over models that no test tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from featmer._checks import check_name
from featmer.evaluation.stats import cliques, friedman, nemenyi, nemenyi_cd, wilcoxon_holm
from featmer.report.charts.style import ACCENT, INK, MUTED, chart, quantity

TESTS = ("wilcoxon", "nemenyi")
_STEP = 22  # pixels between the names of two models
_NAMES, _WIDTH = 180, 300  # pixels beside the axis, at most, for a name, and of the axis


def critical_difference_chart(
    scores: pd.DataFrame | ArrayLike, *, test: str = "wilcoxon", higher_is_better: bool = True, alpha: float = 0.05
) -> dict[str, Any]:
    """Draw the mean rank of each model, best on the left; bars join models that do not differ.

    Parameters
    ----------
    scores : DataFrame or array-like of shape (n_sets, n_models)
        A row a data set, as `featmer.evaluation.stats.data_set_scores` gives them, or a row a dialogue.
    test : {"wilcoxon", "nemenyi"}, default="wilcoxon"
        Which models differ: Wilcoxon's test of each pair with Holm's correction, or Nemenyi's on mean ranks, whose
        critical difference is drawn too.
    higher_is_better : bool, default=True
        Direction of the scores.
    alpha : float, default=0.05
        Models differ below it.

    Returns
    -------
    dict
        A Vega-Lite chart; `featmer.report.charts.save_chart` writes it to a file.

    Raises
    ------
    ValueError
        If rows are seeds or folds of one data set, a score is missing, or the test is unknown.

    References
    ----------
    Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006.

    Examples
    --------
    >>> scores = pd.DataFrame({"gated": [0.7, 0.8, 0.6], "linear": [0.6, 0.7, 0.5]}, index=["meld", "mosi", "ravdess"])
    >>> critical_difference_chart(scores)["description"]
    'Mean ranks, best first: gated 1.00; linear 2.00. Not told apart: gated and linear.'
    """
    check_name(test, TESTS, "test of pairs")
    pvalues = (nemenyi if test == "nemenyi" else wilcoxon_holm)(scores, higher_is_better=higher_is_better)
    found = friedman(scores, higher_is_better=higher_is_better)
    ranked = found.mean_ranks.sort_values(kind="stable")
    groups = cliques(ranked, pvalues, alpha)
    difference = nemenyi_cd(len(ranked), found.n_sets, alpha) if test == "nemenyi" else None
    said = "; ".join(f"{name} {rank:.2f}" for name, rank in ranked.items())
    alike = "; ".join(" and ".join(map(str, group)) for group in groups) or "none"
    gap = "" if difference is None else f" Critical difference {difference:.2f}."
    described = f"Mean ranks, best first: {said}.{gap} Not told apart: {alike}."
    return _draw(ranked, groups, difference, described)


def _draw(
    ranked: pd.Series, groups: Sequence[Sequence[Any]], difference: float | None, described: str
) -> dict[str, Any]:
    top = 1.5 + len(groups)  # names start below the bars
    models = pd.DataFrame({"model": ranked.index.astype(str), "rank": ranked.to_numpy(float), "zero": 0})
    # The outermost names are highest, so that no two lines cross.
    outer = np.minimum(np.arange(len(ranked)), np.arange(len(ranked))[::-1] + len(ranked) % 2)
    models = models.assign(y=top + outer, left=np.arange(len(ranked)) < (len(ranked) + 1) // 2)
    height = float(models["y"].max()) + 1
    axis = {"orient": "top", "grid": False, "domain": True, "ticks": True, "tickMinStep": 1}
    axis |= {"domainColor": MUTED, "tickColor": MUTED}
    across = quantity("rank", "mean rank (1 is best)", scale={"domain": [1, len(ranked)], "nice": False}, axis=axis)
    down = {"type": "quantitative", "scale": {"domain": [0, height], "reverse": True, "nice": False}, "axis": None}
    spans = [[float(ranked[name]) for name in group] for group in groups]
    bars = [(min(span), max(span), 1 + place) for place, span in enumerate(spans)]
    layers = [*_elbows(across, down), *_bars(bars, across, down)]
    if difference is not None:
        layers += _critical(difference, len(ranked), across)
    return chart(models, described, width=_WIDTH, height=height * _STEP, layer=layers)


def _elbows(across: dict[str, Any], down: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a line from each rank down to its level and out to its side, where the name stands."""
    line = {"type": "rule", "aria": False}
    level = {**down, "field": "y"}
    layers: list[dict[str, Any]] = [
        {"mark": line, "encoding": {"x": across, "y": {**down, "field": "zero"}, "y2": {"field": "y"}}}
    ]
    for side, edge, align, shift in (("datum.left", 0, "right", -6), ("!datum.left", _WIDTH, "left", 6)):
        worded = [{"filter": side}, {"calculate": "format(datum.rank, '.2f') + '  ' + datum.model", "as": "label"}]
        text = {"type": "text", "color": INK, "limit": _NAMES, "align": align, "dx": shift}
        place = {"x": {"value": edge}, "y": level, "text": {"field": "label"}}
        layers.append({"mark": line, "transform": worded, "encoding": {"x": across, "x2": {"value": edge}, "y": level}})
        layers.append({"mark": text, "transform": worded, "encoding": place})
    return layers


def _bars(
    bars: Sequence[tuple[float, float, int]], across: dict[str, Any], down: dict[str, Any]
) -> list[dict[str, Any]]:
    if not bars:
        return []
    mark = {"type": "rule", "strokeWidth": 5, "strokeCap": "round", "color": ACCENT, "aria": False}
    places = {"x": {**across, "field": "from"}, "x2": {"field": "to"}, "y": {**down, "field": "y"}}
    return [{**_data(bars, ["from", "to", "y"]), "mark": mark, "encoding": places}]


def _critical(difference: float, n_models: int, across: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the length of the critical difference, drawn above the axis."""
    data = _data([(1.0, min(1.0 + difference, n_models))], ["from", "to"])
    rule = {"type": "rule", "color": INK, "strokeWidth": 2, "aria": False}
    text = {"type": "text", "align": "left", "dy": -9, "color": MUTED, "text": f"critical difference {difference:.2f}"}
    start, above = {**across, "field": "from"}, {"value": -46}
    return [
        {**data, "mark": rule, "encoding": {"x": start, "x2": {"field": "to"}, "y": above}},
        {**data, "mark": text, "encoding": {"x": start, "y": above}},
    ]


def _data(rows: Sequence[tuple[float, ...]], columns: list[str]) -> dict[str, Any]:
    return {"data": {"values": [dict(zip(columns, row, strict=True)) for row in rows]}}
