"""The leaderboard as rows of text, for the page and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from featmer.evaluation.metrics import METRICS, find_metric
from featmer.report.ranking import leads

_FIXED = ("rank", "model", "mean", "sd", "low", "high", "p", "valid", "n_runs", "n_failed", "fit_seconds", "parameters")
AUDIT = "picked on test (audit)"


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


def list_models(
    board: pd.DataFrame, letters: Mapping[str, str], audit: pd.DataFrame
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the heads of the columns of numbers, and the rows of the table.

    Parameters
    ----------
    board : DataFrame
        From `featmer.leaderboard`.
    letters : mapping of str to str
        From `featmer.report.significance.letters`.
    audit : DataFrame
        From `featmer.report.variants.picked_on_test`; may be empty.

    Returns
    -------
    heads : list of str
        In the order of the cells.
    rows : list of dict
        ``rank``, ``model``, ``leads``, ``score``, ``interval``, ``bar`` (low, mean and high in percent of the span of
        all models), ``letters`` and ``cells``.

    Examples
    --------
    >>> board = pd.DataFrame({"rank": [1], "model": ["a"], "mean": [0.5], "sd": [0.1], "low": [0.4], "high": [0.6]})
    >>> board = board.assign(p=np.nan, valid=0.6, n_runs=1, n_failed=0, fit_seconds=1.0, parameters=10)
    >>> heads, rows = list_models(board, {"a": "a"}, pd.DataFrame({"test_selected": [0.53], "difference": 0.03}, ["a"]))
    >>> [f"{head}: {cell.text}" for head, cell in zip(heads, rows[0]["cells"], strict=True)][3:5]
    ['picked on test (audit): 0.530', 'difference (audit): +0.030']
    """
    further = [str(name) for name in board if name not in _FIXED]
    labels = [METRICS[name].label if name in METRICS else name for name in further]
    audited = [AUDIT, "difference (audit)"] if len(audit) else []
    heads = ["SD over seeds", "p against best", "validation", *audited, *labels, "runs", "fit, s", "parameters"]
    span = np.nanmin(board[["mean", "low"]]), np.nanmax(board[["mean", "high"]])
    width = max(span[1] - span[0], 1e-9)
    rows = [
        {
            "rank": row["rank"] if pd.notna(row["rank"]) else "–",
            "model": row["model"],
            "leads": leads(row),
            "score": Cell(number(row["mean"]), row["mean"]),
            "interval": f"{number(row['low'])} – {number(row['high'])}" if pd.notna(row["low"]) else "",
            "bar": [round(float(100 * (row[name] - span[0]) / width), 1) for name in ("low", "mean", "high")],
            "letters": letters.get(row["model"], ""),
            "cells": _cells(row, further, audit),
        }
        for _, row in board.iterrows()
    ]
    return heads, rows


def markdown(board: pd.DataFrame, heads: list[str], rows: list[dict[str, Any]], title: str) -> str:
    r"""Return the table as Markdown.

    Parameters
    ----------
    board : DataFrame
        From `featmer.leaderboard`.
    heads, rows
        From `list_models`.
    title : str
        Its heading.

    Examples
    --------
    >>> board = pd.DataFrame()
    >>> board.attrs["metric"] = "uar"
    >>> markdown(board, [], [], "A | B").splitlines()[0]
    '# A \\| B'
    """
    first = ["", "model", find_metric(board.attrs["metric"]).label, "95 % interval", "group"]
    lines = [[*first, *heads], ["---", "---", *["---:"] * (len(first) + len(heads) - 2)]]
    for row in rows:
        texts = [row["rank"], row["model"], row["score"].text, row["interval"], row["letters"]]
        lines.append([*texts, *(cell.text for cell in row["cells"])])
    return f"# {_escape(title)}\n\n" + "".join(f"| {' | '.join(map(_escape, line))} |\n" for line in lines)


def number(value: float) -> str:
    """Return a score with three digits, or nothing for NaN.

    Examples
    --------
    >>> number(0.5), number(float("nan"))
    ('0.500', '')
    """
    return "" if pd.isna(value) else f"{value:.3f}"


def _cells(row: pd.Series, further: list[str], audit: pd.DataFrame) -> list[Cell]:
    runs = f"{row['n_runs']} of {row['n_runs'] + row['n_failed']}" if row["n_failed"] else f"{row['n_runs']}"
    parameters = "" if pd.isna(row["parameters"]) else f"{row['parameters']:,.0f}"
    seconds = "" if pd.isna(row["fit_seconds"]) else f"{row['fit_seconds']:,.2f}"
    return [
        Cell(number(row["sd"]), row["sd"]),
        Cell(_pvalue(row["p"]), row["p"]),
        Cell(number(row["valid"]), row["valid"]),
        *(_audited(row, audit) if len(audit) else ()),
        *(Cell(number(row[name]), row[name]) for name in further),
        Cell(runs, row["n_runs"]),
        Cell(seconds, row["fit_seconds"]),
        Cell(parameters, row["parameters"]),
    ]


def _audited(row: pd.Series, audit: pd.DataFrame) -> tuple[Cell, Cell]:
    picked, gain = audit.reindex([row["model"]])[["test_selected", "difference"]].iloc[0]
    return Cell(number(picked), picked), Cell("" if pd.isna(gain) else f"{gain:+.3f}", gain)


def _pvalue(value: float) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.3f}" if value >= 0.001 else "< .001"


def _escape(text: object) -> str:
    """Return text that Markdown takes as text."""
    plain = " ".join(str(text).split())
    for old, new in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|")):
        plain = plain.replace(old, new)
    return plain
