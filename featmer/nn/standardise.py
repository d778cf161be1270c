"""Scaling learned on training rows, kept inside the module that needs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch

LIMIT = 10.0  # deviations; one broken clip must not swamp a whole dialogue


class Standardise(nn.Module):
    """Bring every feature to mean 0 and deviation 1, and fill what is missing.

    Missing numbers become 0, the mean of training; values beyond ten deviations
    are cut there. Mean and deviation are buffers: they are saved with the weights.

    Parameters
    ----------
    in_features : mapping of str to int
        Width of each modality.

    Examples
    --------
    >>> layer = Standardise({"audio": 1}).learn({"audio": torch.tensor([[1.0], [3.0], [torch.nan]])})
    >>> layer.mean, layer.scale
    (tensor([2.]), tensor([1.]))
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, in_features: Mapping[str, int]) -> None:
        super().__init__()
        self.in_features = dict(in_features)
        self.register_buffer("mean", torch.zeros(sum(in_features.values())))
        self.register_buffer("scale", torch.ones(sum(in_features.values())))

    def _by_modality(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Yield each modality with its views of mean and scale."""
        widths = list(self.in_features.values())
        yield from zip(self.in_features, self.mean.split(widths), self.scale.split(widths), strict=True)

    def learn(self, values: Mapping[str, Tensor]) -> Self:
        """Take mean and deviation from training rows.

        Parameters
        ----------
        values : mapping of str to Tensor, shape (n, n_features)
            Rows, or the frames of all rows, with NaN where missing.

        Returns
        -------
        Standardise
            Itself.
        """
        for name, mean, scale in self._by_modality():
            exact = values[name].double()
            average = exact.nanmean(0).nan_to_num()
            deviation = (exact - average).square().nanmean(0).sqrt().nan_to_num()
            constant = deviation <= 1e-6 * average.abs()
            mean.copy_(average)
            scale.copy_(torch.where(constant, 1.0, deviation))
        return self

    def forward(self, batch: Batch) -> Batch:
        """Scale a batch.

        Parameters
        ----------
        batch : Batch
            Rows as they come from the table.

        Returns
        -------
        Batch
            The same rows, scaled and without NaN.
        """
        features = {
            name: torch.where(batch.frames.get(name, batch.present[name])[..., None], values, 0.0)
            for name, values in self.scaled(batch.features).items()
        }
        return dataclasses.replace(batch, features=features)

    def scaled(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Scale numbers; missing ones become 0.

        Parameters
        ----------
        values : mapping of str to Tensor, shape (..., n_features)
            Rows, or the frames of all rows, with NaN where missing.

        Returns
        -------
        dict of str to Tensor
            The same, scaled and without NaN.
        """
        return {
            name: ((values[name] - mean) / scale).nan_to_num_(nan=0.0).clamp_(-LIMIT, LIMIT)
            for name, mean, scale in self._by_modality()
        }
