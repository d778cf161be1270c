"""MELD's dev part as vectors of text and sound that others computed by models fine-tuned on MELD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.corpora._features import follow_rows
from featmer.corpora.meld import LABELS
from featmer.segments import mend_segments
from featmer.table import Block

# Arrays of the file -> how their features are called.
ARRAYS = {"text_roberta_base": "text.roberta_base", "audio_wav2vec2": "audio.wav2vec2", "audio_mel": "audio.mel"}

_FILES = "meld_dev*_feats.npz"


def load_meld_feats(root: str | Path) -> pd.DataFrame:
    """Read which utterances of MELD's dev part there are features of.

    Parameters
    ----------
    root : path
        Folder of ``meld_dev_feats.npz``, or of parts of it such as ``meld_dev_even_feats.npz``.

    Returns
    -------
    DataFrame of n_rows rows
        Segments with ``emotion`` and ``sentiment``; dialogues are called ``valid_dia0`` as `load_meld` calls them.
        There is no split: all rows are of the official dev part. Split by dialogue.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SegmentsError
        Naming every fault, repeated turns among them.

    Examples
    --------
    >>> load_meld_feats("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: No meld_dev*_feats.npz in nowhere; give the folder that holds it.
    """
    segments = pd.DataFrame(
        {
            "corpus": "meld_feats",
            **dict(zip(("dialogue", "turn"), _read_key(root), strict=True)),
            **{column: _read(root, column) for column in ("speaker", "emotion", "sentiment")},
        }
    )
    return mend_segments(segments, root=root, labels=LABELS)


def load_meld_feats_features(root: str | Path, segments: pd.DataFrame, array: str) -> Block:
    """Read one of the arrays of features as a block.

    Parameters
    ----------
    root : path
        The folder given to `load_meld_feats`.
    segments : DataFrame of n_rows rows
        What `load_meld_feats` returned, or some of its rows in any order.
    array : {"text_roberta_base", "audio_wav2vec2", "audio_mel"}
        Which: 768 values of text, 768 of sound, or 300 of a mel spectrogram.

    Returns
    -------
    Block of n_rows rows
        Features called ``text.roberta_base.000`` and so on.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the array is none of these.

    Notes
    -----
    RoBERTa and wav2vec 2.0 were fine-tuned on MELD's train part, and the best epoch was probably chosen on this very
    dev part. The text vector of an utterance has seen the one before it **and the one after it**. So scores on these
    features are higher than those of a system that must not look ahead, and a context head finds less to add.

    Examples
    --------
    >>> load_meld_feats_features("nowhere", pd.DataFrame(), "text")
    Traceback (most recent call last):
    ValueError: Unknown array 'text', ...
    """
    check_name(array, ARRAYS, "array")
    values = _read(root, array)
    names = [f"{ARRAYS[array]}.{number:03d}" for number in range(values.shape[1])]
    features = pd.DataFrame(values, pd.MultiIndex.from_arrays(_read_key(root)), names)
    rows = pd.MultiIndex.from_frame(segments[["dialogue", "turn"]])
    return follow_rows(features, rows, Path(root, _FILES))


def _read_key(root: str | Path) -> tuple[list[str], NDArray[np.int64]]:
    """Return dialogue and turn of each row of the files."""
    return [f"valid_dia{number}" for number in _read(root, "dialogue_id")], _read(root, "utterance_id")


def _read(root: str | Path, array: str) -> NDArray:
    """Return an array of all files, one after the other."""
    files = sorted(Path(root).glob(_FILES))
    if not files:
        raise FileNotFoundError(f"No {_FILES} in {root}; give the folder that holds it.")
    return np.concatenate([np.load(file, allow_pickle=False)[array] for file in files])
