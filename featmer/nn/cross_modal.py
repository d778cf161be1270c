"""Frames of each modality look at the frames of the others, which need not be aligned with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from featmer.collate import Batch
from featmer.nn.attention import AttentionBlock, TurnAttention, only
from featmer.nn.encoders import Encoders, FramePlace, Frames, heard
from featmer.nn.head import Head

MANY = 2**14  # frames that are worked on at once


class CrossModalTransformer(nn.Module):
    """Let frames look at the frames of another modality, or at each other, layer by layer.

    Every layer looks at the other modality as it was at the start. Attention is not kept in memory, whatever the number
    of frames. Of more than 16,384 frames, some rows are worked on at a time, and what happens within the layers is not
    kept either: training computes it a second time.

    Parameters
    ----------
    hidden : int
        Width of a frame.
    layers : int
        Transformer layers.
    heads : int
        Attention heads; must divide ``hidden``.
    dropout : float
        Share of entries set to zero in training.

    Examples
    --------
    >>> frames, others = (Frames(torch.ones(3, n, 8), torch.ones(3, n, dtype=torch.bool)) for n in (5, 7))
    >>> CrossModalTransformer(8, layers=1, heads=2, dropout=0.0)(frames, others).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, hidden: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AttentionBlock(hidden, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, frames: Frames, others: Frames | None = None) -> Tensor:
        """Let frames look.

        Parameters
        ----------
        frames : Frames
            What looks.
        others : Frames, optional
            What is looked at; the frames themselves if None.

        Returns
        -------
        Tensor, shape (n_rows, n_frames, hidden)
            The frames, changed.
        """
        seen = others or frames
        n_rows = max(1, MANY // max(frames.values.shape[1], seen.values.shape[1]))
        given = [frames.values, only(heard(seen.real), seen.values.dtype)]
        if others is not None:
            given.append(others.values)
        if len(frames.values) <= n_rows:
            return self._changed(*given)
        pieces = zip(*(each.split(n_rows) for each in given), strict=True)
        return torch.cat([checkpoint(self._changed, *piece, use_reentrant=False) for piece in pieces])

    def _changed(self, values: Tensor, bias: Tensor, others: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            values = block(values, bias, others=others)
        return self.norm(values)


class CrossModal(Head):
    """Let the frames of each modality look at those of every other, then pool them, then read the dialogue.

    For each ordered pair of modalities a :class:`CrossModalTransformer` lets the frames of the first look at the frames
    of the second; what a modality's frames saw in all others is added to them; they look at each other, and are pooled.
    The modalities' vectors, side by side, make a turn, and turns look at each other. A vector is a sequence of a single
    frame.

    Parameters
    ----------
    hidden : int, default=64
        Width of a frame and of a turn.
    layers : int, default=1
        Transformer layers of each pair, of each modality and over the turns.
    heads : int, default=4
        Attention heads; must divide ``hidden``.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    context : {"both", "past", "none"}, default="both"
        Which turns of the dialogue a turn may look at; "past" suits live use, "none" treats every turn by itself.

    Notes
    -----
    The paper leaves a modality's own frames out of what is read after the pairs; here they stay, so that a modality
    speaks where all others are missing. Its convolution before attention is left out; frames are pooled by learned
    weights in place of taking the last.

    References
    ----------
    Tsai, Bai, Liang, Kolter, Morency, Salakhutdinov: Multimodal transformer for unaligned multimodal language
    sequences. ACL, 2019.

    Examples
    --------
    >>> CrossModal(layers=2, context="none")
    CrossModal(context='none', layers=2)
    """

    search_space = {**Head.search_space, "layers": [1, 2, 4]}

    def __init__(
        self,
        *,
        hidden: int = 64,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.3,
        context: Literal["both", "past", "none"] = "both",
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.dropout = dropout
        self.context = context

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        n_modalities = len(in_features)
        sizes = (self.hidden, self.layers, self.heads, self.dropout)
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.place = FramePlace(self.hidden)
        self.at_others = nn.ModuleList(
            nn.ModuleList(CrossModalTransformer(*sizes) for _ in range(n_modalities - 1)) for _ in in_features
        )
        self.join_seen = nn.ModuleList(
            nn.Linear((n_modalities - 1) * self.hidden, self.hidden)
            for _ in range(n_modalities if n_modalities > 1 else 0)
        )
        self.at_own = nn.ModuleList(CrossModalTransformer(*sizes) for _ in in_features)
        self.join = nn.Sequential(
            nn.Linear(n_modalities * self.hidden, self.hidden), nn.GELU(), nn.Dropout(self.dropout)
        )
        self.over_turns = TurnAttention(*sizes, self.context)
        self.output = nn.Sequential(nn.LayerNorm(self.hidden), nn.Linear(self.hidden, n_outputs))
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        frames = [self.place(each) for each in self.encoders.frames(batch)]
        seen = [self._look(number, frames) for number in range(len(frames))]
        own = [Frames(look(each), each.real) for look, each in zip(self.at_own, seen, strict=True)]
        views, _ = self.encoders.pooled(own, batch)
        return self.output(self.over_turns(self.join(views.flatten(1)), batch))

    def _look(self, number: int, frames: list[Frames]) -> Frames:
        """Return the frames of a modality with what they see in the others; what is missing shows nothing."""
        own, others = frames[number], frames[:number] + frames[number + 1 :]
        if not others:
            return own
        looks = zip(self.at_others[number].children(), others, strict=True)
        seen = [look(own, other) * other.real.any(1)[:, None, None] for look, other in looks]
        return Frames(own.values + self.join_seen[number](torch.cat(seen, dim=-1)), own.real)
