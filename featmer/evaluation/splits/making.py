"""The folds of any kind of splitter, checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from featmer._checks import check_name
from featmer.evaluation.splits.checks import check_disjoint
from featmer.evaluation.splits.parts import Split, Splitter, hold_out, strata_of
from featmer.evaluation.splits.sessions import BySession
from featmer.evaluation.splits.shift import LabelShift, SpeakerShift
from featmer.evaluation.splits.splitters import ByDialogue, BySpeaker, Official, RandomRows
from featmer.evaluation.splits.transfer import CrossCorpus, LeaveOneCorpusOut, LeaveOneGroupOut
from featmer.groups import group_codes

SPLITTERS: dict[str, type[Splitter]] = {
    "official": Official,
    "by_dialogue": ByDialogue,
    "by_speaker": BySpeaker,
    "by_session": BySession,
    "leave_one_speaker_out": LeaveOneGroupOut,
    "leave_one_corpus_out": LeaveOneCorpusOut,
    "random_rows": RandomRows,
    "label_shift": LabelShift,
    "speaker_shift": SpeakerShift,
}
_DIVIDES = (ByDialogue, LabelShift, LeaveOneGroupOut, CrossCorpus)  # by what their ``by`` says


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
        or the corpus's own (`featmer.evaluation.leaks.find_leaks` finds these).

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
    if not isinstance(splitter, Official):
        own = isinstance(splitter, _DIVIDES) and splitter.by in ("speaker", "row")
        check_disjoint(segments, splits, by=splitter.by if own else "dialogue")
    return splits


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
    if isinstance(splitter, (Official, *_DIVIDES)):
        yield from splitter.split(segments, labels)
    elif hasattr(splitter, "split"):
        yield from splitter.split(segments, strata_of(labels, len(segments)), group_codes(segments))
    else:
        yield from splitter


def _complete(fold: Iterable[ArrayLike], segments: pd.DataFrame, labels: ArrayLike | None) -> Split:
    parts = [np.asarray(rows, dtype=int) for rows in fold]
    if len(parts) == 2:
        parts[:1] = hold_out(segments, parts[0], labels)
    return Split(*parts)
