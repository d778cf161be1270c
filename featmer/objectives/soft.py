"""A distribution over the classes a row: the votes of several raters, or a teacher's probabilities."""

from __future__ import annotations

from typing import Self

import torch.nn.functional as F
from torch import Tensor

from featmer.collate import Batch
from featmer.objectives.base import Objective


class SoftCrossEntropy(Objective):
    """Cross-entropy between the target's distribution and the predicted one.

    Examples
    --------
    >>> SoftCrossEntropy()
    SoftCrossEntropy()
    """

    target = "distributions"

    def build(self, n_outputs: int) -> Self:
        """There is nothing to make; see :class:`Objective`."""
        return self

    def learn(self, targets: Tensor) -> Self:
        """There is nothing to learn; see :class:`Objective`."""
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the mean cross-entropy; see :class:`Objective`."""
        return F.cross_entropy(outputs, targets)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return probabilities that sum to 1; see :class:`Objective`."""
        return outputs.softmax(1)
