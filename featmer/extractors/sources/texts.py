"""Base of the extractors of texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from featmer.extractors.base import Absence, Extractor, Features, Outcome, attempt, checked


class TextExtractor(Extractor):
    """Base of extractors that describe texts.

    The author writes ``names`` and ``describe(texts)``. The value of a text must not depend on the texts beside it;
    empty ones never reach `describe`. A text has no clock: the frames of a sequence are its words, in their order and
    without times; `featmer.transcripts.place_words` puts them where a transcript heard them.

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
        sequence of length n
            For each text its values (n_features,), or, for a sequence, (n_words, n_features); or `Features`, to tell
            quality and warnings, too; or an `Absence`.
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
        described = attempt(self._describe_all, texts)
        if not isinstance(described, Absence):
            names = self.names  # made once: some take as long as a text
            return [attempt(_checked, each, names) for each in described]
        if len(texts) == 1:
            return [described]
        # One text's accident must not cost the others theirs.
        return [outcome for text in texts for outcome in self.describe_texts([text])]

    def _describe_all(self, texts: list[str]) -> list[Any]:
        described = list(self.describe(texts))
        if len(described) != len(texts):
            raise ValueError(f"describe gave {len(described)} rows for {len(texts)} texts")
        return described


def _checked(described: Any, names: tuple[str, ...]) -> Outcome:
    """Return what the author gave for one text as an outcome."""
    if isinstance(described, Absence):
        return described
    features = described if isinstance(described, Features) else Features(described)
    return replace(features, values=checked(features.values, names))
