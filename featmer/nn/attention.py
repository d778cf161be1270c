"""Attention: between tokens, from some tokens to others, and between the turns of a dialogue."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.dialogue import from_grid, to_grid

CONTEXTS = ("both", "past", "none")
SPAN = 8  # turns; farther apart than this all distances are alike

Change = Callable[[Tensor], Tensor]


def only(there: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Make the bias that keeps all eyes on what is there.

    Parameters
    ----------
    there : Tensor of bool, shape (n, n_tokens)
        False where a token is not to be looked at; at least one True a row.
    dtype : torch.dtype, default=torch.float32
        Precision of the bias.

    Returns
    -------
    Tensor, shape (n, 1, 1, n_tokens)
        0 where a token is there, -inf elsewhere.

    Examples
    --------
    >>> only(torch.tensor([[True, False]])).flatten().tolist()
    [0.0, -inf]
    """
    return torch.zeros_like(there, dtype=dtype).masked_fill(~there, -torch.inf)[:, None, None, :]


def hide(bias: Tensor, seen: Tensor) -> Tensor:
    """Hide tokens from all others; each may still look at itself, so that every token has something to look at.

    Parameters
    ----------
    bias : Tensor, shape (n, heads, n_tokens, n_tokens)
        Of the tokens on the third axis looking at those on the fourth.
    seen : Tensor of bool, shape (n, n_tokens)
        False where a token is to be hidden.

    Returns
    -------
    Tensor, shape (n, heads, n_tokens, n_tokens)
        The bias, -inf where a token is hidden.

    Examples
    --------
    >>> hide(torch.zeros(1, 1, 2, 2), torch.tensor([[True, False]])).flatten().tolist()
    [0.0, -inf, 0.0, 0.0]
    """
    itself = torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
    return bias.masked_fill(~(seen[:, None, None, :] | itself), -torch.inf)


class Attention(nn.Module):
    """Let queries look at keys through several heads, and bring back values.

    Parameters
    ----------
    hidden : int
        Width of queries, keys and values.
    heads : int
        Attention heads; must divide ``hidden``.

    Examples
    --------
    >>> queries, keys = torch.ones(3, 2, 8), torch.ones(3, 5, 8)
    >>> Attention(8, heads=2)(queries, keys, keys, bias=torch.zeros(2, 5)).shape
    torch.Size([3, 2, 8])
    """

    # Not torch's own: its rounding depends on which weights are frozen, and what is frozen is to stay as it was.

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        if hidden % heads:
            raise ValueError(f"heads must divide hidden, got hidden={hidden} and heads={heads}.")
        self.heads = heads
        self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.after = nn.Linear(hidden, hidden)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, change: Change | None = None
    ) -> Tensor:
        """Look at the keys.

        Parameters
        ----------
        queries : Tensor, shape (n, n_queries, hidden)
            What looks.
        keys : Tensor, shape (n, n_tokens, hidden)
            What is looked at.
        values : Tensor, shape (n, n_tokens, hidden)
            What is seen there.
        bias : Tensor, broadcasting to (n, heads, n_queries, n_tokens)
            Added to the attention scores; -inf where a query must not look.
        change : callable, optional
            Changes the attention weights, (n, heads, n_queries, n_tokens), such as :func:`featmer.nn.reallocate`.

        Returns
        -------
        Tensor, shape (n, n_queries, hidden)
            What each query saw.
        """
        layer = self.query_key_value
        parts = zip((queries, keys, values), layer.weight.chunk(3), layer.bias.chunk(3), strict=True)
        query, key, value = (F.linear(*part).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        if change is None:
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        else:
            scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5 + bias
            seen = change(scores.softmax(-1)) @ value
        return self.after(seen.transpose(1, 2).flatten(2))


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
        self.before_attention = nn.LayerNorm(hidden)
        self.attention = Attention(hidden, heads)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Tensor, bias: Tensor, change: Change | None = None, others: Tensor | None = None
    ) -> Tensor:
        """Let tokens look at each other, or at others.

        Parameters
        ----------
        tokens : Tensor, shape (n, n_tokens, hidden)
            The tokens.
        bias : Tensor, broadcasting to (n, heads, n_tokens, n_tokens or n_others)
            Added to the attention scores; -inf where a token must not look.
        change : callable, optional
            Changes the attention weights, shaped like the bias, such as :func:`featmer.nn.reallocate`.
        others : Tensor, shape (n, n_others, hidden), optional
            What the tokens look at in place of each other.

        Returns
        -------
        Tensor, shape (n, n_tokens, hidden)
            The tokens, changed.
        """
        looking = self.before_attention(tokens)
        looked_at = looking if others is None else self.before_attention(others)
        tokens = tokens + self.dropout(self.attention(looking, looked_at, looked_at, bias, change))
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
        if self.context == "past":
            bias = bias.masked_fill(distance < 0, -torch.inf)
        return hide(bias, real)


class TurnAttention(nn.Module):
    """Let the turns of each dialogue look at each other.

    Parameters
    ----------
    hidden : int
        Width of a turn.
    layers : int
        Transformer layers.
    heads : int
        Attention heads; must divide ``hidden``.
    dropout : float
        Share of entries set to zero in training.
    context : {"both", "past", "none"}
        Which turns a turn may look at; "none" leaves all as they are.

    Examples
    --------
    >>> index = torch.tensor([0, 0, 1])
    >>> batch = Batch({}, {}, {}, dialogue=index, turn=torch.tensor([1, 0, 0]), speaker=index)
    >>> TurnAttention(8, layers=1, heads=2, dropout=0.0, context="past")(torch.ones(3, 8), batch).shape
    torch.Size([3, 8])
    """

    def __init__(self, hidden: int, layers: int, heads: int, dropout: float, context: str) -> None:
        super().__init__()
        check_name(context, CONTEXTS, "context")
        self.bias = None if context == "none" else TurnBias(heads, context)
        self.blocks = nn.ModuleList(
            AttentionBlock(hidden, heads, dropout) for _ in range(0 if context == "none" else layers)
        )

    def forward(self, turns: Tensor, batch: Batch) -> Tensor:
        """Let the rows of a dialogue look at each other.

        Parameters
        ----------
        turns : Tensor, shape (n_rows, hidden)
            A vector a row.
        batch : Batch
            Where the rows belong.

        Returns
        -------
        Tensor, shape (n_rows, hidden)
            The vectors, changed.
        """
        if self.bias is None:
            return turns
        grid, real = to_grid(turns, batch)
        bias = self.bias(real, to_grid(batch.speaker, batch)[0])
        for block in self.blocks:
            grid = block(grid, bias)
        return from_grid(grid, batch)
