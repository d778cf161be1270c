"""Splitters of one corpus: its own parts, or cross-validation by dialogue, by speaker or by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from featmer.evaluation.splits.parts import Split, folds_of, hold_out, strata_of
from featmer.groups import group_codes


@dataclass(frozen=True)
class Official:
    """The corpus's own parts, from the column ``split``.

    Where the corpus has no validation part, whole dialogues of its training part become one.

    Parameters
    ----------
    random_state : int, default=0
        Seed of the validation part, where it must be drawn.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": list("abc"), "turn": [0, 0, 0], "split": ["train", "valid", "test"]})
    >>> [rows.tolist() for fold in Official().split(segments) for rows in fold]
    [[0], [1], [2]]
    """

    random_state: int = 0

    def split(self, segments: pd.DataFrame, labels: ArrayLike | None = None) -> Iterator[Split]:
        """Yield the one fold.

        Parameters
        ----------
        segments : DataFrame of n_rows rows
            With the column ``split`` of "train", "valid" and "test".
        labels : array-like of shape (n_rows,), default=None
            What a drawn validation part is stratified by.

        Raises
        ------
        ValueError
            If a training or test part is missing.
        """
        found = segments["split"] if "split" in segments else pd.Series(index=segments.index, dtype=object)
        train, valid, test = (np.flatnonzero(found == part) for part in Split._fields)
        if not (len(train) and len(test)):
            counts = found.value_counts(dropna=False).to_dict()
            raise ValueError(
                f"Official parts need rows with split 'train' and 'test', got {counts}. "
                "Fill the column, or choose 'by_dialogue' or 'by_speaker'."
            )
        if not len(valid):
            train, valid = hold_out(segments, train, labels, random_state=self.random_state)
        yield Split(train, valid, test)


@dataclass(frozen=True)
class ByDialogue:
    """Cross-validation in which no dialogue is in two parts.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds; each dialogue is tested once.
    random_state : int, default=0
        Seed of the order of dialogues.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": [1, 1, 2, 2, 3, 3], "turn": [0, 1] * 3})
    >>> [fold.test.tolist() for fold in ByDialogue(n_splits=3).split(segments)]
    [[4, 5], [2, 3], [0, 1]]
    """

    n_splits: int = 5
    random_state: int = 0
    by: ClassVar[str] = "dialogue"

    def split(self, segments: pd.DataFrame, labels: ArrayLike | None = None) -> Iterator[Split]:
        """Yield the folds.

        Parameters
        ----------
        segments : DataFrame of n_rows rows
            The rows to divide.
        labels : array-like of shape (n_rows,), default=None
            Labels or values to keep in proportion.
        """
        groups = group_codes(segments, self.by)
        rows = np.arange(len(segments))
        for test in folds_of(groups, strata_of(labels, len(segments)), self.n_splits, self.random_state):
            train, valid = hold_out(
                segments, np.setdiff1d(rows, test), labels, by=self.by, random_state=self.random_state
            )
            yield Split(train, valid, test)


@dataclass(frozen=True)
class BySpeaker(ByDialogue):
    """Cross-validation in which no speaker is in two parts.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds; each speaker is tested once.
    random_state : int, default=0
        Seed of the order of speakers.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": range(6), "turn": 0, "speaker": list("aabbcc")})
    >>> [fold.test.tolist() for fold in BySpeaker(n_splits=3).split(segments)]
    [[4, 5], [2, 3], [0, 1]]
    """

    by: ClassVar[str] = "speaker"


@dataclass(frozen=True)
class RandomRows(ByDialogue):
    """Cross-validation by single rows, which lets neighbouring turns leak; for comparison with papers only.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    random_state : int, default=0
        Seed of the order of rows.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": [1, 1, 1, 1], "turn": range(4)})
    >>> sorted(row for fold in RandomRows(n_splits=2).split(segments) for row in fold.test.tolist())
    [0, 1, 2, 3]
    """

    by: ClassVar[str] = "row"
