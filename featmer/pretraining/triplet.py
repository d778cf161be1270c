"""Triplets with margins that adapt: rows of one label close together, others far, the harder the more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from featmer._checks import check_name
from featmer._targets import encode_labels
from featmer.collate import Batch
from featmer.objectives import Objective
from featmer.pretraining.base import Pretraining
from featmer.pretraining.views import Views
from featmer.table import FeatureTable

ORIENTATIONS = ("similarity", "literal")
_SMALL = 1e-6


def adaptive_margin_loss(near: Tensor, far: Tensor, across: Tensor, orientation: str = "similarity") -> Tensor:
    """Return the loss of triplets by their distances.

    ``near - (far + across) / 2`` plus a margin for each of the first two, from 1 to 3. With the orientation
    "similarity" the margin grows as the triplet gets harder: the positive farther away, the negative nearer. The
    literal formula has both signs turned: below ``near = 0.52`` it pushes the positive away, above ``far = 0.31`` it
    draws the negative in, ever harder; it is kept to show that.

    Parameters
    ----------
    near, far, across : Tensor, shape (n_triplets,)
        Euclidean distances, 0 to 2, of unit vectors: anchor to positive, anchor to negative, positive to negative.
    orientation : {"similarity", "literal"}, default="similarity"
        What the margins grow with.

    Returns
    -------
    Tensor, shape (n_triplets,)
        A loss a triplet.

    References
    ----------
    Chudasama, Kar, Gudmalwar, Shah, Wasnik, Onoe: M2FNet: multi-modal fusion network for emotion recognition in
    conversation. CVPR workshops, 2022.

    Examples
    --------
    >>> easy, hard = torch.tensor([[0.2, 1.8, 1.8], [1.0, 0.6, 0.6]])
    >>> bool(adaptive_margin_loss(*easy) < adaptive_margin_loss(*hard))
    True
    """
    if orientation == "similarity":
        for_near, for_far = 4 - 2 * near, 2 * far  # distances halved, so that they run from 0 to 1
    else:
        for_near, for_far = 4 * near, 4 - 4 * far
    margin = 2 + 2 / (for_near.exp() + _SMALL) + 2 / (for_far.exp() + _SMALL)
    return near - (far + across) / 2 + margin


class TripletEmbedder(Pretraining):
    """Learn embeddings in which rows of one label lie close together, by triplets with adaptive margins.

    Supervised: ``fit`` needs labels. Each modality has an encoder of its own, whose embeddings are unit vectors. In
    each batch every row is an anchor, with a random row of its label and a random one of another. Two further terms
    keep the dimensions of the embeddings different from each other, and used.

    Parameters
    ----------
    modalities : iterable of str, default=None
        Which modalities of the table to use; None for all.
    hidden : int, default=128
        Width of each modality's embedding.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    orientation : {"similarity", "literal"}, default="similarity"
        What the margins grow with; see :func:`adaptive_margin_loss`.
    triplet_weight : float, default=20.0
        Weight of the triplets.
    covariance_weight : float, default=5.0
        Weight of the covariance between dimensions.
    variance_weight : float, default=1.0
        Weight of the dimensions' want of variance.
    lr : float, default=3e-3
        Highest learning rate of AdamW.
    weight_decay : float, default=1e-2
        Decay of the weights.
    epochs : int, default=50
        Passes over the rows.
    batch_size : int, default=128
        Rows a batch, about: dialogues stay whole.
    random_state : int, RandomState or None, default=None
        Seed of weights, batches, triplets and dropout.
    device : str or torch.device, default=None
        Where to compute; None takes a GPU if there is one.
    verbose : int, default=0
        1 shows a progress bar.

    References
    ----------
    Chudasama, Kar, Gudmalwar, Shah, Wasnik, Onoe: M2FNet: multi-modal fusion network for emotion recognition in
    conversation. CVPR workshops, 2022. There a residual network over spectrograms and faces; here a perceptron over
    features.
    Bardes, Ponce, LeCun: VICReg: variance-invariance-covariance regularization for self-supervised learning.
    ICLR, 2022.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((40, 3))
    >>> TripletEmbedder(hidden=8, epochs=2, random_state=0).fit(X, X[:, 0] > 0).transform(X).shape
    (40, 8)
    """

    name = "triplet"

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        hidden: int = 128,
        dropout: float = 0.3,
        orientation: Literal["similarity", "literal"] = "similarity",
        triplet_weight: float = 20.0,
        covariance_weight: float = 5.0,
        variance_weight: float = 1.0,
        lr: float = 3e-3,
        weight_decay: float = 1e-2,
        epochs: int = 50,
        batch_size: int = 128,
        random_state: int | np.random.RandomState | None = None,
        device: str | torch.device | None = None,
        verbose: int = 0,
    ) -> None:
        self.modalities = modalities
        self.hidden = hidden
        self.dropout = dropout
        self.orientation = orientation
        self.triplet_weight = triplet_weight
        self.covariance_weight = covariance_weight
        self.variance_weight = variance_weight
        self.lr = lr
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def encoder(self, in_features: Mapping[str, int], sequences: Collection[str]) -> nn.Module:
        """Make an encoder a modality; see :class:`Pretraining`."""
        return UnitViews(in_features, self.hidden, self.dropout, sequences)

    def pretext(self, table: FeatureTable, y: ArrayLike | None) -> tuple[Objective, Tensor]:
        """Tell labels apart; see :class:`Pretraining`."""
        codes = encode_labels(y, len(table))[1]
        weights = (self.triplet_weight, self.covariance_weight, self.variance_weight)
        return AdaptiveMarginTriplet(tuple(self.modalities_), self.orientation, weights), torch.tensor(codes)


class UnitViews(Views):
    """An embedding of length 1 a modality."""

    def forward(self, batch: Batch) -> Tensor:
        """Embed a batch; see :class:`Views`."""
        return F.normalize(super().forward(batch), dim=2)


class AdaptiveMarginTriplet(Objective):
    """The mean of :func:`adaptive_margin_loss` over random triplets, with covariance and variance kept in bounds.

    Parameters
    ----------
    modalities : tuple of str
        In the order of the embeddings; the loss is the mean over them, each on the rows where it is there.
    orientation : {"similarity", "literal"}, default="similarity"
        What the margins grow with.
    weights : tuple of three floats, default=(20.0, 5.0, 1.0)
        Of triplets, covariance and variance.

    Examples
    --------
    >>> objective, index = AdaptiveMarginTriplet(("audio",)), torch.arange(4)
    >>> batch = Batch({}, {"audio": index >= 0}, {}, dialogue=index, turn=index, speaker=index)
    >>> apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])[:, None]
    >>> sound, mixed = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    >>> bool(objective.loss(apart, sound, batch) < objective.loss(apart, mixed, batch))
    True
    """

    target = "labels"

    def __init__(
        self,
        modalities: tuple[str, ...],
        orientation: str = "similarity",
        weights: tuple[float, float, float] = (20.0, 5.0, 1.0),
    ) -> None:
        super().__init__()
        check_name(orientation, ORIENTATIONS, "orientation")
        self.modalities = modalities
        self.orientation = orientation
        self.weights = weights

    def build(self, n_outputs: int) -> Self:
        """Do nothing: there are no weights; see :class:`Objective`."""
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the mean over the modalities; 0 where there is no triplet; see :class:`Objective`."""
        losses = []
        for number, modality in enumerate(self.modalities):
            there = batch.present[modality]
            triplets = choose_triplets(targets[there])
            if len(triplets[0]) > 1:
                losses.append(self._loss(*(outputs[there, number][rows] for rows in triplets)))
        return torch.stack(losses).mean() if losses else 0 * outputs.sum()

    def _loss(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the weighted sum of the three terms."""
        pairs = ((anchor, positive), (anchor, negative), (positive, negative))
        near, far, across = (torch.linalg.vector_norm(first - second, dim=1) for first, second in pairs)
        triplets = adaptive_margin_loss(near, far, across, self.orientation).mean()
        terms = torch.stack([triplets, *torch.stack([spread_terms(z) for z in (anchor, positive, negative)]).mean(0)])
        return (terms * terms.new_tensor(self.weights)).sum()


def choose_triplets(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Draw for each row another one of its label and one of another label.

    Parameters
    ----------
    labels : Tensor of int, shape (n_rows,)
        Class numbers.

    Returns
    -------
    anchor, positive, negative : Tensor of int, shape (n_triplets,)
        Row numbers; rows for which there is no partner of either kind are left out.

    Examples
    --------
    >>> [rows.tolist() for rows in choose_triplets(torch.tensor([0, 0, 1]))]
    [[0, 1], [1, 0], [2, 2]]
    """
    same = labels[:, None] == labels
    other = ~same
    same = same.fill_diagonal_(False)
    anchor = torch.nonzero(same.any(1) & other.any(1)).squeeze(1)
    draw = torch.rand(2, len(anchor), len(labels), device=labels.device) + 1e-9  # a chosen row is never 0
    return anchor, (draw[0] * same[anchor]).argmax(1), (draw[1] * other[anchor]).argmax(1)


def spread_terms(embeddings: Tensor) -> Tensor:
    """Tell how much dimensions repeat each other, and how far their deviations fall short of 1.

    Parameters
    ----------
    embeddings : Tensor, shape (n_rows, width)
        Two rows or more.

    Returns
    -------
    Tensor, shape (2,)
        The sum of squared covariances between dimensions, over the width; the mean want of deviation.

    Examples
    --------
    >>> spread_terms(torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])).tolist()
    [0.0, 0.0]
    """
    centred = embeddings - embeddings.mean(0)
    covariance = centred.T @ centred / (len(centred) - 1)
    variance = covariance.diagonal()
    between = (covariance.square().sum() - variance.square().sum()) / len(variance)
    return torch.stack([between, F.relu(1 - (variance + 1e-4).sqrt()).mean()])
