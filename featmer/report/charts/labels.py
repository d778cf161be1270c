"""Charts of parts of the rows: the F1 of each label, what each was taken for, the score of each corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer.evaluation.metrics import F1_OF, find_metric
from featmer.evaluation.outcomes import Outcomes
from featmer.report.answers import by_frequency, indicators
from featmer.report.charts.style import INK, chart, choice, heat, names, rows_of

GOLD = "gold"
"""What is true, among models to choose from; the dialogue explorer calls it so, too."""


def f1_chart(results: pd.DataFrame, models: Sequence[str], part: str = "test") -> dict[str, Any]:
    """Draw every model's mean F1 of each label; labels that are found best come first.

    Parameters
    ----------
    results : DataFrame
        With rows of the metrics ``"f1:<label>"``.
    models : sequence of str
        Best first.
    part : {"test", "valid"}, default="test"
        Which rows.

    Returns
    -------
    dict
        A Vega-Lite chart.

    Examples
    --------
    >>> results = pd.DataFrame({"model": "a", "part": "test", "metric": ["f1:joy", "f1:fear"], "value": [0.4, 0.6]})
    >>> f1_chart(results, ["a"])["layer"][0]["encoding"]["x"]["sort"]
    ['fear', 'joy']
    """
    rows = results[(results["part"] == part) & results["metric"].str.startswith(F1_OF)]
    rows = rows.assign(label=rows["metric"].str.removeprefix(F1_OF), percent=100 * rows["value"])
    return _means(rows, "label", models, "F1")


def corpora_chart(predictions: pd.DataFrame, models: Sequence[str], metric: str) -> dict[str, Any]:
    """Draw every model's mean score on each corpus; corpora that are told best come first.

    Parameters
    ----------
    predictions : DataFrame
        Of one part, all folds and seeds, with the column ``corpus``.
    models : sequence of str
        Best first.
    metric : str
        Of which more is better, and 1 is all.

    Returns
    -------
    dict
        A Vega-Lite chart.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "seed": 0, "corpus": ["x", "y"], "target": "joy", "prediction": "joy"})
    >>> corpora_chart(rows.assign(prediction=["fear", "joy"]), ["a"], "accuracy")["layer"][0]["encoding"]["x"]["sort"]
    ['y', 'x']
    """
    found = find_metric(metric)
    runs = predictions.groupby(["model", "corpus", "seed"])
    scores = [(*key[:2], 100 * found.score(Outcomes.of_frame(rows))) for key, rows in runs]
    rows = pd.DataFrame(scores, columns=["model", "corpus", "percent"])
    return _means(rows, "corpus", models, found.label)


def _means(rows: pd.DataFrame, each: str, models: Sequence[str], score: str) -> dict[str, Any]:
    """Return a table of mean percentages, a row a model."""
    order = list(rows.groupby(each)["percent"].mean().sort_values(ascending=False, kind="stable").index)
    means = rows.groupby(["model", each])["percent"].mean().reset_index()
    means = means[means["model"].isin(list(models))]
    across = names(each, order, axis={"orient": "top", "labelAngle": -30, "labelColor": INK})
    down = names("model", models, axis={"labelColor": INK})
    told = f"{score} of each {each} in percent, for {len(models)} models. Best: {order[0]}; worst: {order[-1]}."
    room = {"padding": {"left": 2, "top": 2, "bottom": 2, "right": 30}}  # for the last name, which leans out
    return chart(means, told, **rows_of(len(models)), **room, layer=heat(across, down, "percent"))


def confusion_chart(predictions: pd.DataFrame, models: Sequence[str]) -> dict[str, Any]:
    """Draw what became of each true label, in percent of its rows, for two models that the reader chooses.

    Parameters
    ----------
    predictions : DataFrame
        Of one part, all folds and seeds.
    models : sequence of str
        Best first.

    Returns
    -------
    dict
        A Vega-Lite chart.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "target": ["joy", "fear", "joy"], "prediction": "joy"})
    >>> [row["percent"] for row in confusion_chart(rows, ["a"])["data"]["values"] if row["predicted"] == "joy"]
    [100.0, 100.0]
    """
    labels = [str(label) for label in predictions["target"].astype(str).value_counts().index]
    pieces = []
    for model, rows in predictions[predictions["model"].isin(list(models))].groupby("model"):
        counts = pd.crosstab(rows["target"].astype(str), rows["prediction"].astype(str))
        counts = counts.reindex(index=labels, columns=labels, fill_value=0)
        shares = 100 * counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
        piece = shares.rename_axis("true").reset_index().melt("true", var_name="predicted", value_name="percent")
        pieces.append(piece.assign(model=model))
    values = pd.concat(pieces, ignore_index=True).sort_values(["model", "true"], kind="stable")
    described = "What became of each true label, in percent of its rows, for two models of choice; commonest first."
    return _two_tables(values, described, labels, models, "predicted")


def together_chart(predictions: pd.DataFrame, models: Sequence[str]) -> dict[str, Any]:
    """Draw which labels were said of the rows of each true label, beside which truly hold together.

    Parameters
    ----------
    predictions : DataFrame
        Of one part, all folds and seeds, any number of labels a row: columns ``t.<label>`` and ``d.<label>``.
    models : sequence of str
        Best first.

    Returns
    -------
    dict
        A Vega-Lite chart: two tables, of models or of what is true. Of a model, the diagonal is the recall; a
        percentage above that of what is true shows what a label is taken for.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "t.joy": [1, 1], "t.awe": [0, 1], "d.joy": [1, 0], "d.awe": [0, 0]})
    >>> [row["percent"] for row in together_chart(rows, ["a"])["data"]["values"] if row["model"] == "a"]
    [50.0, 0.0, 0.0, 0.0]
    """
    labels = by_frequency(predictions)
    pieces: list[pd.DataFrame] = []
    for model, rows in predictions[predictions["model"].isin(list(models))].groupby("model"):
        true, said = indicators(rows, labels)
        if not pieces:
            pieces.append(_shares(true, true, labels).assign(model=GOLD))
        pieces.append(_shares(true, said, labels).assign(model=model))
    values = pd.concat(pieces, ignore_index=True)
    described = (
        "Labels that hold, or were said, together: percent of the rows of the label on the left; commonest first."
    )
    return _two_tables(values, described, labels, [GOLD, *models], "holds or is said too")


def _shares(true: NDArray, said: NDArray, labels: list[str]) -> pd.DataFrame:
    shares = 100 * (true.T @ said) / np.maximum(true.sum(axis=0), 1)[:, None]
    frame = pd.DataFrame(shares, labels, labels).rename_axis("true").reset_index()
    return frame.melt("true", var_name="predicted", value_name="percent")


def _two_tables(
    values: pd.DataFrame, described: str, labels: list[str], options: Sequence[str], across: str
) -> dict[str, Any]:
    sides = [("first", options[0]), ("second", options[min(1, len(options) - 1)])][: len(options)]
    params = [choice(name, options, f"{name} model", model) for name, model in sides]
    panels = [_table_panel(name, labels, across) for name, _ in sides]
    return chart(values, described, params=params, hconcat=panels, spacing=18)


def _table_panel(name: str, labels: list[str], title: str) -> dict[str, Any]:
    side = max(210, 26 * len(labels))
    across = names("predicted", labels, title, axis={"labelAngle": -40})
    down = names("true", labels, "true")
    return {
        "transform": [{"filter": f"datum.model === {name}"}],
        "title": {"text": {"expr": name}, "dy": -4},
        "width": side,
        "height": side,
        "layer": heat(across, down, "percent"),
    }
