"""Where a split leaks: what test rows have in common with training rows, with the evidence."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from featmer.evaluation._telling import telling_features
from featmer.evaluation.splits import Split
from featmer.evaluation.splits.checks import PAIRS
from featmer.table import FeatureTable

logger = logging.getLogger(__name__)

NEAR = 1.0
"""Seconds between two segments of one file up to which they are neighbours."""

_COPIED = 0.5  # share of a part's rows; single copies, such as "Yeah.", are no leak
_SHOWN = 3
_SENTENCE = 5  # words from which on two people hardly say the same by chance
_SAID_AGAIN = 0.1  # share of a part's sentences; of unrelated corpora at most .002 were alike
_WORD = re.compile(r"\w+")
_APOSTROPHES = re.compile(r"['’]")


class Leak(NamedTuple):
    """One way in which parts of a fold are not independent.

    Parameters
    ----------
    kind : {"dialogues", "speakers", "neighbours", "copies", "texts", "feature"}
        What leaks.
    fold : int
        Number of the fold.
    parts : str
        "train and test" for instance.
    n_found : int
        How many dialogues, speakers, pairs of neighbours, rows or features.
    evidence : str
        What was found, with examples.
    advice : str
        What to do.

    Examples
    --------
    >>> Leak("speakers", 0, "train and test", 1, "1 of 1 speakers of test is in train", "split by speaker").n_found
    1
    """

    kind: str
    fold: int
    parts: str
    n_found: int
    evidence: str
    advice: str


def find_leaks(table: FeatureTable, splits: Iterable[Split], target: ArrayLike | None = None) -> list[Leak]:
    """Look for what lets a model know test rows without understanding them.

    - dialogues or speakers in two parts;
    - neighbouring segments (or frames) of one file, at most a second apart, in two parts;
    - rows with byte-identical features and text, half of a part or more: such as a validation part that is the test
      part;
    - sentences of five words or more that are in two corpora, a tenth of a part's or more: one series, annotated twice;
    - a feature that all but tells the target by itself, in training rows: a label or an identity left in the features.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        The rows that were divided.
    splits : iterable of Split
        The folds, as `featmer.evaluation.splits.make_splits` returns them.
    target : array-like of shape (n_rows,), default=None
        Labels or values, for the search for a feature that tells them; missing values are left out.

    Returns
    -------
    list of Leak
        In the order of the folds; empty where nothing was found.

    References
    ----------
    Kapoor and Narayanan, "Leakage and the reproducibility crisis in machine-learning-based science", Patterns 4, 2023.

    Examples
    --------
    >>> from featmer.table import Block
    >>> segments = pd.DataFrame({"dialogue": ["a", "b"], "turn": [0, 0], "speaker": ["Ross", "Ross"]})
    >>> table = FeatureTable(segments, {"text": Block([[1.0], [2.0]], ["text.length"])})
    >>> (leak,) = find_leaks(table, [Split(np.array([0]), np.array([], int), np.array([1]))])
    >>> leak.evidence
    '1 of 1 speakers of test are in train too (Ross), who speak 100 % of its rows'
    """
    digests, sentences = _digests(table), _sentences(table.segments)
    found: list[Leak] = []
    for number, fold in enumerate(splits):
        for names in PAIRS:
            rows = getattr(fold, names[0]), getattr(fold, names[1])
            if len(rows[0]) and len(rows[1]):
                pair = _Pair(number, names, rows)
                found += [*_shared(table.segments, pair), *_neighbours(table.segments, pair), *_copies(digests, pair)]
                found += _said_again(sentences, pair)
        if number == 0 and target is not None:
            found += _telling(table, fold.train, pd.Series(np.asarray(target)))
    return found


def warn_of_leaks(table: FeatureTable, splits: Sequence[Split], *targets: ArrayLike) -> None:
    """Log what `find_leaks` finds: one warning a kind and pair of parts, with the evidence of the first fold.

    Parameters
    ----------
    table, splits
        As for `find_leaks`.
    *targets : array-like of shape (n_rows,)
        Each is looked for in the features.

    Examples
    --------
    >>> from featmer.table import Block
    >>> segments = pd.DataFrame({"dialogue": ["a", "b"], "turn": [0, 0]})
    >>> table = FeatureTable(segments, {"text": Block([[1.0], [2.0]], ["text.length"])})
    >>> warn_of_leaks(table, [Split(np.array([0]), np.array([], int), np.array([1]))])
    """
    by_kind: dict[str, list[Leak]] = {}
    told = (leak for target in targets for leak in _telling(table, splits[0].train, pd.Series(np.asarray(target))))
    for leak in (*find_leaks(table, splits), *told):
        by_kind.setdefault(leak.kind, []).append(leak)
    for leaks in by_kind.values():
        worst = min(leaks, key=lambda leak: leak.parts != "train and test")
        n_folds = len({leak.fold for leak in leaks})
        where = f"fold {worst.fold}" + f" and {n_folds - 1} more" * (n_folds > 1)
        logger.warning("The split leaks (%s of %s): %s. %s", worst.parts, where, worst.evidence, worst.advice)


class _Pair(NamedTuple):
    """Two parts of a fold."""

    fold: int
    names: tuple[str, str]
    rows: tuple[NDArray, NDArray]

    def leak(self, kind: str, n_found: int, evidence: str, advice: str) -> Leak:
        return Leak(kind, self.fold, " and ".join(self.names), n_found, evidence, advice)


def _shared(segments: pd.DataFrame, pair: _Pair) -> Iterator[Leak]:
    """Find dialogues and speakers in both parts."""
    words = {
        "dialogue": ("which hold", "Turns of one dialogue depend on each other; split by dialogue."),
        "speaker": ("who speak", "Scores are not of unknown speakers; for these, split by speaker."),
    }
    first, second = pair.names
    for by, (verb, advice) in words.items():
        if by not in segments:
            continue
        keys = [column for column in ("corpus", by) if column in segments]
        one, other = (segments[keys].iloc[rows].dropna(subset=by) for rows in pair.rows)
        names = other.drop_duplicates()
        shared = names.merge(one.drop_duplicates())
        if len(shared):
            percent = 100 * len(other.merge(shared)) / len(pair.rows[1])
            evidence = (
                f"{len(shared)} of {len(names)} {by}s of {second} are in {first} too ({_some(shared[by])}), "
                f"{verb} {percent:.0f} % of its rows"
            )
            yield pair.leak(f"{by}s", len(shared), evidence, advice)


def _neighbours(segments: pd.DataFrame, pair: _Pair) -> Iterator[Leak]:
    """Find segments of one file, in different parts, that touch or nearly do."""
    media = [medium for medium in ("video", "audio") if medium in segments and segments[medium].notna().any()]
    if not media:
        return
    frame = _timed(segments, media[0]).iloc[np.concatenate(pair.rows)]
    frame = frame.assign(part=np.repeat([0, 1], [len(rows) for rows in pair.rows])).dropna(subset="file")
    frame = frame.sort_values(["file", "start"], kind="stable")
    before = frame.shift()
    near = (frame["file"] == before["file"]) & (frame["part"] != before["part"])
    near &= frame["start"] - before["end"] <= NEAR
    if near.any():
        example = frame[near].iloc[0]
        evidence = (
            f"{near.sum()} neighbouring segments of one file, at most {NEAR:g} s apart, are on different sides, such "
            f"as the one of {example['file']} from {example['start']:g} s on"
        )
        advice = "Neighbours look and sound the same; split by file or dialogue."
        yield pair.leak("neighbours", int(near.sum()), evidence, advice)


def _timed(segments: pd.DataFrame, medium: str) -> pd.DataFrame:
    """Return file, start and end of each row; a row without times is the whole file."""
    n_rows = len(segments)
    start = segments["start"] if "start" in segments else pd.Series(np.nan, range(n_rows))
    end = segments["end"] if "end" in segments else pd.Series(np.nan, range(n_rows))
    file = segments[medium].astype(object)
    if "corpus" in segments:
        file = file.where(file.isna(), segments["corpus"].astype(str) + ": " + file.astype(str))
    return pd.DataFrame({"file": file, "start": start.fillna(0.0), "end": end.fillna(np.inf)})


def _copies(digests: NDArray[np.unsignedinteger], pair: _Pair) -> Iterator[Leak]:
    """Find parts that are copies of each other: rows that are there once in either."""
    once = []
    for rows in pair.rows:
        values, counts = np.unique(digests[rows], return_counts=True)
        once.append(values[counts == 1])
    copied = np.intersect1d(*once)
    smaller = int(len(pair.rows[0]) > len(pair.rows[1]))
    n_rows = len(pair.rows[smaller])
    if len(copied) >= max(2, _COPIED * n_rows):
        one, other = pair.names[smaller], pair.names[1 - smaller]
        evidence = f"{len(copied)} of {n_rows} rows of {one} are byte-identical to rows of {other}"
        yield pair.leak("copies", len(copied), evidence, "Find out which of the two parts was overwritten.")


def _said_again(sentences: pd.DataFrame, pair: _Pair) -> Iterator[Leak]:
    """Find sentences of one part that another has too, in another corpus."""
    one, other = (sentences[sentences["row"].isin(rows)] for rows in pair.rows)
    both = other.merge(one.drop_duplicates(["corpus", "words"]), on="words", suffixes=("", "_first"))
    both = both[both["corpus"] != both["corpus_first"]].drop_duplicates("row")
    if len(both) >= max(2, _SAID_AGAIN * len(other)):
        first, second = pair.names
        evidence = (
            f"{len(both)} of {len(other)} sentences of {second} are word for word in {first} too, in another corpus "
            f"({' and '.join(both[['corpus', 'corpus_first']].iloc[0])}: {both['text'].iloc[0]!r})"
        )
        advice = "The corpora share material; take one of them only, or leave shared rows out of training."
        yield pair.leak("texts", len(both), evidence, advice)


def _sentences(segments: pd.DataFrame) -> pd.DataFrame:
    """Return row, corpus, text and words of each text that is no mere "Yeah, right."; none of one corpus alone."""
    columns = ["row", "corpus", "text", "words"]
    if not {"corpus", "text"} <= set(segments) or segments["corpus"].nunique() < 2:
        return pd.DataFrame(columns=columns)
    rows = pd.DataFrame({"row": np.arange(len(segments)), "corpus": segments["corpus"].astype(str).to_numpy()})
    rows = rows.assign(text=segments["text"].to_numpy(object)).dropna(subset="text")
    words = rows["text"].map(lambda text: _WORD.findall(_APOSTROPHES.sub("", str(text).casefold())))
    return rows.assign(words=words.str.join(" "))[words.str.len() >= _SENTENCE]


def _digests(table: FeatureTable) -> NDArray[np.unsignedinteger]:
    """Return a fingerprint of each row's features and text."""
    columns = {
        name: [hash(np.ascontiguousarray(values).tobytes()) for values in block.values]
        for name, block in table.blocks.items()
    }
    if "text" in table.segments:
        columns["text"] = [hash(text) if isinstance(text, str) else 0 for text in table.segments["text"]]
    return np.asarray(
        pd.util.hash_pandas_object(pd.DataFrame(columns, range(len(table))), index=False), dtype=np.uint64
    )


def _telling(table: FeatureTable, train: NDArray, target: pd.Series) -> Iterator[Leak]:
    names = telling_features(table, train, target)
    if names:
        evidence = f"{len(names)} feature{'s' * (len(names) > 1)} all but tell the target alone: {_some(names)}"
        advice = "Look for a label, or what labels were made of, in it."
        yield Leak("feature", 0, "train", len(names), evidence, advice)


def _some(names: Iterable[Any]) -> str:
    """Return the first few names."""
    listed = [str(name) for name in names]
    return ", ".join(listed[:_SHOWN]) + ", ..." * (len(listed) > _SHOWN)
