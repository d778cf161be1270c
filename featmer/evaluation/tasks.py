"""Several tasks in one figure: the mean over tasks, or all their rows as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from featmer._checks import check_name
from featmer.evaluation.metrics import Metric, find_metrics
from featmer.evaluation.outcomes import Outcomes


def group_report(
    tasks: Mapping[str, pd.DataFrame], *, how: str = "macro", metrics: Iterable[str | Metric] = ("accuracy",)
) -> pd.DataFrame:
    """Score a group of tasks together.

    The two ways answer different questions and can differ by ten points where tasks differ in size, so a report should
    say which one it takes.

    Parameters
    ----------
    tasks : mapping of str to DataFrame
        Predictions of one model for each task: columns ``target``, ``prediction`` and, for metrics that need them,
        ``p.<class>``, as `featmer.evaluate` returns them. Tasks may have different labels.
    how : {"macro", "pooled"}, default="macro"
        The mean of the tasks' scores, each counting the same, or the score of all rows together.
    metrics : iterable of str or Metric, default=("accuracy",)
        What to compute.

    Returns
    -------
    DataFrame of n_tasks + 1 rows
        Index is the tasks and, last, ``how``; columns ``n_rows`` and a column a metric.

    Raises
    ------
    ValueError
        If there is no task, or a name is unknown.

    References
    ----------
    EmoCaliber: Advancing reliable visual emotion comprehension via confidence verbalization and calibration,
    arXiv 2512.15528, 2025, whose tables and script differ in this.

    Examples
    --------
    >>> small = pd.DataFrame({"target": ["joy"], "prediction": ["joy"]})
    >>> large = pd.DataFrame({"target": ["awe", "fear", "awe"], "prediction": "fear"})
    >>> group_report({"small": small, "large": large})["accuracy"].round(3).to_dict()
    {'small': 1.0, 'large': 0.333, 'macro': 0.667}
    >>> group_report({"small": small, "large": large}, how="pooled").loc["pooled", "accuracy"].item()
    0.5
    """
    check_name(how, ("macro", "pooled"), "way to report a group")
    if not tasks:
        raise ValueError("Got no task to report; give predictions by the name of their task.")
    chosen = find_metrics(metrics)
    report = pd.DataFrame({name: _score(rows, chosen) for name, rows in tasks.items()}).T
    together = report.mean() if how == "macro" else _score(pd.concat(tasks.values(), ignore_index=True), chosen)
    report.loc[how] = {**together, "n_rows": report["n_rows"].sum()}
    return report.astype({"n_rows": int})


def _score(predictions: pd.DataFrame, metrics: Iterable[Metric]) -> dict[str, float]:
    outcomes = Outcomes.of_frame(predictions)
    return {"n_rows": len(predictions)} | {metric.name: metric.score(outcomes) for metric in metrics}
