"""From words about rows to a block that pre-training can learn from, with a warning where they tell the labels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd

from featmer.extraction import extract
from featmer.extractors import Extractor
from featmer.table import Block, FeatureTable

LABELS = ("emotion", "sentiment")
_TELLING = 0.9  # share of texts with the row's own label in it; what features tell seldom is that sure
_IDLE = 0.5  # share with a label that is not the row's: a list of all labels tells nothing


class LeakageWarning(UserWarning):
    """Labels have found their way into what a model is to learn from without labels."""


def with_texts(
    table: FeatureTable,
    texts: Iterable[str | None],
    name: str = "description",
    *,
    extractor: str | Extractor = "sentence_embedding",
    labels: Iterable[str] = LABELS,
) -> FeatureTable:
    """Add a block of the embeddings of texts about the rows: captions, prompts, descriptions of features.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        The rows.
    texts : iterable of n_rows str or None
        What is told of each row, such as :class:`featmer.descriptions.Describer` tells it, which looks at no label;
        where there is no text the row is missing in the new block.
    name : str, default="description"
        What the block is called.
    extractor : str or Extractor, default="sentence_embedding"
        What embeds texts, one vector a text.
    labels : iterable of str, default=("emotion", "sentiment")
        Columns of the segments that the texts should not tell; those that are not there are passed over.

    Returns
    -------
    FeatureTable
        The same rows with one more block.

    Warns
    -----
    LeakageWarning
        If the texts tell a label: nine in ten hold the word of their own row, and fewer than half that of another.
        Pre-training on them is supervised, and must not see the labels of test rows.

    Examples
    --------
    The text side of a pre-training is the words that describe features; what is much, the training rows say:

    >>> from featmer.descriptions import Describer
    >>> from featmer.extractors import TextExtractor
    >>> class Length(TextExtractor):
    ...     names = ("text.length",)
    ...
    ...     def describe(self, texts):
    ...         return [[len(text)] for text in texts]
    >>> segments = pd.DataFrame({"dialogue": "a", "turn": range(40), "emotion": ["joy", "anger"] * 20})
    >>> face = Block(np.tile([[0.9], [0.1]], (20, 1)), ["face.au.AU12_max"])
    >>> train = FeatureTable(segments, {"face": face})
    >>> described = with_texts(train, Describer().fit(train).transform(train), extractor=Length())
    >>> described.blocks["description"]
    Block(40 rows, 1 features, vector, 0 missing)
    """
    texts = [text if isinstance(text, str) else None for text in texts]
    for column in labels:
        if column in table.segments:
            _warn_of_leakage(texts, table.segments[column], stacklevel=3)
    told, _ = extract(table.segments.assign(text=np.array(texts, object)), extractor, progress=False)
    block = told.blocks["text"]
    names = [f"{name}.{feature.removeprefix('text.')}" for feature in block.names]
    if block.is_sequence:
        raise ValueError(f"{extractor!r} gives a sequence a text, expected a vector: choose level='sentence'.")
    new = Block.from_frames(block.frames, names, None, reasons=block.reasons, quality=block.quality)
    return FeatureTable(table.segments, {**table.blocks, name: new}, provenance=table.provenance)


def _warn_of_leakage(texts: list[str | None], labels: pd.Series, stacklevel: int) -> None:
    """Warn if the words of the labels are in the texts of their own rows and not in others'."""
    pairs = [
        (text.casefold(), label.casefold())
        for text, label in zip(texts, labels, strict=True)
        if text and isinstance(label, str)
    ]
    known = sorted({label for _, label in pairs})
    if len(known) < 2:
        return
    patterns = [re.compile(rf"\b{re.escape(label)}\b") for label in known]
    holds = np.array([[pattern.search(text) is not None for pattern in patterns] for text, _ in pairs])
    is_own = np.array([label for _, label in pairs])[:, None] == np.array(known)
    if holds[is_own].mean() > _TELLING and holds[~is_own].mean() < _IDLE:
        warnings.warn(
            f"{holds[is_own].mean():.0%} of the texts hold their row's own {labels.name!r}: what learns from them is "
            "supervised. Write texts without labels, or keep test rows out of the pre-training.",
            LeakageWarning,
            stacklevel=stacklevel,
        )
