"""Scaling that looks at test rows: for comparison with papers that did so, and only by this name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer.groups import group_codes
from featmer.table import Block, FeatureTable


def scale_transductively(table: FeatureTable, by: str = "dialogue") -> FeatureTable:
    """Bring every feature of each dialogue, such as a film, to 0 to 1 by that dialogue's own range.

    **This is transductive:** a row is scaled by all rows of its dialogue, later ones and those of a held-out dialogue
    included. No label is looked at, and no dialogue sees another, but a model can only be used on dialogues that are
    known from end to end. Papers on films do so; whoever compares with them should say so. Without it, estimators scale
    by training rows alone.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        Features of whole dialogues.
    by : {"dialogue", "speaker"}, default="dialogue"
        Whose range it is.

    Returns
    -------
    FeatureTable of n_rows rows
        Scaled, and marked as ``"transductive"`` in its provenance. A feature that is constant within a dialogue is 0
        there; what is missing stays so.

    References
    ----------
    Thao, Herremans, Roig: Multimodal deep models for predicting affective responses evoked by movies. ICCV workshops,
    2019.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": ["Up", "Up", "Her", "Her"], "turn": [0, 1, 0, 1]})
    >>> table = FeatureTable(segments, {"audio": Block([[1.0], [3.0], [50.0], [40.0]], ["audio.loudness"])})
    >>> scaled = scale_transductively(table)
    >>> scaled.blocks["audio"].values.ravel().tolist(), scaled.provenance
    ([0.0, 1.0, 1.0, 0.0], {'transductive': 'each dialogue scaled to its own range'})
    """
    codes = group_codes(table.segments, by)
    blocks = {
        name: Block.from_frames(
            _to_range(block.frames, codes if block.offsets is None else np.repeat(codes, block.lengths)),
            block.names,
            block.offsets,
            frame_times=block.frame_times,
            reasons=block.reasons,
            quality=block.quality,
        )
        for name, block in table.blocks.items()
    }
    provenance = {**table.provenance, "transductive": f"each {by} scaled to its own range"}
    return FeatureTable(table.segments, blocks, provenance=provenance)


def _to_range(frames: NDArray[Any], codes: NDArray[np.int64]) -> NDArray[Any]:
    """Scale the rows of each group to 0 to 1."""
    groups = pd.DataFrame(frames).groupby(codes)
    low = groups.transform("min").to_numpy()
    span = groups.transform("max").to_numpy() - low
    return (frames - low) / np.where(span > 0, span, 1)
