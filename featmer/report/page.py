"""One self-contained page, and beside it the same table as Markdown and the figures as files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from featmer._saving import write_whole
from featmer.evaluation.metrics import METRICS, Metric, find_metric
from featmer.evaluation.within import LONG, ccc_within_dialogues
from featmer.groups import group_codes
from featmer.report.answers import kind_of
from featmer.report.charts import answers_chart, tracks_chart
from featmer.report.dialogues import explore
from featmer.report.figures import Figure, make_figures, save_figures
from featmer.report.libraries import pack, packed_libraries
from featmer.report.listing import list_models, markdown, number
from featmer.report.published import published_figures
from featmer.report.ranking import leaderboard, leads
from featmer.report.significance import letters, unit_scores
from featmer.report.variants import all_folds, areas_of, as_they_are, curves_of, picked_on_test
from featmer.table import FeatureTable

WITHIN = "CCC within dialogues"


def write_page(
    results: pd.DataFrame,
    predictions: pd.DataFrame,
    folder: str | os.PathLike[str],
    *,
    title: str = "Leaderboard",
    metric: str | Metric | None = None,
    table: FeatureTable | None = None,
    corpora: pd.DataFrame | None = None,
) -> Path:
    """Write the leaderboard as a page, as Markdown, and its figures.

    Parameters
    ----------
    results, predictions : DataFrame
        From ``featmer.evaluate(..., return_predictions=True)``, of one corpus, target and protocol. Runs under
        missing-modality conditions and figures picked on test rows are told apart by the columns that
        `featmer.report.variants` lists.
    folder : path-like
        Gets ``leaderboard.html`` (which needs no other file and no network), ``leaderboard.md``, and ``plots`` with
        each figure as SVG and PNG.
    title : str, default="Leaderboard"
        Heading of the page.
    metric : str or Metric, default=None
        What to rank by; None takes the first of the results.
    table : FeatureTable, default=None
        The same utterances, for the dialogue explorer: text, media and tracks of face and voice. Sequences give tracks
        over time, vectors a value a turn. Media are played where they lie, by addresses relative to the page.
    corpora : DataFrame, default=None
        From `featmer.report.over_corpora`: scores on this corpus and others, whose ranks the page shows, too.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ValueError
        If the results mix comparisons, or no model could be scored.
    MissingExtra
        If ``featmer[report]`` is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.dummy import DummyClassifier
    >>> from featmer import Block, evaluate
    >>> segments = pd.DataFrame({"dialogue": range(12), "turn": 0, "emotion": ["joy", "fear"] * 6})
    >>> table = FeatureTable(segments, {"text": Block([[1.0]] * 12, ["text.length"])})
    >>> found = evaluate(DummyClassifier(), table, n_bootstrap=0, return_predictions=True, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_page(*found, folder, table=table).name
    'leaderboard.html'
    """
    board = leaderboard(results, predictions, metric=metric)
    if board["mean"].isna().all():
        reasons = "; ".join(results["error"].unique()[:3])
        raise ValueError(f"No model could be scored, so there is nothing to show. Reasons: {reasons}")
    chosen, folder = find_metric(board.attrs["metric"]), Path(folder)
    plain, answers = as_they_are(results), as_they_are(predictions)
    answers = answers[answers["part"] == "test"]
    models = [str(name) for name in board.loc[board["mean"].notna(), "model"]]
    curves = curves_of(results, chosen.name)
    units = unit_scores(answers, models, plain["unit"].iloc[0])
    figures = make_figures(board, all_folds(plain), answers, curves, units, corpora)
    board = _with_dialogues(board, plain, answers)
    said = letters(chosen, _runs(plain, chosen), answers, models)
    heads, rows = list_models(board, said, picked_on_test(results, chosen.name))
    words = {
        "title": title,
        "facts": _facts(board, plain, answers),
        "heads": heads,
        "rows": rows,
        "figures": figures,
        "areas": _areas(curves, models),
        "published": _published(plain, chosen),
        "failures": list(_failures(plain).itertuples()),
        "explorer": explore(answers, models, folder, table),
    }
    save_figures(figures, folder / "plots")
    write_whole(folder / "leaderboard.md", markdown(board, heads, rows, title).encode())
    write_whole(folder / "leaderboard.html", _render(words, figures).encode())
    return folder / "leaderboard.html"


def _render(words: dict[str, Any], figures: list[Figure]) -> str:
    explorer = words["explorer"]
    charts = {
        "figures": {figure.name: figure.spec for figure in figures},
        "answers": answers_chart(explorer["labels"], explorer["colours"]),
        "tracks": tracks_chart(),
    }
    packed = {**packed_libraries(), "charts": pack(charts), "dialogues": pack(explorer)}
    loader = PackageLoader("featmer.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(words, packed=packed)


def _with_dialogues(board: pd.DataFrame, results: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """Return the board with concordance within dialogues, where it has that of all rows and dialogues are long."""
    if "ccc" not in set(results["metric"]) or kind_of(answers) != "values":
        return board
    within = ccc_within_dialogues(answers)
    return board.assign(**{WITHIN: board["model"].map(within)}) if len(within) else board


def _runs(results: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    return results[(results["part"] == "test") & (results["metric"] == metric.name) & results["fold"].notna()]


def _facts(board: pd.DataFrame, results: pd.DataFrame, answers: pd.DataFrame) -> dict[str, Any]:
    metric = find_metric(board.attrs["metric"])
    unit = results["unit"].iloc[0]
    best = board.iloc[0]
    return {
        "metric": metric.label,
        "direction": "higher" if metric.higher_is_better else "lower",
        "best": best["model"],
        "score": number(best["mean"]),
        "interval": f"{number(best['low'])} to {number(best['high'])}",
        "equals": [row["model"] for _, row in board.iloc[1:].iterrows() if leads(row)],
        "corpus": ", ".join(results["corpus"].unique()) or "not named",
        "target": results["target"].iloc[0],
        "protocol": results["protocol"].iloc[0],
        "unit": unit,
        "rows": f"{answers['row'].nunique()} rows of {group_codes(answers, unit).max() + 1} {unit}s",
        "left_out": int(results.groupby(["fold"])["n_left_out"].max().max()),
        "long": LONG,
        "folds": int(results["fold"].nunique()),
        "seeds": ", ".join(map(str, sorted(results["seed"].unique()))),
        "date": str(results["started"].max())[:10],
        "versions": json.loads(results["versions"].iloc[0]),
        "features": results["features_digest"].iloc[0],
        "digests": results.groupby("model", sort=False)["model_digest"].first().to_dict(),
    }


def _areas(curves: pd.DataFrame, models: list[str]) -> dict[str, Any]:
    areas = areas_of(curves)
    areas = areas.loc[[model for model in models if model in areas.index]]
    rows = [(model, [number(value) for value in row]) for model, row in areas.iterrows()]
    return {"conditions": list(areas.columns), "rows": rows}


def _published(results: pd.DataFrame, metric: Metric) -> dict[str, Any]:
    """Return what others published on this corpus by metrics that these results have, the ranking one first."""
    figures = published_figures(results["corpus"].iloc[0])
    figures = figures[figures["metric"].isin(results["metric"])]
    order = figures["metric"].ne(metric.name).rename("other"), figures["metric"], -figures["value"]
    figures = figures.loc[pd.concat(order, axis=1).sort_values(["other", "metric", "value"]).index]
    rows = figures.assign(metric=[METRICS[name].label for name in figures["metric"]], value=figures["value"].map(str))
    return {"corpus": results["corpus"].iloc[0], "rows": rows.to_dict("records")}


def _failures(results: pd.DataFrame) -> pd.DataFrame:
    """Return each model's reasons for having no score, with the number of runs."""
    failed = results[(results["part"] == "test") & (results["n_rows"] == 0) & results["fold"].notna()]
    failed = failed.drop_duplicates(["model", "fold", "seed"])
    return failed.groupby(["model", "error"], sort=False).size().rename("runs").reset_index()
