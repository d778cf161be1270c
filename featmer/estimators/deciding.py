"""From probabilities and numbers by target to predictions that look like y."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._tasks import PLAIN, Task, split_targets
from featmer.decisions import inclusive_threshold, indicate_labels, label_sets, tune_thresholds

Answers = Mapping[str, NDArray[np.float64]]


def choose_thresholds(
    given: str | float, tasks: Sequence[Task], targets: NDArray[np.float64], answers: Answers | None
) -> dict[str, NDArray[np.float64]]:
    """Return the thresholds of each task of any number of labels.

    Parameters
    ----------
    given : {"all", "class"} or float
        How they are chosen, or what they are.
    tasks : sequence of Task
        All tasks.
    targets : ndarray of shape (n_rows, n_columns or more)
        Of validation rows, with gaps.
    answers : mapping of str to ndarray or None
        Probabilities of these rows; None where there are no rows.

    Returns
    -------
    dict of str to ndarray of shape (n_labels,)
        By task; 0.5 where they are to be chosen and no row has the target.
    """
    fixed = 0.5 if isinstance(given, str) else float(given)
    tagged = [task for task in tasks if task.kind == "indicators"]
    thresholds = {task.name: np.full(len(task.classes), fixed) for task in tagged}
    if isinstance(given, str) and answers is not None:
        wanted = split_targets(tasks, targets)
        for name in thresholds:
            known = ~np.isnan(wanted[name][:, 0])
            if known.any():
                thresholds[name] = tune_thresholds(wanted[name][known], answers[name][known], per=given)
    return thresholds


def decide(tasks: Sequence[Task], answers: Answers, thresholds: Answers) -> dict[str, NDArray[Any]]:
    """Return what each target most likely is.

    Parameters
    ----------
    tasks : sequence of Task
        The tasks.
    answers : mapping of str to ndarray of shape (n_rows, n_outputs)
        Probabilities or numbers.
    thresholds : mapping of str to ndarray
        As of :func:`choose_thresholds`.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Labels, matrices of 0 and 1, and numbers.
    """
    return {task.name: _decide(task, answers[task.name], thresholds) for task in tasks}


def decide_sets(tasks: Sequence[Task], answers: Answers, thresholds: Answers) -> dict[str, list[set[Any]]]:
    """Return the labels of each target that has some, as sets.

    Parameters
    ----------
    tasks, answers, thresholds
        As of :func:`decide`.

    Returns
    -------
    dict of str to list of set
        Those above their thresholds; of distributions those with more than an equal share; else the likeliest.
    """
    sets = {}
    for task in (task for task in tasks if task.kind != "values"):
        if task.kind == "labels":
            sets[task.name] = [{label} for label in _decide(task, answers[task.name], thresholds).tolist()]
        else:
            limits = thresholds.get(task.name, inclusive_threshold(len(task.classes)))
            sets[task.name] = label_sets(answers[task.name], limits, task.classes)
    return sets


def in_form(form: str, tasks: Sequence[Task], predicted: Mapping[str, NDArray[Any]]) -> Any:
    """Return predictions as y was.

    Parameters
    ----------
    form : {"frame", "mapping", "plain"}
        As of `featmer._tasks.form_of`.
    tasks : sequence of Task
        The tasks.
    predicted : mapping of str to ndarray
        By task.

    Returns
    -------
    DataFrame, dict or ndarray
        A DataFrame has a column a target, or those of its matrix.
    """
    if form == "plain":
        return predicted[PLAIN]
    if form == "mapping":
        return dict(predicted)
    columns: dict[str, NDArray[Any]] = {}
    for task in tasks:
        values = predicted[task.name]
        names = [task.name] if values.ndim == 1 else [f"{task.name}.{name}" for name in task.classes]
        columns |= dict(zip(names, np.atleast_2d(values.T), strict=True))
    return pd.DataFrame(columns)


def _decide(task: Task, answers: NDArray[np.float64], thresholds: Answers) -> NDArray[Any]:
    if task.kind == "indicators":
        return indicate_labels(answers, thresholds[task.name])
    if task.kind == "values":
        return answers if len(task.classes) > 1 else answers[:, 0]
    return task.classes[answers.argmax(axis=1)]
