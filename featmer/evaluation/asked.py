"""What is asked of models, and who is asked: a task, and a run of one model on one fold with one seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from featmer.evaluation.identity import content_of, digest, versions
from featmer.evaluation.joint import JointTarget
from featmer.evaluation.kept import Outcome
from featmer.evaluation.metrics import Metric
from featmer.evaluation.splits import Rows, Split
from featmer.evaluation.targets import Target
from featmer.missing import Condition
from featmer.table import FeatureTable

PLACE = ("corpus", "dialogue", "turn", "speaker")
# All that a model may know of an utterance beside its features; labels are none of these.
_KNOWN_COLUMNS = (*PLACE, "start", "end", "audio", "video", "text", "split")


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

    @property
    def place(self) -> dict[str, Any]:
        """The columns by which a run is told from others."""
        return {"model": self.model, "fold": self.fold, "seed": self.seed}

    def digest(self) -> str:
        """Return a fingerprint of model, seed and rows."""
        return digest([self.estimator, self.seed, *(rows.tolist() for rows in self.split)])


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
