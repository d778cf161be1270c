"""One self-contained page, and beside it the same table as Markdown and the plots as files."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from featmer._saving import write_whole
from featmer.evaluation.metrics import METRICS, Metric, find_metric
from featmer.groups import group_codes
from featmer.report.ranking import all_folds, leaderboard, leads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Heading and caption of each plot.
_WORDS = {
    "scores": (
        "Scores",
        "Mean score of each model with its 95 % interval; faint dots are single seeds. "
        "Coloured models are the best and those not significantly worse.",
    ),
    "confusion": ("Confusion", "What became of each true label, in percent of its rows; commonest label first."),
    "f1_by_label": ("F1 of each label", "Times 100, mean over seeds; labels that are found best come first."),
    "calibration": (
        "Calibration",
        "Accuracy against confidence, all folds and seeds together: on the dashed line, a model that says 70 % is "
        "right 70 % of the time. Larger dots hold more rows.",
    ),
    "agreement": ("Agreement", "Predicted against true values; on the dashed line they are equal."),
}
_FIXED = ("rank", "model", "mean", "sd", "low", "high", "p", "valid", "n_runs", "n_failed", "fit_seconds", "parameters")


@dataclass(frozen=True)
class Cell:
    """A number as a person reads it, and as a table sorts it.

    Parameters
    ----------
    text : str
        What is shown.
    value : float
        What is sorted by; NaN comes last.

    Examples
    --------
    >>> Cell("0.50", 0.5).text
    '0.50'
    """

    text: str
    value: float


@dataclass(frozen=True)
class Picture:
    """A plot in both dresses, with the words that stand for it.

    Parameters
    ----------
    heading, caption, alt : str
        Text above, text below, and text for those who cannot see it.
    light, dark : str
        PNG files as base64.

    Examples
    --------
    >>> Picture("Scores", "Means.", "A plot.", "", "").heading
    'Scores'
    """

    heading: str
    caption: str
    alt: str
    light: str
    dark: str


def write_page(
    results: pd.DataFrame,
    predictions: pd.DataFrame,
    folder: str | os.PathLike[str],
    *,
    title: str = "Leaderboard",
    metric: str | Metric | None = None,
) -> Path:
    """Write the leaderboard as a page, as Markdown, and its plots.

    Parameters
    ----------
    results, predictions : DataFrame
        From ``featmer.evaluate(..., return_predictions=True)``, of one corpus, target and protocol.
    folder : path-like
        Gets ``leaderboard.html`` (which needs no other file and no network), ``leaderboard.md`` and ``plots/*.png``.
    title : str, default="Leaderboard"
        Heading of the page.
    metric : str or Metric, default=None
        What to rank by; None takes the first of the results.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ValueError
        If the results mix comparisons, or no model could be scored.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.dummy import DummyClassifier
    >>> from featmer import Block, FeatureTable, evaluate
    >>> segments = pd.DataFrame({"dialogue": range(12), "turn": 0, "emotion": ["joy", "fear"] * 6})
    >>> table = FeatureTable(segments, {"text": Block(np.ones((12, 1)), ["text.length"])})
    >>> found = evaluate(DummyClassifier(), table, n_bootstrap=0, return_predictions=True, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_page(*found, folder).name
    'leaderboard.html'
    """
    board = leaderboard(results, predictions, metric=metric)
    if board["mean"].isna().all():
        reasons = "; ".join(results["error"].unique()[:3])
        raise ValueError(f"No model could be scored, so there is nothing to show. Reasons: {reasons}")
    folder = Path(folder)
    pictures = _draw(board, all_folds(results), predictions, folder / "plots")
    facts = _facts(board, results, predictions)
    page = {"title": title, "facts": facts, "columns": _columns(board), "rows": _rows(board), "pictures": pictures}
    environment = Environment(
        loader=PackageLoader("featmer.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    html = environment.get_template("leaderboard.html").render(page, failures=list(_failures(results).itertuples()))
    write_whole(folder / "leaderboard.md", _markdown(board, title).encode())
    write_whole(folder / "leaderboard.html", html.encode())
    return folder / "leaderboard.html"


def _draw(board: pd.DataFrame, results: pd.DataFrame, predictions: pd.DataFrame, folder: Path) -> list[Picture]:
    from featmer.report import plots  # matplotlib is slow to import

    drawn = {
        name: {key: _png(figure) for key, figure in plots.draw_all(board, results, predictions, theme).items()}
        for name, theme in plots.THEMES.items()
    }
    for name, png in drawn["light"].items():
        write_whole(folder / f"{name}.png", png)
    return [
        Picture(*_WORDS[name], _alt(name, board), *(_base64(drawn[theme][name]) for theme in plots.THEMES))
        for name in drawn["light"]
    ]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _alt(name: str, board: pd.DataFrame) -> str:
    """Return the plot in words."""
    scored = board[board["mean"].notna()]
    if name == "scores":
        return "; ".join(f"{model} {mean:.3f}" for model, mean in zip(scored["model"], scored["mean"], strict=True))
    return f"{_WORDS[name][1]} Models: {', '.join(scored['model'].head(3))}."


def _facts(board: pd.DataFrame, results: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, Any]:
    metric = find_metric(board.attrs["metric"])
    test = predictions[predictions["part"] == "test"]
    unit = results["unit"].iloc[0]
    best = board.iloc[0]
    return {
        "metric": metric.label,
        "direction": "higher" if metric.higher_is_better else "lower",
        "best": best["model"],
        "score": _number(best["mean"]),
        "interval": f"{_number(best['low'])} to {_number(best['high'])}",
        "equals": [row["model"] for _, row in board.iloc[1:].iterrows() if leads(row)],
        "corpus": ", ".join(results["corpus"].unique()) or "not named",
        "target": results["target"].iloc[0],
        "protocol": results["protocol"].iloc[0],
        "unit": unit,
        "rows": f"{test['row'].nunique()} rows of {group_codes(test, unit).max() + 1} {unit}s",
        "left_out": int(results.groupby(["fold"])["n_left_out"].max().max()),
        "folds": int(results["fold"].nunique()),
        "seeds": ", ".join(map(str, sorted(results["seed"].unique()))),
        "date": str(results["started"].max())[:10],
        "versions": json.loads(results["versions"].iloc[0]),
        "features": results["features_digest"].iloc[0],
        "digests": results.groupby("model", sort=False)["model_digest"].first().to_dict(),
    }


def _columns(board: pd.DataFrame) -> list[str]:
    """Return the heads of the columns of numbers, in the order of `_rows`."""
    further = [METRICS[name].label if name in METRICS else name for name in _further(board)]
    return ["SD over seeds", "p against best", "validation", *further, "runs", "fit, s", "parameters"]


def _further(board: pd.DataFrame) -> list[str]:
    return [str(name) for name in board if name not in _FIXED]


def _rows(board: pd.DataFrame) -> list[dict[str, Any]]:
    span = np.nanmin(board[["mean", "low"]]), np.nanmax(board[["mean", "high"]])
    width = max(span[1] - span[0], 1e-9)
    return [
        {
            "rank": row["rank"] if pd.notna(row["rank"]) else "–",
            "model": row["model"],
            "leads": leads(row),
            "score": Cell(_number(row["mean"]), row["mean"]),
            "interval": f"{_number(row['low'])} – {_number(row['high'])}" if pd.notna(row["low"]) else "",
            "bar": [round(float(100 * (row[name] - span[0]) / width), 1) for name in ("low", "mean", "high")],
            "cells": _cells(row, _further(board)),
        }
        for _, row in board.iterrows()
    ]


def _cells(row: pd.Series, further: Iterable[str]) -> list[Cell]:
    runs = f"{row['n_runs']} of {row['n_runs'] + row['n_failed']}" if row["n_failed"] else f"{row['n_runs']}"
    parameters = "" if pd.isna(row["parameters"]) else f"{row['parameters']:,.0f}"
    seconds = "" if pd.isna(row["fit_seconds"]) else f"{row['fit_seconds']:,.2f}"
    return [
        Cell(_number(row["sd"]), row["sd"]),
        Cell(_pvalue(row["p"]), row["p"]),
        *(Cell(_number(row[name]), row[name]) for name in ("valid", *further)),
        Cell(runs, row["n_runs"]),
        Cell(seconds, row["fit_seconds"]),
        Cell(parameters, row["parameters"]),
    ]


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"


def _pvalue(value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.3f}" if value >= 0.001 else "< .001"


def _failures(results: pd.DataFrame) -> pd.DataFrame:
    """Return each model's reasons for having no score, with the number of runs."""
    failed = results[(results["part"] == "test") & (results["n_rows"] == 0) & results["fold"].notna()]
    runs = failed.drop_duplicates(["model", "fold", "seed"])
    counts = runs.groupby(["model", "error"], sort=False).size()
    return counts.rename("runs").reset_index()


def _markdown(board: pd.DataFrame, title: str) -> str:
    heads = ["", "model", find_metric(board.attrs["metric"]).label, "95 % interval", *_columns(board)]
    lines = [heads, ["---", "---", *["---:"] * (len(heads) - 2)]]
    for row in _rows(board):
        lines.append(
            [row["rank"], row["model"], row["score"].text, row["interval"], *(cell.text for cell in row["cells"])]
        )
    return f"# {_escape(title)}\n\n" + "".join(f"| {' | '.join(map(_escape, line))} |\n" for line in lines)


def _escape(text: object) -> str:
    """Return text that Markdown takes as text."""
    plain = " ".join(str(text).split())
    for old, new in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|")):
        plain = plain.replace(old, new)
    return plain
