"""What a search for parameters sees: validation scores alone, and whether a trial is worth going on with."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pandas as pd

from featmer._checks import require
from featmer._saving import write_whole
from featmer.evaluation.metrics import Metric, find_metric


def validation_score(scores: pd.DataFrame, metric: str | Metric) -> float:
    """Return the mean validation score of some runs, the higher the better.

    Parameters
    ----------
    scores : DataFrame
        Rows of what :func:`~featmer.evaluation.evaluate` returns.
    metric : str or Metric
        Which; of a metric of which less is better, the sign is turned.

    Returns
    -------
    float
        Over folds, seeds and the targets that have this metric; minus infinity where a run failed or was pruned, or
        nothing was validated.

    Examples
    --------
    >>> scores = pd.DataFrame({"fold": [0, 0, 1], "part": ["valid", "test", "valid"], "value": [0.5, 9.0, 0.25]})
    >>> validation_score(scores.assign(metric="uar"), "uar"), validation_score(scores.assign(metric="mae"), "mae")
    (0.375, -0.375)
    """
    metric = find_metric(metric)
    seen = scores[(scores["part"] == "valid") & (scores["metric"] == metric.name) & scores["fold"].notna()]
    score = metric.gain(float(seen["value"].mean(skipna=False)))
    return -math.inf if math.isnan(score) else score


class TrialPruner:
    """Ends a trial of a search whose validation scores are behind those of earlier trials after as many runs.

    Give one a trial to :func:`~featmer.evaluation.evaluate` as ``pruner``, and tell it in the end what the trial came
    to. What earlier trials had after each run lies in a folder; those that ran beside this one are not looked at, so
    that the same search, repeated, prunes the same.

    Parameters
    ----------
    pruner : optuna.pruners.BasePruner
        Decides, by the mean of the scores so far; a step is a run. ``optuna.pruners.MedianPruner()`` compares with the
        median of the trials that came to their end, once there are five.
    model : str
        Which is searched; others, such as the baseline, are left alone.
    folder : path-like
        Of this search alone.
    trial : int
        Number of this trial, from 0.
    side_by_side : int
        How many trials are run at a time.

    Raises
    ------
    MissingExtra
        If Optuna is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from optuna.pruners import MedianPruner
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for trial, scores in enumerate([[0.5, 0.6], [0.4, 0.5]]):
    ...         pruner = TrialPruner(MedianPruner(n_startup_trials=1), "concat", folder, trial, 1)
    ...         print(pruner("concat", scores[:1]))
    ...         pruner.finish(sum(scores) / 2)
    <BLANKLINE>
    validation score 0.4 after 1 runs is behind earlier trials
    """

    def __init__(self, pruner: Any, model: str, folder: str | os.PathLike[str], trial: int, side_by_side: int):
        optuna = require("optuna", "sweeps")
        self.model = model
        self.folder = Path(folder)
        self.number = trial
        self.means: list[float] = []
        study = optuna.create_study(pruner=pruner, direction="maximize")
        for number in range(trial - trial % side_by_side):
            if (file := self._file(number)).exists():
                _retell(study, json.loads(file.read_text(encoding="utf-8")), optuna.trial.TrialState.PRUNED)
        self._trial = study.ask()

    def __call__(self, model: str, scores: list[float]) -> str:
        """Return why a model is to be pruned after the runs with these scores, or nothing."""
        if model != self.model:
            return ""
        mean = sum(scores) / len(scores)
        self.means.append(mean)
        self._trial.report(mean, len(scores))
        behind = self._trial.should_prune()
        return f"validation score {mean:.4g} after {len(scores)} runs is behind earlier trials" if behind else ""

    def finish(self, score: float) -> None:
        """Keep for later trials what this one came to, as `validation_score` tells it."""
        told = {"score": score, "means": self.means}
        write_whole(self._file(self.number), json.dumps(told).encode())

    def _file(self, number: int) -> Path:
        return self.folder / f"trial-{number}.json"


def _retell(study: Any, told: dict[str, Any], pruned: Any) -> None:
    """Go through an earlier trial again; one without a score is none that others are to be like."""
    trial = study.ask()
    for step, mean in enumerate(told["means"], start=1):
        trial.report(mean, step)
    if math.isinf(told["score"]):
        study.tell(trial, state=pruned)
    else:
        study.tell(trial, told["score"])
