"""What was said before: features of previous turns beside those of each turn, or their words before its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.groups import group_codes
from featmer.table import Block, FeatureTable


def add_context(table: FeatureTable, n_turns: int) -> FeatureTable:
    """Add the features of the previous turns of the same dialogue as blocks.

    Each of the blocks ``context1`` (the turn before), ``context2`` and so on holds all features of that turn and
    whether it had the same speaker (1 or 0). A dialogue's first turns have none: they are missing, with a reason.
    Previous means previous among the rows of this table.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        The turns in any order; sequences are pooled first.
    n_turns : int
        How many turns to look back; 0 adds nothing.

    Returns
    -------
    FeatureTable of n_rows rows
        The same rows with n_turns more blocks.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": ["a", "a"], "turn": [0, 1], "speaker": ["Ann", "Bob"]})
    >>> table = add_context(FeatureTable(segments, {"text": Block([[3.0], [5.0]], ["text.length"])}), 1)
    >>> table.blocks["context1"].names
    ('text.length@-1', 'same_speaker@-1')
    >>> np.asarray(table)
    array([[ 3., nan, nan],
           [ 5.,  3.,  0.]])
    """
    table = table.pool()
    features = np.asarray(table)
    speakers = table.segments["speaker"] if "speaker" in table.segments else pd.Series(np.nan, range(len(table)))
    blocks = dict(table.blocks)
    for lag, earlier in enumerate(_previous_rows(table.segments, n_turns), start=1):
        there = earlier >= 0
        same = _same_speaker(speakers, earlier)
        values = np.where(there[:, None], np.column_stack([features[earlier], same]), np.nan)
        names = [f"{name}@-{lag}" for name in [*table.feature_names, "same_speaker"]]
        reasons = np.where(there, "", f"no turn {lag} before")
        blocks[f"context{lag}"] = Block(values, names, reasons=reasons.tolist())
    return FeatureTable(table.segments, blocks, provenance=table.provenance)


def with_previous_turns(
    segments: pd.DataFrame, turns: int = 2, *, speakers: str | None = "names", separator: str = " | "
) -> pd.DataFrame:
    """Put what was said before, and by whom, into the text of each turn.

    ``"Ann: Did you win? | Bob: I lost it."`` is the text of Bob's turn: previous turns of the same dialogue, the
    oldest first, and then its own. Text extractors then describe it, and cache it, as any other text.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        A row an utterance, in any order, with ``text``; previous means previous among these rows.
    turns : int, default=2
        How many turns to look back; a turn without text counts, but says nothing.
    speakers : {"names", "numbers"} or None, default="names"
        How a turn's speaker is told: by name; by a number in order of the first turn in the dialogue, "Speaker 1", so
        that a model cannot learn names; or not. One that is not known is "Someone".
    separator : str, default=" | "
        What is set between turns; take the one that the model knows, such as ``" </s> "``.

    Returns
    -------
    DataFrame of n_rows rows
        The same rows in the same order. ``own_text`` keeps the text of the turn alone; where that is missing, so is
        ``text``, for what others said is no utterance.

    Raises
    ------
    ValueError
        If there is no text column, turns is negative, or texts hold previous turns already.

    Examples
    --------
    >>> said = {"dialogue": "a", "turn": [0, 1], "speaker": ["Ann", "Bob"], "text": ["Did you win?", "I lost it."]}
    >>> with_previous_turns(pd.DataFrame(said))["text"].tolist()
    ['Ann: Did you win?', 'Ann: Did you win? | Bob: I lost it.']
    >>> with_previous_turns(pd.DataFrame(said), 1, speakers=None, separator=" ")["text"].tolist()
    ['Did you win?', 'Did you win? I lost it.']
    """
    if speakers is not None:
        check_name(speakers, ("names", "numbers"), "way to tell speakers")
    if turns < 0:
        raise ValueError(f"Got turns={turns}, expected how many turns to look back, 0 or more.")
    if "text" not in segments or "own_text" in segments:
        found = "have no column 'text'" if "text" not in segments else "hold previous turns already ('own_text')"
        raise ValueError(f"The segments {found}; give the segments of a corpus with their own texts.")
    said = [text if isinstance(text, str) and text.strip() else None for text in segments["text"]]
    told = [text and tag + text for tag, text in zip(_speaker_tags(segments, speakers), said, strict=True)]
    earlier = _previous_rows(segments, turns)[::-1]
    texts = []
    for row, text in enumerate(told):
        before = [told[rows[row]] for rows in earlier if rows[row] >= 0]
        texts.append(text and separator.join([*filter(None, before), text]))
    joined = segments.assign(text=pd.Series(texts, segments.index, dtype=object), own_text=segments["text"])
    joined.attrs = dict(segments.attrs)
    return joined


def _speaker_tags(segments: pd.DataFrame, speakers: str | None) -> list[str]:
    """Return what comes before the text of each row."""
    if speakers is None:
        return [""] * len(segments)
    names = segments.get("speaker", pd.Series(None, segments.index, dtype=object)).reset_index(drop=True)
    if speakers == "names":
        return ["Someone: " if pd.isna(name) else f"{name}: " for name in names]
    in_turn = segments.reset_index(drop=True).sort_values("turn", kind="stable").index
    dialogues = names[in_turn].groupby(group_codes(segments)[in_turn])
    numbers = dialogues.transform(lambda own: pd.factorize(own)[0] + 1).sort_index()
    return [f"Speaker {number}: " if number else "Someone: " for number in numbers]


def _previous_rows(segments: pd.DataFrame, n_turns: int) -> list[NDArray[Any]]:
    """Return, for 1 to n_turns turns back, each row's earlier row of the same dialogue, or -1."""
    rows = pd.Series(range(len(segments)), dtype=int)
    in_turn = segments.reset_index(drop=True).sort_values("turn", kind="stable").index
    dialogues = rows[in_turn].groupby(group_codes(segments)[in_turn])
    return [dialogues.shift(lag, fill_value=-1).sort_index().to_numpy() for lag in range(1, n_turns + 1)]


def _same_speaker(speakers: pd.Series, earlier: NDArray[Any]) -> NDArray[np.float64]:
    """Return 1 where the earlier row has the same speaker, 0 where another, NaN where one is unknown."""
    before = speakers.iloc[earlier].to_numpy()
    known = speakers.notna().to_numpy() & pd.notna(before)
    return np.where(known, speakers.to_numpy() == before, np.nan)
