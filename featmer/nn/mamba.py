"""Selective state spaces over the turns of a dialogue: long memory in time linear in its length."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.dialogue import from_grid, to_grid
from featmer.nn.encoders import WAVES, waves
from featmer.nn.fusion import Join
from featmer.nn.head import Head
from featmer.nn.scan import selective_scan

CONTEXTS = ("both", "past")
CONVOLUTION = 4  # turns, the present one and those before
STEP_RANGE = (1e-3, 0.1)  # of delta before training
STEP_FLOOR = 1e-4
SPEAKERS = 10  # of a dialogue that are told apart; any more are like the tenth


class StateSpace(nn.Module):
    """Read a sequence one way: a short convolution, then the selective scan.

    ``x = SiLU(convolution(u))``; from x come ``delta = softplus(W_delta d + b_delta)``
    and d, B, C by one linear map; ``A = -exp(A_log)``; the scan of
    :func:`featmer.nn.scan.selective_scan` does the rest. Where a sequence is padded,
    x and delta are zero, so its state stays as it is.

    Parameters
    ----------
    channels : int
        Width of the sequence.
    states : int
        States a channel.
    rank : int
        Width from which delta is made.

    Examples
    --------
    >>> real = torch.ones(1, 5, dtype=torch.bool)
    >>> StateSpace(channels=4, states=2, rank=1)(torch.ones(1, 5, 4), real).shape
    torch.Size([1, 5, 4])
    """

    def __init__(self, channels: int, states: int, rank: int) -> None:
        super().__init__()
        self.widths = (rank, states, states)
        self.convolution = nn.Conv1d(channels, channels, CONVOLUTION, groups=channels, padding=CONVOLUTION - 1)
        self.select = nn.Linear(channels, sum(self.widths), bias=False)
        self.step = nn.Linear(rank, channels)
        self.A_log = _undecayed(torch.arange(1.0, states + 1).log().repeat(channels, 1))
        self.D = _undecayed(torch.ones(channels))
        low, high = map(math.log, STEP_RANGE)
        steps = torch.empty(channels).uniform_(low, high).exp().clamp(min=STEP_FLOOR)
        nn.init.uniform_(self.step.weight, -(rank**-0.5), rank**-0.5)
        with torch.no_grad():
            self.step.bias.copy_(steps.expm1().log())  # softplus leads back to the steps

    def forward(self, u: Tensor, real: Tensor) -> Tensor:
        """Read sequences from their first step to their last.

        Parameters
        ----------
        u : Tensor, shape (n_sequences, length, channels)
            The sequences, zero at padding.
        real : Tensor of bool, shape (n_sequences, length)
            False at padding, which may stand before or after.

        Returns
        -------
        Tensor, shape (n_sequences, length, channels)
            What is known after each step.
        """
        there = real[..., None]
        x = F.silu(self.convolution(u.transpose(1, 2))[..., : u.shape[1]].transpose(1, 2)) * there
        d, B, C = self.select(x).split(self.widths, dim=-1)
        delta = F.softplus(self.step(d)) * there
        return selective_scan(x, delta, -self.A_log.exp(), B, C, self.D).to(u.dtype)


class SelectiveSSM(nn.Module):
    """A Mamba block: a gate beside one state space, or two that read both ways.

    ``[x, z] = W_in u``; ``out = W_out (y * SiLU(z))`` with y what :class:`StateSpace`
    makes of x. Both ways, a second one reads the sequence from its end, and y is the
    sum of the two.

    Parameters
    ----------
    hidden : int
        Width of a token; the state spaces are twice as wide.
    states : int, default=16
        States a channel.
    context : {"both", "past"}, default="both"
        Whether later tokens are read too.

    References
    ----------
    Gu, Dao: Mamba: Linear-time sequence modeling with selective state spaces.
    COLM, 2024.
    Zhu et al.: Vision Mamba: Efficient visual representation learning with
    bidirectional state space model. ICML, 2024.

    Examples
    --------
    >>> real = torch.tensor([[True, True, True], [True, False, False]])
    >>> SelectiveSSM(hidden=8)(torch.ones(2, 3, 8), real).shape
    torch.Size([2, 3, 8])
    """

    def __init__(self, hidden: int, states: int = 16, context: str = "both") -> None:
        super().__init__()
        check_name(context, CONTEXTS, "context")
        channels, rank = 2 * hidden, math.ceil(hidden / 16)
        self.enter = nn.Linear(hidden, 2 * channels, bias=False)
        self.ways = nn.ModuleList(StateSpace(channels, states, rank) for _ in range(2 if context == "both" else 1))
        self.leave = nn.Linear(channels, hidden, bias=False)

    def forward(self, tokens: Tensor, real: Tensor) -> Tensor:
        """Let tokens know of each other.

        Parameters
        ----------
        tokens : Tensor, shape (n_sequences, length, hidden)
            The tokens.
        real : Tensor of bool, shape (n_sequences, length)
            False at padding, which does not matter.

        Returns
        -------
        Tensor, shape (n_sequences, length, hidden)
            What is to be added to the tokens.
        """
        x, z = (self.enter(tokens) * real[..., None]).chunk(2, dim=-1)
        y = self.ways[0](x, real)
        if len(self.ways) == 2:
            # Turned round whole: what was padding after is padding before, which leaves the first state at zero.
            y = y + self.ways[1](x.flip(1), real.flip(1)).flip(1)
        return self.leave(y * F.silu(z))


class Mamba(Head):
    """Join the modalities of a turn, then read the dialogue by selective state spaces.

    Each layer is ``u + block(norm(u))`` with the block of :class:`SelectiveSSM`. Before
    the first, a turn is told who speaks (the first speaker of the dialogue, the second,
    ...) and where in the dialogue it stands.

    Parameters
    ----------
    hidden : int, default=128
        Width of a turn.
    layers : int, default=1
        Mamba layers.
    states : int, default=16
        States a channel.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    context : {"both", "past"}, default="both"
        Which turns of the dialogue a turn may know of; "past" suits live use.

    References
    ----------
    Gu, Dao: Mamba: Linear-time sequence modeling with selective state spaces.
    COLM, 2024.

    Examples
    --------
    >>> Mamba(layers=2, context="past")
    Mamba(context='past', layers=2)
    """

    search_space = {**Head.search_space, "layers": [1, 2, 4]}

    def __init__(
        self,
        *,
        hidden: int = 128,
        layers: int = 1,
        states: int = 16,
        dropout: float = 0.3,
        context: Literal["both", "past"] = "both",
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.states = states
        self.dropout = dropout
        self.context = context

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        self.join = Join(in_features, self.hidden, self.dropout, sequences)
        self.place = Place(self.hidden)
        self.norms = nn.ModuleList(nn.RMSNorm(self.hidden) for _ in range(self.layers))
        self.blocks = nn.ModuleList(SelectiveSSM(self.hidden, self.states, self.context) for _ in range(self.layers))
        self.drop = nn.Dropout(self.dropout)
        self.output = nn.Sequential(nn.LayerNorm(self.hidden), nn.Linear(self.hidden, n_outputs))
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        grid, real = to_grid(self.join(batch) + self.place(batch), batch)
        for norm, block in zip(self.norms, self.blocks, strict=True):
            grid = grid + self.drop(block(norm(grid), real))
        return self.output(from_grid(grid, batch))


class Place(nn.Module):
    """Who speaks a turn, and where in the dialogue it stands, as a vector to add to it.

    Speakers are counted as they appear in the dialogue, so they need no names; turns
    are sines and cosines of their number, so a dialogue may be of any length.

    Parameters
    ----------
    hidden : int
        Width of the vector.

    Examples
    --------
    >>> index = torch.zeros(3, dtype=torch.long)
    >>> batch = Batch({}, {}, {}, dialogue=index, turn=torch.arange(3), speaker=index)
    >>> Place(8)(batch).shape
    torch.Size([3, 8])
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.speaker = nn.Embedding(SPEAKERS, hidden)
        self.turn = nn.Linear(2 * WAVES, hidden, bias=False)
        for weights in (self.speaker.weight, self.turn.weight):
            nn.init.normal_(weights, std=0.02)  # what was said comes first

    def forward(self, batch: Batch) -> Tensor:
        """Describe the place of each row.

        Parameters
        ----------
        batch : Batch
            The rows.

        Returns
        -------
        Tensor, shape (n_rows, hidden)
            A vector a row.
        """
        speaker = self.speaker(batch.speaker.clamp(max=SPEAKERS - 1))
        return speaker + self.turn(waves(batch.turn, self.turn.weight.dtype))


def _undecayed(values: Tensor) -> nn.Parameter:
    """Return weights that weight decay leaves alone: pulled to zero, all would remember equally long."""
    weights = nn.Parameter(values)
    weights.no_weight_decay = True  # type: ignore[attr-defined]
    return weights
