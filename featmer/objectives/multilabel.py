"""Any number of labels a row, each a yes or no of its own."""

from __future__ import annotations

from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.labels import penalty_matrix
from featmer.objectives.base import Objective

HEAVIEST = 10.0


class BinaryCrossEntropy(Objective):
    """Each label a yes or no of its own; the outputs are log odds.

    Parameters
    ----------
    class_weight : {"balanced", "inverse", None}, default=None
        "balanced" weighs the rows that have a label by how many lack it for each that has it, from 1 to 10: rare
        labels are found more often, and probabilities are too high. "inverse" weighs them by the inverse 1/p of the
        label's share of rows, without a limit, and the label by 2 / (1 + 1/p), so that rare labels do not outweigh
        the others, as Kang and Herremans do for music.
    penalty : float, default=0.0
        Weight of the penalty for probability given to labels that rarely hold together with those that do, as of
        `SoftCrossEntropy`; 0.2 to 0.8 in the paper.

    References
    ----------
    Chou, Lee, Busso: Exploiting co-occurrence frequency of emotions in perceptual evaluations to train a speech emotion
    classifier. Interspeech, 2022 (the penalty).
    Kang, Herremans: Towards unified music emotion recognition across dimensional and categorical models.
    arXiv 2502.03979, 2025.

    Examples
    --------
    >>> rows = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    >>> BinaryCrossEntropy(class_weight="balanced").build(2).learn(rows).weight
    tensor([2., 1.])
    """

    target = "indicators"
    weight: Tensor
    label_weight: Tensor
    penalties: Tensor

    def __init__(self, *, class_weight: Literal["balanced", "inverse"] | None = None, penalty: float = 0.0) -> None:
        super().__init__()
        self.class_weight = class_weight
        self.penalty = penalty

    def build(self, n_outputs: int) -> Self:
        """Make the label weights, all one, and penalties, none; see :class:`Objective`."""
        check_name(self.class_weight or "none", ("balanced", "inverse", "none"), "class_weight")
        self.register_buffer("weight", torch.ones(n_outputs))
        self.register_buffer("label_weight", torch.ones(n_outputs))
        self.register_buffer("penalties", torch.zeros(n_outputs, n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Count the labels, and which hold together; see :class:`Objective`."""
        if self.class_weight == "balanced":
            self.weight.copy_(positive_weight(targets))
        elif self.class_weight == "inverse":
            self.weight.copy_(len(targets) / targets.sum(0).clamp(min=1))
            self.label_weight.copy_(2 / (1 + self.weight))
        penalties = penalty_matrix(targets.cpu().numpy(), map(str, range(targets.shape[1])))
        self.penalties.copy_(torch.tensor(penalties.to_numpy()))
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the mean over rows and labels; see :class:`Objective`."""
        loss = F.binary_cross_entropy_with_logits(outputs, targets, self.label_weight, pos_weight=self.weight)
        if not self.penalty:
            return loss
        return loss + self.penalty * ((targets @ self.penalties.to(targets)) * outputs.sigmoid()).mean()

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label; see :class:`Objective`."""
        return outputs.sigmoid()


class AsymmetricLoss(Objective):
    """Binary cross-entropy in which labels that a row lacks, and that are not expected, hardly count.

    Most labels are absent from most rows; what is easily told to be absent would drown the few that are there. The
    probabilities come out too high; thresholds chosen on validation rows make up for it.

    Parameters
    ----------
    focus_present : float, default=0.0
        Power of ``1 - p`` that the loss of labels a row has is multiplied by.
    focus_absent : float, default=4.0
        Power of ``p`` that the loss of labels a row lacks is multiplied by.
    margin : float, default=0.05
        Taken off the probability of labels a row lacks; below it they do not count at all. With both powers and the
        margin 0 this is binary cross-entropy; with equal powers and no margin, focal loss.

    References
    ----------
    Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter, Zelnik-Manor: Asymmetric loss for multi-label classification.
    ICCV, 2021.
    Lin, Goyal, Girshick, He, Dollár: Focal loss for dense object detection. ICCV, 2017.

    Examples
    --------
    >>> log_odds, targets = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 0.0]])
    >>> plain = AsymmetricLoss(focus_absent=0, margin=0).loss(log_odds, targets, None)
    >>> torch.allclose(plain, BinaryCrossEntropy().build(2).loss(log_odds, targets, None))
    True
    """

    target = "indicators"

    def __init__(self, *, focus_present: float = 0.0, focus_absent: float = 4.0, margin: float = 0.05) -> None:
        super().__init__()
        self.focus_present = focus_present
        self.focus_absent = focus_absent
        self.margin = margin

    def build(self, n_outputs: int) -> Self:
        """There is nothing to make; see :class:`Objective`."""
        if min(self.focus_present, self.focus_absent) < 0 or not 0 <= self.margin < 1:
            raise ValueError(f"{self!r}: powers are 0 or more, and the margin is from 0 to below 1.")
        return self

    def learn(self, targets: Tensor) -> Self:
        """There is nothing to learn; see :class:`Objective`."""
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the mean over rows and labels; see :class:`Objective`."""
        log_margin = outputs.new_tensor(self.margin).log()
        missed = -F.logsigmoid(outputs) * _power(torch.sigmoid(-outputs), self.focus_present)
        log_absent = torch.logaddexp(F.logsigmoid(-outputs), log_margin).clamp(max=0)
        invented = -log_absent * _power(outputs.sigmoid() - self.margin, self.focus_absent)
        return torch.where(targets > 0, missed, invented).mean()

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label; see :class:`Objective`."""
        return outputs.sigmoid()


def positive_weight(targets: Tensor) -> Tensor:
    """Return for each label how many rows lack it for each that has it, from 1 to 10.

    Parameters
    ----------
    targets : Tensor, shape (n_rows, n_labels)
        Of 0 and 1.

    Returns
    -------
    Tensor, shape (n_labels,)
        Weights of the rows that have the label.

    Examples
    --------
    >>> positive_weight(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    tensor([1., 3.])
    """
    present = targets.sum(0)
    return ((len(targets) - present) / present.clamp(min=1)).clamp(1.0, HEAVIEST)


def _power(base: Tensor, exponent: float) -> Tensor:
    """Return powers of probabilities whose gradient is finite at 0 too."""
    return base.clamp(min=1e-6) ** exponent
