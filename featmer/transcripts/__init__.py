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

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from featmer._checks import check_name
from featmer.transcripts._captions import read_srt, read_vtt
from featmer.transcripts._ctm import read_ctm
from featmer.transcripts._json import read_json
from featmer.transcripts._placing import match_words, place_words
from featmer.transcripts._spans import Span
from featmer.transcripts._textgrid import read_textgrid

__all__ = ["COLUMNS", "READERS", "match_words", "place_words", "read_words", "spread_words"]

COLUMNS = ["recording", "speaker", "word", "start", "end", "estimated"]

READERS: dict[str, Callable[[Path], Iterator[Span]]] = {
    ".ctm": read_ctm,
    ".json": read_json,
    ".srt": read_srt,
    ".textgrid": read_textgrid,
    ".vtt": read_vtt,
}
"""The formats by their ending."""


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
    spans = pd.DataFrame(list(READERS[path.suffix.lower()](path)), columns=list(Span._fields))
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
