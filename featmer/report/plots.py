"""Pictures of a comparison, drawn without pyplot, in a light and a dark dress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from featmer.evaluation.calibration import ece, reliability
from featmer.evaluation.metrics import F1_OF, find_metric
from featmer.evaluation.outcomes import Outcomes, is_values
from featmer.report.ranking import leads

DPI = 150
N_SHOWN = 3
_WIDTH = 8.6


@dataclass(frozen=True)
class Theme:
    """Colours of a plot.

    Parameters
    ----------
    paper, ink, muted, grid, accent : str
        Background, text, secondary text and marks, lines behind, and what matters.

    Examples
    --------
    >>> THEMES["light"].paper
    '#ffffff'
    """

    paper: str
    ink: str
    muted: str
    grid: str
    accent: str


THEMES = {
    "light": Theme("#ffffff", "#1c2430", "#6b7685", "#e4e8ee", "#0f6b8f"),
    "dark": Theme("#171c24", "#e6eaf0", "#95a0b0", "#2c3440", "#58b7dd"),
}


def draw_scores(board: pd.DataFrame, results: pd.DataFrame, theme: Theme, part: str = "test") -> Figure:
    """Draw each model's mean with its interval, and the mean of each seed as a faint dot.

    Parameters
    ----------
    board : DataFrame
        From `featmer.leaderboard`.
    results : DataFrame
        From `featmer.evaluate`.
    theme : Theme
        Colours.
    part : {"test", "valid"}, default="test"
        Which rows the scores are of.

    Returns
    -------
    Figure

    Examples
    --------
    >>> board = pd.DataFrame({"model": ["a"], "mean": [0.5], "low": [0.4], "high": [0.6], "p": [np.nan]})
    >>> board.attrs["metric"] = "uar"
    >>> results = pd.DataFrame({"model": ["a"], "seed": 0, "part": "test", "metric": "uar", "value": [0.5]})
    >>> draw_scores(board, results, THEMES["light"]).axes[0].get_xlabel()
    'UAR'
    """
    metric = find_metric(board.attrs["metric"])
    ranked = board[board["mean"].notna()].reset_index(drop=True)
    chosen = results[(results["part"] == part) & (results["metric"] == metric.name)]
    by_seed = chosen.groupby(["model", "seed"])["value"].mean()
    figure, axes = _figure(theme, 0.42 * len(ranked) + 1.0)
    for place, (_, row) in enumerate(ranked.iterrows()):
        colour = theme.accent if leads(row) else theme.muted
        seeds = by_seed.loc[row["model"]]
        axes.hlines(place, row["low"], row["high"], color=colour, linewidth=2.2, alpha=0.55)
        axes.plot(seeds, np.full(len(seeds), place), "o", color=colour, markersize=3.5, alpha=0.4, markeredgewidth=0)
        axes.plot(row["mean"], place, "o", color=colour, markersize=8, markeredgecolor=theme.paper)
    axes.set_yticks(range(len(ranked)), [_plain(name) for name in ranked["model"]], color=theme.ink, fontsize=11)
    axes.set_ylim(len(ranked) - 0.4, -0.6)
    axes.set_xlabel(_plain(metric.label), color=theme.muted)
    axes.xaxis.grid(visible=True, color=theme.grid)
    return figure


def draw_confusion(predictions: pd.DataFrame, models: Sequence[str], theme: Theme) -> Figure:
    """Draw what became of each true label, in percent of its rows, over all folds and seeds.

    Parameters
    ----------
    predictions : DataFrame
        Of one part.
    models : sequence of str
        A matrix each.
    theme : Theme
        Colours.

    Returns
    -------
    Figure

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "target": ["joy", "fear"], "prediction": ["joy", "joy"]})
    >>> len(draw_confusion(rows, ["a"], THEMES["light"]).axes)
    1
    """
    labels = list(predictions["target"].astype(str).value_counts().index)
    side = _WIDTH / len(models)
    figure = Figure(figsize=(_WIDTH, side + 0.9), dpi=DPI, facecolor=theme.paper, layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(models), sharey=True))
    for axes, model in zip(panels, models, strict=True):
        rows = predictions[predictions["model"] == model]
        shares = pd.crosstab(rows["target"].astype(str), rows["prediction"].astype(str), normalize="index")
        shares = shares.reindex(index=labels, columns=labels, fill_value=0)
        _draw_matrix(axes, 100 * shares.to_numpy(float), theme)
        axes.set_xticks(range(len(labels)), [_plain(label) for label in labels], rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), [_plain(label) for label in labels])
        axes.set_title(_plain(model), color=theme.ink, fontsize=11)
        axes.set_xlabel("predicted", color=theme.muted)
    panels[0].set_ylabel("true", color=theme.muted)
    return figure


def draw_f1_by_label(results: pd.DataFrame, models: Sequence[str], theme: Theme, part: str = "test") -> Figure:
    """Draw every model's mean F1 of each label, commonest easy labels first.

    Parameters
    ----------
    results : DataFrame
        With rows of the metrics ``"f1:<label>"``.
    models : sequence of str
        Best first.
    theme : Theme
        Colours.
    part : {"test", "valid"}, default="test"
        Which rows.

    Returns
    -------
    Figure

    Examples
    --------
    >>> results = pd.DataFrame({"model": "a", "part": "test", "metric": ["f1:joy", "f1:fear"], "value": [0.4, 0.6]})
    >>> figure = draw_f1_by_label(results, ["a"], THEMES["light"])
    >>> [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    ['fear', 'joy']
    """
    rows = results[(results["part"] == part) & results["metric"].str.startswith(F1_OF)]
    scores = rows.pivot_table(index="model", columns="metric", values="value").reindex(list(models))
    scores = scores[scores.mean().sort_values(ascending=False).index]
    labels = [str(name).removeprefix(F1_OF) for name in scores]
    figure, axes = _figure(theme, 0.4 * len(models) + 1.2)
    _draw_matrix(axes, 100 * scores.to_numpy(), theme, square=False)
    axes.set_yticks(range(len(models)), [_plain(model) for model in models], color=theme.ink, fontsize=11)
    axes.set_xticks(range(scores.shape[1]), [_plain(label) for label in labels])
    axes.xaxis.tick_top()
    return figure


def draw_calibration(predictions: pd.DataFrame, models: Sequence[str], theme: Theme) -> Figure:
    """Draw accuracy against confidence; the size of a dot is the number of rows.

    Parameters
    ----------
    predictions : DataFrame
        Of one part, with columns ``p.<class>``.
    models : sequence of str
        A panel each.
    theme : Theme
        Colours.

    Returns
    -------
    Figure

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "target": ["x"], "prediction": ["x"], "p.x": 0.9, "p.y": 0.1})
    >>> draw_calibration(rows, ["a"], THEMES["light"]).axes[0].get_title()
    'a'
    """
    figure = Figure(figsize=(_WIDTH, _WIDTH / len(models) + 0.6), dpi=DPI, facecolor=theme.paper, layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(models), sharey=True))
    for axes, model in zip(panels, models, strict=True):
        outcomes = Outcomes.of_frame(predictions[predictions["model"] == model])
        answers = (outcomes.target, outcomes.known_probabilities(), outcomes.classes)
        bins = reliability(*answers).query("n_rows > 0")
        _dress(axes, theme)
        axes.plot([0, 1], [0, 1], color=theme.muted, linewidth=1, linestyle=(0, (4, 4)))
        axes.plot(bins["confidence"], bins["accuracy"], color=theme.accent, linewidth=1.2, alpha=0.6)
        sizes = 12 + 220 * bins["n_rows"] / bins["n_rows"].sum()
        axes.scatter(
            bins["confidence"],
            bins["accuracy"],
            s=sizes,
            color=theme.accent,
            edgecolor=theme.paper,
            zorder=3,
            clip_on=False,
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_title(_plain(model), color=theme.ink, fontsize=11)
        words = f"pooled error {ece(*answers):.3f}"
        axes.text(0.96, 0.05, words, ha="right", color=theme.muted, transform=axes.transAxes)
        axes.set_xlabel("confidence", color=theme.muted)
        axes.grid(visible=True, color=theme.grid)
    panels[0].set_ylabel("accuracy", color=theme.muted)
    return figure


def draw_agreement(predictions: pd.DataFrame, models: Sequence[str], theme: Theme) -> Figure:
    """Draw predicted values against true ones.

    Parameters
    ----------
    predictions : DataFrame
        Of one part.
    models : sequence of str
        A panel each.
    theme : Theme
        Colours.

    Returns
    -------
    Figure

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "target": [0.0, 1.0], "prediction": [0.1, 0.8]})
    >>> draw_agreement(rows, ["a"], THEMES["light"]).axes[0].get_xlabel()
    'true'
    """
    figure = Figure(figsize=(_WIDTH, _WIDTH / len(models) + 0.6), dpi=DPI, facecolor=theme.paper, layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(models), sharex=True, sharey=True))
    span = [predictions["target"].min(), predictions["target"].max()]
    for axes, model in zip(panels, models, strict=True):
        rows = predictions[predictions["model"] == model]
        _dress(axes, theme)
        axes.plot(span, span, color=theme.muted, linewidth=1, linestyle=(0, (4, 4)))
        axes.scatter(rows["target"], rows["prediction"], s=9, color=theme.accent, alpha=0.35, linewidth=0)
        axes.set_title(_plain(model), color=theme.ink, fontsize=11)
        axes.set_xlabel("true", color=theme.muted)
        axes.grid(visible=True, color=theme.grid)
    panels[0].set_ylabel("predicted", color=theme.muted)
    return figure


def draw_all(
    board: pd.DataFrame, results: pd.DataFrame, predictions: pd.DataFrame, theme: Theme, part: str = "test"
) -> dict[str, Figure]:
    """Draw the plots that the target allows, by file name.

    Parameters
    ----------
    board, results, predictions : DataFrame
        From `featmer.leaderboard` and `featmer.evaluate`.
    theme : Theme
        Colours.
    part : {"test", "valid"}, default="test"
        Which rows.

    Returns
    -------
    dict of str to Figure

    Examples
    --------
    >>> board = pd.DataFrame({"model": ["a"], "mean": [0.5], "low": [0.4], "high": [0.6], "p": [np.nan]})
    >>> board.attrs["metric"] = "mae"
    >>> results = pd.DataFrame({"model": ["a"], "seed": 0, "part": "test", "metric": "mae", "value": [0.5]})
    >>> rows = pd.DataFrame({"model": "a", "part": "test", "target": [0.0, 1.0], "prediction": [0.1, 0.8]})
    >>> list(draw_all(board, results, rows, THEMES["light"]))
    ['scores', 'agreement']
    """
    figures = {"scores": draw_scores(board, results, theme, part)}
    rows = predictions[predictions["part"] == part]
    models = list(board.loc[board["mean"].notna(), "model"])
    top = models[:N_SHOWN]
    if is_values(rows["target"]):
        return {**figures, "agreement": draw_agreement(rows, top, theme)}
    figures["confusion"] = draw_confusion(rows, top, theme)
    if results["metric"].str.startswith(F1_OF).any():
        figures["f1_by_label"] = draw_f1_by_label(results, models, theme, part)
    sure = [name for name in top if Outcomes.of_frame(rows[rows["model"] == name]).probabilities is not None]
    if sure:
        figures["calibration"] = draw_calibration(rows, sure, theme)
    return figures


def _figure(theme: Theme, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, height), dpi=DPI, facecolor=theme.paper, layout="constrained")
    axes = figure.subplots()
    _dress(axes, theme)
    return figure, axes


def _dress(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.paper)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.muted, length=0)
    axes.spines[:].set_visible(False)


def _draw_matrix(axes: Axes, percent: np.ndarray, theme: Theme, *, square: bool = True) -> None:
    _dress(axes, theme)
    colours = LinearSegmentedColormap.from_list("theme", [theme.paper, theme.accent])
    axes.imshow(percent, cmap=colours, vmin=0, vmax=100, aspect="equal" if square else "auto")
    size = float(np.clip(75 / percent.shape[1], 5, 10))
    for (row, column), value in np.ndenumerate(percent):
        colour = theme.paper if value > 55 else theme.ink
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=size)


def _plain(text: object) -> str:
    """Return a name as matplotlib draws it: no mathematics, and not too long."""
    name = str(text).replace("\n", " ")
    return (name if len(name) <= 28 else f"{name[:27]}…").replace("$", r"\$")
