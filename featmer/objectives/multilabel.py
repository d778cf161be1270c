"""Any number of labels a row."""

from __future__ import annotations

from typing import Self

import torch.nn.functional as F
from torch import Tensor

from featmer.collate import Batch
from featmer.objectives.base import Objective


class BinaryCrossEntropy(Objective):
    """Each label a yes or no of its own; the outputs are log odds.

    Examples
    --------
    >>> BinaryCrossEntropy()
    BinaryCrossEntropy()
    """

    target = "indicators"

    def build(self, n_outputs: int) -> Self:
        """There is nothing to make; see :class:`Objective`."""
        return self

    def learn(self, targets: Tensor) -> Self:
        """There is nothing to learn; see :class:`Objective`."""
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the mean over rows and labels; see :class:`Objective`."""
        return F.binary_cross_entropy_with_logits(outputs, targets)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label; see :class:`Objective`."""
        return outputs.sigmoid()
