"""EmotionLines, dialogues of the series Friends with five votes an utterance."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from featmer.corpora._files import find_file, join_parts, mend_controls, read_json
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {"emotion": LABEL_SPACES["emotionlines"].labels}

# Written where no emotion has most votes; the votes say it better.
_UNDECIDED = "non-neutral"
_VOTES = re.compile(rf"\d{{{len(LABELS['emotion'])}}}")
_FIELDS = ("speaker", "utterance", "emotion", "annotation")
_FILES = {"train": "friends_train.json", "valid": "friends_dev.json", "test": "friends_test.json"}


def load_emotionlines(root: str | Path) -> pd.DataFrame:
    """Read EmotionLines' dialogues of Friends.

    Parameters
    ----------
    root : path
        Folder of ``friends_train.json``, ``friends_dev.json`` and ``friends_test.json``.

    Returns
    -------
    DataFrame of 14,503 rows
        Segments; dialogues are called ``train_0`` and so on. ``emotion`` is what more than half of five voters chose
        and missing where there is no such label (the files say "non-neutral"); ``votes.<label>`` are the votes. MELD
        has the same dialogues in the same parts, annotated anew.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If a file is no list of dialogues, or an utterance lacks a field or its seven digits: with file and place.
    SegmentsError
        If an emotion is unknown and unlike any.

    References
    ----------
    Hsu, Chen, Kuo, Huang, Ku, "EmotionLines: An emotion corpus of multi-party conversations", LREC 2018.

    Examples
    --------
    >>> load_emotionlines("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/friends_train.json is not there; give the folder that holds it.
    """
    return join_parts([_load_part(find_file(root, name), split) for split, name in _FILES.items()], root)


def _load_part(source: Path, split: str) -> pd.DataFrame:
    """Read one split."""
    segments = pd.DataFrame(_utterances(source, split))
    return mend_segments(segments, root=source.parent, labels=LABELS, source=source)


def _utterances(source: Path, split: str) -> Iterator[dict[str, object]]:
    """Yield the rows of a file."""
    for number, dialogue in enumerate(read_json(source)):
        for turn, utterance in enumerate(dialogue):
            place = f"{source}, dialogue {number}, utterance {turn}"
            if not isinstance(utterance, dict):
                raise ValueError(
                    f"{place}: {utterance!r}; expected a list of dialogues, lists of utterances with fields."
                )
            missing = [field for field in _FIELDS if not isinstance(utterance.get(field), str)]
            if missing:
                raise ValueError(f"{place}: no text called {' or '.join(missing)}.")
            votes = utterance["annotation"]
            if not _VOTES.fullmatch(votes):
                raise ValueError(f"{place}: the annotation is {votes!r}; expected seven digits, the votes a label.")
            yield {
                "corpus": "emotionlines",
                "dialogue": f"{split}_{number}",
                "turn": turn,
                "speaker": utterance["speaker"],
                "text": mend_controls(utterance["utterance"]),
                "split": split,
                "emotion": None if utterance["emotion"] == _UNDECIDED else utterance["emotion"],
                **{f"votes.{label}": int(count) for label, count in zip(LABELS["emotion"], votes, strict=True)},
            }
