"""Folds that a corpus names in a column: recording sessions, or published numbers of folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class BySession:
    """Leave one session out: each is tested once, and the next one (after the last, the first) serves validation.

    Parameters
    ----------
    column : str, default="session"
        The column that names the sessions; ``"fold"`` for folds that a corpus was published with. Sessions must not
        share dialogues.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": list("abcd"), "turn": 0, "session": [1, 2, 3, 1]})
    >>> [[rows.tolist() for rows in fold] for fold in BySession().split(segments)]
    [[[2], [1], [0, 3]], [[0, 3], [2], [1]], [[1], [0, 3], [2]]]
    """

    column: str = "session"

    def split(
        self, segments: pd.DataFrame, labels: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the rows of training, validation and test, a fold a session.

        Parameters
        ----------
        segments : DataFrame of n_rows rows
            The rows to divide; those without a session are in no fold.
        labels, groups : object, default=None
            Not looked at.

        Raises
        ------
        ValueError
            If there is no such column, or it names fewer than three sessions.
        """
        if self.column not in segments:
            raise ValueError(f"No column {self.column!r} among {list(segments)}; BySession(column=...) takes another.")
        codes, names = pd.factorize(segments[self.column], sort=True)
        if len(names) < 3:
            raise ValueError(
                f"Column {self.column!r} names {list(names)}; need three sessions or more, to train, validate and test."
            )
        for test in range(len(names)):
            valid = (test + 1) % len(names)
            train = np.flatnonzero((codes != test) & (codes != valid) & (codes >= 0))
            yield train, np.flatnonzero(codes == valid), np.flatnonzero(codes == test)
