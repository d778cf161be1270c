"""One encoder for all modalities: it rebuilds what is hidden, and then learns what descriptions know."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch, TensorTable
from featmer.nn import Answers, Standardise
from featmer.nn.attention import AttentionBlock, only
from featmer.nn.encoders import heard
from featmer.objectives import Objective
from featmer.pretraining.base import Pretraining
from featmer.pretraining.contrastive import PairwiseLoss, info_nce
from featmer.pretraining.guided import Guided, guide_values
from featmer.pretraining.masking import Frames, Patches, choose_masked, masked_error
from featmer.table import FeatureTable
from featmer.training import Examples, Plan, train

FUSED = "fused"
PATHS = ("both", FUSED, "unimodal")


class UnifiedMasked(Guided, Pretraining):
    """Learn embeddings by one encoder for all modalities, in one stage or, where there are descriptions, in two.

    Tokens of all modalities go through the same transformer. First, most tokens of each modality are hidden and
    rebuilt from what is left of all; at the same time the modalities of a row, each encoded alone, must find each other
    among the rows of the batch. Then, where `captions` are given, the rows that have one go on learning: they must find
    the vector of their own description, and it them, by two paths: all modalities encoded together, and each alone.
    So what comes out is a block of all together, ``"fused"``, and a block a modality, which needs no other one.

    The paper's code is not published; this is a reconstruction at the level of features. A frame of a sequence is a
    token; a vector is cut to up to eight, see :class:`featmer.pretraining.masking.Patches`. An embedding is the mean of
    each modality's tokens, averaged over the modalities that are there. Where the paper aligns descriptions by a
    multimodal language model, these are any texts about the rows: by default, make them with
    :class:`featmer.descriptions.Describer` and :func:`featmer.pretraining.with_texts`.

    Parameters
    ----------
    modalities : iterable of str, default=None
        Which modalities of the table to use; None for all blocks but the captions.
    captions : str, default=None
        Block of the vectors of descriptions, missing where there is none; needed in ``fit`` only. None leaves the
        second stage out.
    paths : {"both", "fused", "unimodal"}, default="both"
        Which embeddings the second stage holds against descriptions; each alone has half the weight.
    hidden : int, default=64
        Width of tokens and embeddings.
    layers : int, default=2
        Transformer layers.
    heads : int, default=4
        Attention heads; must divide ``hidden``.
    dropout : float, default=0.1
        Share of entries set to zero in training.
    mask_ratio : float, default=0.6
        Share of each modality's tokens that is hidden, below 1.
    contrast : float, default=0.2
        Weight of the contrast between modalities beside the error of rebuilding.
    temperature : float, default=0.1
        Divides the likenesses; see :func:`featmer.pretraining.info_nce`.
    lr : float, default=1e-3
        Highest learning rate of AdamW.
    weight_decay : float, default=1e-2
        Decay of the weights.
    epochs : int, default=50
        Passes over the rows in each stage.
    batch_size : int, default=128
        Rows a batch, about: dialogues stay whole. The other rows are what a row must be told apart from.
    random_state : int, RandomState or None, default=None
        Seed of weights, batches, masks and dropout.
    device : str or torch.device, default=None
        Where to compute; None takes a GPU if there is one.
    verbose : int, default=0
        1 shows a progress bar.

    References
    ----------
    Cheng, Zhao, He, Hu, Li, Wang, Hong: VAEmo: efficient representation learning for visual-audio emotion with
    knowledge injection. ACM Multimedia, 2025.
    He, Chen, Xie, Li, Dollar, Girshick: Masked autoencoders are scalable vision learners. CVPR, 2022.

    Examples
    --------
    >>> import pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> rng = np.random.default_rng(0)
    >>> segments = pd.DataFrame({"dialogue": np.arange(20), "turn": 0})
    >>> voice, face = rng.standard_normal((20, 2)), list(rng.standard_normal((20, 5, 1)))
    >>> blocks = {"audio": Block(voice, ["audio.pitch", "audio.rate"]), "face": Block(face, ["face.smile"])}
    >>> told = Block(np.where(np.arange(20)[:, None] < 12, rng.standard_normal((20, 3)), np.nan), ["a", "b", "c"])
    >>> table = FeatureTable(segments, {**blocks, "description": told})
    >>> model = UnifiedMasked(captions="description", hidden=4, heads=1, epochs=2, random_state=0).fit(table)
    >>> [entry["stage"] for entry in model.history_]
    [1, 1, 2, 2]
    >>> model.transform(FeatureTable(segments, blocks)).modalities
    ('fused', 'audio', 'face')
    """

    name = "unified"

    def __init__(
        self,
        modalities: Iterable[str] | None = None,
        *,
        captions: str | None = None,
        paths: Literal["both", "fused", "unimodal"] = "both",
        hidden: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        mask_ratio: float = 0.6,
        contrast: float = 0.2,
        temperature: float = 0.1,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        epochs: int = 50,
        batch_size: int = 128,
        random_state: int | np.random.RandomState | None = None,
        device: str | torch.device | None = None,
        verbose: int = 0,
    ) -> None:
        self.modalities = modalities
        self.captions = captions
        self.paths = paths
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.dropout = dropout
        self.mask_ratio = mask_ratio
        self.contrast = contrast
        self.temperature = temperature
        self.lr = lr
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def guides(self) -> tuple[str, ...]:
        """Return the block of the captions; see :class:`Guided`."""
        return () if self.captions is None else (self.captions,)

    def sources(self) -> dict[str, tuple[str, ...]]:
        """Return the fused block and a block a modality; see :class:`Pretraining`."""
        fused = {FUSED: tuple(self.modalities_)} if len(self.modalities_) > 1 else {}
        return fused | super().sources()

    def encoder(self, in_features: Mapping[str, int], sequences: Collection[str]) -> nn.Module:
        """Make the one encoder; see :class:`Pretraining`."""
        return UnifiedEncoder(
            in_features, sequences, hidden=self.hidden, layers=self.layers, heads=self.heads, dropout=self.dropout
        )

    def pretext(self, table: FeatureTable, y: ArrayLike | None) -> tuple[Objective, Tensor]:
        """Say what the first stage learns beside rebuilding; see :class:`Pretraining`."""
        objective = WeightedContrast(tuple(self.modalities_), self.temperature, self.contrast)
        return objective.build(self.hidden), torch.zeros(len(table))

    def _learn(self, table: FeatureTable, y: ArrayLike | None, tensors: TensorTable, plan: Plan) -> None:
        """Rebuild what is hidden, then learn from descriptions."""
        objective, targets = self.pretext(table, y)
        module = Rebuilding(cast(UnifiedEncoder, self.module_[1]), self.mask_ratio).to(tensors.device)
        examples = Examples(tensors, targets.to(tensors.device))
        history = train(module, objective.to(tensors.device), examples, None, plan)
        self.history_ = [{"stage": 1, **entry} for entry in history]
        if self.captions is not None:
            described = self._described(table, self.captions, tensors.device)
            objective = DualPath(tuple(self.modalities_), self.paths, self.temperature, described.targets.shape[1])
            objective = objective.build(self.hidden).to(tensors.device)
            history = train(self.module_[1], objective, described, None, plan)
            self.history_ += [{"stage": 2, **entry} for entry in history]

    def _described(self, table: FeatureTable, captions: str, device: torch.device) -> Examples:
        """Return the scaled rows that have a description, and the descriptions."""
        rows = table[~table.blocks[captions].missing]
        if len(rows) < 2:
            raise ValueError(f"The block {captions!r} tells of {len(rows)} rows; two are the least to tell apart.")
        tensors = TensorTable(rows.select(self.modalities_), device)
        tensors.values = cast(Standardise, self.module_[0]).scaled(tensors.values)
        return Examples(tensors, guide_values(rows, captions).to(device))


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The tokens of one modality.

    Attributes
    ----------
    values : Tensor, shape (n_rows, n_tokens, hidden)
        What they hold.
    place : Tensor, shape (n_tokens, hidden)
        Where they are, and which modality's: added to the values on the way in.
    there : Tensor of bool, shape (n_rows, n_tokens)
        False at padding and in missing rows.
    """

    values: Tensor
    place: Tensor
    there: Tensor

    def mean(self) -> Tensor:
        """Return the means (n_rows, hidden) of the tokens that are there, 0 where none is."""
        shown = self.values * self.there[..., None]
        return shown.sum(1) / self.there.sum(1, keepdim=True).clamp(min=1)


class UnifiedEncoder(nn.Module):
    """One transformer for the tokens of all modalities.

    Parameters
    ----------
    in_features : mapping of str to int
        Width of each modality.
    sequences : collection of str
        The modalities that come as frames.
    hidden, layers, heads, dropout
        As :class:`UnifiedMasked` has them.
    """

    def __init__(
        self,
        in_features: Mapping[str, int],
        sequences: Collection[str],
        *,
        hidden: int,
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.modalities = tuple(in_features)
        made = [(Frames if name in sequences else Patches)(width, hidden) for name, width in in_features.items()]
        self.pieces = cast("list[Frames | Patches]", nn.ModuleList(made))
        self.kind = nn.Parameter(torch.randn(len(in_features), hidden) / hidden**0.5)
        self.blocks = nn.ModuleList(AttentionBlock(hidden, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, batch: Batch) -> Tensor:
        """Embed a batch.

        Parameters
        ----------
        batch : Batch
            Standardised rows.

        Returns
        -------
        Tensor, shape (n_rows, n_views, hidden)
            All modalities together, if there are several, and each alone; zeros where there is nothing.
        """
        tokens = self.tokens(batch)
        alone = self.unimodal(tokens)
        if len(tokens) == 1:
            return alone
        n_there = torch.stack([own.there.any(1, keepdim=True) for own in tokens]).sum(0)
        fused = torch.stack([own.mean() for own in self.attend(tokens)]).sum(0) / n_there.clamp(min=1)
        return torch.cat([fused[:, None], alone], dim=1)

    def tokens(self, batch: Batch) -> list[Tokens]:
        """Make the tokens of each modality."""
        made = []
        for name, pieces, kind in zip(self.modalities, self.pieces, self.kind, strict=True):
            values = pieces(batch.features[name])
            present = batch.present[name][:, None].expand(values.shape[:2])
            made.append(Tokens(values, pieces.place(values) + kind, batch.frames.get(name, present)))
        return made

    def attend(self, tokens: list[Tokens]) -> list[Tokens]:
        """Let tokens look at each other, of whatever modality."""
        there = torch.cat([own.there for own in tokens], dim=1)
        mixed = torch.cat([own.values + own.place for own in tokens], dim=1)
        bias = only(heard(there), mixed.dtype)
        for block in self.blocks:
            mixed = block(mixed, bias)
        encoded = self.norm(mixed).split([own.values.shape[1] for own in tokens], dim=1)
        return [dataclasses.replace(own, values=values) for own, values in zip(tokens, encoded, strict=True)]

    def unimodal(self, tokens: list[Tokens]) -> Tensor:
        """Embed each modality by itself: (n_rows, n_modalities, hidden)."""
        return torch.stack([self.attend([own])[0].mean() for own in tokens], dim=1)


class Rebuilding(nn.Module):
    """Masked modelling of tokens: what is hidden is rebuilt from what all modalities show.

    Parameters
    ----------
    encoder : UnifiedEncoder
        What is trained.
    ratio : float
        Share of each modality's tokens that is hidden.
    """

    def __init__(self, encoder: UnifiedEncoder, ratio: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.ratio = ratio
        hidden = encoder.kind.shape[1]
        self.mask = nn.Parameter(torch.randn(hidden) / hidden**0.5)
        self.decoders = nn.ModuleList(pieces.decoder() for pieces in encoder.pieces)

    def forward(self, batch: Batch) -> Answers:
        """Give each modality's embedding (n_rows, n_modalities, hidden); the penalty is the error of rebuilding."""
        tokens = self.encoder.tokens(batch)
        masked = [choose_masked(own.there, self.ratio) for own in tokens]
        shown = [
            dataclasses.replace(own, values=torch.where(gone[..., None], self.mask, own.values))
            for own, gone in zip(tokens, masked, strict=True)
        ]
        error = torch.zeros((), device=self.mask.device)
        for number, encoded in enumerate(self.encoder.attend(shown)):
            rebuilt = self.decoders[number](encoded.values)
            spread = self.encoder.pieces[number].spread(masked[number])
            error = error + masked_error(rebuilt, batch.features[self.encoder.modalities[number]], spread)
        return Answers(self.encoder.unimodal(tokens), penalty=error)


class WeightedContrast(PairwiseLoss):
    """:class:`PairwiseLoss` with a weight; 0 where there is but one modality.

    Parameters
    ----------
    modalities : tuple of str
        In the order of the views.
    temperature : float, default=0.1
        Divides the likenesses.
    weight : float, default=1.0
        What the loss is multiplied by.
    """

    def __init__(self, modalities: tuple[str, ...], temperature: float = 0.1, weight: float = 1.0) -> None:
        super().__init__(modalities, temperature)
        self.weight = weight

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the weighted mean over the pairs; see :class:`Objective`."""
        return self.weight * super().loss(outputs, targets, batch)


class DualPath(Objective):
    """Descriptions and rows find each other, by the embedding of all modalities and by those of each.

    Parameters
    ----------
    modalities : tuple of str
        In the order of the views, after the fused one if there are several.
    paths : {"both", "fused", "unimodal"}, default="both"
        Which views count: the fused one in full, each other by half.
    temperature : float, default=0.1
        Divides the likenesses.
    n_text : int, default=1
        Width of the descriptions' vectors.
    """

    def __init__(
        self, modalities: tuple[str, ...], paths: str = "both", temperature: float = 0.1, n_text: int = 1
    ) -> None:
        super().__init__()
        self.modalities = modalities
        self.paths = paths
        self.temperature = temperature
        self.n_text = n_text

    def build(self, n_outputs: int) -> Self:
        """Make a projection a view and one of the descriptions; see :class:`Objective`."""
        check_name(self.paths, PATHS, "path")
        self.of_text = nn.Linear(self.n_text, n_outputs)
        n_views = len(self.modalities) + (len(self.modalities) > 1)
        self.of_view = nn.ModuleList(nn.Linear(n_outputs, n_outputs) for _ in range(n_views))
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the weighted sum over the paths, each on the rows that it has; see :class:`Objective`."""
        there = torch.stack([batch.present[name] for name in self.modalities], dim=1)
        weights = [0.5 * (self.paths != FUSED)] * len(self.modalities)
        if len(self.modalities) > 1:
            there = torch.cat([there.any(1, keepdim=True), there], dim=1)
            weights = [1.0 * (self.paths != "unimodal"), *weights]
        text, total = self.of_text(targets), 0 * outputs.sum()
        for view, (weight, project) in enumerate(zip(weights, self.of_view, strict=True)):
            rows = there[:, view]
            if weight and rows.sum() > 1:
                total = total + weight * info_nce(project(outputs[rows, view]), text[rows], self.temperature)
        return total
