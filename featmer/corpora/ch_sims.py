"""CH-SIMS, 2,281 clips of Chinese films and shows with a sentiment for each modality, as MMSA publishes it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from featmer.corpora import _mmsa

LABELS = _mmsa.LABELS


def load_ch_sims(root: str | Path) -> pd.DataFrame:
    """Read CH-SIMS's converted table.

    Parameters
    ----------
    root : path
        Folder of ``ch_sims.parquet``, which `convert_mmsa` makes of MMSA's ``unaligned_39.pkl``.

    Returns
    -------
    DataFrame of 2,281 rows
        Segments; a video is a dialogue. ``sentiment`` from -1 to 1, the same of raters who had the text, the sound or
        the picture alone in ``sentiment_text``, ``sentiment_audio`` and ``sentiment_face``, and ``polarity`` (the sign
        of the first). ``split`` has the official 1,368, 456 and 457 rows, which divide videos; "by_dialogue" keeps
        these whole.

    Raises
    ------
    FileNotFoundError
        If the table is not there; the message says how to make it.

    References
    ----------
    Yu et al., "CH-SIMS: A Chinese multimodal sentiment analysis dataset with fine-grained annotation of modality", ACL
    2020.

    Examples
    --------
    >>> load_ch_sims("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/ch_sims.parquet is not there; make it of MMSA's pickle with ...
    """
    return _mmsa.load_segments(root, "ch_sims")
