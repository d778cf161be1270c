"""Features that a corpus comes with, brought to the rows of its segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from featmer.table import Block


def follow_rows(features: pd.DataFrame, rows: pd.Index, source: Path) -> Block:
    """Make a block of features whose index names utterances; a row that is not there is missing.

    Parameters
    ----------
    features : DataFrame of shape (n_utterances, n_features)
        Columns called as the block's features, an index without repetition.
    rows : Index of length n_rows
        Names of the rows wanted, in order.
    source : path
        The file that the features came from, for the reasons.
    """
    reasons = np.where(rows.isin(features.index), "", f"no row in {source.name}")
    return Block(features.reindex(rows).to_numpy(float), features.columns, reasons=reasons.tolist())
