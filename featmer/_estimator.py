"""What every featmer estimator shares: X as a table or an array, whole dialogues held out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils.validation import validate_data

from featmer.groups import group_codes
from featmer.table import Block, FeatureTable

ARRAY_MODALITY = "features"
"""The one modality of a plain array."""


class TableEstimator(BaseEstimator):
    """Base of the estimators: takes a FeatureTable or a plain 2-D array as X.

    A plain array is a table of one modality whose rows are dialogues of one
    turn. A subclass has a parameter ``modalities``: names of those to use, or
    None for all.
    """

    modalities: Iterable[str] | None
    modalities_: dict[str, tuple[str, ...]]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _check_table(self, X: Any, *, reset: bool) -> FeatureTable:
        if isinstance(X, FeatureTable):
            table = X if self.modalities is None else X.select(self.modalities)
            if reset:
                self.n_features_in_ = table.shape[1]
        else:
            table = self._array_as_table(X, reset=reset)
        if not reset and set(table.modalities) == set(self.modalities_):
            table = table.select(self.modalities_)  # in the order of fit
        names = {modality: block.names for modality, block in table.blocks.items()}
        if not len(table):
            raise ValueError("The table has no rows: 0 samples, while a minimum of 1 is required.")
        if not names:
            raise ValueError("The table has no modality; a minimum of 1 is required: FeatureTable(segments, blocks).")
        if reset:
            self.modalities_ = names
        elif names != self.modalities_:
            raise ValueError(_difference(type(self).__name__, names, self.modalities_))
        return table

    def _array_as_table(self, X: Any, *, reset: bool) -> FeatureTable:
        if self.modalities is not None:
            raise ValueError(
                f"modalities={self.modalities!r} selects from a FeatureTable, but X is a {type(X).__name__}."
            )
        dtypes = (np.float64, np.float32)
        values = validate_data(self, X, reset=reset, dtype=dtypes, ensure_all_finite="allow-nan")
        columns = getattr(self, "feature_names_in_", range(values.shape[1]))
        segments = pd.DataFrame({"dialogue": np.arange(len(values)), "turn": 0})
        return FeatureTable(segments, {ARRAY_MODALITY: Block(values, [f"{ARRAY_MODALITY}.{c}" for c in columns])})


def hold_out_dialogues(table: FeatureTable, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows into training rows and about ``share`` of the dialogues, each whole, for early stopping.

    Parameters
    ----------
    table : FeatureTable
        The rows to split.
    share : float
        Share of the dialogues to hold out, between 0 and 1.
    seed : int
        Which dialogues.

    Returns
    -------
    train, valid : ndarray of int
        Row numbers; valid is empty where there is but one dialogue or share is 0.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": list("aabb"), "turn": [0, 1, 0, 1]})
    >>> table = FeatureTable(segments, {"text": Block(np.ones((4, 1)), ["text.length"])})
    >>> [rows.tolist() for rows in hold_out_dialogues(table, 0.5, 0)]
    [[0, 1], [2, 3]]
    """
    rows = np.arange(len(table))
    dialogues = group_codes(table.segments)
    if share <= 0 or dialogues.max() == 0:
        return rows, rows[:0]
    splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
    return next(splitter.split(rows, groups=dialogues))


def _difference(name: str, got: dict[str, tuple[str, ...]], fitted: dict[str, tuple[str, ...]]) -> str:
    if set(got) != set(fitted):
        return f"{name} was fitted on the modalities {sorted(fitted)}, but X has {sorted(got)}."
    modality = next(m for m in fitted if got[m] != fitted[m])
    return (
        f"{name} was fitted on other features of {modality!r}: {len(fitted[modality])} features beginning with "
        f"{fitted[modality][:3]}, but X has {len(got[modality])} beginning with {got[modality][:3]}."
    )
