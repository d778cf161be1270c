"""Emotion wheels: any word for an emotion, led to one of a few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from featmer._checks import check_name
from featmer.labels.spaces import folded

RINGS = ("level1", "level2", "level3")


@dataclass(frozen=True)
class EmotionWheel:
    """Rings of emotion words: a few inner labels, each with finer ones, each of these with further words.

    Parameters
    ----------
    name : str
        What it is called.
    tree : dict of str to dict of str to iterable of str
        Words by label of the middle ring by label of the inner ring.
    synonyms : dict of str to iterable of str, default={}
        Words of wheels (of any wheel) that a word stands for. A word of this wheel stands for itself too.
    forms : dict of str to iterable of str, default={}
        Base words of a word as it is written: "joyfully" is a form of "joyful". A word that is not there is its own
        base.
    source : str, default=""
        Who drew it.

    Attributes
    ----------
    words : frozenset of str
        All words of the three rings.
    repeated : tuple of str
        Words that the wheel lists under several labels of a ring; the last place counts.

    Notes
    -----
    Case and outer blanks of words do not matter.

    References
    ----------
    Lian et al.: AffectGPT: a new dataset, model, and benchmark for emotion understanding with multimodal large language
    models. ICML, 2025 (how words reach a wheel).

    Examples
    --------
    >>> wheel = EmotionWheel("mine", {"glad": {"proud": ["smug"], "calm": ["serene"]}, "low": {"sad": ["blue"]}})
    >>> wheel.map("Smug "), wheel.map("smug", level=2), wheel.map("green")
    ('glad', 'proud', None)
    """

    name: str
    tree: Mapping[str, Mapping[str, Iterable[str]]]
    synonyms: Mapping[str, Iterable[str]] = field(default_factory=dict, repr=False)
    forms: Mapping[str, Iterable[str]] = field(default_factory=dict, repr=False)
    source: str = ""

    def __post_init__(self) -> None:
        rings = {
            folded(inner): {folded(middle): tuple(map(folded, outer)) for middle, outer in middles.items()}
            for inner, middles in self.tree.items()
        }
        if not rings:
            raise ValueError(f"The wheel {self.name!r} has no labels; give {{inner: {{middle: [words]}}}}.")
        object.__setattr__(self, "tree", rings)
        for table in ("synonyms", "forms"):
            object.__setattr__(self, table, _folded_table(getattr(self, table)))

    @classmethod
    def from_frame(cls, name: str, rings: pd.DataFrame, **tables: Any) -> EmotionWheel:
        """Make a wheel of a table with a row a word.

        Parameters
        ----------
        name : str
            What it is called.
        rings : DataFrame with columns level1, level2 and level3
            A row a word of the outer ring; an empty inner or middle cell repeats the one above. An empty word is none.
        **tables
            ``synonyms``, ``forms`` and ``source``.

        Returns
        -------
        EmotionWheel
            The wheel.

        Raises
        ------
        ValueError
            If a column is missing.

        Examples
        --------
        >>> frame = pd.DataFrame({"level1": ["glad", None], "level2": ["proud", None], "level3": ["smug", "vain"]})
        >>> EmotionWheel.from_frame("mine", frame).tree
        {'glad': {'proud': ('smug', 'vain')}}
        """
        for ring in RINGS:
            check_name(ring, [str(column) for column in rings], "column of a wheel")
        whole = rings[list(RINGS)].replace(r"^\s*$", None, regex=True)
        whole[["level1", "level2"]] = whole[["level1", "level2"]].ffill()
        tree: dict[str, dict[str, list[str]]] = {}
        for inner, middle, word in whole.itertuples(index=False):
            words = tree.setdefault(folded(inner), {}).setdefault(folded(middle), [])
            if isinstance(word, str):
                words.append(word)
        return cls(name, tree, **tables)

    def to_frame(self) -> pd.DataFrame:
        """Return the rings as a table, which `from_frame` reads.

        Returns
        -------
        DataFrame of columns level1, level2, level3
            A row a word of the outer ring; a middle label without any has a row with an empty word.
        """
        rows = [
            (inner, middle, word)
            for inner, middles in self.tree.items()
            for middle, outer in middles.items()
            for word in tuple(outer) or ("",)
        ]
        return pd.DataFrame(rows, columns=list(RINGS))

    @property
    def words(self) -> frozenset[str]:
        """Return all words of the three rings."""
        return frozenset(self._clusters[1])

    @cached_property
    def repeated(self) -> tuple[str, ...]:
        """Return the words that are listed under several labels of a ring."""
        listed = {word: (set[str](), set[str]()) for word in self.words}
        for inner, middle, outer in self.to_frame().itertuples(index=False):
            listed[inner][0].add(inner)
            for word in {middle, outer} - {""}:
                listed[word][0].add(inner)
                listed[word][1].add(middle)
        return tuple(sorted(word for word, found in listed.items() if max(map(len, found)) > 1))

    def labels(self, level: int = 1) -> tuple[str, ...]:
        """Return the labels of the inner (1) or middle (2) ring."""
        self._check_level(level)
        if level == 1:
            return tuple(self.tree)
        return tuple(dict.fromkeys(middle for middles in self.tree.values() for middle in middles))

    def map(self, word: str, level: int = 1) -> str | None:
        """Return the label that a word belongs to.

        All base words of the word are looked up, and all that these stand for; the alphabetically first of these that
        the wheel has decides.

        Parameters
        ----------
        word : str
            Any word.
        level : {1, 2}, default=1
            Ring of the label: inner or middle. A word of the inner ring belongs to the first, in the order of the
            alphabet, of its middle labels, unless it is listed further out as well.

        Returns
        -------
        str or None
            None if neither the word nor anything that it stands for is on the wheel.

        Raises
        ------
        ValueError
            If the level is unknown.
        """
        self._check_level(level)
        clusters = self._clusters[level]
        reached = {end for base in self._bases(word) for end in (*self.synonyms.get(base, ()), base)}
        first = min((end for end in reached if end in clusters), default=None)
        return None if first is None else clusters[first]

    def base(self, word: str) -> str | None:
        """Return the alphabetically first base word of a written word, None if the table of forms lacks it."""
        return min(self.forms.get(folded(word), ()), default=None)

    def synonym(self, word: str) -> str | None:
        """Return the alphabetically first word of any wheel that the base of a written word stands for."""
        base = self.base(word)
        return None if base is None else min(self.synonyms.get(base, ()), default=None)

    def _bases(self, word: str) -> tuple[str, ...]:
        return tuple(self.forms.get(folded(word), (folded(word),)))

    def _check_level(self, level: int) -> None:
        if level not in (1, 2):
            raise ValueError(f"Got level {level!r}, expected 1 (inner ring) or 2 (middle ring).")

    @cached_property
    def _clusters(self) -> dict[int, dict[str, str]]:
        """Return the inner and the middle label of each word."""
        inner_of: dict[str, str] = {}
        middle_of = {inner: min(middles) for inner, middles in self.tree.items()}
        for inner, middles in self.tree.items():
            inner_of[inner] = inner
            for middle, outer in middles.items():
                inner_of.update(dict.fromkeys((middle, *outer), inner))
                middle_of.update(dict.fromkeys((middle, *outer), middle))
        return {1: inner_of, 2: middle_of}


def _folded_table(table: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return a table with its keys and words as words are compared; keys that become one share their words."""
    merged: dict[str, dict[str, None]] = {}
    for key, words in table.items():
        merged.setdefault(folded(key), {}).update(dict.fromkeys(map(folded, words)))
    return {key: tuple(words) for key, words in merged.items()}
