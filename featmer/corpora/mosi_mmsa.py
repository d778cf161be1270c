"""CMU-MOSI with words, voice and face as the MMSA project publishes it: 2,199 opinions in video monologues."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from featmer.corpora import _mmsa

LABELS = _mmsa.LABELS


def load_mosi_mmsa(root: str | Path) -> pd.DataFrame:
    """Read CMU-MOSI's converted table.

    Parameters
    ----------
    root : path
        Folder of ``mosi_mmsa.parquet``, which `convert_mmsa` makes of MMSA's ``unaligned_50.pkl``.

    Returns
    -------
    DataFrame of 2,199 rows
        Segments; a video is a dialogue. ``sentiment`` from -3 to 3, ``polarity`` (its sign).
        ``split`` has the official 1,284, 229 and 686 rows.

    Raises
    ------
    FileNotFoundError
        If the table is not there; the message says how to make it.

    References
    ----------
    Zadeh, Zellers, Pincus, Morency, "MOSI: Multimodal corpus of sentiment intensity and subjectivity analysis in online
    opinion videos", arXiv:1606.06259, 2016.

    Examples
    --------
    >>> load_mosi_mmsa("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/mosi_mmsa.parquet is not there; make it of MMSA's pickle with ...
    """
    return _mmsa.load_segments(root, "mosi_mmsa")
