"""Scene and person fused early: what is hidden is rebuilt, and a teacher's view of texts is copied."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from featmer.collate import Batch, TensorTable
from featmer.nn import Answers, Encoders
from featmer.objectives import Objective
from featmer.pretraining.base import Pretraining
from featmer.pretraining.guided import Guided, guide_values
from featmer.pretraining.masking import choose_masked, masked_error
from featmer.table import FeatureTable
from featmer.training import Examples, Plan, train

FUSED = "fused"


class ScenePerson(Guided, Pretraining):
    """Learn one embedding of a scene and the person in it, guided by a teacher that knows texts.

    Each stream is encoded by itself, and both become one: ``ELU(W(LN(scene) + LN(person)))``, with one layer
    normalisation for both, so that it does not matter which comes first, and a missing stream adds nothing. Three
    things are learned at once, with equal weights. Of each row some features are hidden, and the embedding must tell
    what they were. Where a `teacher` is given, the embedding must point where its vector points. Where `texts` are
    given too, in the space of the teacher as a CLIP model has them, the embedding must be as like each text of the
    batch, its own and the others', as the teacher's vector is: the profile of similarities is copied.

    The paper masks patches of pictures and shares one vision transformer; this is a reconstruction at the level of
    features. Features are masked, each stream has an encoder of its own, both streams are rebuilt and not the scene
    alone, and a linear layer that falls away afterwards leads from the embedding to the teacher's space. The published
    pre-training writes the emotion label into its texts and so is supervised;
    :class:`featmer.descriptions.Describer` looks at no label, and :func:`featmer.pretraining.with_texts` warns of
    texts that hold one.

    Parameters
    ----------
    modalities : iterable of str, default=None
        The streams, such as ``("scene", "face")``; None for all blocks of the table that are not guides.
    teacher : str, default=None
        Block of the teacher's vectors, such as a CLIP model's of a picture of the clip; needed in ``fit`` only.
    texts : str, default=None
        Block of the vectors of texts about the rows, as wide as the teacher's; needed in ``fit`` only.
    hidden : int, default=64
        Width of the embedding.
    dropout : float, default=0.1
        Share of features and of hidden entries set to zero in training.
    mask_ratio : float, default=0.5
        Share of a row's features that is hidden, below 1; 0 rebuilds nothing.
    lr : float, default=1e-3
        Highest learning rate of AdamW.
    weight_decay : float, default=1e-2
        Decay of the weights.
    epochs : int, default=50
        Passes over the rows.
    batch_size : int, default=128
        Rows a batch, about: dialogues stay whole. The batch's texts make the profile.
    random_state : int, RandomState or None, default=None
        Seed of weights, batches, masks and dropout.
    device : str or torch.device, default=None
        Where to compute; None takes a GPU if there is one.
    verbose : int, default=0
        1 shows a progress bar.

    Notes
    -----
    Sequences are averaged over their frames. On made-up data whose teacher knows nothing that the features do not tell,
    the three terms do not add up: each alone is as good as all (see tests/test_scene_person.py).

    References
    ----------
    Chen, Sun, Liu: UniEmoX: cross-modal semantic-guided large-scale pretraining for universal scene emotion
    perception. IEEE Transactions on Image Processing 34, 2025.

    Examples
    --------
    >>> import pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> draw = np.random.default_rng(0).standard_normal
    >>> widths = {"scene": 6, "face": 4, "clip": 8}
    >>> blocks = {name: Block(draw((20, n)), [f"{name}.{i}" for i in range(n)]) for name, n in widths.items()}
    >>> table = FeatureTable(pd.DataFrame({"dialogue": np.arange(20), "turn": 0}), blocks)
    >>> model = ScenePerson(["scene", "face"], teacher="clip", hidden=4, epochs=2, random_state=0).fit(table)
    >>> model.transform(table.select(["scene", "face"])).feature_names
    ['fused.scene_person.0', 'fused.scene_person.1', 'fused.scene_person.2', 'fused.scene_person.3']
    """

    name = "scene_person"

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        teacher: str | None = None,
        texts: str | None = None,
        hidden: int = 64,
        dropout: float = 0.1,
        mask_ratio: float = 0.5,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        epochs: int = 50,
        batch_size: int = 128,
        random_state: int | np.random.RandomState | None = None,
        device: str | torch.device | None = None,
        verbose: int = 0,
    ) -> None:
        self.modalities = modalities
        self.teacher = teacher
        self.texts = texts
        self.hidden = hidden
        self.dropout = dropout
        self.mask_ratio = mask_ratio
        self.lr = lr
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def guides(self) -> tuple[str, ...]:
        """Return the blocks of teacher and texts; see :class:`Guided`."""
        if self.texts is not None and self.teacher is None:
            raise ValueError(f"texts={self.texts!r} are compared with a teacher's vectors: name its block as teacher.")
        return tuple(name for name in (self.teacher, self.texts) if name is not None)

    def sources(self) -> dict[str, tuple[str, ...]]:
        """Return the one block that comes out; see :class:`Pretraining`."""
        return {FUSED: tuple(self.modalities_)}

    def encoder(self, in_features: Mapping[str, int], sequences: Collection[str]) -> nn.Module:
        """Make the streams and their fusion; see :class:`Pretraining`."""
        return StreamFusion(in_features, self.hidden, self.dropout)

    def pretext(self, table: FeatureTable, y: ArrayLike | None) -> tuple[Objective, Tensor]:
        """Say what to copy of the teacher; see :class:`Pretraining`."""
        guides = [guide_values(table, name) for name in self.guides()]
        widths = [guide.shape[1] for guide in guides]
        if len(set(widths)) > 1:
            raise ValueError(
                f"The teacher {self.teacher!r} has {widths[0]} features and the texts {self.texts!r} have {widths[1]}; "
                "expected vectors of one space, as a CLIP model gives them for pictures and texts."
            )
        objective = Distillation(n_teacher=widths[0] if widths else 0).build(self.hidden)
        return objective, torch.stack(guides, dim=1) if guides else torch.zeros(len(table), 0, 0)

    def _learn(self, table: FeatureTable, y: ArrayLike | None, tensors: TensorTable, plan: Plan) -> None:
        objective, targets = self.pretext(table, y)
        examples = Examples(tensors, targets.to(tensors.device))
        module = MaskedFeatures(cast(StreamFusion, self.module_[1]), self.mask_ratio).to(tensors.device)
        self.history_ = train(module, objective.to(tensors.device), examples, None, plan)


def cosine_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Tell how far the student's vectors point away from the teacher's.

    Parameters
    ----------
    student, teacher : Tensor, shape (n_rows, width)
        Vectors of the same rows; no gradient reaches the teacher.

    Returns
    -------
    Tensor, shape ()
        One minus the mean cosine, from 0 to 2; lengths do not matter.

    Examples
    --------
    >>> cosine_distillation(torch.tensor([[0.0, 2.0]]), torch.tensor([[5.0, 0.0]]))
    tensor(1.)
    """
    return 1 - F.cosine_similarity(student, teacher.detach(), dim=1).mean()


def profile_distillation(student: Tensor, teacher: Tensor, texts: Tensor) -> Tensor:
    """Tell how differently student and teacher see all texts, whether a row's own or others'.

    A profile is a row's similarities to all texts. Scales, such as a CLIP model's, do not matter, and neither does the
    order of the texts.

    Parameters
    ----------
    student, teacher : Tensor, shape (n_rows, width)
        Vectors of the same rows; no gradient reaches the teacher.
    texts : Tensor, shape (n_texts, width)
        Vectors of texts in the teacher's space; no gradient reaches them.

    Returns
    -------
    Tensor, shape ()
        One minus the mean cosine of the profiles, from 0 to 2.

    Examples
    --------
    >>> texts = torch.eye(3)
    >>> profile_distillation(2 * texts, texts, texts), profile_distillation(-texts, texts, texts)
    (tensor(0.), tensor(2.))
    """
    texts = texts.detach().T
    return cosine_distillation(student @ texts, teacher @ texts)


class Distillation(Objective):
    """What a teacher knows, and how it sees texts: :func:`cosine_distillation` and :func:`profile_distillation`.

    Parameters
    ----------
    n_teacher : int, default=0
        Width of the teacher's vectors; 0 for no teacher.

    Examples
    --------
    >>> objective = Distillation(n_teacher=5).build(8)
    >>> bool(objective.loss(torch.ones(4, 1, 8), torch.ones(4, 2, 5), None) > 0)
    True
    """

    def __init__(self, n_teacher: int = 0) -> None:
        super().__init__()
        self.n_teacher = n_teacher

    def build(self, n_outputs: int) -> Self:
        """Make the way from the embedding to the teacher's space; see :class:`Objective`."""
        self.lead = nn.Linear(n_outputs, self.n_teacher) if self.n_teacher else nn.Identity()
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch | None) -> Tensor:
        """Return the sum of both over the rows that have a teacher; see :class:`Objective`.

        Parameters
        ----------
        outputs : Tensor, shape (n_rows, 1, width)
            Embeddings.
        targets : Tensor, shape (n_rows, n_guides, n_teacher)
            Vectors of teacher and texts, NaN where missing; either or both may be left out.
        batch : Batch
            Not used.

        Returns
        -------
        Tensor, shape ()
            0 where there is no teacher.
        """
        known = ~targets.isnan().any(-1)
        if not known[:, :1].any():
            return 0 * outputs.sum()
        taught = known[:, 0]
        student, teacher = self.lead(outputs[taught, 0]), targets[taught, 0]
        loss = cosine_distillation(student, teacher)
        if known[:, 1:].any():
            loss = loss + profile_distillation(student, teacher, targets[known[:, 1], 1])
        return loss


class StreamFusion(nn.Module):
    """A vector a stream, normalised alike, added up and mixed.

    Parameters
    ----------
    in_features : mapping of str to int
        Width of each stream; frames of a sequence are averaged.
    hidden : int
        Width of the vectors and of the embedding.
    dropout : float
        Share of features and of hidden entries set to zero in training.
    """

    def __init__(self, in_features: Mapping[str, int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.in_features = dict(in_features)
        self.encoders = Encoders(in_features, hidden, dropout)
        self.norm = nn.LayerNorm(hidden)
        self.mix = nn.Linear(hidden, hidden)

    def forward(self, batch: Batch) -> Tensor:
        """Embed a batch (n_rows, 1, hidden)."""
        views, present = self.encoders(averaged(batch))
        added = (self.norm(views) * present[..., None]).sum(1, keepdim=True)
        return F.elu(self.mix(added))


class MaskedFeatures(nn.Module):
    """Masked modelling of features: the embedding of what is shown must tell what is hidden.

    Parameters
    ----------
    encoder : StreamFusion
        What is trained.
    ratio : float
        Share of a row's features that is hidden.
    """

    def __init__(self, encoder: StreamFusion, ratio: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.ratio = ratio
        hidden = encoder.mix.out_features
        self.decoders = nn.ModuleList(
            nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, width))
            for width in encoder.in_features.values()
        )

    def forward(self, batch: Batch) -> Answers:
        """Embed a batch of which some is hidden; the penalty is the mean error of the streams."""
        batch = averaged(batch)
        hidden = {
            name: choose_masked(batch.present[name][:, None].expand_as(values), self.ratio)
            for name, values in batch.features.items()
        }
        shown = {name: batch.features[name].masked_fill(gone, 0.0) for name, gone in hidden.items()}  # 0 is the mean
        embedding = self.encoder(dataclasses.replace(batch, features=shown))
        errors = [
            masked_error(decoder(embedding[:, 0]), batch.features[name], hidden[name])
            for name, decoder in zip(self.encoder.in_features, self.decoders, strict=True)
        ]
        return Answers(embedding, penalty=torch.stack(errors).mean())


def averaged(batch: Batch) -> Batch:
    """Return a batch of vectors: the means of the real frames of each row.

    Parameters
    ----------
    batch : Batch
        Standardised rows, vectors and sequences.

    Returns
    -------
    Batch
        The same rows without frames.
    """
    means = {
        name: batch.features[name].sum(1) / real.sum(1, keepdim=True).clamp(min=1)
        for name, real in batch.frames.items()
    }
    return dataclasses.replace(batch, features=batch.features | means, frames={})
