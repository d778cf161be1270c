"""Attention over the modalities of an utterance, then over the turns of its dialogue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.dialogue import from_grid, to_grid
from featmer.nn.encoders import Encoders
from featmer.nn.head import Head
from featmer.nn.reallocation import reallocate

CONTEXTS = ("both", "past", "none")
SPAN = 8  # turns; farther apart than this all distances are alike


class AttentionBlock(nn.Module):
    """One pre-norm transformer layer: attention, then a perceptron.

    Parameters
    ----------
    hidden : int
        Width of a token.
    heads : int
        Attention heads; must divide ``hidden``.
    dropout : float
        Share of entries set to zero in training.

    Examples
    --------
    >>> AttentionBlock(8, heads=2, dropout=0.0)(torch.ones(3, 5, 8), bias=torch.zeros(3, 1, 5, 5)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        if hidden % heads:
            raise ValueError(f"heads must divide hidden, got hidden={hidden} and heads={heads}.")
        self.heads = heads
        self.before_attention = nn.LayerNorm(hidden)
        self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.after_attention = nn.Linear(hidden, hidden)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, bias: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Let tokens look at each other.

        Parameters
        ----------
        tokens : Tensor, shape (n, n_tokens, hidden)
            The tokens.
        bias : Tensor, broadcasting to (n, heads, n_tokens, n_tokens)
            Added to the attention scores; -inf where a token must not look.
        change : callable, optional
            Changes the attention weights, (n, heads, n_tokens, n_tokens), such as :func:`featmer.nn.reallocate`.

        Returns
        -------
        Tensor, shape (n, n_tokens, hidden)
            The tokens, changed.
        """
        mixed = self.query_key_value(self.before_attention(tokens))
        query, key, value = mixed.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if change is None:
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        else:
            scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5 + bias
            seen = change(scores.softmax(-1)) @ value
        tokens = tokens + self.dropout(self.after_attention(seen.transpose(1, 2).flatten(2)))
        return tokens + self.dropout(self.perceptron(tokens))


class TurnBias(nn.Module):
    """What a turn's attention to another owes to their distance and speakers.

    One learned number for each attention head, distance in turns (signed, up to
    eight) and whether the two turns have the same speaker; so a dialogue may be of
    any length, and speakers need no names.

    Parameters
    ----------
    heads : int
        Attention heads.
    context : {"both", "past"}
        Whether later turns may be looked at.

    Examples
    --------
    >>> real, speaker = torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 3, dtype=torch.long)
    >>> TurnBias(heads=1, context="past")(real, speaker)[0, 0].tolist()
    [[0.0, -inf, -inf], [0.0, 0.0, -inf], [0.0, 0.0, 0.0]]
    """

    def __init__(self, heads: int, context: str) -> None:
        super().__init__()
        self.context = context
        self.table = nn.Parameter(torch.zeros(2, 2 * SPAN + 1, heads))

    def forward(self, real: Tensor, speaker: Tensor) -> Tensor:
        """Make the bias of a grid.

        Parameters
        ----------
        real : Tensor of bool, shape (n_dialogues, n_turns)
            False where a dialogue has ended.
        speaker : Tensor of int, shape (n_dialogues, n_turns)
            Who spoke.

        Returns
        -------
        Tensor, shape (n_dialogues, heads, n_turns, n_turns)
            Bias of the turn on the third axis looking at the turn on the fourth.
        """
        turns = torch.arange(real.shape[1], device=real.device)
        distance = turns[:, None] - turns  # positive: the other turn is earlier
        same = (speaker[:, :, None] == speaker[:, None]).long()
        bias = self.table[same, distance.clamp(-SPAN, SPAN) + SPAN].permute(0, 3, 1, 2)
        allowed = real[:, None, None, :]
        if self.context == "past":
            allowed = allowed & (distance >= 0)
        return bias.masked_fill(~allowed, -torch.inf)


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
        check_name(self.context, CONTEXTS, "context")
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.summary = nn.Parameter(torch.randn(self.hidden) / self.hidden**0.5)
        self.over_modalities = self._blocks()
        if self.context != "none":
            self.bias = TurnBias(self.heads, self.context)
            self.over_turns = self._blocks()
        self.output = nn.Sequential(nn.LayerNorm(self.hidden), nn.Linear(self.hidden, n_outputs))
        return self

    def _blocks(self) -> nn.ModuleList:
        return nn.ModuleList(AttentionBlock(self.hidden, self.heads, self.dropout) for _ in range(self.layers))

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        turns = self._fuse(batch)
        if self.context != "none":
            turns = self._look_around(turns, batch)
        return self.output(turns)

    def _fuse(self, batch: Batch) -> Tensor:
        """Summarise the present modalities of each row: (n_rows, hidden)."""
        views, present = self.encoders(batch)
        # The summary token is always there, so a row without any modality has something to look at.
        tokens = torch.cat([self.summary.expand(len(views), 1, -1), views], dim=1)
        there = F.pad(present, (1, 0), value=True)
        bias = torch.zeros_like(there, dtype=tokens.dtype).masked_fill(~there, -torch.inf)[:, None, None, :]
        change = None
        if self.reallocation and not self.training:
            modality = torch.arange(-1, views.shape[1], device=views.device)  # the summary belongs to none
            change = partial(reallocate, groups=modality, strength=self.reallocation)
        for block in self.over_modalities:
            tokens = block(tokens, bias, change)
        return (tokens * there[..., None]).sum(1) / there.sum(1, keepdim=True)

    def _look_around(self, turns: Tensor, batch: Batch) -> Tensor:
        """Let the rows of a dialogue look at each other: (n_rows, hidden)."""
        grid, real = to_grid(turns, batch)
        bias = self.bias(real, to_grid(batch.speaker, batch)[0])
        for block in self.over_turns:
            grid = block(grid, bias)
        return from_grid(grid, batch)
