"""Fit and score several models under one protocol that test rows cannot leave."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import delayed
from tqdm import tqdm

from featmer._parallel import side_by_side
from featmer.evaluation.asked import Run, Task, outcome_of
from featmer.evaluation.identity import digest, name_of, versions
from featmer.evaluation.joint import JointTarget
from featmer.evaluation.kept import Outcome, state_of
from featmer.evaluation.leaks import warn_of_leaks
from featmer.evaluation.metrics import Metric
from featmer.evaluation.planning import plan
from featmer.evaluation.runs import VARIANTS, perform, score_all_folds
from featmer.evaluation.targets import Target
from featmer.evaluation.watching import Pruner, Watch
from featmer.missing import Condition
from featmer.table import FeatureTable
from featmer.tracking import Tracker

COLUMNS = (
    *("corpus", "model", "model_digest", "features_digest", "target", "protocol", "unit", "fold", "seed"),
    *("part", "metric", "value", "low", "high", "n_rows", "n_train_rows", "n_left_out"),
    *(
        "fit_seconds",
        "epoch_seconds",
        "predict_seconds",
        "peak_memory_mb",
        "parameters",
        "versions",
        "started",
        "error",
    ),
)


def evaluate(
    models: Any,
    table: FeatureTable,
    *,
    target: str | Iterable[str] = "emotion",
    splitter: Any = "by_dialogue",
    metrics: Iterable[str | Metric] | None = None,
    seeds: Iterable[int] = (0,),
    n_jobs: int = 1,
    n_bootstrap: int = 1000,
    cache: str | os.PathLike[str] | None = None,
    return_predictions: bool = False,
    progress: bool = True,
    conditions: Mapping[str, Condition | Iterable[Condition]] | None = None,
    audit: bool = False,
    tracker: Tracker | None = None,
    pruner: Pruner | None = None,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame | dict[str, pd.DataFrame]]:
    """Fit and score several models on the same folds and seeds.

    A model sees the features and targets of training rows and nothing of the test rows. Early stopping may use
    whole validation dialogues taken from training: they reach ``fit`` as ``validation=(X, y)`` where it has that
    parameter. Every model is asked about all rows of a part, and scored on those that have a target. What parts of a
    fold share, such as speakers, is logged as a warning, with the evidence.

    Parameters
    ----------
    models : dict of str to estimator, or one estimator
        Anything with scikit-learn's ``fit`` and ``predict``; each is cloned, and every ``random_state`` set to the
        seed. A majority baseline is added where none is called "majority". Where there are several targets, a model
        that learns several at once, such as `featmer.MultitaskFusion`, gets them all, with their gaps; any other is
        fitted to each alone, and ``{"emotion": classifier, "valence": regressor}`` in its place says by which.
    table : FeatureTable of n_rows rows
        Features and segments.
    target : str or list of str, default="emotion"
        Column of the segments: floats are values to estimate, all else labels. Or the beginning of several columns:
        "labels." of ``labels.<label>``, 1 where a label holds and 0 where not, any number a row; "votes." of
        ``votes.<label>``, whose shares are a distribution over the labels. Rows without a target are left out. A list
        of such names asks for several targets; folds are in proportion to the first.
    splitter : str, splitter, scikit-learn splitter or list of row numbers, default="by_dialogue"
        As for `featmer.evaluation.splits.make_splits`.
    metrics : iterable of str or Metric, default=None
        Names in ``METRICS``, ``"f1:<label>"``, ``"f1_per_class"`` for all labels, or ``"accuracy_within:<k>"``; the
        first is the one to rank by. None takes those that fit the target; of several targets each takes those given
        that fit it.
    seeds : iterable of int, default=(0,)
        Each fold is run once a seed.
    n_jobs : int, default=1
        Runs side by side. Scores do not depend on it.
    n_bootstrap : int, default=1000
        Resamples for the interval of each score, drawn by whole dialogues, or whole speakers where the splitter
        divides these; 0 leaves intervals out.
    cache : path-like, default=None
        Folder in which finished runs are kept, and from which they are read while features, segments, targets,
        rows, parameters, seed, metrics and package versions are the same. The source of your own models is not
        looked at: after changing it, name another folder.
    return_predictions : bool, default=False
        Also return every prediction.
    progress : bool, default=True
        Show a bar.
    conditions : dict of str to Condition or list of Condition, default=None
        How the test rows are to be seen too, such as ``{"no audio": Missing("audio"), "noise": Noise().at(RATES)}``
        of `featmer.missing`. Models are not fitted again; what they answer then is scored in rows of its own.
    audit : bool, default=False
        Also fit every model that takes validation rows with the test rows as these, as papers do that pick an epoch or
        a threshold by its test score. What comes of it is marked and changes nothing else; see `selection_gap`.
    tracker : callable, default=None
        Is called with each finished run, one read from the cache too, such as `featmer.tracking.MLflow`; one that
        raises is a warning, and called no more.
    pruner : callable, default=None
        Is called after each run with its model's name and the validation scores of that model so far, by the first
        metric and the higher the better; what it returns, if not empty, is why the model's other runs are not done.

    Returns
    -------
    results : DataFrame
        A row a model, fold, seed, part ("valid", "test") and metric: ``value`` with its 95 % interval ``low`` to
        ``high``, rows, costs, digests and versions. Where there are several folds, rows whose ``fold`` is missing
        score the answers of all folds together. Of a model that learns several targets at once, ``fit_seconds`` and the
        other costs are the whole model's, repeated in the rows of each target: do not add them up. A model that failed
        or was pruned has NaN, and why in ``error``. With ``conditions``, ``condition`` is the name of one, empty for
        rows as they are, and ``rate`` how much of it; with ``audit``, ``selection`` is "test" where test rows chose,
        else "valid".
    predictions : DataFrame
        With ``return_predictions``: a row an utterance and run, with ``target``, ``prediction`` and ``p.<class>``; of
        several labels a row with ``t.<label>``, what is true, ``p.<label>`` and, of "labels.", ``d.<label>``, what the
        model decided. Of several targets a dict of such frames by target; results tell them apart by ``target``, and
        leaderboards, tests and pages are of one each, see `featmer.report.comparisons`.

    Raises
    ------
    ValueError
        If target, metrics or splits do not fit the table.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from featmer import Block
    >>> segments = pd.DataFrame({"dialogue": np.arange(40) // 4, "turn": np.arange(40) % 4})
    >>> segments["emotion"] = ["joy", "fear"] * 20
    >>> table = FeatureTable(segments, {"text": Block(np.arange(40.0)[:, None] % 2, ["text.exclamation"])})
    >>> results = evaluate(DecisionTreeClassifier(), table, metrics=["uar"], progress=False)
    >>> results[results.part == "test"].groupby("model").value.mean().to_dict()
    {'DecisionTreeClassifier': 1.0, 'majority': 0.5}
    """
    tasks, asked = plan(
        models,
        table,
        target=target,
        splitter=splitter,
        metrics=metrics,
        seeds=seeds,
        n_bootstrap=n_bootstrap,
        conditions=conditions,
        audit=audit,
    )
    splits = list({run.fold: run.split for _, run in asked}.values())
    warn_of_leaks(table, splits, *(Target.of(table.segments, name).strata() for name in tasks))
    corpus = _name_of_corpus(table)
    watch = Watch(tasks, ", ".join(filter(None, (corpus, *tasks, name_of(splitter)))), tracker, pruner)
    done = _perform_all(asked, n_jobs, None if cache is None else Path(cache), progress, watch)
    common = {
        "corpus": corpus,
        "features_digest": table.digest(),
        "protocol": name_of(splitter),
        "versions": versions(),
    }
    found = {}
    for name, task in tasks.items():
        answered = [
            (run, outcome_of(own, run, name, outcome))
            for (own, run), outcome in zip(asked, done, strict=True)
            if own is task or isinstance(own.target, JointTarget)
        ]
        found[name] = _gather(task, answered, {**common, "target": name, "unit": task.unit})
    results = pd.concat([scores for scores, _ in found.values()], ignore_index=True)
    results = results[[*COLUMNS, *(name for name in VARIANTS if name in results)]]
    if not return_predictions:
        return results
    predictions = {name: answers for name, (_, answers) in found.items()}
    return results, predictions[target] if isinstance(target, str) else predictions


def _gather(task: Task, answered: list[tuple[Run, Outcome]], common: dict[str, Any]) -> Outcome:
    """Put what all runs said of one target below each other."""
    runs, done = [run for run, _ in answered], [outcome for _, outcome in answered]
    scores = [scores for scores, _ in done]
    if len({run.fold for run in runs}) > 1:
        scores.append(score_all_folds(task, runs, done))
    results = pd.concat([frame.astype({"fold": "Int64"}) for frame in scores], ignore_index=True).assign(**common)
    results["model_digest"] = results["model"].map({run.model: digest(run.estimator) for run in runs})
    answers = [predictions for _, predictions in done if len(predictions)]
    return results, pd.concat(answers, ignore_index=True) if answers else pd.DataFrame()


def status(models: Any, table: FeatureTable, *, cache: str | os.PathLike[str], **protocol: Any) -> pd.DataFrame:
    """Say of every run of a comparison whether it is done; nothing is fitted.

    Parameters
    ----------
    models, table, cache
        As for :func:`evaluate`.
    **protocol
        What else :func:`evaluate` is given and scores depend on: target, splitter, metrics, seeds and so on.

    Returns
    -------
    DataFrame
        A row a run: ``model``, ``target``, ``fold``, ``seed``, ``digest``, ``state`` ("done", "running", "failed",
        "pruned" or "left") and ``reason``. A run that was killed is left; a failed or pruned one is tried again when
        :func:`evaluate` is next called.

    Raises
    ------
    ValueError
        As :func:`evaluate` does.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from featmer import Block
    >>> segments = pd.DataFrame({"dialogue": range(12), "turn": 0, "emotion": ["joy", "fear"] * 6})
    >>> table = FeatureTable(segments, {"text": Block(np.ones((12, 1)), ["text.length"])})
    >>> dummies = {"most": DummyClassifier(), "constant": DummyClassifier(strategy="constant", constant="no label")}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = evaluate(dummies, table, cache=folder, progress=False)
    ...     found = status(dummies, table, cache=folder, seeds=[0, 1])
    >>> found.groupby(["model", "state"]).size().to_dict()
    {('constant', 'failed'): 5, ('constant', 'left'): 5, ('majority', 'done'): 5, ... ('most', 'left'): 5}
    """
    tasks, asked = plan(models, table, **protocol)
    names = {id(task): name for name, task in tasks.items()}
    rows = [
        (run.model, names.get(id(task), ", ".join(tasks)), run.fold, run.seed, known, *state_of(_path(cache, known)))
        for (task, run), known in zip(asked, _digests(asked), strict=True)
    ]
    return pd.DataFrame(rows, columns=["model", "target", "fold", "seed", "digest", "state", "reason"])


def _digests(asked: list[tuple[Task, Run]]) -> list[str]:
    common = {id(task): task.digest() for task in {id(task): task for task, _ in asked}.values()}
    return [digest([common[id(task)], run.digest()]) for task, run in asked]


def _path(cache: str | os.PathLike[str], known: str) -> Path:
    return Path(cache, f"{known}.parquet")


def _perform_all(
    asked: list[tuple[Task, Run]], n_jobs: int, cache: Path | None, progress: bool, watch: Watch
) -> list[Outcome]:
    digests = _digests(asked)
    paths = [None if cache is None else _path(cache, known) for known in digests]
    # Drawn while earlier runs come in: those of a model that was pruned meanwhile are not begun.
    calls = (
        delayed(tuple)() if run.model in watch.pruned else delayed(perform)(task, run, path)
        for (task, run), path in zip(asked, paths, strict=True)
    )
    jobs = tqdm(side_by_side(calls, n_jobs), total=len(asked), desc="runs", disable=not progress)
    return [
        watch.see(task, run, outcome, known, path)
        for (task, run), known, path, outcome in zip(asked, digests, paths, jobs, strict=True)
    ]


def _name_of_corpus(table: FeatureTable) -> str:
    if "corpus" not in table.segments:
        return ""
    return "+".join(sorted(table.segments["corpus"].dropna().astype(str).unique()))
