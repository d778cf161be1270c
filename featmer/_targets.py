"""y in any dress: labels, an indicator matrix, distributions, numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

GAP = -1
"""In place of a class number, where a rater did not see a row."""


@dataclass(frozen=True)
class ClassTargets:
    """The classes of rows, in one of four kinds.

    Parameters
    ----------
    kind : {"labels", "indicators", "distributions", "ratings"}
        One label a row, any number of labels a row, a share for each label that sum to 1, or what each rater said.
    classes : ndarray of shape (n_classes,)
        Labels; of a matrix the names of its columns, numbers where it has none.
    values : ndarray of shape (n_rows,), (n_rows, n_classes) or (n_rows, n_raters)
        Class numbers; or 0 and 1; or shares; or class numbers, -1 where a rater did not see the row.
    raters : tuple
        Of ratings the names of the columns, or their numbers.
    """

    kind: str
    classes: NDArray[Any]
    values: NDArray[Any]
    raters: tuple[Any, ...] = ()


def encode_classes(y: ArrayLike | None, n_rows: int, prefer: str = "indicators") -> ClassTargets:
    """Read y as labels, as an indicator matrix or as distributions.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_classes)
        Labels, or a matrix of 0 and 1, or one whose rows sum to 1; a DataFrame's columns name the classes.
    n_rows : int
        Rows of X.
    prefer : str, default="indicators"
        What a matrix of 0 and 1 is where every row has a single 1, "indicators" or "distributions". With "ratings" y is
        read as a column a rater, of labels, with None or NaN where the rater did not see the row.

    Returns
    -------
    ClassTargets
        Kind, classes and values.

    Raises
    ------
    ValueError
        If y is none of the three, a target is missing, or the lengths differ.

    Examples
    --------
    >>> encode_classes(["joy", "anger"], 2).kind, encode_classes([[1, 1], [0, 1]], 2).kind
    ('labels', 'indicators')
    >>> encode_classes(pd.DataFrame({"joy": [0.4, 0.0], "anger": [0.6, 1.0]}), 2).classes.tolist()
    ['joy', 'anger']
    """
    if prefer == "ratings":
        return _encode_ratings(y, n_rows)
    raw = np.asarray(y)
    if raw.ndim == 2 and raw.shape[1] > 1 and raw.dtype.kind not in "biuf":
        raise ValueError(
            f"y has shape {raw.shape} and holds other things than numbers; expected {_FORMS}. What several raters "
            f"said is for FusionClassifier(objective='raters'), or for featmer.labels.count_votes and aggregate_votes."
        )
    given = _check_target(y, n_rows)
    if given.ndim == 1 or given.shape[1:] == (1,):
        return ClassTargets("labels", *encode_labels(y, n_rows))
    if given.ndim != 2:
        raise ValueError(f"y has shape {given.shape}; expected {_FORMS}.")
    values = given.astype(np.float64)
    kinds = []
    if np.isin(values, (0.0, 1.0)).all():
        kinds.append("indicators")
    if (values >= 0).all() and np.allclose(values.sum(axis=1), 1.0, atol=1e-4):
        kinds.append("distributions")
    if not kinds:
        sums = values.sum(axis=1)
        raise ValueError(
            f"y is a matrix of numbers from {values.min():g} to {values.max():g} whose rows sum to {sums.min():g} to "
            f"{sums.max():g}; expected {_FORMS}. Numbers to estimate, as valence, are for a regressor."
        )
    names = np.array([str(name) for name in y.columns]) if isinstance(y, pd.DataFrame) else np.arange(values.shape[1])
    return ClassTargets(prefer if prefer in kinds else kinds[0], names, values)


def encode_like(y: ArrayLike, n_rows: int, known: ClassTargets, whose: str) -> NDArray[Any]:
    """Return the values of further rows, in the classes and the kind of those that were fitted.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_classes)
        Targets of the further rows.
    n_rows : int
        Rows of X.
    known : ClassTargets
        Those that were fitted.
    whose : str
        "validation rows", for the message.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_classes)
        As ``ClassTargets.values``.

    Raises
    ------
    ValueError
        If y is of another kind or has other classes.

    Examples
    --------
    >>> encode_like(["joy"], 1, encode_classes(["joy", "anger"], 2), "validation rows")
    array([1])
    """
    further = encode_classes(y, n_rows, known.kind)
    if further.kind != known.kind:
        raise ValueError(f"The {whose} have {further.kind} as targets, the training rows {known.kind}.")
    if further.raters != known.raters:
        raise ValueError(f"The {whose} have the raters {further.raters}, the training rows {known.raters}.")
    if known.kind in ("labels", "ratings"):
        unknown = np.setdiff1d(further.classes, known.classes)
        if len(unknown):
            raise ValueError(f"The {whose} have labels {unknown.tolist()} that the training rows lack.")
        numbers = np.searchsorted(known.classes, further.classes)[further.values]
        return np.where(further.values == GAP, GAP, numbers)
    if list(further.classes) != list(known.classes):
        raise ValueError(
            f"The {whose} have targets for {further.classes.tolist()}, the training rows for {known.classes.tolist()}."
        )
    return further.values


def encode_labels(y: ArrayLike | None, n_rows: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted classes and each row's class number.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Labels; a pandas column may be passed as it is.
    n_rows : int
        Rows of X.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The labels that occur.
    codes : ndarray of int of shape (n_rows,)
        Index into classes.

    Raises
    ------
    ValueError
        If y is None, a label is missing, or the lengths differ.

    Examples
    --------
    >>> encode_labels(pd.Series(["joy", "anger", "joy"]), 3)[1]
    array([1, 0, 1])
    """
    labels = column_or_1d(_check_target(y, n_rows), warn=True)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("Input y contains infinity, which is no label; leave those rows out.")
    check_classification_targets(labels)
    classes, codes = np.unique(labels, return_inverse=True)
    return classes, codes.astype(np.int64)


def check_values(y: ArrayLike, n_rows: int) -> NDArray[np.float64]:
    """Return regression targets as floats of shape (n_rows,) or (n_rows, n_outputs).

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Numbers; pandas columns may be passed as they are.
    n_rows : int
        Rows of X.

    Returns
    -------
    ndarray of float64
        The targets; a single column becomes one dimension.

    Raises
    ------
    ValueError
        If y is None, is not finite, or the lengths differ.

    Examples
    --------
    >>> check_values([1, 2], 2)
    array([1., 2.])
    """
    values = np.asarray(_check_target(y, n_rows), np.float64)
    if not np.isfinite(values).all():
        raise ValueError("Input y contains NaN or infinity; leave out the rows without a target.")
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(values, warn=True)
    return values


def _encode_ratings(y: ArrayLike | None, n_rows: int) -> ClassTargets:
    """Read a column a rater."""
    if y is None or np.ndim(y) != 2:
        raise ValueError(
            "Ratings have a column a rater, of labels, with None or NaN where the rater did not see the row."
        )
    said = y if isinstance(y, pd.DataFrame) else pd.DataFrame(np.asarray(y, object))
    check_consistent_length(said, np.empty(n_rows))
    try:
        codes, classes = pd.factorize(said.to_numpy(object).ravel(), sort=True)
    except TypeError as error:
        raise ValueError(
            f"Ratings are one label, or none, a rater and row, all of one type; got others: {error}."
        ) from error
    values = codes.reshape(said.shape).astype(np.int64)
    unseen = np.flatnonzero((values == GAP).all(axis=1))
    if len(unseen):
        raise ValueError(f"{len(unseen)} rows have no rating (first: row {unseen[0]}); leave them out.")
    return ClassTargets("ratings", np.array(classes.tolist()), values, tuple(said.columns))


def _check_target(y: ArrayLike | None, n_rows: int) -> NDArray[Any]:
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    target = np.asarray(y)
    check_consistent_length(target, np.empty(n_rows))
    absent = pd.isna(target)
    if absent.any():
        rows = np.flatnonzero(absent.reshape(len(target), -1).any(axis=1))
        raise ValueError(
            f"Input y contains NaN: {len(rows)} rows have no target (first: row {rows[0]}); leave them out."
        )
    return target


_FORMS = "one label a row, an indicator matrix of 0 and 1, or distributions (shares that sum to 1)"
