"""JSON, as recognizers of the Whisper family write it: words, or segments of words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from featmer.transcripts._spans import Span, check_times, fault, read_text


def read_json(path: Path) -> Iterator[Span]:
    """Return the words, or texts where a segment has no words, of a JSON file."""
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: not JSON ({error.msg}); correct or export it again.") from error
    name = ""
    if isinstance(content, dict):
        name = "segments" if "segments" in content else "words"
        content = content.get(name)
    if not isinstance(content, list):
        fault(path, "its top", type(content).__name__, "a list of words, or one under 'segments' or 'words'")
    return _json_spans(path, content, name, {})


def _json_spans(path: Path, entries: list[Any], name: str, whole: dict[str, Any]) -> Iterator[Span]:
    """Take the words of a list; those without times share what their neighbours leave of the ``whole``."""
    places = [f"{name}[{number}]" for number in range(len(entries))]
    for place, entry in zip(places, entries, strict=True):
        if not isinstance(entry, dict) or not (_has_words(entry) or isinstance(_json_word(entry), str | int | float)):
            fault(path, place, entry, "an object with 'word', 'text' or 'words'")
    previous = whole.get("start")
    runs = groupby(range(len(entries)), lambda number: _has_words(entries[number]) or _is_timed(entries[number]))
    for timed, run in runs:
        numbers = list(run)
        if not timed:
            following = entries[numbers[-1] + 1] if numbers[-1] + 1 < len(entries) else {"start": whole.get("end")}
            shared = {"start": previous, "end": following.get("start")}
            first = entries[numbers[0]]
            text = " ".join(str(_json_word(entries[number])) for number in numbers)
            yield _json_span(path, places[numbers[0]], {**first, **shared, "word": text}, whole, estimated=True)
            continue
        for number in numbers:
            entry = entries[number]
            if _has_words(entry):
                yield from _json_spans(path, entry["words"], f"{places[number]}.words", {**whole, **entry})
            else:
                yield _json_span(path, places[number], entry, whole)
            previous = entry.get("end")


def _is_timed(entry: dict[str, Any]) -> bool:
    return entry.get("start") is not None and entry.get("end") is not None


def _has_words(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("words"), list) and len(entry["words"]) > 0


def _json_word(entry: dict[str, Any]) -> Any:
    return entry.get("word", entry.get("text"))


def _json_span(
    path: Path, place: str, entry: dict[str, Any], whole: dict[str, Any], *, estimated: bool = False
) -> Span:
    try:
        start, end = float(entry["start"]), float(entry["end"])
    except (TypeError, ValueError):
        fault(path, place, [entry["start"], entry["end"]], "start and end in seconds, here or beside it")
    check_times(path, place, start, end)
    return Span(str(_json_word(entry)), start, end, entry.get("speaker", whole.get("speaker")), estimated=estimated)
