"""EmoContext, chats of three turns, the last of which is happy, sad, angry or other (SemEval-2019 task 3)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from featmer.corpora._files import find_file, join_parts, read_tabs
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {"emotion": LABEL_SPACES["emocontext"].labels}

_COLUMNS = ("id", "turn1", "turn2", "turn3", "label")
_FILES = {
    "train": ("train.txt",),
    "valid": ("valid.txt", "dev.txt"),
    "test": ("test.txt",),
}


def load_emocontext(root: str | Path) -> pd.DataFrame:
    r"""Read EmoContext; a chat is a dialogue of three rows.

    Parameters
    ----------
    root : path
        Folder of ``train.txt``, ``valid.txt`` (or ``dev.txt``) and ``test.txt``: number, three turns and label between
        tabs, below a header.

    Returns
    -------
    DataFrame of 115,272 rows
        Segments of 38,424 chats called ``train_0`` and so on; speakers are ``A``, who says turns 0 and 2, and ``B``.
        ``emotion`` is that of turn 2, missing for the turns before, which are context. About half of the chats in train
        are "others", and 85 % in the other parts.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If a line has not five fields or repeats a number: with file and line.
    SegmentsError
        If a label is unknown and unlike any.

    References
    ----------
    Chatterjee, Narahari, Joshi, Agrawal, "SemEval-2019 task 3: EmoContext contextual emotion detection in text",
    SemEval 2019.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part in ["train", "valid", "test"]:
    ...         _ = (Path(folder) / f"{part}.txt").write_text("7\tHi\tHello\tI failed\tsad")
    ...     segments = load_emocontext(folder)
    >>> segments.loc[segments["split"] == "test", ["dialogue", "turn", "speaker", "emotion"]].values.tolist()
    [['test_7', 0, 'A', None], ['test_7', 1, 'B', None], ['test_7', 2, 'A', 'sad']]
    """
    return join_parts([_load_part(find_file(root, *names), split) for split, names in _FILES.items()], root)


def _load_part(source: Path, split: str) -> pd.DataFrame:
    """Read one split."""
    rows = read_tabs(source, _COLUMNS, key="id")
    frame = pd.DataFrame({"corpus": "emocontext", "dialogue": f"{split}_" + rows["id"]})
    last = frame.assign(turn=2, speaker="A", text=rows["turn3"], split=split, emotion=rows["label"])
    mended = mend_segments(last, root=source.parent, labels=LABELS, source=source)
    before = [
        mended.assign(turn=turn, speaker="AB"[turn], text=rows[f"turn{turn + 1}"].to_numpy(), emotion=None)
        for turn in (0, 1)
    ]
    segments = pd.concat([*before, mended]).sort_index(kind="stable").reset_index(drop=True)
    segments.attrs = mended.attrs
    return segments
