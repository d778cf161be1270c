"""Outputs that come from a graph of the labels: what goes together in the targets is learnt together."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.objectives.base import Objective

_LEAK = 0.2


class LabelGraph(Objective):
    """Any number of labels a row, each output read by a vector that a graph convolution makes of the labels.

    Labels are nodes, joined where they are correlated in the training rows. Two graph convolutions turn the labels'
    embeddings into one vector a label, and a label's output is the product of that vector with the row's, which the
    head gives. As the objective of :class:`~featmer.estimators.MultitaskFusion`, the labels of all tasks and its
    dimensions are the nodes: labels of which a row has only one are not joined to each other.

    Parameters
    ----------
    embeddings : array-like of shape (n_labels, n_dimensions), default=None
        A vector a label, such as the text embedding of its word, in the order of the model's classes, task after task.
        None takes vectors at right angles to each other, which know nothing of the words; on MOSI words did
        better (`benchmarks/dimensions.py`).
    hidden : int, default=64
        Width between the two convolutions.
    size : int, default=64
        Width of the vectors, and so of what the head gives.
    threshold : float, default=0.1
        Labels are joined where the absolute correlation of their columns is this or more.
    neighbours : float, default=0.5
        Share of a node that comes from its neighbours, from 0 up to below 1; at 0 each label stands for itself.

    References
    ----------
    Antoniadis, Filntisis, Maragos: Exploiting emotional dependencies with graph convolutional networks for facial
    expression recognition. FG, 2021. arXiv 2106.03487. Its coefficient divides covariance and variance
    by different numbers; here concordance is Lin's.

    Examples
    --------
    >>> targets = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    >>> objective = LabelGraph().build(3).learn(targets)
    >>> objective.adjacency
    tensor([[0.5000, 0.5000, 0.0000],
            [0.5000, 0.5000, 0.0000],
            [0.0000, 0.0000, 1.0000]])
    """

    target = "indicators"
    nodes: Tensor
    adjacency: Tensor

    def __init__(
        self,
        *,
        embeddings: ArrayLike | None = None,
        hidden: int = 64,
        size: int = 64,
        threshold: float = 0.1,
        neighbours: float = 0.5,
    ) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.hidden = hidden
        self.size = size
        self.threshold = threshold
        self.neighbours = neighbours

    def width(self, n_outputs: int) -> int:
        """Return the width of a label's vector; see :class:`Objective`."""
        return self.size

    def build(self, n_outputs: int) -> Self:
        """Make the nodes and the convolutions; nothing is joined yet. See :class:`Objective`."""
        if not 0 <= self.neighbours < 1:
            raise ValueError(f"neighbours is a share from 0 up to below 1, got {self.neighbours!r}.")
        given = torch.eye(n_outputs) if self.embeddings is None else torch.as_tensor(self.embeddings).float()
        if given.ndim != 2 or len(given) != n_outputs:
            raise ValueError(
                f"embeddings have shape {tuple(given.shape)}; expected a row for each of the {n_outputs} labels, in "
                f"the order of the model's classes."
            )
        self.register_buffer("nodes", F.normalize(given))
        self.register_buffer("adjacency", torch.eye(n_outputs))
        self.first = nn.Parameter(torch.randn(given.shape[1], self.hidden))
        self.second = nn.Parameter(torch.randn(self.hidden, self.size) / (self.hidden * self.size) ** 0.5)
        return self

    def learn(self, targets: Tensor) -> Self:
        """Join the labels that are correlated; see :class:`Objective`."""
        return self.connect(targets, torch.zeros_like(self.adjacency, dtype=torch.bool))

    def connect(self, columns: Tensor, exclusive: Tensor) -> Self:
        """Join the labels that are correlated.

        Parameters
        ----------
        columns : Tensor, shape (n_rows, n_labels)
            A column a label, NaN at gaps: two labels are compared on the rows that have both.
        exclusive : Tensor of bool, shape (n_labels, n_labels)
            Pairs of labels that are never joined.

        Returns
        -------
        LabelGraph
            Itself.
        """
        joined = (_correlations(columns).abs() >= self.threshold) & ~exclusive
        joined.fill_diagonal_(False)
        edges = joined.to(self.adjacency)
        share = self.neighbours * edges / edges.sum(1, keepdim=True).clamp(min=1)
        self.adjacency.copy_(normalised(share + (1 - self.neighbours) * torch.eye(len(edges)).to(edges)))
        return self

    def readout(self, outputs: Tensor) -> Tensor:
        """Turn what the head gave into one output a label.

        Parameters
        ----------
        outputs : Tensor, shape (n_rows, size)
            A vector a row.

        Returns
        -------
        Tensor, shape (n_rows, n_labels)
            Log odds, log probabilities or numbers, as the loss wants them.
        """
        spread = F.leaky_relu(self.adjacency @ self.nodes @ self.first, _LEAK)
        return outputs @ (self.adjacency @ spread @ self.second).T.to(outputs.dtype)

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return binary cross-entropy, the mean over rows and labels; see :class:`Objective`."""
        return F.binary_cross_entropy_with_logits(self.readout(outputs), targets)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label; see :class:`Objective`."""
        return self.readout(outputs).sigmoid()


def normalised(shares: Tensor) -> Tensor:
    """Divide a graph by the roots of its degrees, transposed as the reference has it.

    Parameters
    ----------
    shares : Tensor, shape (n_labels, n_labels)
        How much of a row's node comes from a column's.

    Returns
    -------
    Tensor, shape (n_labels, n_labels)
        The graph that the convolutions use.
    """
    root = shares.sum(1).rsqrt()
    return shares.T * root[:, None] * root


def _correlations(columns: Tensor) -> Tensor:
    """Return the correlation of each pair of columns on the rows that have both; 0 where there is none."""
    known = (~columns.isnan()).double()
    values = columns.nan_to_num().double()
    n_both = (known.T @ known).clamp(min=1)
    means = values.T @ known / n_both  # of each row's column where the other is known
    variances = (values.square().T @ known / n_both - means.square()).clamp(min=0)
    covariances = values.T @ values / n_both - means * means.T
    spread = (variances * variances.T).sqrt()
    return torch.where(spread > 1e-12, covariances / spread.clamp(min=1e-12), 0.0)
