"""What was said before: the features of previous turns beside those of each turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
