"""MEISD, dialogues of ten television series with up to three emotions an utterance, each with its intensity."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from featmer.corpora._files import find_file, label_columns, read_strings
from featmer.labels import LABEL_SPACES
from featmer.segments import describe_faults, find_faults, mend_segments

logger = logging.getLogger(__name__)

_EMOTIONS = ("emotion", "emotion2", "emotion3")
_INTENSITIES = ("intensity", "intensity2", "intensity3")

LABELS = {
    **dict.fromkeys(_EMOTIONS, LABEL_SPACES["meisd"].labels),
    **dict.fromkeys(_INTENSITIES, ("1", "2", "3")),
    "sentiment": ("negative", "neutral", "positive"),
}

_COLUMNS = ("TV Series", "seasons", "episodes", "dialog_ids", "uttr_ids", "Utterances", "start_times", "end_times")
_FILE = "MEISD_text.csv"


def load_meisd(root: str | Path) -> pd.DataFrame:
    """Read MEISD's transcripts and labels as they were typed, misspelt ones mended.

    Parameters
    ----------
    root : path
        Folder of ``MEISD_text.csv``.

    Returns
    -------
    DataFrame of 20,017 rows, or fewer of a part
        Segments; a dialogue is called by series, season, episode and number, ``GOT-1-8-329``, for numbers repeat.
        ``emotion``, ``emotion2`` and ``emotion3`` in the order given, each with ``intensity`` (1 to 3; none for
        neutral), and the same as a set in ``labels.<label>``; ``sentiment``; ``episode_start`` and ``episode_end``
        (seconds in the episode). Case and outer blanks of labels do not count. ``attrs["faults"]`` lists labels that
        were mended ("faer"), those that are unlike any ("df") and therefore missing, and numbers of turns that repeat,
        in whose dialogues turns are numbered in the order of the file. There is no official split: split by dialogue.

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    SegmentsError
        Naming every other fault with its line.

    References
    ----------
    Firdaus, Chauhan, Ekbal, Bhattacharyya, "MEISD: A multimodal multi-label emotion, intensity and sentiment dialogue
    dataset for emotion recognition and sentiment analysis in conversations", COLING 2020.

    Examples
    --------
    >>> load_meisd("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/MEISD_text.csv is not there; give the folder that holds it.
    """
    source = find_file(root, _FILE)
    rows = read_strings(source, columns=(*_COLUMNS, *LABELS))
    segments = pd.DataFrame(
        {
            "corpus": "meisd",
            "dialogue": rows["TV Series"].str.cat(rows[["seasons", "episodes", "dialog_ids"]], sep="-", na_rep="?"),
            "turn": rows["uttr_ids"],
            "text": rows["Utterances"],
            "episode_start": _seconds(rows["start_times"]),
            "episode_end": _seconds(rows["end_times"]),
            **{column: rows[column].str.strip().str.lower() for column in LABELS},
        }
    )
    faults = find_faults(segments, labels=LABELS, source=source)
    unreadable = faults[(faults["suggestion"] == "") & faults["column"].isin([*LABELS, "turn"])]
    segments = _number_anew(_blank(segments, unreadable), unreadable)
    mended = mend_segments(segments, root=root, labels=LABELS, source=source)
    mended.attrs["faults"] += unreadable.astype(object).to_dict("records")
    for line in describe_faults(unreadable):
        logger.warning("left out: %s", line)
    sets = [set(row) for row in zip(*(mended[column].tolist() for column in _EMOTIONS), strict=True)]
    numbers = {column: mended[column].astype(float) for column in _INTENSITIES}
    joined = mended.assign(**numbers).join(label_columns(sets, LABELS["emotion"]))
    joined.attrs = mended.attrs
    return joined


def _blank(segments: pd.DataFrame, unreadable: pd.DataFrame) -> pd.DataFrame:
    """Return the frame without labels that are unlike any."""
    blanked = segments.copy()
    for column, group in unreadable[unreadable["column"] != "turn"].groupby("column"):
        blanked[column] = blanked[column].mask(blanked[column].isin(group["value"]))
    return blanked


def _number_anew(segments: pd.DataFrame, unreadable: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with turns numbered in the order of the file in dialogues where a number repeats or is none."""
    rows = unreadable.loc[unreadable["column"] == "turn", "row"].astype(int) - 2
    wrong = segments["dialogue"].isin(segments["dialogue"].iloc[rows])
    return segments.assign(turn=segments["turn"].mask(wrong, segments.groupby("dialogue").cumcount().astype(str)))


def _seconds(times: pd.Series) -> pd.Series:
    """Return "00:02:27:589" as 147.589."""
    return pd.to_timedelta(times.str.replace(r"[:,](?=\d+$)", ".", regex=True), errors="coerce").dt.total_seconds()
