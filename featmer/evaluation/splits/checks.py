"""Whether the parts of a fold share what they should not."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from featmer.evaluation.splits.parts import Rows, Split
from featmer.groups import group_codes

PAIRS = (("train", "valid"), ("train", "test"), ("valid", "test"))


def check_disjoint(segments: pd.DataFrame, splits: Iterable[Split], by: str = "dialogue") -> None:
    """Raise if two parts of a fold share a dialogue or speaker.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        The rows that were divided.
    splits : iterable of Split
        The folds.
    by : {"dialogue", "speaker", "row"} or the name of a column, default="dialogue"
        What must not be shared.

    Raises
    ------
    ValueError
        With the fold, the parts, and the first shared ones.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": ["a", "a"], "turn": [0, 1]})
    >>> check_disjoint(segments, [Split(np.array([0]), np.array([], int), np.array([1]))])
    Traceback (most recent call last):
    ValueError: Fold 0: train and test share 1 dialogue: a.
    """
    groups = group_codes(segments, by)
    for number, fold in enumerate(splits):
        for first, second in PAIRS:
            shared = np.intersect1d(groups[getattr(fold, first)], groups[getattr(fold, second)])
            if len(shared):
                names = _names_of(segments, groups, shared[:5], by)
                raise ValueError(
                    f"Fold {number}: {first} and {second} share {len(shared)} {by}{'s' * (len(shared) > 1)}: "
                    f"{', '.join(names)}{', ...' * (len(shared) > 5)}. "
                    "Split by whole dialogues or speakers; a split by rows must be asked for as 'random_rows'."
                )


def _names_of(segments: pd.DataFrame, groups: Rows, wanted: Rows, by: str) -> list[str]:
    if by == "row":
        return [str(row) for row in wanted]
    return [str(segments[by].iloc[np.flatnonzero(groups == group)[0]]) for group in wanted]
