"""The front of every head: any modality, vector or sequence, becomes one vector of one width."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from featmer.collate import Batch

WAVES = 8  # with periods from 4 to 1024 steps


class Frames(NamedTuple):
    """The frames of one modality.

    Attributes
    ----------
    values : Tensor, shape (n_rows, n_frames, hidden)
        The frames.
    real : Tensor of bool, shape (n_rows, n_frames)
        False at padding.
    """

    values: Tensor
    real: Tensor


class AttentionPool(nn.Module):
    """Average frames with learned weights, leaving out what is not there.

    Parameters
    ----------
    hidden : int
        Width of a frame.

    Examples
    --------
    >>> frames, real = torch.ones(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)
    >>> AttentionPool(8)(frames, real).shape
    torch.Size([2, 8])
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.score = nn.Linear(hidden, 1, bias=False)  # the softmax would cancel a bias

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        """Pool frames.

        Parameters
        ----------
        frames : Tensor, shape (n_rows, n_frames, hidden)
            The frames.
        real : Tensor of bool, shape (n_rows, n_frames)
            False at padding.

        Returns
        -------
        Tensor, shape (n_rows, hidden)
            The weighted means.
        """
        # The smallest number, not -inf: a row without any frame must not become NaN.
        score = self.score(frames).squeeze(-1)
        weight = score.masked_fill(~real, torch.finfo(score.dtype).min).softmax(1)
        return (weight[..., None] * frames).sum(1)


class Encoders(nn.Module):
    """Bring all modalities of a row to vectors of one width.

    Parameters
    ----------
    in_features : mapping of str to int
        Width of each modality.
    hidden : int
        Width of the vectors that come out.
    dropout : float
        Share of the features, and of the vectors' entries, set to zero in training.
    sequences : collection of str, default=()
        The modalities that come as frames; their frames are pooled by attention.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> from featmer.collate import collate
    >>> segments = pd.DataFrame({"dialogue": [1, 1], "turn": [0, 1]})
    >>> table = FeatureTable(segments, {"text": Block([[1.0], [np.nan]], ["text.length"])})
    >>> views, present = Encoders({"text": 1}, hidden=8, dropout=0.1)(collate(table))
    >>> views.shape, present.tolist()
    (torch.Size([2, 1, 8]), [[True], [False]])
    """

    def __init__(
        self, in_features: Mapping[str, int], hidden: int, dropout: float, sequences: Collection[str] = ()
    ) -> None:
        super().__init__()
        self.modalities = tuple(in_features)
        self.project = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(dropout), nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Dropout(dropout)
            )
            for width in in_features.values()
        )
        self.pool = nn.ModuleList(AttentionPool(hidden) if name in sequences else nn.Identity() for name in in_features)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Encode a batch.

        Parameters
        ----------
        batch : Batch
            Standardised rows.

        Returns
        -------
        views : Tensor, shape (n_rows, n_modalities, hidden)
            A vector a modality; zeros where it is missing.
        present : Tensor of bool, shape (n_rows, n_modalities)
            False where it is missing.
        """
        return self.pooled(self.frames(batch), batch)

    def frames(self, batch: Batch) -> list[Frames]:
        """Encode a batch frame by frame.

        Parameters
        ----------
        batch : Batch
            Standardised rows.

        Returns
        -------
        list of Frames
            The frames of each modality, zeros where there are none; of a vector, a single one.
        """
        encoded = []
        for name, project in zip(self.modalities, self.project, strict=True):
            values, real = project(batch.features[name]), batch.frames.get(name)
            if real is None:
                values, real = values[:, None], batch.present[name][:, None]
            encoded.append(Frames(values * real[..., None], real))
        return encoded

    def pooled(self, frames: list[Frames], batch: Batch) -> tuple[Tensor, Tensor]:
        """Make a vector of the frames of each modality.

        Parameters
        ----------
        frames : list of Frames
            As :meth:`frames` gives them, perhaps changed since.
        batch : Batch
            The rows that they are of.

        Returns
        -------
        views, present : Tensor
            As :meth:`forward` gives them.
        """
        pooled = [
            pool(*each) if isinstance(pool, AttentionPool) else each.values[:, 0]
            for pool, each in zip(self.pool, frames, strict=True)
        ]
        present = torch.stack([batch.present[name] for name in self.modalities], dim=1)
        return torch.stack(pooled, dim=1) * present[..., None], present


def heard(present: Tensor) -> Tensor:
    """Say where to look for something: at what is present, or everywhere in a row where nothing is.

    Parameters
    ----------
    present : Tensor of bool, shape (n_rows, n_tokens)
        False where a token is missing.

    Returns
    -------
    Tensor of bool, shape (n_rows, n_tokens)
        At least one True a row, so that a softmax over it has something to share out.

    Examples
    --------
    >>> heard(torch.tensor([[True, False], [False, False]])).tolist()
    [[True, False], [True, True]]
    """
    return present | ~present.any(1, keepdim=True)


def waves(position: Tensor, dtype: torch.dtype) -> Tensor:
    """Describe places in a sequence of any length by sines and cosines of eight periods.

    Parameters
    ----------
    position : Tensor of int, shape (...)
        Counted from 0.
    dtype : torch.dtype
        Precision of what comes out.

    Returns
    -------
    Tensor, shape (..., 16)
        The sines, then the cosines.

    Examples
    --------
    >>> waves(torch.tensor([0, 2]), torch.float32)[:, 0].round(decimals=6).abs().tolist()
    [0.0, 0.0]
    """
    frequencies = 2 * math.pi / torch.logspace(2, 10, WAVES, base=2, dtype=dtype, device=position.device)
    angles = position[..., None].to(dtype) * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class FramePlace(nn.Module):
    """Tell frames where in their sequence they stand, by a vector added to each.

    Parameters
    ----------
    hidden : int
        Width of a frame.

    Examples
    --------
    >>> frames = Frames(torch.zeros(2, 5, 8), torch.ones(2, 5, dtype=torch.bool))
    >>> FramePlace(8)(frames).values.shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * WAVES, hidden, bias=False)

    def forward(self, frames: Frames) -> Frames:
        """Add its place to every frame.

        Parameters
        ----------
        frames : Frames
            The frames.

        Returns
        -------
        Frames
            The same, told where they stand.
        """
        values, real = frames
        place = waves(torch.arange(values.shape[1], device=values.device), values.dtype)
        return Frames((values + self.project(place)) * real[..., None], real)
