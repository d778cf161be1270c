"""The critical-difference diagram: models by mean rank over data sets, a bar over those that do not differ."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from featmer._checks import check_name
from featmer.evaluation.stats import cliques, friedman, nemenyi, nemenyi_cd, wilcoxon_holm

TESTS = ("wilcoxon", "nemenyi")
_BAR, _LINE, _ABOVE = 0.22, 0.34, 0.75  # heights of a bar, of a name's line and of all above the scale, in inches


def draw_critical_difference(
    scores: pd.DataFrame | ArrayLike,
    axes: Axes | None = None,
    *,
    test: str = "wilcoxon",
    higher_is_better: bool = True,
    alpha: float = 0.05,
) -> Axes:
    """Draw the mean rank of each model over several data sets, best on the left.

    Parameters
    ----------
    scores : DataFrame or array-like of shape (n_sets, n_models)
        A row a data set, as `featmer.evaluation.stats.data_set_scores` gives them.
    axes : matplotlib Axes, default=None
        Where to draw; None makes a figure of a fitting size. Colours are those of matplotlib's style.
    test : {"wilcoxon", "nemenyi"}, default="wilcoxon"
        Which models differ: Wilcoxon's test of each pair with Holm's correction, or Nemenyi's on mean ranks, whose
        critical difference is drawn too.
    higher_is_better : bool, default=True
        Direction of the scores.
    alpha : float, default=0.05
        Models differ below it.

    Returns
    -------
    Axes
        ``axes.figure.savefig(path)`` writes it to a file.

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
    >>> axes = draw_critical_difference(scores)
    >>> [text.get_text() for text in axes.texts if "gated" in text.get_text()]
    ['gated 1.00']
    """
    check_name(test, TESTS, "test of pairs")
    found = friedman(scores, higher_is_better=higher_is_better)
    pairs = (nemenyi if test == "nemenyi" else wilcoxon_holm)(scores, higher_is_better=higher_is_better)
    ranks = found.mean_ranks.sort_values(kind="stable")
    bars = cliques(ranks, pairs, alpha)
    top = _BAR * (len(bars) + 1)
    depth = top + _LINE * ((len(ranks) + 1) // 2)
    if axes is None:
        axes = Figure(figsize=(8.6, depth + _ABOVE + 0.25), dpi=150, layout="constrained").subplots()
    _draw_scale(axes, len(ranks), depth)
    for place, bar in enumerate(bars, start=1):
        axes.plot(
            [ranks[bar[0]] - 0.03, ranks[bar[-1]] + 0.03], [-_BAR * place] * 2, "C0", lw=4, solid_capstyle="round"
        )
    _draw_names(axes, ranks, top)
    words = f"{found.n_sets} data sets, Iman-Davenport p = {found.pvalue:.3g}"
    if test == "nemenyi":
        distance = nemenyi_cd(len(ranks), found.n_sets, alpha)
        axes.plot([1, 1 + distance], [0.5, 0.5], "C0", lw=2, marker="|", markersize=8)
        words += f", critical difference {distance:.2f}"
    axes.set_title(words, fontsize=10)
    return axes


def _draw_scale(axes: Axes, n_models: int, depth: float) -> None:
    """Draw the line of ranks from 1 to the number of models, with room for names on both sides."""
    room = 0.45 * (n_models - 1)
    axes.set(xlim=(1 - room, n_models + room), ylim=(-depth, _ABOVE))
    axes.set_axis_off()
    ink = mpl.rcParams["text.color"]
    axes.hlines(0, 1, n_models, color=ink, linewidth=1.2)
    for rank in range(1, n_models + 1):
        axes.vlines(rank, 0, 0.08, color=ink, linewidth=1.2)
        axes.text(rank, 0.13, str(rank), ha="center", va="bottom", fontsize=9)


def _draw_names(axes: Axes, ranks: pd.Series, top: float) -> None:
    """Lead a line from each mean rank down and out: the better half to the left, the others to the right."""
    n_models = len(ranks)
    for place, (name, rank) in enumerate(ranks.items()):
        better = place < (n_models + 1) // 2
        height = -top - _LINE * (place if better else n_models - 1 - place)
        edge = 1 - 0.04 * n_models if better else n_models + 0.04 * n_models
        axes.plot([rank, rank, edge], [0, height, height], "grey", linewidth=1)
        axes.annotate(
            f"{name} {rank:.2f}",
            (edge, height),
            (-4 if better else 4, 0),
            textcoords="offset points",
            ha="right" if better else "left",
            va="center",
            parse_math=False,  # names are text, whatever is in them
        )
