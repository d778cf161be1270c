"""Emotion lexicons: what the words of a text are rated; hides their formats, phrases and the writing of words."""

from __future__ import annotations

import csv
import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer.extractors.base import Absence, Features
from featmer.extractors.models import file_sha256
from featmer.extractors.sources import TextExtractor

# Short vowels and the lengthening stroke of Arabic, which writers set or leave out as they like.
_ARABIC_MARKS = dict.fromkeys([*range(0x064B, 0x0653), 0x0670, 0x0640])
_NO_WORDS = Absence("no words", "the text has no letters or digits: check the column 'text'")

Phrase = tuple[str, ...]


class Lexicon(TextExtractor):
    r"""Describe texts by what a lexicon says of their words: valence, arousal, dominance, emotions.

    Words are runs of letters and digits of any script, with apostrophes within, compared without case; Arabic is
    compared without its short vowels. The longest entry counts: a phrase such as "not happy" hides its words. Nothing
    else is understood: in "not happy at all" without that phrase, "happy" counts. Scripts without blanks between words
    must come with them.

    Parameters
    ----------
    path : path
        The lexicon, in UTF-8; commas between the columns of a ``.csv``, otherwise tabs. Either a column an attribute,
        with a header (the names of the columns are the user's; the first is the word's)::

            word    valence    arousal
            joyful  0.98       0.74

        or a row a word and attribute, with or without header, as NRC publishes its emotions::

            joyful  joy      1
            joyful  fear     0

    Attributes
    ----------
    names : tuple of str
        For a lexicon ``vad.tsv`` and its attribute ``valence``, ``"text.vad.valence_mean"``, ``_min`` and ``_max`` over
        the text's words that have one, in the lexicon's units. An attribute of zeros and ones only, such as an emotion,
        marks words instead: ``"text.nrc.joy_count"``, how many entries with a one there are, and ``_share``, which part
        of the text's words they make up, from 0 to 1.

    Notes
    -----
    Quality has ``<lexicon>_coverage``, the share of the text's words that belong to an entry. A text without any is
    missing. Entries that differ only in case, or in what is left out, are averaged.

    References
    ----------
    Mohammad (2018), "Obtaining reliable human ratings of valence, arousal, and dominance for 20,000 English words",
    ACL.
    Mohammad & Turney (2013), "Crowdsourcing a word-emotion association lexicon", Computational Intelligence 29(3).

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.csv")
    ...     _ = path.write_text("word,valence,joy\njoyful,0.9,1\nnot happy,0.2,0\nday,0.5,0\n")
    ...     lexicon = Lexicon(path)
    ...     names, (found,) = lexicon.names, lexicon.describe_texts(["Joyful day? I'm not happy!"])
    >>> names
    ('text.mine.valence_mean', 'text.mine.valence_min', 'text.mine.valence_max', 'text.mine.joy_count',
     'text.mine.joy_share')
    >>> found.values.round(2), found.quality
    (array([0.53, 0.2 , 0.9 , 1.  , 0.2 ], dtype=float32), {'mine_coverage': 0.8})
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the statistics."""
        opened = self._open()
        scales = (f"{name}_{statistic}" for name in opened.scales for statistic in ("mean", "min", "max"))
        marks = (f"{name}_{statistic}" for name in opened.marks for statistic in ("count", "share"))
        return tuple(f"text.{Path(self.path).stem}.{name}" for name in (*scales, *marks))

    def fingerprint(self) -> dict[str, str]:
        """Return the hash of the lexicon.

        Returns
        -------
        dict of str to str
            Under "lexicon", SHA-256 of the file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no lexicon.
        """
        self._open()
        return {**super().fingerprint(), "lexicon": file_sha256(Path(self.path))}

    def describe(self, texts: list[str]) -> list[Features | Absence]:
        """Look up the words of several texts.

        Parameters
        ----------
        texts : list of n str
            Texts.

        Returns
        -------
        list of n Features or Absence
            Values of shape (n_features,).
        """
        opened, quality = self._open(), f"{Path(self.path).stem}_coverage"
        return [_describe(opened, split_words(text), quality) for text in texts]

    def _open(self) -> _Opened:
        path = Path(self.path)
        if not path.is_file():
            raise FileNotFoundError(f"Got the lexicon {str(path)!r}, but there is no such file; give its path.")
        status = path.stat()
        return _open_lexicon(path, status.st_mtime_ns, status.st_size)


class Vader(TextExtractor):
    """Describe English texts by VADER's rules for sentiment, which know negation, degree and exclamation marks.

    Attributes
    ----------
    names : tuple of str
        Shares of the text that are negative, neutral and positive (0 to 1), and the compound score (-1 to 1).

    References
    ----------
    Hutto & Gilbert (2014), "VADER: a parsimonious rule-based model for sentiment analysis of social media text", ICWSM.

    Examples
    --------
    >>> [outcome.values.round(2).tolist() for outcome in Vader().describe_texts(["Not good!", "It is great."])]
    [[0.73..., 0.27..., 0.0, -0.4...], [0.0, 0.33..., 0.67..., 0.62...]]
    """

    packages = ("vaderSentiment",)
    names = tuple(f"text.vader.{name}" for name in ("negative", "neutral", "positive", "compound"))

    def describe(self, texts: list[str]) -> list[list[float]]:
        """Score several texts.

        Parameters
        ----------
        texts : list of n str
            English texts, as they are written.

        Returns
        -------
        list of n lists of 4 floats
            The scores; a text without words counts as neutral, as VADER has it.
        """
        scores = (_open_vader().polarity_scores(text) for text in texts)
        return [[score[name] for name in ("neg", "neu", "pos", "compound")] for score in scores]


def split_words(text: str) -> Phrase:
    """Split a text into its words, as lexicons are compared.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    tuple of str
        Runs of letters, marks and digits, with apostrophes within, without case.

    Examples
    --------
    >>> split_words("Don't PANIC: well-known Straße, سَعِيد")
    ("don't", 'panic', 'well', 'known', 'strasse', 'سعيد')
    """
    plain = unicodedata.normalize("NFC", text).translate(_ARABIC_MARKS).replace("\u2019", "'").casefold()
    return tuple(_word_pattern().findall(plain))


class _Opened(NamedTuple):
    """A lexicon: the ratings of each entry, and how many words the longest one has."""

    entries: dict[Phrase, NDArray[np.float64]]
    longest: int
    scales: tuple[str, ...]
    marks: tuple[str, ...]


def _describe(lexicon: _Opened, words: Phrase, quality: str) -> Features | Absence:
    """Sum up the ratings of a text's entries."""
    if not words:
        return _NO_WORDS
    found = list(_find_entries(lexicon, words))
    coverage = {quality: sum(map(len, found)) / len(words)}
    if not found:
        return Absence("no word of the lexicon", "leave the row out, or take a larger lexicon", coverage)
    ratings = np.stack([lexicon.entries[entry] for entry in found])
    scales, marks = np.split(ratings, [len(lexicon.scales)], axis=1)
    values = []
    for column in scales.T:
        known = column[~np.isnan(column)]
        values += [known.mean(), known.min(), known.max()] if len(known) else [np.nan] * 3
    sizes = np.array([len(entry) for entry in found])
    for column in marks.T:
        values += [column.sum(), column @ sizes / len(words)]
    return Features(np.array(values, np.float32), quality=coverage)


def _find_entries(lexicon: _Opened, words: Phrase) -> Iterator[Phrase]:
    """Give the longest entry at each place, from the start of the text on."""
    place = 0
    while place < len(words):
        lengths = range(min(lexicon.longest, len(words) - place), 0, -1)
        entry = next((words[place : place + n] for n in lengths if words[place : place + n] in lexicon.entries), None)
        if entry:
            yield entry
        place += len(entry or words[place : place + 1])


@cache
def _open_lexicon(path: Path, _changed: int, _size: int) -> _Opened:
    """Read a lexicon once a process, and again when its file is another."""
    ratings = _read_ratings(path)
    marks = [name for name in ratings if ratings[name].dropna().isin([0, 1]).all()]
    # A word that one row marks is not marked by the attributes without a row for it.
    ratings = ratings.fillna(dict.fromkeys(marks, 0.0))
    scales = [name for name in ratings if name not in marks]
    phrases = [" ".join(split_words(word)) for word in ratings.index]
    averaged = ratings[scales + marks].groupby(phrases).mean().drop(index="", errors="ignore")
    if averaged.empty:
        raise ValueError(f"{path} has no word with a rating, expected a lexicon: see the docstring of Lexicon.")
    entries = {tuple(phrase.split(" ")): row for phrase, row in zip(averaged.index, averaged.to_numpy(), strict=True)}
    return _Opened(entries, max(map(len, entries)), tuple(map(str, scales)), tuple(map(str, marks)))


def _read_ratings(path: Path) -> pd.DataFrame:
    """Return a row a word and a column an attribute, in the order of the file."""
    lines = _read_lines(path)
    first, last = lines[min(lines)], lines[max(lines)]
    if len(last) == 3 and last[1] and not _is_number(last[1]):
        if not _is_number(first[2]):
            del lines[min(lines)]
        long = pd.DataFrame(lines.values(), columns=["word", "attribute", "rating"])
        return long.assign(rating=_to_numbers(path, long["rating"], list(lines))).pivot_table(
            "rating", "word", "attribute", sort=False
        )
    del lines[min(lines)]
    wide = pd.DataFrame(lines.values(), columns=first).set_index(first[0])
    return wide.apply(lambda column: _to_numbers(path, column, list(lines)))


def _read_lines(path: Path) -> dict[int, list[str]]:
    """Return the cells of every line by its number."""
    commas = path.suffix.lower() == ".csv"
    lines = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        # Between tabs, a quotation mark is a sign like others.
        reader = csv.reader(file) if commas else csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines[reader.line_num] = [cell.strip() for cell in cells]
    width = len(lines[min(lines)]) if lines else 0
    if width < 2:
        raise ValueError(
            f"{path} has {width} columns parted by {'commas' if commas else 'tabs'}, expected a word and its ratings."
        )
    for number, cells in lines.items():
        if len(cells) != width:
            raise ValueError(f"{path}, line {number}: got {len(cells)} columns, expected {width} as in the first line.")
    return lines


def _to_numbers(path: Path, cells: pd.Series, lines: list[int]) -> pd.Series:
    """Return cells as numbers, NaN where one is empty."""
    numbers = pd.to_numeric(cells, errors="coerce")
    wrong = np.flatnonzero(~np.isfinite(numbers) & (cells != ""))
    if len(wrong):
        raise ValueError(f"{path}, line {lines[wrong[0]]}: got {cells.iloc[wrong[0]]!r}, expected a number.")
    return numbers.astype(float)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@cache
def _word_pattern() -> re.Pattern[str]:
    """Return the pattern of a word; regular expressions know no combining marks, which are parts of words in India."""
    marks = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("M")]
    letter = rf"[^\W_{''.join(map(chr, marks))}][{''.join(map(chr, marks))}]*"
    return re.compile(rf"(?:{letter})+(?:'(?:{letter})+)*")


@cache
def _open_vader():  # type: ignore[no-untyped-def]  # the package has no types
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
