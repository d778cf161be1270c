"""Splitters that ask about the unknown: a group, a session or a corpus that training never saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from featmer._checks import check_name
from featmer.evaluation.splits.parts import Split, hold_out
from featmer.groups import group_codes


@dataclass(frozen=True)
class LeaveOneGroupOut:
    """Each speaker, or other group, is tested once by models that saw all others; validation rows are drawn from these.

    `BySession` is the same with the next group for validation, as work on IEMOCAP has it.

    Parameters
    ----------
    by : {"speaker", "dialogue"} or the name of a column, default="speaker"
        The groups.
    random_state : int, default=0
        Seed of the validation part: whole speakers where these are left out, else whole dialogues.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": range(6), "turn": 0, "speaker": list("aabbcc")})
    >>> [fold.test.tolist() for fold in LeaveOneGroupOut().split(segments)]
    [[0, 1], [2, 3], [4, 5]]
    """

    by: str = "speaker"
    random_state: int = 0

    def split(self, segments: pd.DataFrame, labels: ArrayLike | None = None) -> Iterator[Split]:
        """Yield a fold a group.

        Parameters
        ----------
        segments : DataFrame of n_rows rows
            The rows to divide.
        labels : array-like of shape (n_rows,), default=None
            Labels or values to keep in proportion.

        Raises
        ------
        ValueError
            If the column is missing or not filled in every row, or there is but one group.
        """
        groups = group_codes(segments, self.by)
        n_groups = int(groups.max()) + 1
        if n_groups < 2:
            raise ValueError(f"There is one {self.by} only; to leave one out, give rows of two or more.")
        held = self.by if self.by == "speaker" else "dialogue"
        for group in range(n_groups):
            others = np.flatnonzero(groups != group)
            train, valid = hold_out(segments, others, labels, by=held, random_state=self.random_state)
            yield Split(train, valid, np.flatnonzero(groups == group))


@dataclass(frozen=True)
class LeaveOneCorpusOut(LeaveOneGroupOut):
    """Each corpus is tested once by models that saw all others.

    The corpora must name the same labels the same way: `featmer.labels.map_corpus_labels`.

    Parameters
    ----------
    by : str, default="corpus"
        Column that names the corpora.
    random_state : int, default=0
        Seed of the validation part, whole dialogues of the training corpora.

    Examples
    --------
    >>> segments = pd.DataFrame({"corpus": list("xxyy"), "dialogue": range(4), "turn": 0})
    >>> [fold.test.tolist() for fold in LeaveOneCorpusOut().split(segments)]
    [[0, 1], [2, 3]]
    """

    by: str = "corpus"


@dataclass(frozen=True)
class CrossCorpus:
    """Train on some corpora, test on others.

    Parameters
    ----------
    train, test : str or iterable of str
        Names of the corpora, as in the column ``corpus``.
    random_state : int, default=0
        Seed of the validation part, whole dialogues of the training corpora.

    Examples
    --------
    >>> segments = pd.DataFrame({"corpus": list("xxyz"), "dialogue": range(4), "turn": 0})
    >>> [rows.tolist() for fold in CrossCorpus("x", "z").split(segments) for rows in fold]
    [[0], [1], [3]]
    """

    train: str | Iterable[str]
    test: str | Iterable[str]
    random_state: int = 0
    by: ClassVar[str] = "dialogue"

    def split(self, segments: pd.DataFrame, labels: ArrayLike | None = None) -> Iterator[Split]:
        """Yield the one fold.

        Parameters
        ----------
        segments : DataFrame of n_rows rows
            With the column ``corpus``.
        labels : array-like of shape (n_rows,), default=None
            Labels or values to keep in proportion.

        Raises
        ------
        ValueError
            If a corpus is not in the rows, or on both sides.
        """
        corpora = segments["corpus"].astype(str) if "corpus" in segments else pd.Series(dtype=str)
        sides = [[side] if isinstance(side, str) else list(side) for side in (self.train, self.test)]
        for name in (*sides[0], *sides[1]):
            check_name(name, set(corpora), "corpus of the rows")
        both = sorted(set(sides[0]) & set(sides[1]))
        if both:
            raise ValueError(f"Corpora {both} are to train and to test; to test on parts of one, split by dialogue.")
        train, test = (np.flatnonzero(corpora.isin(side)) for side in sides)
        yield Split(*hold_out(segments, train, labels, random_state=self.random_state), test)
