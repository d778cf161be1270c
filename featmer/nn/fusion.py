"""Heads that fuse the modalities of an utterance and know nothing of its neighbours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.encoders import Encoders
from featmer.nn.head import Head


class Join(nn.Module):
    """Make one vector of all modalities of a row: side by side, then a small perceptron.

    A missing modality is replaced by a vector learned for it.

    Parameters
    ----------
    in_features : mapping of str to int
        Width of each modality.
    hidden : int
        Width of each modality's vector and of the one that comes out.
    dropout : float
        Share of features and of hidden entries set to zero in training.
    sequences : collection of str, default=()
        The modalities that come as frames.
    """

    def __init__(
        self, in_features: Mapping[str, int], hidden: int, dropout: float, sequences: Collection[str] = ()
    ) -> None:
        super().__init__()
        self.encoders = Encoders(in_features, hidden, dropout, sequences)
        self.missing = nn.Parameter(torch.zeros(len(in_features), hidden))
        self.mix = nn.Sequential(nn.Linear(len(in_features) * hidden, hidden), nn.GELU(), nn.Dropout(dropout))

    def forward(self, batch: Batch) -> Tensor:
        """Join the modalities of each row.

        Parameters
        ----------
        batch : Batch
            Standardised rows.

        Returns
        -------
        Tensor, shape (n_rows, hidden)
            A vector a row.
        """
        views, present = self.encoders(batch)
        views = views + ~present[..., None] * self.missing
        return self.mix(views.flatten(1))


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
        self.join = Join(in_features, self.hidden, self.dropout, sequences)
        self.output = nn.Linear(self.hidden, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        return self.output(self.join(batch))


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
