"""The parts of a fold, and validation rows held out of its training rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

from featmer.groups import group_codes

Rows = NDArray[np.int64]

VALID_SHARE = 0.2
_QUANTILES = 5


class Split(NamedTuple):
    """Row numbers of one fold; ``valid`` comes from training and serves early stopping and selection.

    Examples
    --------
    >>> Split(np.array([0]), np.array([1]), np.array([2])).test.tolist()
    [2]
    """

    train: Rows
    valid: Rows
    test: Rows


class Splitter(Protocol):
    """What `make_splits` asks of a splitter."""

    def split(self, segments: pd.DataFrame, labels: ArrayLike | None = None) -> Iterator[tuple[Rows, Rows, Rows]]:
        """Yield the folds."""


def hold_out(
    segments: pd.DataFrame,
    rows: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    by: str = "dialogue",
    random_state: int = 0,
) -> tuple[Rows, Rows]:
    """Take a fifth of the dialogues or speakers out of training rows, for validation.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        All rows.
    rows : array-like of int
        The training rows.
    labels : array-like of shape (n_rows,), default=None
        Labels or values to keep in proportion.
    by : {"dialogue", "speaker", "row"}, default="dialogue"
        What stays whole.
    random_state : int, default=0
        Seed of what is taken.

    Returns
    -------
    tuple of two int arrays
        Rows that stay, rows that are taken.

    Raises
    ------
    ValueError
        If there are fewer than two dialogues or speakers.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": [1, 1, 2, 2, 3, 3], "turn": [0, 1] * 3})
    >>> hold_out(segments, range(6))
    (array([0, 1, 2, 3]), array([4, 5]))
    """
    rows = np.asarray(rows, dtype=int)
    groups = group_codes(segments, by)[rows]
    n_parts = min(round(1 / VALID_SHARE), len(np.unique(groups)))
    taken = next(folds_of(groups, strata_of(labels, len(segments))[rows], n_parts, random_state))
    return np.delete(rows, taken), rows[taken]


def strata_of(labels: ArrayLike | None, n_rows: int) -> NDArray:
    """Return a stratum a row: the label, or the quantile of a value; missing ones are a stratum too.

    Examples
    --------
    >>> strata_of(["joy", None, "joy"], 3).tolist()
    [0, 1, 0]
    """
    if labels is None:
        return np.zeros(n_rows, dtype=int)
    column = pd.Series(labels).reset_index(drop=True)
    if pd.api.types.is_float_dtype(column.dtype):
        column = pd.Series(np.ceil(column.rank(pct=True).to_numpy() * _QUANTILES))
    return pd.factorize(column, sort=True, use_na_sentinel=False)[0]


def folds_of(groups: Rows, strata: NDArray, n_splits: int, random_state: int) -> Iterator[Rows]:
    """Yield positions of each fold's held-out groups, with strata in proportion where there are enough rows.

    Examples
    --------
    >>> [rows.tolist() for rows in folds_of(np.array([0, 0, 1, 1]), np.zeros(4, int), 2, 0)]
    [[2, 3], [0, 1]]
    """
    n_groups = len(np.unique(groups))
    if not 2 <= n_splits <= n_groups:
        raise ValueError(
            f"Cannot make {n_splits} folds of {n_groups} groups; need 2 folds or more, and a group for each."
        )
    counts = np.bincount(strata)
    strata = np.where(counts[strata] < n_splits, counts.argmax(), strata)
    shuffled: dict[str, Any] = {"shuffle": True, "random_state": random_state}
    if counts.max() < n_splits:
        folds = GroupKFold(n_splits, **shuffled).split(strata, strata, groups)
    elif n_groups == len(groups):
        folds = StratifiedKFold(n_splits, **shuffled).split(strata, strata)
    else:
        folds = StratifiedGroupKFold(n_splits, **shuffled).split(strata, strata, groups)
    for _, test in folds:
        yield test
