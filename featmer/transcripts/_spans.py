"""What all formats share: a text with its times, and faults by file and place."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np


class Span(NamedTuple):
    """A text with its times; several words are spread over it."""

    text: str
    start: float
    end: float
    speaker: str | None = None
    recording: str | None = None
    estimated: bool = False


def fault(path: Path, place: str, got: object, expected: str) -> NoReturn:
    """Raise, naming the file and the place in it."""
    raise ValueError(f"{path}, {place}: got {got!r}, expected {expected}.")


def read_text(path: Path) -> str:
    """Return what a file says, in UTF-8, or in UTF-16 with its mark."""
    try:
        data = path.read_bytes()
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        fault(path, f"line {line}", data[error.start : error.end], "UTF-8: save the file in this encoding")


def check_times(path: Path, place: str, start: float, end: float) -> None:
    """Raise unless a text begins in the file and ends after."""
    if not 0 <= start <= end < np.inf:
        fault(path, place, f"{start:g} to {end:g}", "a time from 0 seconds on that does not end before it starts")
