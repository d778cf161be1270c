"""Folds whose test rows feel otherwise than the training rows: an emotion is over-represented there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from featmer.evaluation.splits.parts import Rows, Split, hold_out, strata_of
from featmer.groups import group_codes

TEST_SHARE = 0.2  # of all rows
MOST_OF_A_LABEL = 0.5  # of its rows that go to test, so that it can be learnt


@dataclass(frozen=True)
class LabelShift:
    """Shifts of the labels: in each fold, the dialogues with the largest share of one label are tested.

    A fifth of the rows is tested, with half of the rows of the fold's label at most; validation rows are like the
    training rows, for nobody knows the shift before. Compare with `ByDialogue` on the same corpus.

    Parameters
    ----------
    n_splits : int, default=5
        Most folds: one for each of so many labels, the most frequent first, or for each fifth of a value's range.
    random_state : int, default=0
        Seed of the order of dialogues with the same share, and of the validation part.

    Notes
    -----
    CIDer and the work before it re-partition CMU-MOSI and CMU-MOSEI by a search for test rows in which words and
    sentiment go together otherwise; their row numbers are not published with the paper. Here the shift is in the labels
    alone, says in which, and can be remade on any corpus.

    References
    ----------
    Zhong et al.: Towards robust multimodal emotion recognition under missing modalities and distribution shifts.
    arXiv 2506.10452, 2025.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": np.arange(20) // 2, "turn": [0, 1] * 10})
    >>> labels = ["joy"] * 8 + ["fear", "joy"] * 4 + ["fear"] * 4
    >>> for fold in LabelShift().split(segments, labels):
    ...     print([labels[row] for row in fold.test])
    ['joy', 'joy', 'joy', 'joy']
    ['fear', 'fear', 'fear', 'fear']
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
        labels : array-like of shape (n_rows,)
            Labels or values to shift.

        Raises
        ------
        ValueError
            If there are no labels, or none that several dialogues or speakers share.
        """
        if labels is None:
            raise ValueError(f"{type(self).__name__} shifts labels, and got none.")
        groups, strata = group_codes(segments, self.by), strata_of(labels, len(segments))
        counts = np.zeros((groups.max() + 1, strata.max() + 1), dtype=int)
        np.add.at(counts, (groups, strata), 1)
        known = np.unique(strata[~pd.isna(np.asarray(labels, dtype=object))])
        shared = known[(counts[:, known] > 0).sum(0) > 1]
        if not len(shared):
            raise ValueError(f"No label is in two {self.by}s or more: the labels cannot be shifted between these.")
        often_first = shared[np.argsort(-counts[:, shared].sum(0), kind="stable")]
        for stratum in often_first[: self.n_splits]:
            test = np.flatnonzero(np.isin(groups, self._tested(counts, stratum)))
            rest = np.setdiff1d(np.arange(len(segments)), test)
            yield Split(*hold_out(segments, rest, labels, by=self.by, random_state=self.random_state), test)

    def _tested(self, counts: Rows, stratum: int) -> list[int]:
        """Return the groups to test, those with the largest share of a label first."""
        own, sizes = counts[:, stratum], counts.sum(1)
        by_chance = np.random.default_rng(self.random_state).permutation(len(sizes))
        tested: list[int] = []
        for group in np.lexsort((by_chance, -own / sizes)):
            if sizes[tested].sum() >= TEST_SHARE * sizes.sum():
                break
            if own[[*tested, group]].sum() <= MOST_OF_A_LABEL * own.sum():
                tested.append(group)
        return tested


@dataclass(frozen=True)
class SpeakerShift(LabelShift):
    """Shifts of speakers and labels: in each fold, the speakers with the largest share of one label are tested.

    No speaker is in two parts, as in `BySpeaker`, and those of test express one emotion more than those of training.

    Parameters
    ----------
    n_splits : int, default=5
        Most folds: one for each of so many labels, the most frequent first, or for each fifth of a value's range.
    random_state : int, default=0
        Seed of the order of speakers with the same share, and of the validation part.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": range(10), "turn": 0, "speaker": list("aabbccddee")})
    >>> labels = ["joy", "joy", "joy", "fear"] + ["fear"] * 6
    >>> [sorted(set(segments["speaker"][fold.test])) for fold in SpeakerShift().split(segments, labels)]
    [['d'], ['b']]
    """

    by: ClassVar[str] = "speaker"
