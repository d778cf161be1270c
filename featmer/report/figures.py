"""The figures of a page: which there are, what is said above and below each, and their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from featmer.evaluation.metrics import F1_OF, find_metric
from featmer.evaluation.stats import friedman, nemenyi_cd
from featmer.report import charts
from featmer.report.answers import kind_of

# Heading and caption of each figure, in the order of the page.
_WORDS = {
    "scores": (
        "Scores",
        "Mean score of each model with its 95 % interval; faint dots are single seeds. "
        "Coloured models are the best and those not significantly worse.",
    ),
    "ranks": (
        "Critical difference",
        "Models ranked within each {unit} by {goodness}, seeds together, and the ranks averaged over "
        "{n_units} {unit}s (Demšar 2006). A bar joins models that Nemenyi's test does not tell apart; {verdict}. "
        "It speaks of {unit}s such as these, not of other corpora.",
    ),
    "corpora": (
        "Critical difference over corpora",
        "Models ranked within each of {n_corpora} corpora ({corpora}) by that corpus's own leaderboard, and the ranks "
        "averaged (Demšar 2006); models that were not run on all of them are left out. A bar joins models that "
        "Nemenyi's test does not tell apart; {corpora_verdict}. Each corpus is one observation, whatever its size, and "
        "{n_corpora} are few: mean ranks of {n_ranked} models must lie {difference:.1f} apart to count, so that a bar "
        "is no sign of equality. Corpora that share material are fewer than they seem.",
    ),
    "by_corpus": ("Score of each corpus", "Times 100, mean over seeds; corpora that are told best come first."),
    "f1_by_label": ("F1 of each label", "Times 100, mean over seeds; labels that are found best come first."),
    "confusion": (
        "Confusion",
        "What became of each true label, in percent of its rows, all folds and seeds together; commonest label first.",
    ),
    "calibration": (
        "Calibration",
        "Accuracy against confidence, all folds and seeds together: on the dashed line, a model that says 70 % is "
        "right 70 % of the time; below it, a model is too sure. Larger dots hold more rows; faint lines are the other "
        "models.",
    ),
    "risk_coverage": (
        "Risk and coverage",
        "Wrong answers among the most confident, by how many rows are answered, all folds and seeds together: a model "
        "that knows when it is right falls towards the left. Faint lines are the other models.",
    ),
    "together": (
        "Labels together",
        "Of the rows where the label on the left holds, the percent where another holds too (gold), or is said to hold "
        "(a model), all folds and seeds together; commonest label first. A model's diagonal is what it finds; a "
        "number above gold's is what it takes the label for.",
    ),
    "label_calibration": (
        "Calibration of each label",
        "How often a label holds against how likely the model thinks it, all folds and seeds together: on the dashed "
        "line, a label given 70 % holds 70 % of the time; below it, the model is too sure. Larger dots hold more rows; "
        "faint lines are the model's other labels.",
    ),
    "agreement": ("Agreement", "Predicted against true values; on the dashed line they are equal."),
    "cost": (
        "Cost",
        "Scores against what they cost. Nothing cheaper is better than the models that the dashed line joins and "
        "names; coloured models are the best and those not significantly worse.",
    ),
    "robustness": (
        "Robustness",
        "The score that is left as more is taken away at test. The table gives the area under each curve: the mean "
        "score over the rates.",
    ),
}


_GOODNESS = {
    "labels": "their share of right answers",
    "values": "their mean error",
    "indicators": "their share of labels rightly said to hold or not",
    "distributions": "the share that true and predicted distribution have in common",
}


@dataclass(frozen=True)
class Figure:
    """A chart with its words.

    Parameters
    ----------
    name, heading, caption : str
        Name of its files, text above and below.
    spec : dict
        The Vega-Lite chart.
    svg : str
        The chart as it stands before, or without, JavaScript.

    Examples
    --------
    >>> Figure("scores", "Scores", "Means.", {}, "<svg></svg>").heading
    'Scores'
    """

    name: str
    heading: str
    caption: str
    spec: dict[str, Any]
    svg: str


def make_figures(
    board: pd.DataFrame,
    results: pd.DataFrame,
    predictions: pd.DataFrame,
    curves: pd.DataFrame,
    units: pd.DataFrame,
    corpora: pd.DataFrame | None = None,
) -> list[Figure]:
    """Draw every figure that the target and the results allow.

    Parameters
    ----------
    board : DataFrame
        From `featmer.leaderboard`.
    results, predictions : DataFrame
        Of models as they are, the predictions of the test part.
    curves : DataFrame
        From `featmer.report.variants.curves_of`; may be empty.
    units : DataFrame
        From `featmer.report.significance.unit_scores`.
    corpora : DataFrame, default=None
        From `featmer.report.over_corpora`.

    Returns
    -------
    list of Figure
    """
    models = [str(name) for name in board.loc[board["mean"].notna(), "model"]]
    specs: dict[str, dict[str, Any] | None] = {"scores": charts.scores_chart(board, results)}
    said = {"unit": results["unit"].iloc[0], "n_units": len(units), "goodness": _GOODNESS[kind_of(predictions)]}
    if min(units.shape) >= 2:
        specs["ranks"] = charts.critical_difference_chart(units, test="nemenyi")
        said["verdict"] = _verdict(friedman(units).pvalue)
    if corpora is not None and results["corpus"].iloc[0] in corpora.index:
        specs["corpora"] = charts.critical_difference_chart(corpora, test="nemenyi")
        said |= _of_corpora(corpora)
    several = "corpus" in predictions and len(predictions["corpus"].dropna().unique()) > 1
    if several and find_metric(board.attrs["metric"]).higher_is_better:
        specs["by_corpus"] = charts.corpora_chart(predictions, models, board.attrs["metric"])
    if results["metric"].str.startswith(F1_OF).any():
        specs["f1_by_label"] = charts.f1_chart(results, models)
    specs |= _of_answers(predictions, models)
    if (board["fit_seconds"] > 0).any():
        specs["cost"] = charts.cost_chart(board)
    if len(curves):
        specs["robustness"] = charts.robustness_chart(curves, models, board.attrs["metric"])
    return [_figure(name, spec, said) for name, spec in specs.items() if spec is not None]


def _of_answers(predictions: pd.DataFrame, models: list[str]) -> dict[str, dict[str, Any] | None]:
    """Return the charts that this kind of answer has."""
    kind = kind_of(predictions)
    if kind == "values":
        return {"agreement": charts.agreement_chart(predictions, models)}
    if kind == "labels":
        return {
            "confusion": charts.confusion_chart(predictions, models),
            "calibration": charts.calibration_chart(predictions, models),
            "risk_coverage": charts.risk_coverage_chart(predictions, models),
        }
    if kind == "indicators":
        return {
            "together": charts.together_chart(predictions, models),
            "label_calibration": charts.label_calibration_chart(predictions, models),
        }
    return {}


def _of_corpora(scores: pd.DataFrame) -> dict[str, Any]:
    """Return what is said below the diagram over corpora."""
    n_corpora, n_models = scores.shape
    return {
        "n_corpora": n_corpora,
        "corpora": ", ".join(map(str, scores.index)),
        "n_ranked": n_models,
        "difference": nemenyi_cd(n_models, n_corpora),
        "corpora_verdict": _verdict(friedman(scores).pvalue),
    }


def save_figures(figures: list[Figure], folder: Path) -> None:
    """Write each figure as SVG and as PNG.

    Parameters
    ----------
    figures : list of Figure
        From `make_figures`.
    folder : Path
        Where; made if needed.
    """
    for figure in figures:
        for kind in ("svg", "png"):
            charts.save_chart(figure.spec, folder / f"{figure.name}.{kind}")


def _figure(name: str, spec: dict[str, Any], said: dict[str, Any]) -> Figure:
    heading, caption = _WORDS[name]
    return Figure(name, heading, caption.format(**said), spec, charts.still(spec))


def _verdict(pvalue: float) -> str:
    p = f"p = {pvalue:.3f}" if pvalue >= 0.001 else "p < .001"
    return f"that any differ at all has {p} (Friedman, Iman and Davenport)"
