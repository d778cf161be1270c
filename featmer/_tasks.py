"""Several named targets with gaps, as one matrix of numbers; hides what y looked like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.utils.validation import check_consistent_length

from featmer._checks import check_name
from featmer._targets import ClassTargets, check_values, encode_classes, encode_like

PLAIN = "y"
"""The one task of a y that is neither a DataFrame nor a mapping."""


@dataclass(frozen=True)
class Task:
    """One of several targets.

    Parameters
    ----------
    name : str
        A column, what the columns have before their dot, or a key of the mapping.
    kind : {"labels", "indicators", "distributions", "values"}
        What its targets are.
    classes : ndarray of shape (n_outputs,)
        Labels; of indicators, distributions and several numbers the names of their columns; of one number its name.
    """

    name: str
    kind: str
    classes: NDArray[Any]

    @property
    def n_columns(self) -> int:
        """How many columns of numbers its targets take: a class number is one."""
        return 1 if self.kind == "labels" else len(self.classes)


def form_of(y: Any) -> str:
    """Tell what y looks like, as predictions are to look.

    Parameters
    ----------
    y : DataFrame, mapping or array-like
        Targets.

    Returns
    -------
    {"frame", "mapping", "plain"}
        Its form.
    """
    return "frame" if isinstance(y, pd.DataFrame) else "mapping" if isinstance(y, Mapping) else "plain"


def read_tasks(y: Any, n_rows: int, kinds: Mapping[str, str]) -> tuple[tuple[Task, ...], NDArray[np.float64]]:
    """Read y as several targets.

    Parameters
    ----------
    y : DataFrame, mapping of str to array-like, or array-like
        A target a column; columns with the same word before a dot are one target. A row with a gap is
        without that target.
    n_rows : int
        Rows of X.
    kinds : mapping of str to str
        What a target is to be taken for, where it could be several things; it need not name all.

    Returns
    -------
    tasks : tuple of Task
        In the order of y.
    targets : ndarray of shape (n_rows, n_columns)
        Task after task: class numbers, or the columns of the target; NaN at gaps.

    Raises
    ------
    ValueError
        If a target is of no known kind, is nowhere known, or has gaps within a row.

    Examples
    --------
    >>> y = pd.DataFrame({"emotion": ["joy", None], "affect.valence": [None, 2.5], "affect.arousal": [None, 4.0]})
    >>> tasks, targets = read_tasks(y, 2, {})
    >>> [(task.name, task.kind) for task in tasks], targets.tolist()
    ([('emotion', 'labels'), ('affect', 'values')], [[0.0, nan, nan], [nan, 2.5, 4.0]])
    """
    given = _by_name(y)
    unknown = sorted(set(kinds) - set(given))
    if unknown or not given:
        raise ValueError(f"y has the targets {sorted(given)}; there is none for the objectives of {unknown}.")
    tasks, columns = [], []
    for name, target in given.items():
        frame, known = _present(name, target, n_rows)
        if not known.any():
            raise ValueError(f"No row has a target {name!r}; leave it out of y.")
        encoded = _encode(name, frame[known], kinds.get(name))
        tasks.append(Task(name, encoded.kind, encoded.classes))
        columns.append(_scattered(encoded.values, known))
    return tuple(tasks), np.hstack(columns)


def read_further(y: Any, n_rows: int, tasks: Sequence[Task], whose: str) -> NDArray[np.float64]:
    """Read the targets of further rows as those of the tasks known already.

    Parameters
    ----------
    y : DataFrame, mapping of str to array-like, or array-like
        As in :func:`read_tasks`; a target that is left out is a gap in all rows.
    n_rows : int
        Rows of X.
    tasks : sequence of Task
        The tasks.
    whose : str
        "validation rows", for the message.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
        As of :func:`read_tasks`.

    Raises
    ------
    ValueError
        If a target is unknown, or of another kind.
    """
    given = _by_name(y)
    unknown = sorted(set(given) - {task.name for task in tasks})
    if unknown:
        raise ValueError(f"The {whose} have targets {unknown} that the training rows lack.")
    columns = []
    for task in tasks:
        if task.name not in given:
            columns.append(np.full((n_rows, task.n_columns), np.nan))
            continue
        frame, known = _present(task.name, given[task.name], n_rows)
        columns.append(_scattered(_encode_like(frame[known], task, whose), known, task.n_columns))
    return np.hstack(columns)


def split_targets(tasks: Sequence[Task], targets: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the columns of each task.

    Parameters
    ----------
    tasks : sequence of Task
        The tasks.
    targets : ndarray of shape (n_rows, n_columns or more)
        As of :func:`read_tasks`.

    Returns
    -------
    dict of str to ndarray of shape (n_rows, n_columns of the task)
        By name.
    """
    ends = np.cumsum([task.n_columns for task in tasks])
    return {task.name: targets[:, end - task.n_columns : end] for task, end in zip(tasks, ends, strict=True)}


def read_answers(teachers: Mapping[str, Any], X: Any, n_rows: int, tasks: Sequence[Task]) -> NDArray[np.float64]:
    """Return what teachers say about rows, a column a class or number, task after task.

    Parameters
    ----------
    teachers : mapping of str to (estimator, DataFrame or array-like)
        By the name of the task: who is asked about X, or what was said.
    X : FeatureTable or array-like
        The rows.
    n_rows : int
        How many.
    tasks : sequence of Task
        The tasks.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        Probabilities or numbers; NaN where nothing is said. No column without any teacher.

    Raises
    ------
    ValueError
        If a task is unknown, columns are missing, or probabilities are none.
    """
    for name in teachers:
        check_name(name, [task.name for task in tasks], "target to teach")
    if not teachers:
        return np.empty((n_rows, 0))
    silence = {task.name: np.full((n_rows, len(task.classes)), np.nan) for task in tasks}
    said = {task.name: _answers(teachers[task.name], X, n_rows, task) for task in tasks if task.name in teachers}
    return np.hstack(list((silence | said).values()))


def _answers(teacher: Any, X: Any, n_rows: int, task: Task) -> NDArray[np.float64]:
    """Return what one teacher says."""
    said = _said(teacher, X, task)
    missing = [name for name in task.classes if name not in said.columns]
    if missing or len(said) != n_rows:
        raise ValueError(
            f"The teacher of {task.name!r} says something about {len(said)} rows and {list(said.columns)}; expected "
            f"{n_rows} rows and {task.classes.tolist()}."
        )
    answers = said[list(task.classes)].to_numpy(np.float64)
    if task.kind == "values":
        return answers
    known, alone = answers[~np.isnan(answers).any(axis=1)], task.kind == "indicators"
    if (known < 0).any() or (known > 1).any() or not (alone or np.allclose(known.sum(axis=1), 1.0, atol=1e-4)):
        sums = "" if alone else " that sum to 1"
        raise ValueError(f"The teacher of {task.name!r} is to give probabilities from 0 to 1{sums}; it does not.")
    return answers


def _said(teacher: Any, X: Any, task: Task) -> pd.DataFrame:
    """Return a teacher's answers with the names of their columns."""
    if hasattr(teacher, "predict"):
        if task.kind != "values":
            said = pd.DataFrame(teacher.predict_proba(X), columns=teacher.classes_)
        else:
            said = teacher.predict(X)
    else:
        said = teacher
    if not isinstance(said, pd.DataFrame):
        array = np.asarray(said, np.float64)
        said = pd.DataFrame(array.reshape(len(array), -1))
        if said.shape[1] == len(task.classes):
            said.columns = pd.Index(task.classes)
    prefix = f"{task.name}."
    return said.rename(columns=lambda name: name.removeprefix(prefix) if isinstance(name, str) else name)


def _by_name(y: Any) -> dict[str, Any]:
    """Return the targets by name: a mapping's own, or a DataFrame's columns, those with a dot put together."""
    if isinstance(y, Mapping):
        return {str(name): target for name, target in y.items()}
    if not isinstance(y, pd.DataFrame):
        return {PLAIN: y}
    columns: dict[str, list[Any]] = {}
    for column in y.columns:
        columns.setdefault(str(column).partition(".")[0], []).append(column)
    given = {}
    for name, own in columns.items():
        if len(own) > 1 and name in own:
            raise ValueError(f"y has a column {name!r} and columns that begin with '{name}.'; rename one of them.")
        frame = y[own].set_axis([str(column).partition(".")[2] for column in own], axis=1)
        given[name if len(own) > 1 else str(own[0])] = frame if len(own) > 1 else y[own[0]]
    return given


def _present(name: str, target: Any, n_rows: int) -> tuple[pd.Series | pd.DataFrame, NDArray[np.bool_]]:
    """Return a target as pandas has it, and which rows have it."""
    if target is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    if not isinstance(target, pd.Series | pd.DataFrame):
        array = np.asarray(target)
        if array.ndim not in (1, 2):
            raise ValueError(f"The target {name!r} has shape {array.shape}; expected one or two dimensions.")
        target = pd.Series(array) if array.ndim == 1 else pd.DataFrame(array)
    check_consistent_length(target, np.empty(n_rows))
    if isinstance(target, pd.DataFrame) and target.shape[1] == 1:
        target = target.iloc[:, 0]
    target = target.reset_index(drop=True)
    shown = target.notna().to_numpy()
    if shown.ndim == 1:
        return target, shown
    holes = shown.any(axis=1) & ~shown.all(axis=1)
    if holes.any():
        raise ValueError(
            f"The target {name!r} has gaps within {holes.sum()} rows (first: row {holes.argmax()}); a row has all of "
            f"its columns or none. Name the columns as targets of their own."
        )
    return target, shown.all(axis=1)


def _encode(name: str, target: pd.Series | pd.DataFrame, kind: str | None) -> ClassTargets:
    """Return what a target without gaps holds, numbers included."""
    target = target.infer_objects()
    if kind is None or (kind == "values" and _guess(target) == "labels"):
        kind = _guess(target)
    if kind != "values":
        return encode_classes(_plain(target), len(target), kind)
    names = np.array([name]) if target.ndim == 1 else np.array([str(column) for column in target.columns])
    return ClassTargets("values", names, check_values(target.to_numpy(), len(target)))


def _guess(target: pd.Series | pd.DataFrame) -> str:
    """Return the kind of a target: numbers are numbers, unless they make an indicator matrix or distributions."""
    if target.ndim == 1:
        return "values" if is_numeric_dtype(target.dtype) and not is_bool_dtype(target.dtype) else "labels"
    try:
        return encode_classes(_plain(target), len(target)).kind
    except ValueError:
        return "values"


def _encode_like(target: pd.Series | pd.DataFrame, task: Task, whose: str) -> NDArray[Any]:
    if not len(target):
        return np.empty((0, task.n_columns))
    target = target.infer_objects()
    if task.kind != "values":
        known = ClassTargets(task.kind, task.classes, np.empty(0))
        return encode_like(_plain(target), len(target), known, f"{whose}, in {task.name!r},")
    values = check_values(target.to_numpy(), len(target))
    if values.size != len(values) * task.n_columns:
        raise ValueError(f"The {whose} have {values.shape[1:]} columns in {task.name!r}, expected {task.n_columns}.")
    return values


def _plain(target: pd.Series | pd.DataFrame) -> Any:
    """Return labels as an array, a matrix with its names if it has some."""
    nameless = target.ndim == 1 or isinstance(target.columns, pd.RangeIndex)
    return target.to_numpy() if nameless else target


def _scattered(values: NDArray[Any], known: NDArray[np.bool_], n_columns: int | None = None) -> NDArray[np.float64]:
    """Return values of the rows that have them, NaN elsewhere."""
    columns = values.reshape(len(values), -1 if n_columns is None else n_columns)
    spread = np.full((len(known), columns.shape[1]), np.nan)
    spread[known] = columns
    return spread
