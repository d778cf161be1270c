"""Which rows belong together: the numbers of their dialogues or speakers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._checks import check_name

Rows = NDArray[np.int64]


def group_codes(segments: pd.DataFrame, by: str = "dialogue") -> Rows:
    """Give each row the number of its dialogue or speaker.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        The rows.
    by : {"dialogue", "speaker", "row"}, default="dialogue"
        What to number.

    Returns
    -------
    ndarray of int of shape (n_rows,)
        Numbers from 0, in order of appearance.

    Raises
    ------
    ValueError
        If the column is not there or not known in every row.

    Examples
    --------
    >>> group_codes(pd.DataFrame({"corpus": ["x", "y", "y"], "dialogue": [1, 1, 1], "turn": [0, 0, 1]})).tolist()
    [0, 1, 1]
    """
    check_name(by, ("dialogue", "speaker", "row"), "group")
    if by == "row":
        return np.arange(len(segments), dtype=np.int64)
    unknown = int(segments[by].isna().sum()) if by in segments else len(segments)
    if unknown:
        raise ValueError(f"{unknown} of {len(segments)} rows have no {by}; fill the column, or split otherwise.")
    keys = [column for column in ("corpus", by) if column in segments]
    return np.asarray(segments.groupby(keys, sort=False, dropna=False).ngroup(), dtype=np.int64)
