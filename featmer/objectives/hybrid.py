"""Any number of labels a row: what holds, which labels go together, and rows alike in labels alike in embedding."""

from __future__ import annotations

from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.objectives.base import Objective
from featmer.objectives.multilabel import positive_weight

CORRELATIONS = ("ranking", "matching")


class HybridLoss(Objective):
    """Weighted binary cross-entropy, a term of label correlation, and a contrast of rows by their labels.

    The head gives an embedding; the output layer is this objective's own.

    Parameters
    ----------
    correlation : {"ranking", "matching"}, default="ranking"
        "ranking" wants each label that a row has above each that it lacks, the more so the less the two go together
        in the training rows; "matching" wants the correlations of the probabilities in a batch to be those of the
        training labels.
    correlation_weight : float, default=0.2
        Weight of that term.
    contrast_weight : float, default=0.1
        Weight of the contrast: rows attract each other by the Jaccard index of their sets of labels.
    temperature : float, default=0.1
        What cosines of embeddings are divided by in the contrast.
    hidden : int, default=128
        Width of the embedding.

    References
    ----------
    The parts are named, without formulas, by: Enhancing multi-label emotion analysis and corresponding intensities
    for Arabic social media with stacked embeddings and a hybrid loss. arXiv 2410.03979, 2024. Ranking: Alhuzali,
    Ananiadou: SpanEmo. EACL, 2021; its weights by correlation are ours.

    Examples
    --------
    >>> objective = HybridLoss(hidden=16).build(3)
    >>> objective.width(3), objective.decode(torch.zeros(5, 16)).shape
    (16, torch.Size([5, 3]))
    """

    target = "indicators"
    weight: Tensor
    together: Tensor

    def __init__(
        self,
        *,
        correlation: Literal["ranking", "matching"] = "ranking",
        correlation_weight: float = 0.2,
        contrast_weight: float = 0.1,
        temperature: float = 0.1,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        self.correlation = correlation
        self.correlation_weight = correlation_weight
        self.contrast_weight = contrast_weight
        self.temperature = temperature
        self.hidden = hidden

    def width(self, n_outputs: int) -> int:
        """Ask for an embedding; see :class:`Objective`."""
        return self.hidden

    def build(self, n_outputs: int) -> Self:
        """Make the output layer, weights and correlations of labels; see :class:`Objective`."""
        check_name(self.correlation, CORRELATIONS, "correlation term")
        self.output = nn.Linear(self.hidden, n_outputs)
        self.register_buffer("weight", torch.ones(n_outputs))
        self.register_buffer("together", torch.eye(n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Count labels, and how they go together; see :class:`Objective`."""
        self.weight.copy_(positive_weight(targets))
        self.together.copy_(correlations(targets))
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the weighted sum of the three; see :class:`Objective`."""
        log_odds = self._log_odds(outputs)
        total = F.binary_cross_entropy_with_logits(log_odds, targets, pos_weight=self.weight)
        if self.correlation_weight:
            probabilities = log_odds.sigmoid()
            if self.correlation == "ranking":
                term = ranking_loss(probabilities, targets, 1 - self.together)
            else:
                term = matching_loss(probabilities, self.together)
            total = total + self.correlation_weight * term
        if self.contrast_weight:
            total = total + self.contrast_weight * contrast_loss(outputs, targets, self.temperature)
        return total

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label; see :class:`Objective`."""
        return self._log_odds(outputs).sigmoid()

    def _log_odds(self, embedding: Tensor) -> Tensor:
        weight, bias = (values.to(embedding.dtype) for values in (self.output.weight, self.output.bias))
        return F.linear(embedding, weight, bias)


def correlations(values: Tensor) -> Tensor:
    """Return the correlations of columns; 0 beside a column that does not vary.

    Parameters
    ----------
    values : Tensor, shape (n_rows, n_labels)
        Indicators or probabilities.

    Returns
    -------
    Tensor, shape (n_labels, n_labels)
        Correlations.

    Examples
    --------
    >>> correlations(torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])).round()[0]
    tensor([ 1., -1.,  0.])
    """
    centred = values - values.mean(0)
    square = centred.square().sum(0)
    varies = square > 1e-9
    scaled = torch.where(varies, centred, 0.0) / torch.where(varies, square, 1.0).sqrt()
    return scaled.T @ scaled


def ranking_loss(probabilities: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
    """Tell how far labels that rows have are from being above those that they lack.

    Parameters
    ----------
    probabilities : Tensor, shape (n_rows, n_labels)
        Of each label.
    targets : Tensor, shape (n_rows, n_labels)
        Of 0 and 1.
    weight : Tensor, shape (n_labels, n_labels)
        How much it matters that the first label, which a row has, is above the second, which it lacks.

    Returns
    -------
    Tensor
        Mean over rows of the mean over such pairs of ``weight * exp(p_lacked - p_had)``; rows without a pair add 0.

    Examples
    --------
    >>> ranking_loss(torch.tensor([[0.9, 0.1]]), torch.tensor([[1.0, 0.0]]), torch.ones(2, 2)).exp().log()
    tensor(0.4493)
    """
    had, lacked = targets, 1 - targets
    pulled = (had * (-probabilities).exp()) @ weight  # of every lacked label, by those that are had
    pairs = had.sum(1) * lacked.sum(1)
    return ((pulled * lacked * probabilities.exp()).sum(1) / pairs.clamp(min=1)).mean()


def matching_loss(probabilities: Tensor, together: Tensor) -> Tensor:
    """Tell how far the correlations of probabilities are from those of labels.

    Parameters
    ----------
    probabilities : Tensor, shape (n_rows, n_labels)
        Of a batch.
    together : Tensor, shape (n_labels, n_labels)
        Correlations of the training labels.

    Returns
    -------
    Tensor
        Mean squared difference.

    Examples
    --------
    >>> rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> matching_loss(rows, correlations(rows))
    tensor(0.)
    """
    return (correlations(probabilities) - together).square().mean()


def contrast_loss(embedding: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Tell how far rows with like labels are from lying together.

    Parameters
    ----------
    embedding : Tensor, shape (n_rows, hidden)
        Of which only the direction counts.
    targets : Tensor, shape (n_rows, n_labels)
        Of 0 and 1.
    temperature : float
        What cosines are divided by.

    Returns
    -------
    Tensor
        Mean, over rows that share a label with another row of the batch, of the negative log probability to find the
        others by their cosine, weighted by the Jaccard index of the labels; 0 without such rows.

    Examples
    --------
    >>> float(contrast_loss(torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 0.1)) == 0
    True
    """
    itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    both = targets @ targets.T
    either = targets.sum(1)[:, None] + targets.sum(1) - both
    alike = (both / either.clamp(min=1)).masked_fill(itself, 0)
    direction = F.normalize(embedding, dim=1, eps=1e-6)
    cosine = (direction @ direction.T / temperature).masked_fill(itself, torch.finfo(embedding.dtype).min)
    found = (alike * cosine.log_softmax(1)).sum(1) / alike.sum(1).clamp(min=1e-6)
    some = alike.sum(1) > 0
    return -torch.where(some, found, 0.0).sum() / some.sum().clamp(min=1)
