"""CTM, as NIST's scoring tools and Kaldi write it: a word a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from featmer.transcripts._spans import Span, check_times, fault, read_text


def read_ctm(path: Path) -> Iterator[Span]:
    """Yield the words of a CTM file."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        place = f"line {number}"
        if len(fields) < 5:
            fault(path, place, line, "recording, channel, start, duration and word")
        recording, channel = fields[:2]
        try:
            start, duration = float(fields[2]), float(fields[3])
        except ValueError:
            fault(path, place, line, "start and duration in seconds as the third and fourth field")
        check_times(path, place, start, start + duration)
        speaker = fields[7] if len(fields) > 7 else channel if channel.isalpha() else None
        yield Span(fields[4], start, round(start + duration, 9), speaker, recording)
