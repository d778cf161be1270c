"""MELD, emotion in the multi-party dialogues of a television series, as its authors released it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from featmer.corpora._files import join_parts
from featmer.corpora.manifest import read_annotations
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {
    "emotion": LABEL_SPACES["meld"].labels,
    "sentiment": ("neutral", "positive", "negative"),
}


class _Part(NamedTuple):
    """One official split: how its annotation file, its unpacked archive and its folder of clips are called."""

    split: str
    annotations: str
    archive: str
    clips: str


_PARTS = (
    _Part("train", "train_sent_emo.csv", "train", "train_splits"),
    _Part("valid", "dev_sent_emo.csv", "dev", "dev_splits_complete"),
    _Part("test", "test_sent_emo.csv", "test", "output_repeated_splits_test"),
)

# Reported in the issues of github.com/declare-lab/MELD, by number: (dialogue, turn) -> what is wrong.
NO_CLIP = {
    ("train_dia125", 3): "the published file cannot be decoded (#39, #52)",
    ("valid_dia110", 7): "no file was published (#22, #27)",
}
WRONGLY_CUT = {
    ("train_dia309", 0): "wrongly cut, and its text describes the scene (#20)",
    ("test_dia38", 4): "wrongly cut, about five minutes long (#20)",
    ("test_dia220", 0): "wrongly cut, about four minutes of other people (#20)",
}


def load_meld(root: str | Path) -> pd.DataFrame:
    """Read MELD's three annotation files, and the paths of the clips if there.

    Dialogues are numbered anew in each split, so that they are called ``train_dia0``, ``valid_dia0``, ``test_dia0``.

    Parameters
    ----------
    root : path
        Folder of ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and ``test_sent_emo.csv``, and optionally of
        ``train_splits``, ``dev_splits_complete`` and ``output_repeated_splits_test`` with the clips
        ``dia0_utt0.mp4``; each may lie in a folder ``train``, ``dev`` or ``test``, as unpacking the archives leaves it.

    Returns
    -------
    DataFrame of 13,708 rows
        Segments with ``emotion``, ``sentiment``, ``season``, ``episode``, ``episode_start`` and ``episode_end``
        (seconds in the episode; the clips are whole files, so ``start`` and ``end`` are missing) and ``clip_note``
        (what is known to be wrong with a clip). Clips known to be unusable have no ``video``.

    Raises
    ------
    FileNotFoundError
        If an annotation file is not there.
    SegmentsError
        Naming every fault with file and line.

    References
    ----------
    Poria et al., "MELD: A multimodal multi-party dataset for emotion recognition in conversations", ACL 2019.

    Examples
    --------
    >>> load_meld("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: train_sent_emo.csv is neither in nowhere nor in nowhere/train; ...
    """
    root = Path(root)
    return join_parts([_load_part(root, part) for part in _PARTS], root)


def _load_part(root: Path, part: _Part) -> pd.DataFrame:
    """Read one split."""
    folders = [folder for folder in (root, root / part.archive) if (folder / part.annotations).is_file()]
    if not folders:
        raise FileNotFoundError(
            f"{part.annotations} is neither in {root} nor in {root / part.archive}; "
            "give the folder of MELD's three *_sent_emo.csv files."
        )
    source = folders[0] / part.annotations
    rows = read_annotations(source)
    segments = pd.DataFrame(
        {
            "corpus": "meld",
            "dialogue": part.split + "_dia" + rows["Dialogue_ID"].astype(str),
            "turn": rows["Utterance_ID"],
            "speaker": rows["Speaker"],
            "start": float("nan"),
            "end": float("nan"),
            "video": _clip_paths(root, part, rows),
            "text": rows["Utterance"],
            "split": part.split,
            "emotion": rows["Emotion"],
            "sentiment": rows["Sentiment"],
            "season": rows["Season"],
            "episode": rows["Episode"],
            "episode_start": _seconds(rows["StartTime"]),
            "episode_end": _seconds(rows["EndTime"]),
        }
    )
    turns = pd.MultiIndex.from_frame(segments[["dialogue", "turn"]])
    segments["clip_note"] = pd.Series({**NO_CLIP, **WRONGLY_CUT}, dtype=str).reindex(turns).to_numpy()
    segments["video"] = segments["video"].mask(turns.isin(list(NO_CLIP)))
    return mend_segments(segments, root=root, labels=LABELS, source=source)


def _clip_paths(root: Path, part: _Part, rows: pd.DataFrame) -> pd.Series:
    """Return the clips' paths relative to the root; missing where the split's folder is not there."""
    folders = [folder for folder in (Path(part.clips), Path(part.archive, part.clips)) if (root / folder).is_dir()]
    if not folders:
        return pd.Series(None, index=rows.index, dtype=str)
    numbers = rows[["Dialogue_ID", "Utterance_ID"]].astype(str)
    return folders[0].as_posix() + "/dia" + numbers["Dialogue_ID"] + "_utt" + numbers["Utterance_ID"] + ".mp4"


def _seconds(times: pd.Series) -> pd.Series:
    """Return "00:16:16,059" as 976.059."""
    return pd.to_timedelta(times.str.replace(",", "."), errors="coerce").dt.total_seconds()
