"""Attention over the modalities of an utterance, then over the turns of its dialogue."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.attention import AttentionBlock, TurnAttention, only
from featmer.nn.encoders import Encoders
from featmer.nn.head import Head
from featmer.nn.reallocation import reallocate


class Transformer(Head):
    """Attend over the modalities of a turn, then over the turns of the dialogue.

    Parameters
    ----------
    hidden : int, default=128
        Width of a token.
    layers : int, default=1
        Transformer layers over the modalities, and as many over the turns.
    heads : int, default=4
        Attention heads; must divide ``hidden``.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    context : {"both", "past", "none"}, default="both"
        Which turns of the dialogue a turn may look at; "past" suits live use,
        "none" treats every turn by itself.
    reallocation : float, default=0.0
        How far the attention to the modalities is evened out where the head is used, not
        trained, from 0 to 1; see :func:`featmer.nn.reallocate`.

    References
    ----------
    Vaswani et al.: Attention is all you need. NeurIPS, 2017.
    Shaw, Uszkoreit, Vaswani: Self-attention with relative position
    representations. NAACL, 2018.

    Examples
    --------
    >>> Transformer(layers=2, context="past")
    Transformer(context='past', layers=2)
    """

    search_space = {**Head.search_space, "layers": [1, 2, 4]}

    def __init__(
        self,
        *,
        hidden: int = 128,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.3,
        context: Literal["both", "past", "none"] = "both",
        reallocation: float = 0.0,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.dropout = dropout
        self.context = context
        self.reallocation = reallocation

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.summary = nn.Parameter(torch.randn(self.hidden) / self.hidden**0.5)
        self.over_modalities = nn.ModuleList(
            AttentionBlock(self.hidden, self.heads, self.dropout) for _ in range(self.layers)
        )
        self.over_turns = TurnAttention(self.hidden, self.layers, self.heads, self.dropout, self.context)
        self.output = nn.Sequential(nn.LayerNorm(self.hidden), nn.Linear(self.hidden, n_outputs))
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        return self.output(self.over_turns(self._fuse(batch), batch))

    def _fuse(self, batch: Batch) -> Tensor:
        """Summarise the present modalities of each row: (n_rows, hidden)."""
        views, present = self.encoders(batch)
        # The summary token is always there, so a row without any modality has something to look at.
        tokens = torch.cat([self.summary.expand(len(views), 1, -1), views], dim=1)
        there = F.pad(present, (1, 0), value=True)
        bias = only(there, tokens.dtype)
        change = None
        if self.reallocation and not self.training:
            modality = torch.arange(-1, views.shape[1], device=views.device)  # the summary belongs to none
            change = partial(reallocate, groups=modality, strength=self.reallocation)
        for block in self.over_modalities:
            tokens = block(tokens, bias, change)
        return (tokens * there[..., None]).sum(1) / there.sum(1, keepdim=True)
