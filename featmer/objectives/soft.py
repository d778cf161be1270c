"""A distribution over the classes a row: the votes of several raters, or a teacher's probabilities."""

from __future__ import annotations

from typing import Literal, Self

import torch
from torch import Tensor

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.decisions import inclusive_threshold
from featmer.labels import penalty_matrix
from featmer.objectives.base import Objective
from featmer.objectives.weighting import ClassWeight, check_weighting, class_weights

PENALTY_MODES = ("expected", "literal")


class SoftCrossEntropy(Objective):
    """Cross-entropy between the target's distribution and the predicted one.

    It differs from the Kullback-Leibler divergence by the entropy of the target alone, so that both teach the same.

    Parameters
    ----------
    class_weight : {"balanced", "effective", None}, default=None
        How classes are weighted; see `CrossEntropy`. A class's rows are those that give it more than an equal share,
        and a row weighs what its classes weigh, in proportion to their shares.
    beta : float, default=None
        Of the effective number; see `CrossEntropy`.
    label_smoothing : float, default=0.0
        How much a label that has everything loses to the others, as of `featmer.labels.smooth_targets`.
    penalty : float, default=0.0
        Weight of the penalty for probability given to labels that raters rarely choose together with those they chose.
        The paper's 0.2 to 0.8 are a start. How rarely, is learnt from the targets, which should be votes: a teacher's
        probabilities, all above 0, forbid nothing.
    penalty_mode : {"expected", "literal"}, default="expected"
        The penalty that a label drawn from the prediction is expected to cost; or the paper's sum as it is written,
        which weighs the divergence of a label by the sum of its penalties, whatever is predicted in its place.

    References
    ----------
    Chou, Lee, Busso: Exploiting co-occurrence frequency of emotions in perceptual evaluations to train a speech emotion
    classifier. Interspeech, 2022.
    Wu, Chou, et al.: EMO-SUPERB: an in-depth look at speech emotion recognition. arXiv 2402.13018, 2024 (the weights).

    Examples
    --------
    >>> shares = torch.tensor([[0.6, 0.4, 0.0], [0.0, 0.0, 1.0]])
    >>> objective = SoftCrossEntropy(penalty=0.5).build(3).learn(shares)
    >>> objective.penalties
    tensor([[0., 0., 1.],
            [0., 0., 1.],
            [1., 1., 0.]])
    """

    target = "distributions"
    weight: Tensor
    penalties: Tensor

    def __init__(
        self,
        *,
        class_weight: ClassWeight = None,
        beta: float | None = None,
        label_smoothing: float = 0.0,
        penalty: float = 0.0,
        penalty_mode: Literal["expected", "literal"] = "expected",
    ) -> None:
        super().__init__()
        self.class_weight = class_weight
        self.beta = beta
        self.label_smoothing = label_smoothing
        self.penalty = penalty
        self.penalty_mode = penalty_mode

    def build(self, n_outputs: int) -> Self:
        """Make weights, all one, and penalties, none; see :class:`Objective`."""
        check_weighting(self.class_weight, self.beta)
        check_name(self.penalty_mode, PENALTY_MODES, "penalty_mode")
        self.register_buffer("weight", torch.ones(n_outputs))
        self.register_buffer("penalties", torch.zeros(n_outputs, n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Count classes, and which are chosen together; see :class:`Objective`."""
        n_rows, n_classes = targets.shape
        counts = (targets > inclusive_threshold(n_classes)).sum(0)
        self.weight.copy_(class_weights(counts, n_rows, self.class_weight, self.beta))
        penalties = penalty_matrix(targets.cpu().numpy(), map(str, range(n_classes)))
        self.penalties.copy_(torch.tensor(penalties.to_numpy()))
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the weighted mean of the cross-entropies, and the penalty; see :class:`Objective`."""
        moved, n_classes = self.label_smoothing, targets.shape[1]
        wanted = (1 - moved) * targets + moved / (n_classes - 1) * (1 - targets) if moved else targets
        logs = outputs.log_softmax(1)
        loss = -((targets @ self.weight) * (wanted * logs).sum(1)).mean()
        return loss + self.penalty * self._penalty(wanted, logs) if self.penalty else loss

    def decode(self, outputs: Tensor) -> Tensor:
        """Return probabilities that sum to 1; see :class:`Objective`."""
        return outputs.softmax(1)

    def _penalty(self, wanted: Tensor, logs: Tensor) -> Tensor:
        if self.penalty_mode == "expected":
            return ((wanted @ self.penalties) * logs.exp()).sum(1).mean()
        divergences = torch.xlogy(wanted, wanted) - wanted * logs
        return (divergences @ self.penalties.sum(1)).mean()
