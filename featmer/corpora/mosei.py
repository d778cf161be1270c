"""CMU-MOSEI, 22,856 opinions in video monologues of a thousand speakers, as the MMSA project publishes it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from featmer.corpora import _mmsa

LABELS = _mmsa.LABELS


def load_mosei(root: str | Path) -> pd.DataFrame:
    """Read CMU-MOSEI's converted table.

    Parameters
    ----------
    root : path
        Folder of ``mosei.parquet``, which `convert_mmsa` makes of MMSA's ``unaligned_50.pkl``.

    Returns
    -------
    DataFrame of 22,856 rows
        Segments; a video is a dialogue. ``sentiment`` from -3 to 3, ``polarity`` (its sign).
        ``split`` has the official 16,326, 1,871 and 4,659 rows.

    Raises
    ------
    FileNotFoundError
        If the table is not there; the message says how to make it.

    References
    ----------
    Zadeh, Liang, Poria, Cambria, Morency, "Multimodal language analysis in the wild: CMU-MOSEI dataset and
    interpretable dynamic fusion graph", ACL 2018.

    Examples
    --------
    >>> load_mosei("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/mosei.parquet is not there; make it of MMSA's pickle with ...
    """
    return _mmsa.load_segments(root, "mosei")
