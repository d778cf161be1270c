"""One label a row."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from featmer.collate import Batch
from featmer.objectives.base import Objective
from featmer.objectives.weighting import ClassWeight, check_weighting, class_weights


class CrossEntropy(Objective):
    """One label a row; the outputs are unnormalised log probabilities.

    Rare emotions are easily given up, as they cost little. ``class_weight`` makes them count, ``focal`` makes all
    count that are not yet told well; both serve unweighted recall and macro F1, and cost calibration.

    Parameters
    ----------
    class_weight : {"balanced", "effective", None}, default=None
        How rows are weighted by their class: by the inverse of its number of rows, or of its effective number, which
        grows ever more slowly.
    beta : float, default=None
        Of the effective number, from 0, where all classes weigh the same, to below 1, where weights are those of
        "balanced". None is ``(n - 1) / n`` for n training rows.
    focal : float, default=0.0
        Power of ``1 - p`` that a row's loss is multiplied by, p being the probability of its label; 2 in the paper.
    label_smoothing : float, default=0.0
        Share of the probability that the target gives to all classes alike.

    References
    ----------
    Lin, Goyal, Girshick, He, Dollár: Focal loss for dense object detection. ICCV, 2017.
    Cui, Jia, Lin, Song, Belongie: Class-balanced loss based on effective number of samples. CVPR, 2019.

    Examples
    --------
    >>> objective = CrossEntropy(class_weight="balanced").build(2).learn(torch.tensor([0, 0, 0, 1]))
    >>> objective.weight
    tensor([0.5000, 1.5000])
    """

    target = "labels"
    weight: Tensor

    def __init__(
        self,
        *,
        class_weight: ClassWeight = None,
        beta: float | None = None,
        focal: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.class_weight = class_weight
        self.beta = beta
        self.focal = focal
        self.label_smoothing = label_smoothing

    def build(self, n_outputs: int) -> Self:
        """Make the class weights, all one; see :class:`Objective`."""
        check_weighting(self.class_weight, self.beta)
        if self.focal < 0:
            raise ValueError(f"focal={self.focal!r} is a power, 0 or more; 0 is plain cross-entropy.")
        self.register_buffer("weight", torch.ones(n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Count the classes; see :class:`Objective`."""
        counts = torch.bincount(targets, minlength=len(self.weight))
        self.weight.copy_(class_weights(counts, len(targets), self.class_weight, self.beta))
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the weighted mean of the negative log probabilities; see :class:`Objective`."""
        losses = F.cross_entropy(outputs, targets, self.weight, reduction="none", label_smoothing=self.label_smoothing)
        if self.focal:
            probability = outputs.softmax(1).gather(1, targets[:, None]).squeeze(1)
            losses = losses * (1 - probability) ** self.focal
        return losses.sum() / self.weight[targets].sum()

    def decode(self, outputs: Tensor) -> Tensor:
        """Return probabilities; see :class:`Objective`."""
        return outputs.softmax(1)
