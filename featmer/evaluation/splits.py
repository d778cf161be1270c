"""Who is trained, validated and tested on what: whole dialogues, whole speakers, or the corpus's own parts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

from featmer._checks import check_name
from featmer.evaluation.sessions import BySession
from featmer.groups import group_codes

logger = logging.getLogger(__name__)

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
        for test in _folds(groups, _strata(labels, len(segments)), self.n_splits, self.random_state):
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


SPLITTERS: dict[str, type[Splitter]] = {
    "official": Official,
    "by_dialogue": ByDialogue,
    "by_speaker": BySpeaker,
    "by_session": BySession,
    "random_rows": RandomRows,
}


def make_splits(splitter: Any, segments: pd.DataFrame, labels: ArrayLike | None = None) -> list[Split]:
    """Return the folds of any kind of splitter, checked.

    Parameters
    ----------
    splitter : str, splitter, scikit-learn splitter, or iterable of pairs or triples
        A name in `SPLITTERS`; an object of this module; one of scikit-learn's, whose groups will be the dialogues,
        such as ``LeaveOneGroupOut()`` for one film at a time;
        or row numbers (train, test) or (train, valid, test). Without a validation part, whole dialogues of the
        training rows become one.
    segments : DataFrame of n_rows rows
        The rows to divide.
    labels : array-like of shape (n_rows,), default=None
        Labels or values to keep in proportion.

    Returns
    -------
    list of Split
        Folds in which no row is in two parts, and no dialogue either, unless the splitter is `RandomRows`
        or the corpus's own (which is only logged).

    Raises
    ------
    ValueError
        If the name is unknown or the parts of a fold share dialogues.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": [1, 1, 2, 2, 3, 3], "turn": [0, 1] * 3})
    >>> make_splits([([0, 1, 2, 3], [4, 5])], segments)[0].train.tolist()
    [0, 1]
    """
    if isinstance(splitter, str):
        check_name(splitter, SPLITTERS, "splitter")
        splitter = SPLITTERS[splitter]()
    splits = [_complete(fold, segments, labels) for fold in _raw_folds(splitter, segments, labels)]
    if not splits:
        raise ValueError(f"The splitter {splitter!r} gave no fold.")
    if isinstance(splitter, Official):
        _warn_of_shared_dialogues(segments, splits)
    else:
        check_disjoint(segments, splits, by=splitter.by if isinstance(splitter, ByDialogue) else "dialogue")
    return splits


def check_disjoint(segments: pd.DataFrame, splits: Iterable[Split], by: str = "dialogue") -> None:
    """Raise if two parts of a fold share a dialogue or speaker.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        The rows that were divided.
    splits : iterable of Split
        The folds.
    by : {"dialogue", "speaker", "row"}, default="dialogue"
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
        for first, second in (("train", "valid"), ("train", "test"), ("valid", "test")):
            shared = np.intersect1d(groups[getattr(fold, first)], groups[getattr(fold, second)])
            if len(shared):
                names = _names_of(segments, groups, shared[:5], by)
                raise ValueError(
                    f"Fold {number}: {first} and {second} share {len(shared)} {by}{'s' * (len(shared) > 1)}: "
                    f"{', '.join(names)}{', ...' * (len(shared) > 5)}. "
                    "Split by whole dialogues or speakers; a split by rows must be asked for as 'random_rows'."
                )


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
    taken = next(_folds(groups, _strata(labels, len(segments))[rows], n_parts, random_state))
    return np.delete(rows, taken), rows[taken]


def unit_of(splitter: Any) -> str:
    """Return what a protocol takes for independent evidence, and intervals and tests therefore draw.

    Parameters
    ----------
    splitter : str, splitter, scikit-learn splitter, or iterable of row numbers
        As for `make_splits`.

    Returns
    -------
    {"dialogue", "speaker"}
        Speakers where these are split, else dialogues.

    Examples
    --------
    >>> unit_of("by_speaker"), unit_of(ByDialogue(3)), unit_of("random_rows")
    ('speaker', 'dialogue', 'dialogue')
    """
    known = SPLITTERS.get(splitter) if isinstance(splitter, str) else splitter
    return "speaker" if getattr(known, "by", None) == "speaker" else "dialogue"


def _raw_folds(splitter: Any, segments: pd.DataFrame, labels: ArrayLike | None) -> Iterator[tuple]:
    if isinstance(splitter, Official | ByDialogue):
        yield from splitter.split(segments, labels)
    elif hasattr(splitter, "split"):
        yield from splitter.split(segments, _strata(labels, len(segments)), group_codes(segments))
    else:
        yield from splitter


def _complete(fold: Iterable[ArrayLike], segments: pd.DataFrame, labels: ArrayLike | None) -> Split:
    parts = [np.asarray(rows, dtype=int) for rows in fold]
    if len(parts) == 2:
        parts[:1] = hold_out(segments, parts[0], labels)
    return Split(*parts)


def _warn_of_shared_dialogues(segments: pd.DataFrame, splits: list[Split]) -> None:
    try:
        check_disjoint(segments, splits)
    except ValueError as leak:
        logger.warning("The corpus's own split leaks. %s", leak)


def _names_of(segments: pd.DataFrame, groups: Rows, wanted: Rows, by: str) -> list[str]:
    if by == "row":
        return [str(row) for row in wanted]
    return [str(segments[by].iloc[np.flatnonzero(groups == group)[0]]) for group in wanted]


def _strata(labels: ArrayLike | None, n_rows: int) -> NDArray:
    """Return a stratum a row: the label, or the quantile of a value; missing ones are a stratum too."""
    if labels is None:
        return np.zeros(n_rows, dtype=int)
    column = pd.Series(labels).reset_index(drop=True)
    if pd.api.types.is_float_dtype(column.dtype):
        column = pd.Series(np.ceil(column.rank(pct=True).to_numpy() * _QUANTILES))
    return pd.factorize(column, sort=True, use_na_sentinel=False)[0]


def _folds(groups: Rows, strata: NDArray, n_splits: int, random_state: int) -> Iterator[Rows]:
    """Yield positions of each fold's held-out groups, with strata in proportion where there are enough rows."""
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
