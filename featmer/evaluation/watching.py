"""Those who watch runs as they come in: a tracker writes them down, a pruner may end a model early."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from featmer.evaluation.asked import Run, Task, outcome_of
from featmer.evaluation.joint import JointTarget
from featmer.evaluation.kept import Outcome
from featmer.evaluation.metrics import Metric
from featmer.evaluation.runs import COSTS, skip
from featmer.evaluation.searching import validation_score
from featmer.tracking import TrackedRun, Tracker

logger = logging.getLogger(__name__)

Pruner = Callable[[str, list[float]], str]
_LONGEST = 250  # of a parameter's text, as far as trackers show it


class Watch:
    """Shows every run to a tracker and to a pruner, in the order of the runs.

    Parameters
    ----------
    tasks : dict of str to Task
        What is asked, by the name of the target; a pruner looks at the first.
    comparison : str
        What trackers call the task.
    tracker, pruner : callable or None
        As for :func:`~featmer.evaluation.evaluate`.

    Attributes
    ----------
    pruned : dict of str to str
        Models that are not worth going on with, and why.
    """

    def __init__(self, tasks: Mapping[str, Task], comparison: str, tracker: Tracker | None, pruner: Pruner | None):
        self.target, self.ranked = next(iter(tasks.items()))
        self._metric: Metric = next(iter(self.ranked.metrics))  # type: ignore[assignment]
        self.comparison = comparison
        self.tracker = tracker
        self.pruner = pruner
        self.pruned: dict[str, str] = {}
        self._scores: dict[str, list[float]] = {}

    def see(self, task: Task, run: Run, outcome: Outcome, digest: str, path: Path | None) -> Outcome:
        """Return what is to be reported of a run: what came of it, or that its model was pruned before."""
        if run.model in self.pruned:
            return skip(task, run, self.pruned[run.model], path)
        scores, predictions = outcome
        if predictions.empty:
            reason = scores["error"].iloc[0].splitlines()[0]
            logger.warning("%s failed on fold %d with seed %d: %s", run.model, run.fold, run.seed, reason)
        if self.pruner is not None and (task is self.ranked or isinstance(task.target, JointTarget)):
            scores_of_target, _ = outcome_of(task, run, self.target, outcome)
            so_far = self._scores.setdefault(run.model, [])
            so_far.append(validation_score(scores_of_target, self._metric))
            if reason := self.pruner(run.model, list(so_far)):
                self.pruned[run.model] = f"pruned: {reason}"
                logger.info("%s is %s", run.model, self.pruned[run.model])
        if self.tracker is not None and not predictions.empty:
            self._track(run, scores, digest)
        return outcome

    def _track(self, run: Run, scores: pd.DataFrame, digest: str) -> None:
        assert self.tracker is not None
        try:
            self.tracker(_tracked(run, scores, digest, self.comparison))
        except Exception as error:  # whatever a server does, the results are kept
            self.tracker = None
            logger.warning(
                "%s is not tracked, nor are the runs after it; results are complete. Ask again for what is missing: %s",
                f"{run.model}, fold {run.fold}, seed {run.seed}",
                f"{type(error).__name__}: {error}",
            )


def _tracked(run: Run, scores: pd.DataFrame, digest: str, comparison: str) -> TrackedRun:
    """Describe a run to trackers: of its scores, those of rows as they are, which no test row chose."""
    plain = scores
    for column, own in (("condition", ""), ("selection", "valid")):
        plain = plain[plain[column] == own] if column in plain else plain
    places = [plain[column] for column in ("part", "target", "metric") if column in plain]
    named = [".".join(place) for place in zip(*places, strict=True)]
    metrics = dict(zip(named, plain["value"], strict=True))
    metrics |= {name: plain[name].iloc[0] for name in COSTS}
    return TrackedRun(
        digest,
        comparison,
        run.model,
        run.fold,
        run.seed,
        {name: _told(value) for name, value in sorted(run.estimator.get_params().items())},
        {name: float(value) for name, value in metrics.items() if not pd.isna(value)},
        scores.attrs.get("curve", []),
    )


def _told(value: Any) -> bool | int | float | str:
    if isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "get_params") and not isinstance(value, type):  # its own parameters stand beside it
        return type(value).__name__
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
