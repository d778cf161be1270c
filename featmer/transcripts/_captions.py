"""Captions: SRT and WebVTT, texts of several words with voices and times in between."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from featmer.transcripts._spans import Span, check_times, fault, read_text

_CLOCK = r"(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})"
_CUE_TIMES = re.compile(rf"\s*{_CLOCK}\s+-->\s+{_CLOCK}(?:\s.*)?")
_STYLE = re.compile(r"</?(?:b|i|u|c|s|font|ruby|rt|lang)\b[^>]*>")
_VOICE_OR_TIME = re.compile(r"<((?:/?v\b|\d\d:)[^>]*)>")


def read_srt(path: Path) -> Iterator[Span]:
    """Return the texts of an SRT file."""
    return _read_cues(path, read_text(path).splitlines(), only_numbers=True)


def read_vtt(path: Path) -> Iterator[Span]:
    """Return the texts of a WebVTT file, cut at the voices and times inside captions."""
    lines = read_text(path).splitlines()
    if not lines or not re.fullmatch(r"WEBVTT(\s.*)?", lines[0]):
        fault(path, "line 1", lines[0] if lines else "", "WEBVTT")
    return _read_cues(path, lines, only_numbers=False)


def _read_cues(path: Path, lines: list[str], *, only_numbers: bool) -> Iterator[Span]:
    """Take captions: a line of times, then text up to an empty line. WebVTT also has notes and names in between."""
    numbered = enumerate(lines, start=1)
    for number, line in numbered:
        if "-->" in line:
            start, end = _cue_times(path, number, line)
            text = []
            for _, following in numbered:
                if not following.strip():
                    break
                text.append(following)
            yield from _cue_spans(path, number, " ".join(text), start, end)
        elif only_numbers and line.strip() and not line.strip().isdigit():
            fault(path, f"line {number}", line, "the number of a caption, or times as 00:00:01,000 --> 00:00:02,500")


def _cue_times(path: Path, number: int, line: str) -> tuple[float, float]:
    match = _CUE_TIMES.fullmatch(line)
    if match is None:
        fault(path, f"line {number}", line, "times as 00:00:01.000 --> 00:00:02.500")
    start, end = _clock_seconds(match.groups()[:4]), _clock_seconds(match.groups()[4:])
    check_times(path, f"line {number}", start, end)
    return start, end


def _clock_seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _cue_spans(path: Path, number: int, text: str, start: float, end: float) -> Iterator[Span]:
    """Cut a caption at the times and voices inside it."""
    pieces: list[tuple[str, float, str | None]] = []
    speaker = None
    time = start
    for place, part in enumerate(_VOICE_OR_TIME.split(_STYLE.sub("", text))):
        if place % 2 == 0:  # the text before, between and after tags
            if part.strip():
                pieces.append((html.unescape(part), time, speaker))
        elif voice := re.fullmatch(r"v(?:\.\S+)?\s+(.+)", part):
            speaker = html.unescape(voice[1]).strip()
        elif part == "/v":
            speaker = None
        elif inner := re.fullmatch(_CLOCK, part):
            time = _clock_seconds(inner.groups())
            check_times(path, f"line {number}", start, time)
    edges = [*dict.fromkeys(time for _, time, _ in pieces), end]
    for begin, until in zip(edges, edges[1:], strict=False):
        check_times(path, f"line {number}", begin, until)
        yield from _share([(words, who) for words, time, who in pieces if time == begin], begin, until)


def _share(pieces: list[tuple[str, str | None]], start: float, end: float) -> Iterator[Span]:
    """Divide a time between what several voices say in it, in proportion to the letters."""
    letters = [max(1, len(re.findall(r"\w", words))) for words, _ in pieces]
    edges = start + (end - start) * np.cumsum([0, *letters]) / sum(letters)
    for (words, speaker), begin, until in zip(pieces, edges, edges[1:], strict=False):
        yield Span(words, begin, until, speaker, estimated=len(pieces) > 1)
