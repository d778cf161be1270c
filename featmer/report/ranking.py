"""Models ranked, with how sure the ranking is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from featmer._checks import check_name
from featmer.evaluation.metrics import F1_OF, Metric, find_metric
from featmer.evaluation.stats import (
    approximate_randomisation,
    cluster_bootstrap,
    corrected_t_test,
    holm,
    interval,
)
from featmer.report.variants import all_folds, as_they_are

_RUN = ["fold", "seed"]
_ONE_COMPARISON = ("corpus", "target", "protocol", "features_digest")


def leaderboard(
    results: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    *,
    metric: str | Metric | None = None,
    part: str = "test",
    against: str | None = None,
    n_resamples: int = 5000,
) -> pd.DataFrame:
    """Rank the models of one comparison.

    With predictions, the interval comes from resampling whole dialogues, all folds and seeds together, and the
    test against the best model, or another, from swapping the two models' answers dialogue by dialogue (speaker by
    speaker where speakers were split). Without, both come from the scores of the runs, corrected for training rows
    that folds share.

    Parameters
    ----------
    results : DataFrame
        As `featmer.evaluate` returns it, for one corpus, target and protocol; see `featmer.report.comparisons`.
    predictions : DataFrame, default=None
        As ``evaluate(..., return_predictions=True)`` returns it.
    metric : str or Metric, default=None
        What to rank by; None takes the first of the results.
    part : {"test", "valid"}, default="test"
        Which rows to rank by.
    against : str, default=None
        Model that the others are tested against; None takes the best.
    n_resamples : int, default=5000
        Resamples for interval and test.

    Returns
    -------
    DataFrame
        A row a model, best first: ``rank``, ``model``, ``mean`` and ``sd`` over seeds, 95 % interval
        ``low`` to ``high``, ``p`` of the test against that model (two-sided, Holm-corrected), ``valid`` (mean on the
        validation part), the means of further metrics, ``n_runs``, ``n_failed``, ``fit_seconds`` and
        ``parameters`` (means). The metric's name is in ``attrs["metric"]``.

    Raises
    ------
    ValueError
        If the results mix comparisons, or lack the metric or part.

    Examples
    --------
    >>> runs = {"model": ["a", "a", "b", "b"], "fold": 0, "seed": [0, 1, 0, 1], "value": [0.7, 0.8, 0.5, 0.7]}
    >>> rest = {"part": "test", "metric": "uar", "low": 0.0, "high": 1.0, "n_rows": 9, "n_train_rows": 30}
    >>> costs = {"fit_seconds": 1.0, "parameters": 10.0}
    >>> leaderboard(pd.DataFrame({**runs, **rest, **costs}))[["rank", "model", "mean"]]
       rank model  mean
    0     1     a  0.75
    1     2     b  0.60
    """
    _check_one_comparison(results)
    results = as_they_are(results)
    predictions = None if predictions is None else as_they_are(predictions)
    chosen = find_metric(results["metric"].iloc[0] if metric is None else metric)
    check_name(part, set(results["part"]), "part")
    check_name(chosen.name, set(results["metric"]), "metric of the results")
    runs = results[(results["part"] == part) & (results["metric"] == chosen.name) & results["fold"].notna()]
    whole = all_folds(results)
    scores = whole[(whole["part"] == part) & (whole["metric"] == chosen.name)]
    board = _means(scores, runs)
    board["valid"] = _mean_by_model(whole[(whole["part"] == "valid") & (whole["metric"] == chosen.name)])
    for other in results["metric"].unique():
        if other != chosen.name and not other.startswith(F1_OF):
            board[other] = _mean_by_model(whole[(whole["part"] == part) & (whole["metric"] == other)])
    board = board.sort_values("mean", ascending=not chosen.higher_is_better, na_position="last", kind="stable")
    answers = _by_model(predictions, part)
    names = list(board.index[board["mean"].notna()])
    intervals = {
        name: _interval(chosen, scores[scores["model"] == name], answers.get(name), n_resamples) for name in names
    }
    board["low"] = pd.Series({name: low for name, (low, _) in intervals.items()}, dtype=float)
    board["high"] = pd.Series({name: high for name, (_, high) in intervals.items()}, dtype=float)
    if against is not None:
        check_name(against, names, "model of the results")
    opponent = against or names[0] if names else ""
    others = [name for name in names if name != opponent]
    tests = [difference_pvalue(chosen, runs, answers, opponent, name, n_resamples) for name in others]
    board["p"] = pd.Series(holm(tests), index=others, dtype=float)
    return _arrange(board, chosen)


def leads(row: pd.Series) -> bool:
    """Tell whether a model of the board is the best or not significantly worse.

    Examples
    --------
    >>> leads(pd.Series({"mean": 0.5, "p": 0.2})), leads(pd.Series({"mean": 0.5, "p": 0.01}))
    (True, False)
    """
    return bool(pd.notna(row["mean"]) and not row["p"] < 0.05)


def _check_one_comparison(results: pd.DataFrame) -> None:
    if results.empty:
        raise ValueError("There are no results to rank; run evaluate first.")
    for column in _ONE_COMPARISON:
        found = list(results[column].unique()) if column in results else []
        if len(found) > 1:
            raise ValueError(f"The results hold several comparisons, {column} {found}; keep the rows of one.")


def _means(scores: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    done = runs[runs["value"].notna()]
    board = pd.DataFrame(index=pd.Index(runs["model"].unique(), name="model"))
    board["mean"] = _mean_by_model(scores)
    board["sd"] = scores.groupby("model")["value"].std()
    board["n_runs"] = done.groupby("model").size()
    board["n_runs"] = board["n_runs"].fillna(0).astype(int)
    board["n_failed"] = runs.groupby("model").size() - board["n_runs"]
    for cost in ("fit_seconds", "parameters"):
        board[cost] = done.groupby("model")[cost].mean()
    return board


def _mean_by_model(rows: pd.DataFrame) -> pd.Series:
    return rows.groupby("model")["value"].mean()


def _by_model(predictions: pd.DataFrame | None, part: str) -> dict[str, pd.DataFrame]:
    if predictions is None or predictions.empty:
        return {}
    return {str(name): rows for name, rows in predictions[predictions["part"] == part].groupby("model")}


def _interval(
    metric: Metric, scores: pd.DataFrame, answers: pd.DataFrame | None, n_resamples: int
) -> tuple[float, float]:
    if answers is not None:
        return interval(cluster_bootstrap(metric, answers, by=_unit(scores), n_resamples=n_resamples))
    return float(scores["low"].mean()), float(scores["high"].mean())


def difference_pvalue(
    metric: Metric, runs: pd.DataFrame, answers: dict[str, pd.DataFrame], opponent: str, other: str, n_resamples: int
) -> float:
    """Return the p-value of the difference of two models, uncorrected; NaN where they share no run.

    Parameters
    ----------
    metric : Metric
        What is compared.
    runs : DataFrame
        Results of that metric and of one part, single folds.
    answers : dict of str to DataFrame
        The predictions of each model; a model without is compared by the scores of its runs.
    opponent, other : str
        The two models.
    n_resamples : int
        Swaps of the answers.

    Examples
    --------
    >>> runs = pd.DataFrame({"model": ["a", "b"], "fold": 0, "seed": [0, 1], "value": 0.5})
    >>> difference_pvalue(find_metric("uar"), runs, {}, "a", "b", 100)
    nan
    """
    scores = runs[runs["value"].notna()].astype({"fold": int}).set_index(_RUN)
    first, second = (scores[scores["model"] == name] for name in (opponent, other))
    shared = first.index.intersection(second.index)
    if shared.empty:
        return np.nan
    if opponent in answers and other in answers:
        pair = (answers[name].set_index(_RUN).loc[shared].reset_index() for name in (opponent, other))
        return approximate_randomisation(metric, *pair, by=_unit(runs), n_resamples=n_resamples).pvalue
    first, second = first.loc[shared], second.loc[shared]
    return corrected_t_test(first["value"], second["value"], _test_share(first.reset_index())).pvalue


def _unit(runs: pd.DataFrame) -> str:
    return runs["unit"].iloc[0] if "unit" in runs else "dialogue"


def _test_share(runs: pd.DataFrame) -> float:
    """Return test rows over training rows; 0 for the seeds of one fold, which share all rows anyway."""
    return float((runs["n_rows"] / runs["n_train_rows"]).mean()) if len(runs["fold"].unique()) > 1 else 0.0


def _arrange(board: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    known = board["mean"].notna().cumsum().where(board["mean"].notna())
    board = board.reset_index()
    board.insert(0, "rank", pd.Series(known.to_numpy(), dtype="Int64"))
    first = ["rank", "model", "mean", "sd", "low", "high", "p", "valid"]
    last = ["n_runs", "n_failed", "fit_seconds", "parameters"]
    board = board[[*first, *(name for name in board if name not in first + last), *last]]
    board.attrs["metric"] = metric.name
    return board
