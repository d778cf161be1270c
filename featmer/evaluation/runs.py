"""One model, one fold, one seed: fitted on training rows only, scored, measured, and kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from featmer.evaluation._costs import (
    count_parameters,
    forget_peak_memory,
    learning_curve,
    peak_memory_mb,
    seconds_per_epoch,
)
from featmer.evaluation.asked import PLACE, Run, Task, count_rows
from featmer.evaluation.kept import once, set_aside
from featmer.evaluation.metrics import Metric
from featmer.evaluation.outcomes import Outcomes
from featmer.evaluation.splits import Rows
from featmer.evaluation.stats import cluster_bootstrap, interval
from featmer.missing import Condition

logger = logging.getLogger(__name__)

PARTS = ("valid", "test")
COSTS = ("fit_seconds", "epoch_seconds", "predict_seconds", "peak_memory_mb", "parameters")
VARIANTS = ("condition", "rate", "selection")  # columns that tell answers of one part and run apart
_NO_COSTS = (np.nan,) * len(COSTS)


def perform(task: Task, run: Run, path: Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit and score one run, or read it where it was done before; a failure is a result.

    Parameters
    ----------
    task : Task
        What is asked.
    run : Run
        Who is asked.
    path : Path or None
        File in which the finished run is kept, and from which it is read.

    Returns
    -------
    scores : DataFrame
        A row a part and metric.
    predictions : DataFrame
        A row a scored utterance.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from featmer.evaluation.metrics import METRICS
    >>> from featmer import Block, FeatureTable
    >>> from featmer.evaluation.splits import Split
    >>> from featmer.evaluation.targets import Target
    >>> segments = pd.DataFrame({"dialogue": [1, 2, 3], "turn": 0, "emotion": "joy"})
    >>> table = FeatureTable(segments, {"text": Block(np.ones((3, 1)), ["text.length"])})
    >>> split = Split(np.array([0]), np.array([1]), np.array([2]))
    >>> task = Task.of(table, Target.of(segments, "emotion"), (METRICS["accuracy"],), 0)
    >>> perform(task, Run("majority", DummyClassifier(), 0, 0, split))[0].value.tolist()
    [1.0, 1.0]
    """
    scores, predictions = _try(task, run) if path is None else once(path, partial(_try, task, run))
    return scores.assign(**run.place), predictions.assign(**run.place)


def skip(task: Task, run: Run, reason: str, path: Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows that say why a run was not worth doing, and keep the reason where its scores would be.

    Parameters
    ----------
    task, run, path
        As for :func:`perform`.
    reason : str
        Why.

    Returns
    -------
    scores, predictions : DataFrame
        Scores are NaN, with the reason as their ``error``; there are no predictions.
    """
    if path is not None:
        set_aside(path, reason)
    scores = _measured(task, run, _unscored(task, reason, PARTS), _now(), _NO_COSTS)
    return scores.assign(**run.place), pd.DataFrame()


def score_all_folds(task: Task, runs: list[Run], done: list[tuple[pd.DataFrame, pd.DataFrame]]) -> pd.DataFrame:
    """Score the answers of all folds together, once a model and seed.

    An F1 of a fold's few rows is biased, and so is the mean over folds; the answers of all folds are one test set.

    Parameters
    ----------
    task : Task
        What was asked.
    runs : list of Run
        Who was asked.
    done : list of (scores, predictions)
        What `perform` returned for each run.

    Returns
    -------
    DataFrame
        As the scores of `perform`, with a missing ``fold``; NaN where a fold failed.

    References
    ----------
    Forman and Scholz, "Apples-to-apples in cross-validation studies", SIGKDD Explorations 12, 2010.
    """
    together: dict[tuple[str, int], list[tuple[pd.DataFrame, pd.DataFrame]]] = {}
    for run, outcome in zip(runs, done, strict=True):
        together.setdefault((run.model, run.seed), []).append(outcome)
    rows = []
    for (model, seed), outcomes in together.items():
        failed = [scores for scores, predictions in outcomes if predictions.empty]
        if failed:
            scores = failed[0].copy()
        else:
            scores = pd.DataFrame(_score(task, pd.concat([answers for _, answers in outcomes], ignore_index=True)))
        folds = pd.concat([scores for scores, _ in outcomes])
        scores[["model", "seed", "fold"]] = model, seed, np.nan
        scores[["n_train_rows", *COSTS]] = folds[["n_train_rows", *COSTS]].mean().to_list()
        scores[["n_left_out", "started"]] = folds["n_left_out"].max(), folds["started"].min()
        rows.append(scores)
    return pd.concat(rows, ignore_index=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _try(task: Task, run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    started = _now()
    try:
        predictions, costs, curve = _predict(task, run)
        scores = pd.DataFrame(_score(task, predictions))
    except Exception as error:
        scores = _failed(task, run, error, PARTS)
        predictions, costs, curve = pd.DataFrame(), _NO_COSTS, []
    else:
        if task.audit:
            scores, predictions = _audited(task, run, scores, predictions)
    scores = _measured(task, run, scores, started, costs)
    scores.attrs["curve"] = curve
    return scores, predictions


def _measured(task: Task, run: Run, scores: pd.DataFrame, started: str, costs: tuple[float, ...]) -> pd.DataFrame:
    measures: dict[str, Any] = {
        **count_rows(task.target, run.split),
        "started": started,
        **dict(zip(COSTS, costs, strict=True)),
    }
    return scores.assign(**measures)


def _audited(
    task: Task, run: Run, scores: pd.DataFrame, predictions: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put beside what was scored what it would have been, had the fit watched the test rows, and mark it as that."""
    scores, predictions = scores.assign(selection="valid"), predictions.assign(selection="valid")
    if not has_fit_parameter(run.estimator, "validation"):  # it selects nothing
        return scores, predictions
    try:
        answers = _answer(task, _fit(task, run, "test"), "test", run.split.test).assign(selection="test")
        picked = pd.DataFrame(_score(task, answers))
    except Exception as error:
        picked, answers = _failed(task, run, error, ("test",)).assign(selection="test"), pd.DataFrame()
    join = partial(pd.concat, ignore_index=True)
    return join([scores, picked]), join([predictions, answers])


def _failed(task: Task, run: Run, error: Exception, parts: Iterable[str]) -> pd.DataFrame:
    logger.debug("%s failed", run.model, exc_info=True)
    return _unscored(task, f"{type(error).__name__}: {error}", parts)


def _unscored(task: Task, reason: str, parts: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {**_no_score(part, metric, 0, reason), **mark}
            for mark, metrics, _ in task.parts(pd.DataFrame())
            for part in parts
            for metric in metrics
        ]
    )


def _predict(task: Task, run: Run) -> tuple[pd.DataFrame, tuple[float, ...], list[dict[str, float]]]:
    forget_peak_memory()
    start = time.perf_counter()
    model = _fit(task, run)
    fitted = time.perf_counter()
    parts = [_answer(task, model, part, getattr(run.split, part)) for part in PARTS]
    predicted = time.perf_counter()
    costs = (
        fitted - start,
        seconds_per_epoch(model),
        predicted - fitted,
        peak_memory_mb(),
        count_parameters(model),
    )
    if task.conditions:
        parts = [part.assign(condition="", rate=0.0) for part in parts]
        parts += [_answer(task, model, "test", run.split.test, *named) for named in task.conditions]
    return pd.concat([part for part in parts if len(part)], ignore_index=True), costs, learning_curve(model)


def _fit(task: Task, run: Run, watched: str = "valid") -> Any:
    model = clone(run.estimator)
    seeds = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    model.set_params(**dict.fromkeys(seeds, run.seed))
    X, y = task.labelled(run.split.train)
    rows = getattr(run.split, watched)
    if task.target.known[rows].any() and has_fit_parameter(model, "validation"):
        return model.fit(X, y, validation=task.labelled(rows))
    return model.fit(X, y)


def _answer(
    task: Task, model: Any, part: str, rows: Rows, name: str = "", condition: Condition | None = None
) -> pd.DataFrame:
    """Ask for every row, for a dialogue is a context; keep the answers that can be scored."""
    known = task.target.known[rows]
    if not known.any():
        return pd.DataFrame()
    table = task.table[rows] if condition is None else condition.apply(task.table[rows])
    columns = [column for column in PLACE if column in table.segments]
    place = table.segments[columns].reset_index(drop=True).assign(part=part, row=rows)
    if condition is not None:
        place = place.assign(condition=name, rate=condition.mean_rate())
    answers = pd.concat([place, task.target.ask(model, table, rows)], axis=1)
    return answers[known]


def _score(task: Task, predictions: pd.DataFrame) -> Iterator[dict[str, Any]]:
    keys = ["part", *(name for name in VARIANTS if name in predictions)]
    for mark, metrics, own in task.parts(predictions):
        for (part, *variant), rows in own.groupby(keys, sort=False, dropna=False):
            marks = {**mark, **dict(zip(keys[1:], variant, strict=True))}
            outcomes = Outcomes.of_frame(rows)
            for metric in metrics:
                yield {**_score_one(task, metric, part, rows, outcomes), **marks}


def _score_one(task: Task, metric: Metric, part: Any, rows: pd.DataFrame, outcomes: Outcomes) -> dict[str, Any]:
    if metric.wants_probabilities and outcomes.probabilities is None:
        return _no_score(part, metric, len(rows), "no predict_proba")
    low, high = interval(cluster_bootstrap(metric, rows, by=task.unit, n_resamples=task.n_bootstrap))
    return {**_no_score(part, metric, len(rows), ""), "value": metric.score(outcomes), "low": low, "high": high}


def _no_score(part: Any, metric: Metric, n_rows: int, error: str) -> dict[str, Any]:
    empty = dict.fromkeys(("value", "low", "high"), np.nan)
    return {"part": part, "metric": metric.name, **empty, "n_rows": n_rows, "error": error}
