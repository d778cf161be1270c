"""CMU-MOSI, opinions in video monologues: words, 73 numbers of the voice, and sentiment from -3 to 3."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from featmer._checks import check_name
from featmer.corpora._features import follow_rows
from featmer.corpora._files import find_file
from featmer.corpora.manifest import read_annotations
from featmer.segments import mend_segments
from featmer.table import Block

LABELS = {"polarity": ("negative", "positive")}
SPLITS = ("poria", "sdk")

_ANNOTATIONS = "mosi_text_audio.csv"
_AUDIO = "mosi_audio73.npz"


def load_mosi(root: str | Path, *, splits: Literal["poria", "sdk"] = "poria") -> pd.DataFrame:
    """Read CMU-MOSI's annotations; a monologue is a dialogue of one speaker.

    Parameters
    ----------
    root : path
        Folder of ``mosi_text_audio.csv``.
    splits : {"poria", "sdk"}, default="poria"
        Whose official parts: those of Poria et al. (62 monologues to train on, 31 to test on, none for validation), or
        of the CMU multimodal SDK (52, 10 for validation, 31). A copy without the SDK's test part has none by it.

    Returns
    -------
    DataFrame of n_rows rows
        Segments with ``text`` (capitals, no punctuation), ``sentiment`` (mean of five annotators, -3 to 3) and
        ``polarity`` ("positive" from 0 on).

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    ValueError
        If ``splits`` is neither.
    SegmentsError
        Naming every fault with its line.

    References
    ----------
    Zadeh, Zellers, Pincus, Morency, "MOSI: Multimodal corpus of sentiment intensity and subjectivity analysis in online
    opinion videos", arXiv:1606.06259, 2016.
    Poria, Cambria, Hazarika, Majumder, Zadeh, Morency, "Context-dependent sentiment analysis in user-generated
    videos", ACL 2017.

    Examples
    --------
    >>> load_mosi("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/mosi_text_audio.csv is not there; give the folder that holds it.
    """
    check_name(splits, SPLITS, "splits")
    source = find_file(root, _ANNOTATIONS)
    rows = read_annotations(source)
    segments = pd.DataFrame(
        {
            "corpus": "mosi",
            "dialogue": rows["video"],
            "turn": rows["utt"],
            "speaker": rows["video"],
            "text": rows["text"],
            "split": rows[f"{splits}_split"],
            "sentiment": rows["sentiment"].astype(float),
            "polarity": np.where(rows["sentiment"] >= 0, "positive", "negative"),
        }
    )
    return mend_segments(segments, root=root, labels=LABELS, source=source)


def load_mosi_features(root: str | Path, segments: pd.DataFrame) -> Block:
    """Read openSMILE's numbers of the voice as a block.

    Parameters
    ----------
    root : path
        Folder of ``mosi_audio73.npz``, with arrays ``id`` (n_utterances names, video and turn) and ``audio``
        (n_utterances, 73).
    segments : DataFrame of n_rows rows
        What `load_mosi` returned, or some of its rows in any order.

    Returns
    -------
    Block of n_rows rows
        Modality audio; the features have numbers, ``audio.opensmile.00``, for their names were not published.

    Raises
    ------
    FileNotFoundError
        If the table is not there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder) / "mosi_audio73.npz", id=["2iD-tVS8NPw_1"], audio=[[198.2]])
    ...     block = load_mosi_features(folder, pd.DataFrame({"dialogue": ["2iD-tVS8NPw"] * 2, "turn": [2, 1]}))
    >>> block.names, block.values.ravel().tolist(), block.reasons[0]
    (('audio.opensmile.00',), [nan, 198.2], 'no row in mosi_audio73.npz')
    """
    source = Path(root) / _AUDIO
    with np.load(source, allow_pickle=False) as arrays:
        names = [f"audio.opensmile.{number:02d}" for number in range(arrays["audio"].shape[1])]
        features = pd.DataFrame(arrays["audio"], arrays["id"], names)
    rows = pd.Index(segments["dialogue"] + "_" + segments["turn"].astype(str))
    return follow_rows(features, rows, source)
