"""Which words belong to which utterance, and the times of words that an extractor described one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer.segments import COMPULSORY, KEY, TIMES
from featmer.table import Block, FeatureTable


def match_words(segments: pd.DataFrame, words: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Find the utterance of every word.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        The utterances.
    words : DataFrame
        The words: ``dialogue``, ``turn``, ``start``, ``end`` in seconds, and ``corpus`` where two have equal dialogues.

    Returns
    -------
    words : DataFrame of n_words rows
        Those that belong to an utterance, utterance by utterance in order of time.
    rows : ndarray of int of shape (n_words,)
        The utterance of each.

    Raises
    ------
    ValueError
        If a column is not there, two utterances have the same place, or no word belongs to any.

    Examples
    --------
    >>> words = pd.DataFrame({"dialogue": "a", "turn": [1, 0, 1], "word": ["off", "no", "well"]})
    >>> words = words.assign(start=[2.5, 0.0, 2.0], end=[3.0, 1.0, 2.5])
    >>> matched, rows = match_words(pd.DataFrame({"dialogue": "a", "turn": [0, 1]}), words)
    >>> matched["word"].tolist(), rows.tolist()
    (['no', 'well', 'off'], [0, 1, 1])
    """
    absent = [column for column in (*COMPULSORY, *TIMES) if column not in words]
    if absent:
        raise ValueError(f"words lacks the columns {absent}; it has {list(words.columns)}.")
    keys = [column for column in KEY if column in segments and column in words]
    utterances = pd.MultiIndex.from_frame(segments[keys])
    if utterances.has_duplicates:
        raise ValueError(f"Several rows of the table have the same {keys}, so words belong to no one row.")
    rows = utterances.get_indexer(pd.MultiIndex.from_frame(words[keys]))
    if not (rows >= 0).any():
        got, expected = words[keys].head(1).to_dict("records"), segments[keys].head(1).to_dict("records")
        raise ValueError(f"No word belongs to the table: words have {keys} like {got}, the table has {expected}.")
    words, rows = words[rows >= 0], rows[rows >= 0]
    order = np.lexsort((words["end"], words["start"], rows))
    return words.iloc[order].reset_index(drop=True), rows[order]


def place_words(table: FeatureTable, words: pd.DataFrame) -> FeatureTable:
    """Give described words the times that a transcript has for them.

    The k-th row of a sequence without times, such as ``SentenceEmbedding(level="words")`` makes, is the k-th word of
    its utterance, and gets the middle of that word's time: `align` can then take it to words and windows.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        Sequences without times are placed, all others left as they are.
    words : DataFrame
        The words in any order: ``dialogue``, ``turn``, ``start`` and ``end`` in seconds of the media file, of a
        transcript (`read_words`) or spread evenly (`spread_words`).

    Returns
    -------
    FeatureTable of n_rows rows
        Times are seconds from the start of the utterance. Quality has ``<modality>_estimated``, the share of the row's
        words whose times were only spread. A row is missing where its number of words is not the transcript's.

    Raises
    ------
    ValueError
        If a column is not there, two utterances have the same place, or no word belongs to any.

    Examples
    --------
    >>> from featmer.transcripts import spread_words
    >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "text": ["I never"], "start": [2.0], "end": [5.0]})
    >>> table = FeatureTable(segments, {"text": Block([np.array([[0.1], [0.7]])], ["text.force"])})
    >>> place_words(table, spread_words(segments)).blocks["text"].times
    [array([0.25, 1.75])]
    """
    unplaced = [name for name, block in table.blocks.items() if block.is_sequence and block.frame_times is None]
    if not unplaced:
        return table
    words, rows = match_words(table.segments, words)
    counts = np.bincount(rows, minlength=len(table))
    starts = table.segments.get("start", pd.Series(0.0, range(len(table)))).fillna(0.0).to_numpy(float)
    middles = words[["start", "end"]].mean(axis=1).to_numpy() - starts[rows]
    placed = {name: _place(table.blocks[name], middles, counts) for name in unplaced}
    if "estimated" in words:
        estimated = words["estimated"].astype(float).groupby(rows).mean().reindex(range(len(table))).to_numpy()
        for name, block in placed.items():
            quality = pd.DataFrame(index=range(len(table))) if block.quality is None else block.quality
            block.quality = quality.assign(**{f"{name}_estimated": estimated})
    provenance = {**table.provenance, "placed": unplaced}
    return FeatureTable(table.segments, {**table.blocks, **placed}, provenance=provenance)


def _place(block: Block, middles: NDArray[np.float64], counts: NDArray[np.int64]) -> Block:
    """Give a block's frames the times of the words, of which row i has counts[i]."""
    fits = (block.lengths == counts) & ~block.missing
    told = [
        reason or ("" if fit else f"{length} words in the text, {count} in the transcript")
        for reason, fit, length, count in zip(block.reasons, fits, block.lengths, counts, strict=True)
    ]
    lengths = np.where(fits, counts, 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    frames = block.frames[np.repeat(fits, block.lengths)]
    times = middles[np.repeat(fits, counts)]
    return Block.from_frames(frames, block.names, offsets, frame_times=times, reasons=told, quality=block.quality)
