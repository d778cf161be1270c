"""One label a row."""

from __future__ import annotations

from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.objectives.base import Objective

CLASS_WEIGHTS = ("balanced", "none")


class CrossEntropy(Objective):
    """One label a row; the outputs are unnormalised log probabilities.

    Parameters
    ----------
    class_weight : {"balanced", None}, default=None
        "balanced" weighs rows by the inverse frequency of their class, which serves
        unweighted recall and macro F1 and costs calibration.
    label_smoothing : float, default=0.0
        Share of the probability that the target gives to all classes alike.

    Examples
    --------
    >>> objective = CrossEntropy(class_weight="balanced").build(2).learn(torch.tensor([0, 0, 0, 1]))
    >>> objective.weight
    tensor([0.6667, 2.0000])
    """

    target = "labels"
    weight: Tensor

    def __init__(self, *, class_weight: Literal["balanced"] | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing

    def build(self, n_outputs: int) -> Self:
        """Make the class weights, all one; see :class:`Objective`."""
        check_name(self.class_weight or "none", CLASS_WEIGHTS, "class_weight")
        self.register_buffer("weight", torch.ones(n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Count the classes; see :class:`Objective`."""
        if self.class_weight == "balanced":
            counts = torch.bincount(targets, minlength=len(self.weight)).clamp(min=1)
            self.weight.copy_(len(targets) / (len(counts) * counts))
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the weighted mean of the negative log probabilities; see :class:`Objective`."""
        return F.cross_entropy(outputs, targets, self.weight, label_smoothing=self.label_smoothing)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return probabilities; see :class:`Objective`."""
        return outputs.softmax(1)
