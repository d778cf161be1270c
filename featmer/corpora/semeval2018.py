"""SemEval-2018 task 1, subtask E-c: tweets in Arabic, English or Spanish with any of eleven emotions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from featmer._checks import check_name
from featmer.corpora._files import find_file, join_parts, read_tabs
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {"labels": LABEL_SPACES["semeval2018"].labels}
LANGUAGES = {"ar": "Arabic", "en": "English", "es": "Spanish"}

_COLUMNS = ("ID", "Tweet", *LABELS["labels"])
_UNKNOWN = "NONE"  # where the labels of test tweets were withheld


def load_semeval2018(root: str | Path, *, language: Literal["ar", "en", "es"] = "ar") -> pd.DataFrame:
    r"""Read the tweets of one language.

    Parameters
    ----------
    root : path
        The folder that the organisers' archive makes (with ``Arabic/E-c/2018-E-c-Ar-train.txt`` and so on) or one that
        holds these files; or one of ``ar_train.txt`` and ``ar_test.txt``, in which train and dev parts are joined.
    language : {"ar", "en", "es"}, default="ar"
        Which tweets.

    Returns
    -------
    DataFrame of n_tweets rows
        Segments, a tweet a row and a dialogue of its own, with ``labels.<label>`` of eleven emotions, missing where
        they were withheld. Ends of lines in tweets, which the files write ``\n``, are ends of lines.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If there is no such language, or a line has not 13 fields, repeats a tweet, or has another label than 0 and 1:
        with file and line.

    References
    ----------
    Mohammad, Bravo-Marquez, Salameh, Kiritchenko, "SemEval-2018 task 1: Affect in tweets", SemEval 2018.

    Examples
    --------
    >>> load_semeval2018("nowhere", language="fr")
    Traceback (most recent call last):
    ValueError: Unknown language 'fr', ...
    """
    check_name(language, LANGUAGES, "language")
    parts = [_load_part(find_file(root, *names), split) for split, names in _file_names(Path(root), language).items()]
    return join_parts(parts, root)


def _file_names(root: Path, language: str) -> dict[str, list[str]]:
    """Return what the file of each split may be called."""
    names = {"train": [f"{language}_train.txt"], "test": [f"{language}_test.txt"]}
    if any((root / joined).is_file() for joined, *_ in names.values()):
        return names
    official = {"train": ["train"], "valid": ["dev"], "test": ["test-gold", "test"]}
    return {
        split: [
            f"{folder}2018-E-c-{language.title()}-{part}.txt"
            for part in parts
            for folder in ("", f"{LANGUAGES[language]}/E-c/", "E-c/")
        ]
        for split, parts in official.items()
    }


def _load_part(source: Path, split: str) -> pd.DataFrame:
    """Read one split."""
    rows = read_tabs(source, _COLUMNS, key="ID")
    marks = rows[list(LABELS["labels"])].replace({"0": 0.0, "1": 1.0, _UNKNOWN: float("nan")})
    for line in marks.index[marks.map(lambda mark: isinstance(mark, str)).any(axis=1)]:
        found = rows.loc[line, list(LABELS["labels"])].tolist()
        raise ValueError(f"{source}, line {line}: the labels are {found}; expected 0 or 1 each.")
    frame = pd.DataFrame({"corpus": "semeval2018", "dialogue": rows["ID"], "turn": 0})
    frame["text"] = rows["Tweet"].str.replace(r"\n", "\n", regex=False).str.strip()
    whole = marks.notna().to_numpy().all()
    return mend_segments(
        frame.assign(split=split).join(marks.astype(int if whole else float).add_prefix("labels.")), root=source.parent
    )
