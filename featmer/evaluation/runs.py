"""One model, one fold, one seed: fitted on training rows only, scored, measured, and kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from featmer.evaluation._costs import count_parameters, forget_peak_memory, peak_memory_mb, seconds_per_epoch
from featmer.evaluation.identity import content_of, digest, versions
from featmer.evaluation.joint import JointTarget
from featmer.evaluation.kept import Outcome, once
from featmer.evaluation.metrics import Metric
from featmer.evaluation.outcomes import Outcomes
from featmer.evaluation.splits import Rows, Split
from featmer.evaluation.stats import cluster_bootstrap, interval
from featmer.evaluation.targets import Target
from featmer.missing import Condition
from featmer.table import FeatureTable

logger = logging.getLogger(__name__)

PARTS = ("valid", "test")
COSTS = ("fit_seconds", "epoch_seconds", "predict_seconds", "peak_memory_mb", "parameters")
VARIANTS = ("condition", "rate", "selection")  # columns that tell answers of one part and run apart
_PLACE = ("corpus", "dialogue", "turn", "speaker")
# All that a model may know of an utterance beside its features; labels are none of these.
_KNOWN_COLUMNS = (*_PLACE, "start", "end", "audio", "video", "text", "split")


@dataclass(frozen=True)
class Task:
    """What is asked of every model: rows, targets and how to score.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        Features, without any label.
    target : Target or JointTarget
        What is wanted of each row, and which have it.
    metrics : tuple of Metric, or dict of str to tuple of Metric
        What to compute; of several targets by the name of each.
    n_bootstrap : int
        Resamples for the intervals; 0 leaves the intervals out.
    unit : {"dialogue", "speaker"}, default="dialogue"
        What is resampled.
    conditions : tuple of (str, Condition), default=()
        Further answers to score: those about test rows as they are under each condition.
    audit : bool, default=False
        Whether to fit once more with the test rows for validation, and score that as what it is.

    Examples
    --------
    >>> from featmer.table import Block
    >>> segments = pd.DataFrame({"dialogue": [1, 1], "turn": [0, 1], "emotion": ["joy", None]})
    >>> table = FeatureTable(segments, {"text": Block([[1.0], [2.0]], ["text.length"])})
    >>> task = Task.of(table, Target.of(segments, "emotion"), (), 0)
    >>> task.target.known.tolist(), "emotion" in task.table.segments
    ([True, False], False)
    """

    table: FeatureTable
    target: Target | JointTarget
    metrics: tuple[Metric, ...] | Mapping[str, tuple[Metric, ...]]
    n_bootstrap: int
    unit: str = "dialogue"
    conditions: tuple[tuple[str, Condition], ...] = ()
    audit: bool = False

    @classmethod
    def of(
        cls,
        table: FeatureTable,
        target: Target | JointTarget,
        metrics: tuple[Metric, ...] | Mapping[str, tuple[Metric, ...]],
        n_bootstrap: int,
        **more: Any,
    ) -> Task:
        """Take the target out of a table, with all other labels."""
        segments = table.segments
        columns = [name for name in segments.columns if name in _KNOWN_COLUMNS]
        bare = FeatureTable(segments[columns], table.blocks, provenance=table.provenance)
        return cls(bare, target, metrics, n_bootstrap, **more)

    def labelled(self, rows: Rows) -> tuple[FeatureTable, Any]:
        """Return the rows that have a target, as X and y."""
        rows = rows[self.target.known[rows]]
        return self.table[rows], self.target.take(rows)

    def parts(self, predictions: pd.DataFrame) -> Iterator[tuple[dict[str, str], tuple[Metric, ...], pd.DataFrame]]:
        """Yield what marks a target's scores, its metrics and its predictions; of a single target nothing marks it."""
        if not isinstance(self.metrics, Mapping):
            yield {}, self.metrics, predictions
            return
        for name, metrics in self.metrics.items():
            own = self.target.part(name, predictions) if isinstance(self.target, JointTarget) else predictions
            yield {"target": name}, metrics, own

    def _metric_names(self) -> Any:
        if isinstance(self.metrics, Mapping):
            return {name: [metric.name for metric in metrics] for name, metrics in self.metrics.items()}
        return [metric.name for metric in self.metrics]

    def digest(self) -> str:
        """Return a fingerprint of everything that a score depends on, but model and rows."""
        return digest(
            {
                "features": self.table.digest(),
                "segments": content_of(self.table.segments),
                "targets": content_of(pd.DataFrame(self.target.values)),
                "metrics": self._metric_names(),
                "n_bootstrap": [self.n_bootstrap, self.unit],
                "versions": versions(),
                **({"conditions": self.conditions} if self.conditions else {}),
                **({"audit": True} if self.audit else {}),
            }
        )


@dataclass(frozen=True)
class Run:
    """One model on one fold with one seed.

    Parameters
    ----------
    model : str
        Name in the results.
    estimator : estimator
        Cloned before it is fitted.
    fold, seed : int
        Which fold and which seed.
    split : Split
        Rows of the fold.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> Run("majority", DummyClassifier(), 0, 0, Split(*np.eye(3, dtype=int))).fold
    0
    """

    model: str
    estimator: Any
    fold: int
    seed: int
    split: Split

    def digest(self) -> str:
        """Return a fingerprint of model, seed and rows."""
        return digest([self.estimator, self.seed, *(rows.tolist() for rows in self.split)])


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
    >>> from featmer.table import Block
    >>> segments = pd.DataFrame({"dialogue": [1, 2, 3], "turn": 0, "emotion": "joy"})
    >>> table = FeatureTable(segments, {"text": Block(np.ones((3, 1)), ["text.length"])})
    >>> split = Split(np.array([0]), np.array([1]), np.array([2]))
    >>> task = Task.of(table, Target.of(segments, "emotion"), (METRICS["accuracy"],), 0)
    >>> perform(task, Run("majority", DummyClassifier(), 0, 0, split))[0].value.tolist()
    [1.0, 1.0]
    """
    scores, predictions = _try(task, run) if path is None else once(path, partial(_try, task, run))
    place: dict[str, Any] = {"model": run.model, "fold": run.fold, "seed": run.seed}
    return scores.assign(**place), predictions.assign(**place)


def count_rows(target: Target | JointTarget, split: Split) -> dict[str, int]:
    """Return how many training rows have a target, and how many rows of a fold have none.

    Examples
    --------
    >>> target = Target.of(pd.DataFrame({"emotion": ["joy", None, "joy"]}), "emotion")
    >>> count_rows(target, Split(np.array([0, 1]), np.array([], int), np.array([2])))
    {'n_train_rows': 1, 'n_left_out': 1}
    """
    known = target.known
    return {
        "n_train_rows": int(known[split.train].sum()),
        "n_left_out": int((~known[np.concatenate(split)]).sum()),
    }


def outcome_of(task: Task, run: Run, name: str, outcome: Outcome) -> Outcome:
    """Return of a run's outcome what it says of one target, as a run of that target alone would.

    Parameters
    ----------
    task : Task
        What was asked: the target, or several.
    run : Run
        Who was asked.
    name : str
        The target.
    outcome : (scores, predictions)
        What `perform` returned.

    Examples
    --------
    >>> task = Task(None, Target.of(pd.DataFrame({"emotion": ["joy"]}), "emotion"), (), 0)
    >>> outcome_of(task, Run("majority", None, 0, 0, None), "emotion", ("scores", "predictions"))
    ('scores', 'predictions')
    """
    if not isinstance(task.target, JointTarget):
        return outcome
    scores, predictions = outcome
    scores = scores[scores["target"] == name].drop(columns="target").reset_index(drop=True)
    return scores.assign(**count_rows(task.target.each[name], run.split)), task.target.part(name, predictions)


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


def _try(task: Task, run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        predictions, costs = _predict(task, run)
        scores = pd.DataFrame(_score(task, predictions))
    except Exception as error:
        scores = _failed(task, run, error, PARTS)
        predictions, costs = pd.DataFrame(), (np.nan,) * len(COSTS)
    else:
        if task.audit:
            scores, predictions = _audited(task, run, scores, predictions)
    measures: dict[str, Any] = {
        **count_rows(task.target, run.split),
        "started": started,
        **dict(zip(COSTS, costs, strict=True)),
    }
    return scores.assign(**measures), predictions


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
    reason = f"{type(error).__name__}: {error}"
    return pd.DataFrame(
        [
            {**_no_score(part, metric, 0, reason), **mark}
            for mark, metrics, _ in task.parts(pd.DataFrame())
            for part in parts
            for metric in metrics
        ]
    )


def _predict(task: Task, run: Run) -> tuple[pd.DataFrame, tuple[float, ...]]:
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
    return pd.concat([part for part in parts if len(part)], ignore_index=True), costs


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
    columns = [column for column in _PLACE if column in table.segments]
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
