"""Base of the extractors of texts."""

from __future__ import annotations

from typing import Any

from featmer.extractors.base import Absence, Extractor, Features, Outcome, attempt, checked


class TextExtractor(Extractor):
    """Base of extractors that describe texts.

    The author writes ``names`` and ``describe(texts)``. The value of a text must not depend on the texts beside it;
    empty ones never reach `describe`.

    Examples
    --------
    >>> class Length(TextExtractor):
    ...     names = ("text.length",)
    ...
    ...     def describe(self, texts):
    ...         return [[len(text)] for text in texts]
    >>> [outcome.values for outcome in Length().describe_texts(["hello", "no"])]
    [array([5.], dtype=float32), array([2.], dtype=float32)]
    """

    modality = "text"
    column = "text"

    def describe(self, texts: list[str]) -> Any:
        """Describe several texts; the author's part.

        Parameters
        ----------
        texts : list of n str
            None is empty.

        Returns
        -------
        ndarray of shape (n, n_features)
            A row a text.
        """
        raise NotImplementedError(f"{type(self).__name__} must define describe(texts).")

    def describe_texts(self, texts: list[str]) -> list[Outcome]:
        """Describe texts and check the values.

        Parameters
        ----------
        texts : list of n str
            None is empty.

        Returns
        -------
        list of Features or Absence
            One a text.
        """
        rows = attempt(self.describe, texts)
        if isinstance(rows, Absence):
            return [rows] * len(texts)
        return [attempt(lambda row=row: Features(checked(row, self.names))) for row in rows]
