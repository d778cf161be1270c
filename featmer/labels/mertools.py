"""The wheels that MERTools publishes, read from the user's copy: their licence forbids shipping them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from featmer._checks import require
from featmer.labels.wheels import EmotionWheel

SOURCE = "MERTools, https://github.com/zeroQiaoba/MERTools (for research, not for sale)"
_WHEELS = tuple(f"wheel{number}" for number in range(1, 6))
_RUNS = range(1, 9)


def read_mertools_wheels(folder: str | os.PathLike[str]) -> tuple[EmotionWheel, ...]:
    """Read the five wheels, with the synonyms and word forms, that MER2025 and MER2026 are scored by.

    Parameters
    ----------
    folder : path-like
        The folder ``emotion_wheel`` of MER2026's second track, with ``wheel_mapping.json``, or of MER2025's track 2 and
        3, with ``wheel1.xlsx`` to ``wheel5.xlsx``, ``synonym.xlsx`` and ``format.csv``. The forms of the two differ a
        little, and so do scores, in the third digit; where both are there, the first is read.

    Returns
    -------
    tuple of five EmotionWheel
        "wheel1" to "wheel5".

    Raises
    ------
    FileNotFoundError
        If a file is missing; the message tells which.
    MissingExtra
        If Excel tables are to be read and openpyxl is not installed.

    Examples
    --------
    >>> read_mertools_wheels("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: 'nowhere' has neither wheel_mapping.json nor format.csv, synonym.xlsx, wheel1.xlsx...
    """
    root = Path(folder)
    if (root / "wheel_mapping.json").exists():
        return _read_json(root / "wheel_mapping.json")
    names = ["format.csv", "synonym.xlsx", *(f"{name}.xlsx" for name in _WHEELS)]
    missing = [name for name in names if not (root / name).exists()]
    if missing:
        raise FileNotFoundError(
            f"{str(folder)!r} has neither wheel_mapping.json nor {', '.join(missing)}; "
            "give the folder 'emotion_wheel' of a copy of MERTools."
        )
    require("openpyxl", "wheels")
    tables: dict[str, Any] = {
        "synonyms": _read_synonyms(pd.read_excel(root / "synonym.xlsx", dtype=str)),
        "forms": _read_forms(root / "format.csv"),
        "source": SOURCE,
    }
    return tuple(EmotionWheel.from_frame(name, pd.read_excel(root / f"{name}.xlsx"), **tables) for name in _WHEELS)


def _read_json(path: Path) -> tuple[EmotionWheel, ...]:
    tables = json.loads(path.read_text(encoding="utf-8"))
    shared: dict[str, Any] = {
        "synonyms": tables["raw_mapping"],
        "forms": tables["format_mapping"],
        "source": SOURCE,
    }
    return tuple(EmotionWheel(name, _tree_of(tables["wheel_map_whole"][name]), **shared) for name in _WHEELS)


def _tree_of(levels: dict[str, dict[str, str]]) -> dict[str, dict[str, list[str]]]:
    """Return the rings of the inner and the middle label of each word."""
    tree: dict[str, dict[str, list[str]]] = {word: {} for word, inner in levels["level1"].items() if word == inner}
    for word, inner in levels["level1"].items():
        if word not in tree:
            tree[inner].setdefault(levels["level2"][word], []).append(word)
    return tree


def _read_synonyms(runs: pd.DataFrame) -> dict[str, list[str]]:
    """Return the wheel words that each word stands for, over all runs; a wheel word stands for itself."""
    found: dict[str, list[str]] = {}
    for run in _RUNS:
        for word, synonyms in zip(runs[f"word_run{run}"], runs[f"synonym_run{run}"], strict=True):
            _add(found, (word, *synonyms.split(",")), word)
    return found


def _read_forms(path: Path) -> dict[str, list[str]]:
    """Return the base words of each form."""
    found: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            _add(found, row["format"].split(","), row["name"])
    return found


def _add(found: dict[str, list[str]], words: Iterable[str], target: str) -> None:
    for word in words:
        if word.strip():
            found.setdefault(word.strip(), []).append(target)
