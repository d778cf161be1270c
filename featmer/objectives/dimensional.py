"""Numbers as targets: valence, arousal, sentiment."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from featmer.collate import Batch
from featmer.objectives.base import Objective


class _ScaledObjective(Objective):
    """Numbers as targets: the head learns them at mean 0 and deviation 1."""

    target = "values"
    mean: Tensor
    scale: Tensor

    def build(self, n_outputs: int) -> Self:
        """Make mean and deviation; see :class:`Objective`."""
        self.register_buffer("mean", torch.zeros(n_outputs))
        self.register_buffer("scale", torch.ones(n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Take mean and deviation from the targets; see :class:`Objective`."""
        deviation = targets.std(0, correction=0)
        self.mean.copy_(targets.mean(0))
        self.scale.copy_(torch.where(deviation > 0, deviation, 1.0))
        return self

    def decode(self, outputs: Tensor) -> Tensor:
        """Return values in the targets' units; see :class:`Objective`."""
        return outputs * self.scale + self.mean


class MeanSquaredError(_ScaledObjective):
    """Mean of the squared errors, each target in units of its deviation.

    Examples
    --------
    >>> MeanSquaredError()
    MeanSquaredError()
    """

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the mean of the squares; see :class:`Objective`."""
        return F.mse_loss(outputs, (targets - self.mean) / self.scale)


class ConcordanceLoss(_ScaledObjective):
    """One minus the concordance correlation coefficient, mean over the targets.

    The coefficient is that of the rows of a batch: take large batches.

    References
    ----------
    Lin: A concordance correlation coefficient to evaluate reproducibility.
    Biometrics, 1989.

    Examples
    --------
    >>> objective = ConcordanceLoss().build(1).learn(torch.tensor([[0.0], [2.0]]))
    >>> index = torch.zeros(2, dtype=torch.long)
    >>> batch = Batch({}, {}, {}, dialogue=index, turn=torch.arange(2), speaker=index)
    >>> float(objective.loss(torch.tensor([[-1.0], [1.0]]), torch.tensor([[0.0], [2.0]]), batch))
    0.0
    """

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return one minus the mean coefficient; see :class:`Objective`."""
        wanted = (targets - self.mean) / self.scale
        outputs_off, wanted_off = outputs - outputs.mean(0), wanted - wanted.mean(0)
        agreement = 2 * (outputs_off * wanted_off).mean(0)
        spread = (outputs_off.square() + wanted_off.square()).mean(0) + (outputs - wanted).mean(0).square()
        return 1 - (agreement / spread.clamp(min=1e-8)).mean()
