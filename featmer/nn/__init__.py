"""Heads: torch modules that turn the features of a batch into one output vector a row."""

from __future__ import annotations

from featmer.nn.encoders import Encoders
from featmer.nn.fusion import Concat, Gated
from featmer.nn.head import Answers, Head
from featmer.nn.standardise import Standardise
from featmer.nn.transformer import Transformer

HEADS: dict[str, type[Head]] = {
    "concat": Concat,
    "gated": Gated,
    "transformer": Transformer,
}

__all__ = ["HEADS", "Answers", "Concat", "Encoders", "Gated", "Head", "Standardise", "Transformer"]
