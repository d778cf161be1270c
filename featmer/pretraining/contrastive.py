"""Contrastive pre-training: what is said, heard and seen of one utterance belongs together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.objectives import Objective
from featmer.pretraining.base import Pretraining
from featmer.pretraining.views import Views
from featmer.table import FeatureTable


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Tell how badly rows of two views find each other among all rows.

    Each row of one view is to be most like the same row of the other, by cosine; the mean of both
    directions, so the views may be swapped. Lengths of vectors do not matter.

    Parameters
    ----------
    first, second : Tensor, shape (n_rows, width)
        Two views of the same rows.
    temperature : float
        Divides the cosines; the lower, the more the likest wrong rows count.

    Returns
    -------
    Tensor, shape ()
        The mean negative log probability of the right row; ``log(n_rows)`` where nothing is known.

    References
    ----------
    van den Oord, Li, Vinyals: Representation learning with contrastive predictive coding. arXiv 1807.03748, 2018.
    Radford et al.: Learning transferable visual models from natural language supervision. ICML, 2021.

    Examples
    --------
    >>> info_nce(torch.eye(4), torch.eye(4), temperature=0.1) < info_nce(torch.eye(4), torch.eye(4).roll(1, 0), 0.1)
    tensor(True)
    """
    likeness = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T / temperature
    right = torch.arange(len(first), device=first.device)
    return (F.cross_entropy(likeness, right) + F.cross_entropy(likeness.T, right)) / 2


class PairwiseContrastive(Pretraining):
    """Learn embeddings in which the modalities of an utterance find each other, pair by pair.

    Each modality has an encoder of its own. Between every two modalities, the rows of a batch where both are there
    are to be told apart: an utterance's voice must be likest to its own face, and its face to its own voice. Nothing is
    fused, so that any modality can be used alone afterwards. The loss looks at a projection of the embeddings, which
    is thrown away; the embeddings themselves come out.

    The projection is linear: behind the paper's perceptron more of what a modality shares with no other stayed in the
    embeddings. The published code takes the pair itself out of the loss, as one does where both views are of one
    modality; here it is what is to be found, as the paper says. A table of one modality has no pairs: two passes with
    different dropout are then each other's pair.

    Parameters
    ----------
    modalities : iterable of str, default=None
        Which modalities of the table to use; None for all.
    hidden : int, default=64
        Width of each modality's embedding and of its projection.
    dropout : float, default=0.05
        Share of features and of hidden entries set to zero in training.
    temperature : float, default=0.2
        Divides the likenesses; see :func:`info_nce`.
    lr : float, default=3e-3
        Highest learning rate of AdamW.
    weight_decay : float, default=0.1
        Decay of the weights.
    epochs : int, default=50
        Passes over the rows.
    batch_size : int, default=128
        Rows a batch, about: dialogues stay whole. The other rows are what a row must be told apart from.
    random_state : int, RandomState or None, default=None
        Seed of weights, batches and dropout.
    device : str or torch.device, default=None
        Where to compute; None takes a GPU if there is one.
    verbose : int, default=0
        1 shows a progress bar.

    References
    ----------
    Franceschini, Fini, Beyan, Conti, Arrigoni, Ricci: Multimodal emotion recognition with modality-pairwise
    unsupervised contrastive loss. ICPR, 2022.
    Gao, Yao, Chen: SimCSE: simple contrastive learning of sentence embeddings. EMNLP, 2021. (One modality.)

    Examples
    --------
    >>> import pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> rng = np.random.default_rng(0)
    >>> segments = pd.DataFrame({"dialogue": np.arange(20), "turn": 0})
    >>> mood = rng.standard_normal((20, 1))
    >>> voice, face = (mood + 0.1 * rng.standard_normal((20, 1)) for _ in range(2))
    >>> table = FeatureTable(segments, {"audio": Block(voice, ["audio.pitch"]), "face": Block(face, ["face.smile"])})
    >>> embedded = PairwiseContrastive(hidden=4, epochs=2, random_state=0).fit_transform(table)
    >>> embedded.shape, embedded.feature_names[0]
    ((20, 8), 'audio.pairwise_contrastive.0')
    """

    name = "pairwise_contrastive"

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        hidden: int = 64,
        dropout: float = 0.05,
        temperature: float = 0.2,
        lr: float = 3e-3,
        weight_decay: float = 0.1,
        epochs: int = 50,
        batch_size: int = 128,
        random_state: int | np.random.RandomState | None = None,
        device: str | torch.device | None = None,
        verbose: int = 0,
    ) -> None:
        self.modalities = modalities
        self.hidden = hidden
        self.dropout = dropout
        self.temperature = temperature
        self.lr = lr
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def encoder(self, in_features: Mapping[str, int], sequences: Collection[str]) -> nn.Module:
        """Make an encoder a modality; see :class:`Pretraining`."""
        return TwoViews(in_features, self.hidden, self.dropout, sequences)

    def pretext(self, table: FeatureTable, y: ArrayLike | None) -> tuple[Objective, Tensor]:
        """Tell rows apart between every two modalities; see :class:`Pretraining`."""
        return PairwiseLoss(tuple(self.modalities_), self.temperature).build(self.hidden), torch.zeros(len(table))


class TwoViews(Views):
    """An embedding a modality; of a single modality, two while training, under different dropout."""

    def forward(self, batch: Batch) -> Tensor:
        """Embed a batch; see :class:`Views`."""
        views = super().forward(batch)
        if self.training and views.shape[1] == 1:
            views = torch.cat([views, super().forward(batch)], dim=1)
        return views


class PairwiseLoss(Objective):
    """The mean of :func:`info_nce` over all pairs of modalities, each on the rows where both are there.

    Parameters
    ----------
    modalities : tuple of str
        In the order of the views; a single one has two views.
    temperature : float, default=0.2
        Divides the likenesses.

    Examples
    --------
    >>> objective = PairwiseLoss(("audio", "face")).build(8)
    >>> there, index = torch.tensor([True, True, True, False]), torch.arange(4)
    >>> batch = Batch({}, {"audio": there, "face": there}, {}, dialogue=index, turn=index, speaker=index)
    >>> objective.loss(torch.ones(4, 2, 8), torch.zeros(4), batch)  # three rows that are all alike
    tensor(1.0986, grad_fn=<MeanBackward0>)
    """

    def __init__(self, modalities: tuple[str, ...], temperature: float = 0.2) -> None:
        super().__init__()
        self.modalities = modalities
        self.temperature = temperature

    def build(self, n_outputs: int) -> Self:
        """Make a projection a modality, as wide as the embeddings; see :class:`Objective`."""
        self.projections = nn.ModuleList(nn.Linear(n_outputs, n_outputs) for _ in self.modalities)
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the mean over the pairs; 0 where no two rows have a pair; see :class:`Objective`."""
        views = range(outputs.shape[1])
        owners = [view % len(self.modalities) for view in views]
        projected = [self.projections[owners[view]](outputs[:, view]) for view in views]
        present = [batch.present[self.modalities[owner]] for owner in owners]
        losses = []
        for first, second in combinations(views, 2):
            both = present[first] & present[second]
            if both.sum() > 1:
                losses.append(info_nce(projected[first][both], projected[second][both], self.temperature))
        return torch.stack(losses).mean() if losses else 0 * outputs.sum()
