"""Heads that fuse the modalities of an utterance and know nothing of its neighbours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.encoders import Encoders
from featmer.nn.head import Head


class Concat(Head):
    """Set the modalities' vectors side by side before a small perceptron.

    A missing modality is replaced by a vector learned for it.

    Parameters
    ----------
    hidden : int, default=128
        Width of each modality's vector and of the hidden layer.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    Examples
    --------
    >>> Concat(hidden=32)
    Concat(hidden=32)
    """

    def __init__(self, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.hidden = hidden
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.missing = nn.Parameter(torch.zeros(len(in_features), self.hidden))
        self.mix = nn.Sequential(
            nn.Linear(len(in_features) * self.hidden, self.hidden), nn.GELU(), nn.Dropout(self.dropout)
        )
        self.output = nn.Linear(self.hidden, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        views, present = self.encoders(batch)
        views = views + ~present[..., None] * self.missing
        return self.output(self.mix(views.flatten(1)))


class Gated(Head):
    """Add up the modalities' vectors, each through a gate that sees all of them.

    A missing modality adds nothing.

    Parameters
    ----------
    hidden : int, default=128
        Width of each modality's vector.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    References
    ----------
    Arevalo, Solorio, Montes-y-Gomez, Gonzalez: Gated multimodal units for
    information fusion. ICLR workshop, 2017. The gates here are free of each other.

    Examples
    --------
    >>> Gated(dropout=0.2)
    Gated(dropout=0.2)
    """

    def __init__(self, *, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.hidden = hidden
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        width = len(in_features) * self.hidden
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.gates = nn.Linear(width, width)
        self.output = nn.Linear(self.hidden, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        views, _ = self.encoders(batch)  # zeros where missing, so nothing is added there
        gates = self.gates(views.flatten(1)).sigmoid().view_as(views)
        return self.output((gates * views).sum(1))
