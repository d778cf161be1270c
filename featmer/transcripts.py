"""Words with their times, from the transcripts that recognizers, aligners and annotators write.

A words frame is a plain pandas DataFrame, a row a word, in the order of the file:

============== =====================================================================================
``recording``  the recording that the file names for it (CTM), otherwise the file's own name
``speaker``    who speaks, where the file says so
``word``       the word as it is written there
``start, end`` seconds in the recording
``estimated``  whether these times were only spread evenly over those of a longer text
============== =====================================================================================
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd

from featmer._checks import check_name

COLUMNS = ["recording", "speaker", "word", "start", "end", "estimated"]

_CLOCK = r"(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})"
_CUE_TIMES = re.compile(rf"\s*{_CLOCK}\s+-->\s+{_CLOCK}(?:\s.*)?")
_STYLE = re.compile(r"</?(?:b|i|u|c|s|font|ruby|rt|lang)\b[^>]*>")
_TAG_OR_TEXT = re.compile(r"<([^>]*)>|([^<]+)")
# Praat counts texts in quotes, flags and numbers that stand alone; all else in a TextGrid is comment.
_PRAAT = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)(<\w+>)(?!\S)|(?<!\S)(-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?!\S)')
_SILENCES = {"", "<eps>", "sil", "<sil>", "sp", "spn"}


class _Span(NamedTuple):
    """A text with its times; several words are spread over it."""

    text: str
    start: float
    end: float
    speaker: str | None = None
    recording: str | None = None
    estimated: bool = False


def read_words(path: str | Path) -> pd.DataFrame:
    r"""Read the words of a transcript and their times.

    Parameters
    ----------
    path : path
        A file in UTF-8 (a TextGrid also in UTF-16), by its ending:

        - ``.ctm``: recording, channel, start, duration, word; the eighth field is the speaker, otherwise a channel
          named by a letter.
        - ``.TextGrid``: Praat's long or short text. Tiers called ``words`` or ``Ann - words`` count, or an only tier.
        - ``.json``: words, or segments with ``words`` or with a ``text``, as recognizers of the Whisper family write
          them, in a list or under ``segments`` or ``words``. A word is
          ``{"word": "no", "start": 0.1, "end": 0.3, "speaker": "Ann"}``; where its times are missing, it shares
          those between its neighbours.
        - ``.srt``, ``.vtt``: captions, whose words are spread evenly between the times given; ``<v Ann>`` in WebVTT
          names the speaker.

    Returns
    -------
    DataFrame
        The words frame that this module describes.

    Raises
    ------
    ValueError
        If the file is of another format or broken, with the line, or the place in a JSON file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "d1.ctm")
    ...     _ = path.write_text("d1 A 0.50 0.25 oh 0.9\nd1 A 0.75 0.50 well 1.0\n")
    ...     read_words(path)
      recording speaker  word  start   end  estimated
    0        d1       A    oh   0.50  0.75      False
    1        d1       A  well   0.75  1.25      False
    """
    path = Path(path)
    check_name(path.suffix.lower(), READERS, "ending of a transcript")
    spans = pd.DataFrame(list(READERS[path.suffix.lower()](path)), columns=list(_Span._fields))
    spans["recording"] = spans["recording"].fillna(path.stem)
    words = _spread(spans.astype({"start": float, "end": float, "estimated": bool}))
    return words[COLUMNS]


def spread_words(segments: pd.DataFrame) -> pd.DataFrame:
    """Spread the words of every utterance evenly over its time.

    For corpora without word times: a word gets time in proportion to its letters.

    Parameters
    ----------
    segments : DataFrame
        A row an utterance, with ``text``, ``start`` and ``end`` in seconds; where there is no text, there is no word.

    Returns
    -------
    DataFrame
        A row a word, in the order of the utterances: ``word``, its ``start`` and ``end``, ``estimated`` (True), and
        of the other columns those that tell who speaks and when: ``corpus``, ``dialogue``, ``turn``, ``speaker``.

    Raises
    ------
    ValueError
        If a column is not there or an utterance with words has no times.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "text": ["I never"], "start": [2.0], "end": [5.0]})
    >>> spread_words(segments)
      dialogue  turn   word  start  end  estimated
    0        a     0      I    2.0  2.5       True
    1        a     0  never    2.5  5.0       True
    """
    absent = [column for column in ("text", "start", "end") if column not in segments]
    if absent:
        raise ValueError(f"segments lacks the columns {absent}; it has {list(segments.columns)}.")
    spoken = segments[segments["text"].fillna("").astype(str).str.strip() != ""]
    timeless = spoken[["start", "end"]].astype(float).isna().any(axis=1).to_numpy()
    if timeless.any():
        raise ValueError(
            f"{timeless.sum()} utterances have words but no times (row {spoken.index[timeless][0]} is the first): "
            "fill start with 0 and end with the length of the file."
        )
    place = [column for column in ("corpus", "dialogue", "turn", "speaker") if column in segments]
    words = _spread(spoken[[*place, "text", "start", "end"]].assign(estimated=True))
    return words[[*place, "word", "start", "end", "estimated"]]


def _spread(spans: pd.DataFrame) -> pd.DataFrame:
    """Give every word of a text its part of the time, in proportion to its letters."""
    row = np.arange(len(spans))
    words = spans.assign(row=row, word=spans["text"].astype(str).str.split()).explode("word")
    words = words[words["word"].notna()].reset_index(drop=True)
    letters = words["word"].astype(str).str.count(r"\w").clip(lower=1).astype(float)
    whole = letters.groupby(words["row"])
    after = whole.cumsum() / whole.transform("sum")
    before = after.groupby(words["row"]).shift(fill_value=0.0)
    start, duration = words["start"], words["end"] - words["start"]
    return words.assign(
        start=start + before * duration,
        end=np.where(after == 1, words["end"], start + after * duration),
        estimated=words["estimated"] | (whole.transform("size") > 1),
    )


def _fault(path: Path, place: str, got: object, expected: str) -> NoReturn:
    raise ValueError(f"{path}, {place}: got {got!r}, expected {expected}.")


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        _fault(path, f"line {line}", data[error.start : error.end], "UTF-8: save the file in this encoding")


def _check_times(path: Path, place: str, start: float, end: float) -> None:
    if not 0 <= start <= end < np.inf:
        _fault(path, place, f"{start:g} to {end:g}", "a time from 0 seconds on that does not end before it starts")


def _read_ctm(path: Path) -> Iterator[_Span]:
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        place = f"line {number}"
        if len(fields) < 5:
            _fault(path, place, line, "recording, channel, start, duration and word")
        recording, channel = fields[:2]
        try:
            start, duration = float(fields[2]), float(fields[3])
        except ValueError:
            _fault(path, place, line, "start and duration in seconds as the third and fourth field")
        _check_times(path, place, start, start + duration)
        speaker = fields[7] if len(fields) > 7 else channel if channel.isalpha() else None
        yield _Span(fields[4], start, round(start + duration, 9), speaker, recording)


def _read_json(path: Path) -> Iterator[_Span]:
    try:
        content = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: not JSON ({error.msg}); correct or export it again.") from error
    name = ""
    if isinstance(content, dict):
        name = "segments" if "segments" in content else "words"
        content = content.get(name)
    if not isinstance(content, list):
        _fault(path, "its top", type(content).__name__, "a list of words, or one under 'segments' or 'words'")
    return _json_spans(path, content, name, {})


def _json_spans(path: Path, entries: list[Any], name: str, whole: dict[str, Any]) -> Iterator[_Span]:
    """Take the words of a list; those without times share what their neighbours leave of the ``whole``."""
    places = [f"{name}[{number}]" for number in range(len(entries))]
    for place, entry in zip(places, entries, strict=True):
        if not isinstance(entry, dict) or not {"words", "word", "text"} & entry.keys():
            _fault(path, place, entry, "an object with 'word', 'text' or 'words'")
    previous = whole.get("start")
    runs = groupby(range(len(entries)), lambda number: bool(entries[number].get("words")) or _is_timed(entries[number]))
    for timed, run in runs:
        numbers = list(run)
        if not timed:
            following = entries[numbers[-1] + 1] if numbers[-1] + 1 < len(entries) else {"start": whole.get("end")}
            shared = {"start": previous, "end": following.get("start")}
            first = entries[numbers[0]]
            text = " ".join(_json_word(entries[number]) for number in numbers)
            yield _json_span(path, places[numbers[0]], {**first, **shared, "word": text}, whole, estimated=True)
            continue
        for number in numbers:
            entry = entries[number]
            if entry.get("words"):
                yield from _json_spans(path, entry["words"], f"{places[number]}.words", {**whole, **entry})
            else:
                yield _json_span(path, places[number], entry, whole)
            previous = entry.get("end")


def _is_timed(entry: dict[str, Any]) -> bool:
    return entry.get("start") is not None and entry.get("end") is not None


def _json_word(entry: dict[str, Any]) -> str:
    return str(entry.get("word", entry.get("text")))


def _json_span(
    path: Path, place: str, entry: dict[str, Any], whole: dict[str, Any], *, estimated: bool = False
) -> _Span:
    try:
        start, end = float(entry["start"]), float(entry["end"])
    except (TypeError, ValueError):
        _fault(path, place, [entry["start"], entry["end"]], "start and end in seconds, here or beside it")
    _check_times(path, place, start, end)
    return _Span(_json_word(entry), start, end, entry.get("speaker", whole.get("speaker")), estimated=estimated)


def _read_srt(path: Path) -> Iterator[_Span]:
    return _read_cues(path, _read_text(path).splitlines(), only_numbers=True)


def _read_vtt(path: Path) -> Iterator[_Span]:
    lines = _read_text(path).splitlines()
    if not lines or not re.fullmatch(r"WEBVTT(\s.*)?", lines[0]):
        _fault(path, "line 1", lines[0] if lines else "", "WEBVTT")
    return _read_cues(path, lines, only_numbers=False)


def _read_cues(path: Path, lines: list[str], *, only_numbers: bool) -> Iterator[_Span]:
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
            _fault(path, f"line {number}", line, "the number of a caption, or times as 00:00:01,000 --> 00:00:02,500")


def _cue_times(path: Path, number: int, line: str) -> tuple[float, float]:
    match = _CUE_TIMES.fullmatch(line)
    if match is None:
        _fault(path, f"line {number}", line, "times as 00:00:01.000 --> 00:00:02.500")
    start, end = _clock_seconds(match.groups()[:4]), _clock_seconds(match.groups()[4:])
    _check_times(path, f"line {number}", start, end)
    return start, end


def _clock_seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _cue_spans(path: Path, number: int, text: str, start: float, end: float) -> Iterator[_Span]:
    """Cut a caption at the times and voices inside it."""
    pieces: list[tuple[str, float, str | None]] = []
    speaker = None
    time = start
    for tag, plain in _TAG_OR_TEXT.findall(_STYLE.sub("", text)):
        if plain.strip():
            pieces.append((html.unescape(plain), time, speaker))
        elif voice := re.fullmatch(r"v(?:\.\S+)?\s+(.+)", tag):
            speaker = html.unescape(voice[1]).strip()
        elif tag == "/v":
            speaker = None
        elif inner := re.fullmatch(_CLOCK, tag):
            time = _clock_seconds(inner.groups())
            _check_times(path, f"line {number}", start, time)
    edges = [*dict.fromkeys(time for _, time, _ in pieces), end]
    for begin, until in zip(edges, edges[1:], strict=False):
        _check_times(path, f"line {number}", begin, until)
        yield from _share([(words, who) for words, time, who in pieces if time == begin], begin, until)


def _share(pieces: list[tuple[str, str | None]], start: float, end: float) -> Iterator[_Span]:
    """Divide a time between what several voices say in it, in proportion to the letters."""
    letters = [max(1, len(re.findall(r"\w", words))) for words, _ in pieces]
    edges = start + (end - start) * np.cumsum([0, *letters]) / sum(letters)
    for (words, speaker), begin, until in zip(pieces, edges, edges[1:], strict=False):
        yield _Span(words, begin, until, speaker, estimated=len(pieces) > 1)


class _PraatTokens:
    """The texts and numbers of a TextGrid one after another; all else in the file is comment."""

    def __init__(self, path: Path) -> None:
        self.path, self.content = path, _read_text(path)
        self.tokens = _PRAAT.finditer(self.content)
        self.line, self.position = 1, 0

    def _next(self, expected: str) -> tuple[str | None, str | None, str | None]:
        token = next(self.tokens, None)
        if token is None:
            _fault(self.path, f"line {len(self.content.splitlines())}", "the end of the file", expected)
        self.line += self.content.count("\n", self.position, token.start())
        self.position = token.start()
        return token.groups()  # type: ignore[return-value]

    def text(self, expected: str) -> str:
        text, flag, number = self._next(expected)
        if text is None:
            _fault(self.path, f"line {self.line}", flag or number, expected)
        return text.replace('""', '"')

    def number(self, expected: str) -> float:
        text, flag, number = self._next(expected)
        if number is None:
            _fault(self.path, f"line {self.line}", flag or text, expected)
        return float(number)

    def flag(self) -> str | None:
        return self._next("<exists>")[1]


def _read_textgrid(path: Path) -> Iterator[_Span]:
    tokens = _PraatTokens(path)
    if (tokens.text('"ooTextFile"'), tokens.text('"TextGrid"')) != ("ooTextFile", "TextGrid"):
        _fault(path, f"line {tokens.line}", "another Praat object", "a TextGrid saved as a text file")
    tokens.number("the start of the file")
    tokens.number("the end of the file")
    n_tiers = int(tokens.number("the number of tiers")) if tokens.flag() == "<exists>" else 0
    tiers = [tier for tier in (_read_tier(tokens) for _ in range(n_tiers)) if tier is not None]
    chosen = [tier for tier in tiers if re.search(r"\bwords?$", tier[0], re.IGNORECASE)]
    if not chosen and len(tiers) != 1:
        _fault(path, "its tiers", [name for name, _ in tiers], "one called 'words', 'Ann - words', or only one")
    for name, intervals in chosen or tiers:
        speaker = re.sub(r"(\s*-)?\s*\bwords?$", "", name, flags=re.IGNORECASE) if chosen else None
        for text, start, end in intervals:
            if text.strip().lower() not in _SILENCES:
                yield _Span(text, start, end, speaker or None)


def _read_tier(tokens: _PraatTokens) -> tuple[str, list[tuple[str, float, float]]] | None:
    """Read a tier's name and intervals; None for a tier of points, which have no words."""
    kind = tokens.text('"IntervalTier" or "TextTier"')
    if kind not in ("IntervalTier", "TextTier"):
        _fault(tokens.path, f"line {tokens.line}", kind, '"IntervalTier" or "TextTier"')
    name = tokens.text("the name of a tier")
    tokens.number("the start of the tier")
    tokens.number("the end of the tier")
    intervals = []
    for _ in range(int(tokens.number("the number of intervals"))):
        start = tokens.number("a time in seconds")
        end = tokens.number("the end of an interval in seconds") if kind == "IntervalTier" else start
        intervals.append((tokens.text("the text of an interval"), start, end))
        _check_times(tokens.path, f"line {tokens.line}", start, end)
    return (name, intervals) if kind == "IntervalTier" else None


READERS: dict[str, Callable[[Path], Iterator[_Span]]] = {
    ".ctm": _read_ctm,
    ".json": _read_json,
    ".srt": _read_srt,
    ".textgrid": _read_textgrid,
    ".vtt": _read_vtt,
}
"""The formats by their ending."""
