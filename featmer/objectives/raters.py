"""Every rater kept: what each of them says, beside the consensus."""

from __future__ import annotations

from typing import Self

import torch.nn.functional as F
from torch import Tensor

from featmer._targets import GAP
from featmer.collate import Batch
from featmer.objectives.base import Objective


class RaterHeads(Objective):
    """What each rater says, learnt together with what they say in all.

    The head gives the consensus, which learns the shares of the votes, and for each rater how this rater differs from
    it, which learns from what the rater said; all from one embedding. Where a row was seen by a few of the raters only,
    its shares tell as much of who they were as of the row: the answer is the mean of what all raters would say.

    Parameters
    ----------
    n_raters : int, default=None
        How many raters there are; None takes as many as y has.
    rater_weight : float, default=1.0
        Weight of the raters' loss beside that of the consensus; 0 learns the consensus alone, and answers with it.

    References
    ----------
    Chou, Lee: Every rating matters: joint learning of subjective labels and individual annotators for speech emotion
    classification. ICASSP, 2019.

    Examples
    --------
    >>> import torch
    >>> objective = RaterHeads(n_raters=2).build(3)
    >>> outputs = torch.zeros(5, objective.width(3))
    >>> objective.decode(outputs).shape, objective.decode_raters(outputs).shape
    (torch.Size([5, 3]), torch.Size([5, 2, 3]))
    """

    target = "ratings"

    def __init__(self, *, n_raters: int | None = None, rater_weight: float = 1.0) -> None:
        super().__init__()
        self.n_raters = n_raters
        self.rater_weight = rater_weight

    def width(self, n_outputs: int) -> int:
        """Return the width of consensus and raters; see :class:`Objective`."""
        if not self.n_raters:
            raise ValueError(f"n_raters={self.n_raters!r}; RaterHeads must be told how many raters there are.")
        return (1 + self.n_raters) * n_outputs

    def build(self, n_outputs: int) -> Self:
        """There is nothing to make; see :class:`Objective`."""
        return self

    def learn(self, targets: Tensor) -> Self:
        """There is nothing to learn; see :class:`Objective`."""
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the cross-entropy of the consensus and that of the raters; see :class:`Objective`."""
        consensus, said = self._split(outputs)
        votes = F.one_hot(targets.clamp(min=0), consensus.shape[1]) * (targets != GAP)[..., None]
        loss = F.cross_entropy(consensus, votes.sum(1) / votes.sum((1, 2))[:, None])
        return loss + self.rater_weight * F.cross_entropy(said.flatten(0, 1), targets.flatten(), ignore_index=GAP)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the shares of the votes that all raters together would give; see :class:`Objective`."""
        return self.decode_raters(outputs).mean(1) if self.rater_weight else self._split(outputs)[0].softmax(1)

    def decode_raters(self, outputs: Tensor) -> Tensor:
        """Return the probability that each rater says each label.

        Parameters
        ----------
        outputs : Tensor, shape (n_rows, width)
            What the head gave.

        Returns
        -------
        Tensor, shape (n_rows, n_raters, n_outputs)
            The last dimension sums to 1.
        """
        return self._split(outputs)[1].softmax(2)

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the consensus, and each rater's: the consensus and the rater's own way to differ."""
        parts = outputs.view(len(outputs), 1 + (self.n_raters or 0), -1)
        return parts[:, 0], parts[:, :1] + parts[:, 1:]
