"""TextGrids, as Praat and forced aligners write them, in the long and the short text format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from featmer.transcripts._spans import Span, check_times, fault, read_text

# Praat counts texts in quotes, flags and numbers that stand alone; all else in a TextGrid is comment.
_PRAAT = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)(<\w+>)(?!\S)|(?<!\S)(-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)')
_SILENCES = {"", "<eps>", "sil", "<sil>", "sp", "spn"}


class _PraatTokens:
    """The texts and numbers of a TextGrid one after another; all else in the file is comment."""

    def __init__(self, path: Path) -> None:
        self.path, self.content = path, read_text(path)
        self.tokens = _PRAAT.finditer(self.content)
        self.line, self.position = 1, 0

    def _next(self, expected: str) -> tuple[str | None, str | None, str | None]:
        token = next(self.tokens, None)
        if token is None:
            fault(self.path, f"line {len(self.content.splitlines())}", "the end of the file", expected)
        self.line += self.content.count("\n", self.position, token.start())
        self.position = token.start()
        return token.groups()  # type: ignore[return-value]

    def text(self, expected: str) -> str:
        """Take a text in quotes."""
        text, flag, number = self._next(expected)
        if text is None:
            fault(self.path, f"line {self.line}", flag or number, expected)
        return text.replace('""', '"')

    def number(self, expected: str) -> float:
        """Take a number."""
        text, flag, number = self._next(expected)
        if number is None:
            fault(self.path, f"line {self.line}", flag or text, expected)
        return float(number)

    def flag(self) -> str | None:
        """Take a flag such as ``<exists>``; None where something else stands."""
        return self._next("<exists>")[1]


def read_textgrid(path: Path) -> Iterator[Span]:
    """Yield the texts of the tiers of words."""
    tokens = _PraatTokens(path)
    if (tokens.text('"ooTextFile"'), tokens.text('"TextGrid"')) != ("ooTextFile", "TextGrid"):
        fault(path, f"line {tokens.line}", "another Praat object", "a TextGrid saved as a text file")
    tokens.number("the start of the file")
    tokens.number("the end of the file")
    n_tiers = int(tokens.number("the number of tiers")) if tokens.flag() == "<exists>" else 0
    tiers = [tier for tier in (_read_tier(tokens) for _ in range(n_tiers)) if tier is not None]
    chosen = [tier for tier in tiers if re.search(r"\bwords?$", tier[0], re.IGNORECASE)]
    if not chosen and len(tiers) != 1:
        fault(path, "its tiers", [name for name, _ in tiers], "one called 'words', 'Ann - words', or only one")
    for name, intervals in chosen or tiers:
        speaker = re.sub(r"(\s*-)?\s*\bwords?$", "", name, flags=re.IGNORECASE) if chosen else None
        for text, start, end in intervals:
            if text.strip().lower() not in _SILENCES:
                yield Span(text, start, end, speaker or None)


def _read_tier(tokens: _PraatTokens) -> tuple[str, list[tuple[str, float, float]]] | None:
    """Read a tier's name and intervals; None for a tier of points, which have no words."""
    kind = tokens.text('"IntervalTier" or "TextTier"')
    if kind not in ("IntervalTier", "TextTier"):
        fault(tokens.path, f"line {tokens.line}", kind, '"IntervalTier" or "TextTier"')
    name = tokens.text("the name of a tier")
    tokens.number("the start of the tier")
    tokens.number("the end of the tier")
    intervals = []
    for _ in range(int(tokens.number("the number of intervals"))):
        start = tokens.number("a time in seconds")
        end = tokens.number("the end of an interval in seconds") if kind == "IntervalTier" else start
        intervals.append((tokens.text("the text of an interval"), start, end))
        check_times(tokens.path, f"line {tokens.line}", start, end)
    return (name, intervals) if kind == "IntervalTier" else None
