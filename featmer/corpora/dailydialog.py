"""DailyDialog, written conversations of learners of English, with emotion and act of each turn."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from featmer.corpora._files import find_file, join_parts, read_text
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

logger = logging.getLogger(__name__)

LABELS = {
    "emotion": LABEL_SPACES["dailydialog"].labels,
    "act": ("inform", "question", "directive", "commissive"),
}

_END = "__eou__"
_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
# Which label a number means: emotions count from 0, acts from 1.
_NUMBERS = {
    column: {str(number): label for number, label in enumerate(labels, first)}
    for (column, labels), first in zip(LABELS.items(), (0, 1), strict=True)
}


def load_dailydialog(root: str | Path) -> pd.DataFrame:
    """Read DailyDialog's three parts.

    Parameters
    ----------
    root : path
        The folder that the authors' archive makes, ``ijcnlp_dailydialog``, with the three archives in it unpacked:
        ``train/dialogues_train.txt``, ``train/dialogues_emotion_train.txt``, ``train/dialogues_act_train.txt``, and the
        same for ``validation`` and ``test``.

    Returns
    -------
    DataFrame of about 103,000 rows
        Segments of 13,118 dialogues called ``train_0`` and so on; two speakers, ``A`` and ``B``, take turns.
        ``emotion``, of which five in six are "no emotion", and ``act``. Where a dialogue has not as many labels as
        turns (one in train), they are missing, and ``attrs["faults"]`` says so. Some dialogues of test are in train,
        too.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If files that belong together have not the same number of lines, or a number is no label: with file and line.

    References
    ----------
    Li, Su, Shen, Li, Cao, Niu, "DailyDialog: A manually labelled multi-turn dialogue dataset", IJCNLP 2017.
    Layout: yanran.li/dailydialog, its readme.txt.

    Examples
    --------
    >>> load_dailydialog("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/train/dialogues_train.txt or ... is not there; give the folder that holds it.
    """
    return join_parts([_load_part(Path(root), split, part) for split, part in _SPLITS.items()], root)


def _load_part(root: Path, split: str, part: str) -> pd.DataFrame:
    """Read one split."""
    names = {"text": f"dialogues_{part}.txt", **{kind: f"dialogues_{kind}_{part}.txt" for kind in LABELS}}
    paths = {kind: find_file(root, f"{part}/{name}", f"{part}/{part}/{name}", name) for kind, name in names.items()}
    lines = {kind: read_text(path).rstrip("\n").split("\n") for kind, path in paths.items()}
    for kind in LABELS:
        if len(lines[kind]) != len(lines["text"]):
            raise ValueError(
                f"{paths[kind]} has {len(lines[kind])} lines; expected {len(lines['text'])}, as {paths['text']} has."
            )
    rows: list[dict[str, Any]] = []
    faults: list[dict[str, Any]] = []
    for number, text in enumerate(lines["text"]):
        turns = [turn.strip() for turn in text.split(_END) if turn.strip()]
        labels = {kind: _read_labels(lines[kind][number], kind, paths[kind], number + 1) for kind in LABELS}
        for kind in [kind for kind in LABELS if len(labels[kind]) != len(turns)]:
            faults.append(_mismatch(paths[kind], number + 1, kind, len(labels[kind]), len(turns)))
            labels[kind] = [None] * len(turns)
        rows += _rows(f"{split}_{number}", split, turns, labels)
    segments = mend_segments(pd.DataFrame(rows), root=root, labels=LABELS)
    segments.attrs["faults"] += faults
    return segments


def _read_labels(line: str, kind: str, path: Path, number: int) -> list[str | None]:
    """Return the labels of a dialogue from their numbers."""
    try:
        return [_NUMBERS[kind][each] for each in line.split()]
    except KeyError as error:
        raise ValueError(
            f"{path}, line {number}: {error.args[0]!r} is no number of a label; expected {', '.join(_NUMBERS[kind])}."
        ) from error


def _mismatch(path: Path, line: int, column: str, found: int, expected: int) -> dict[str, Any]:
    """Return and log the fault that a dialogue has not as many labels as turns."""
    problem = f"are the labels of {expected} turns, and therefore left out"
    logger.warning("%s, line %d, %s: %d %s", path, line, column, found, problem)
    return {
        "source": str(path), "row": line, "column": column, "value": str(found), "problem": problem, "suggestion": "",
    }  # fmt: skip


def _rows(dialogue: str, split: str, turns: list[str], labels: dict[str, list[str | None]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a dialogue."""
    for turn, text in enumerate(turns):
        yield {
            "corpus": "dailydialog",
            "dialogue": dialogue,
            "turn": turn,
            "speaker": "AB"[turn % 2],
            "text": text,
            "split": split,
            **{kind: labels[kind][turn] for kind in labels},
        }
