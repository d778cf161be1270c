"""A head that keeps modalities and stretches of frames apart up to the end, so that labels can be traced to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.encoders import Encoders, Frames
from featmer.nn.head import Head


class Aligner(Head):
    """Give a vector for each modality and each stretch of its frames: tokens, which an objective holds to labels.

    A modality that is a vector is one token; those that are sequences share the other tokens evenly, each frame a
    token of its own, or, where there are more frames than tokens, equal stretches of them. Tokens that are missing
    are NaN. Made for `featmer.objectives.ConditionalTransport`, with the same number of tokens.

    Parameters
    ----------
    tokens : int, default=1
        Tokens a row, of which each gives an equal part of the outputs. 1 is the mean of all modalities, and serves
        any objective.
    hidden : int, default=128
        Width of each modality's frames before the output layer, which all tokens share.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    Examples
    --------
    >>> head = Aligner(tokens=4, hidden=8).build({"audio": 88, "face": 52}, 4 * 16, sequences=["face"])
    >>> head.places()
    ['audio', 'face 1/3', 'face 2/3', 'face 3/3']
    """

    def __init__(self, *, tokens: int = 1, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.tokens = tokens
        self.hidden = hidden
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        if self.tokens < 1 or n_outputs % self.tokens:
            raise ValueError(
                f"{n_outputs} outputs a row are no {self.tokens} tokens of one width; give head and objective the same "
                f"number of tokens: Aligner(tokens=8) with ConditionalTransport(tokens=8)."
            )
        self.shares = self._shares(in_features, sequences)
        self.encoders = Encoders(in_features, self.hidden, self.dropout)
        self.output = nn.Linear(self.hidden, n_outputs // self.tokens)
        return self

    def places(self) -> list[str]:
        """Name the tokens.

        Returns
        -------
        list of str
            A modality, or a modality and which of its frames or stretches of frames, counted from 1.
        """
        if self.tokens == 1:
            return ["all"]
        return [
            name if share == 1 else f"{name} {number + 1}/{share}"
            for name, share in self.shares.items()
            for number in range(share)
        ]

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs, token after token; see :class:`Head`."""
        frames = self.encoders.frames(batch)
        stretches = [share_out(*pair) for pair in zip(frames, self.shares.values(), strict=True)]
        values = torch.cat([values for values, _ in stretches], dim=1)
        real = torch.cat([real for _, real in stretches], dim=1)
        if self.tokens == 1:  # a row without any modality is zeros, as any head's
            return self.output(values.sum(1) / real.sum(1, keepdim=True).clamp(min=1))
        return self.output(values).masked_fill(~real[..., None], torch.nan).flatten(1)

    def _shares(self, in_features: Mapping[str, int], sequences: Collection[str]) -> dict[str, int]:
        """Return how many tokens each modality has; of one token in all, each modality gives a part."""
        shares = dict.fromkeys(in_features, 1)
        if self.tokens == 1:
            return shares
        if self.tokens < len(shares) or (not sequences and self.tokens != len(shares)):
            raise ValueError(
                f"tokens={self.tokens}, but there are {len(shares)} modalities, of which {len(sequences)} are "
                f"sequences; give one token a modality, or more where there are sequences."
            )
        several = [name for name in in_features if name in sequences]
        for number in range(self.tokens - len(shares)):
            shares[several[number % len(several)]] += 1
        return shares


def share_out(frames: Frames, share: int) -> Frames:
    """Bring frames to a number of stretches, each the mean of equally many frames that follow each other.

    Parameters
    ----------
    frames : Frames
        The frames of one modality.
    share : int
        How many stretches; a row with no more frames than that keeps its frames, and the other stretches are missing.

    Returns
    -------
    Frames
        ``(n_rows, share, hidden)``, zeros where missing.

    Examples
    --------
    >>> frames = Frames(torch.arange(4.0).view(1, 4, 1), torch.ones(1, 4, dtype=torch.bool))
    >>> share_out(frames, 2).values.flatten()
    tensor([0.5000, 2.5000])
    """
    values, real = frames
    rank, n_real = real.cumsum(1) - 1, real.sum(1, keepdim=True)
    place = torch.where(n_real > share, rank * share // n_real.clamp(min=1), rank)
    belongs = (place[..., None] == torch.arange(share, device=real.device)) & real[..., None]
    count = belongs.sum(1)
    means = belongs.to(values.dtype).transpose(1, 2) @ values / count[..., None].clamp(min=1)
    return Frames(means, count > 0)
