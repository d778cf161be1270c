"""Which rows belong together: the numbers of their dialogues or speakers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._checks import check_name


def group_codes(segments: pd.DataFrame, by: str = "dialogue") -> NDArray[np.int64]:
    """Give each row the number of its dialogue or speaker; equal names in two corpora are two dialogues.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        The rows.
    by : {"dialogue", "speaker", "row"} or the name of a column, default="dialogue"
        What to number.

    Returns
    -------
    ndarray of int of shape (n_rows,)
        Numbers from 0, sorted by name, so that they do not depend on the order of the rows.

    Raises
    ------
    ValueError
        If the column is not there or not known in every row.

    Examples
    --------
    >>> group_codes(pd.DataFrame({"corpus": ["x", "y", "y"], "dialogue": [1, 1, 1], "turn": [0, 0, 1]})).tolist()
    [0, 1, 1]
    """
    check_name(by, {"dialogue", "speaker", "row", *map(str, segments.columns)}, "group")
    if by == "row":
        return np.arange(len(segments), dtype=np.int64)
    unknown = int(segments[by].isna().sum()) if by in segments else len(segments)
    if unknown:
        raise ValueError(f"{unknown} of {len(segments)} rows have no {by}; fill the column, or split otherwise.")
    keys = [column for column in dict.fromkeys(("corpus", by)) if column in segments]
    return np.asarray(segments.groupby(keys, dropna=False).ngroup(), dtype=np.int64)
