"""Modalities fused before the main encoder reads them, beside each by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Self

import torch
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.attention import AttentionBlock, TurnAttention, only
from featmer.nn.encoders import Encoders, FramePlace, Frames, heard
from featmer.nn.head import Head

FUSIONS = ("attention", "query")
NORMALIZATIONS = ("none", "softmax")


class AttentionFusion(nn.Module):
    """Add up the modalities' mean frames by weights that all of them decide.

    For each modality ``z_m = mean over frames of (x_m) W_m``; ``alpha = W_2 W_1 [z_1; z_2; ...]``, a weight a modality;
    ``z = sum of alpha_m z_m``.

    Parameters
    ----------
    n_modalities : int
        Modalities.
    hidden : int
        Width of a frame.
    normalize : {"none", "softmax"}, default="none"
        Whether weights are free, or those of the modalities that are there sum to 1.

    Examples
    --------
    >>> frames = [Frames(torch.ones(3, n, 8), torch.ones(3, n, dtype=torch.bool)) for n in (5, 1)]
    >>> fused, alpha = AttentionFusion(2, hidden=8)(frames)
    >>> fused.shape, alpha.shape
    (torch.Size([3, 8]), torch.Size([3, 2]))
    """

    def __init__(self, n_modalities: int, hidden: int, normalize: str = "none") -> None:
        super().__init__()
        check_name(normalize, NORMALIZATIONS, "normalize")
        self.normalize = normalize
        self.project = nn.ModuleList(nn.Linear(hidden, hidden, bias=False) for _ in range(n_modalities))
        self.weigh = nn.Sequential(nn.Linear(n_modalities * hidden, hidden), nn.Linear(hidden, n_modalities))

    def forward(self, frames: list[Frames]) -> tuple[Tensor, Tensor]:
        """Fuse the modalities of each row.

        Parameters
        ----------
        frames : list of Frames
            Those of each modality, zeros where there are none.

        Returns
        -------
        fused : Tensor, shape (n_rows, hidden)
            The sums; a missing modality adds nothing.
        alpha : Tensor, shape (n_rows, n_modalities)
            The weights.
        """
        means = (values.sum(1) / real.sum(1, keepdim=True).clamp(min=1) for values, real in frames)
        vectors = torch.stack([project(mean) for project, mean in zip(self.project, means, strict=True)], dim=1)
        alpha = self.weigh(vectors.flatten(1))
        if self.normalize == "softmax":
            present = torch.stack([real.any(1) for _, real in frames], dim=1)
            alpha = alpha.masked_fill(~heard(present), -torch.inf).softmax(1)
        return (alpha[..., None] * vectors).sum(1), alpha


class QueryFusion(nn.Module):
    """Learned queries look at the frames of all modalities, set one after the other (Q-Former).

    In each layer the queries look at each other, then at the frames.

    Parameters
    ----------
    n_modalities : int
        Modalities.
    hidden : int
        Width of a frame.
    n_queries : int, default=4
        Queries, and vectors that come out.
    layers : int, default=2
        Layers.
    heads : int, default=4
        Attention heads; must divide ``hidden``.
    dropout : float, default=0.0
        Share of entries set to zero in training.

    Examples
    --------
    >>> frames = [Frames(torch.ones(3, n, 8), torch.ones(3, n, dtype=torch.bool)) for n in (5, 1)]
    >>> QueryFusion(2, hidden=8, n_queries=4)(frames).shape
    torch.Size([3, 4, 8])
    """

    def __init__(
        self, n_modalities: int, hidden: int, n_queries: int = 4, layers: int = 2, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(n_queries, hidden) / hidden**0.5)
        self.modality = nn.Parameter(torch.randn(n_modalities, hidden) / hidden**0.5)
        self.place = FramePlace(hidden)
        self.at_each_other, self.at_frames = (
            nn.ModuleList(AttentionBlock(hidden, heads, dropout) for _ in range(layers)) for _ in range(2)
        )
        self.norm = nn.LayerNorm(hidden)

    def forward(self, frames: list[Frames]) -> Tensor:
        """Fuse the modalities of each row.

        Parameters
        ----------
        frames : list of Frames
            Those of each modality.

        Returns
        -------
        Tensor, shape (n_rows, n_queries, hidden)
            What the queries saw.
        """
        tokens = torch.cat(
            [self.place(each).values + own for each, own in zip(frames, self.modality, strict=True)], dim=1
        )
        bias = only(heard(torch.cat([real for _, real in frames], dim=1)), tokens.dtype)
        queries = self.queries.repeat(len(tokens), 1, 1)
        everywhere = tokens.new_zeros(queries.shape[1], queries.shape[1])
        for at_each_other, at_frames in zip(self.at_each_other, self.at_frames, strict=True):
            queries = at_frames(at_each_other(queries, everywhere), bias, others=tokens)
        return self.norm(queries)


class PreFusion(Head):
    """Fuse the modalities' frames first, then read the dialogue from the fused and the single ones together.

    Parameters
    ----------
    hidden : int, default=128
        Width of a frame and of a turn.
    fusion : {"attention", "query"}, default="attention"
        By :class:`AttentionFusion` of the frames' means, or by :class:`QueryFusion` of the frames.
    normalize : {"none", "softmax"}, default="none"
        Whether the weights of attention are free, or sum to 1.
    n_queries : int, default=4
        Queries of the query fusion.
    layers : int, default=1
        Transformer layers over the turns.
    heads : int, default=4
        Attention heads; must divide ``hidden``.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    context : {"both", "past", "none"}, default="both"
        Which turns of the dialogue a turn may look at; "past" suits live use, "none" treats every turn by itself.

    Notes
    -----
    The paper fuses audio and video before a language model, which reads the fused tokens beside those of audio, of
    video and the text; here any modalities are fused, text among them, and a transformer over the turns takes the
    language model's place. That the weights are not normalised and that two linear maps make them is how its code is
    recalled.

    References
    ----------
    Lian et al.: AffectGPT: A new dataset, model, and benchmark for emotion understanding with multimodal large language
    models. ICML, 2025.

    Examples
    --------
    >>> PreFusion(fusion="query")
    PreFusion(fusion='query')
    """

    search_space = {**Head.search_space, "layers": [1, 2, 4]}

    def __init__(
        self,
        *,
        hidden: int = 128,
        fusion: Literal["attention", "query"] = "attention",
        normalize: Literal["none", "softmax"] = "none",
        n_queries: int = 4,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.3,
        context: Literal["both", "past", "none"] = "both",
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.fusion = fusion
        self.normalize = normalize
        self.n_queries = n_queries
        self.layers = layers
        self.heads = heads
        self.dropout = dropout
        self.context = context

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        check_name(self.fusion, FUSIONS, "fusion")
        n_modalities, n_vectors = len(in_features), len(in_features)
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.fuse: AttentionFusion | QueryFusion
        if self.fusion == "attention":
            self.fuse = AttentionFusion(n_modalities, self.hidden, self.normalize)
            n_vectors += 1
        else:
            self.fuse = QueryFusion(n_modalities, self.hidden, self.n_queries, heads=self.heads, dropout=self.dropout)
            n_vectors += self.n_queries
        self.join = nn.Sequential(nn.Linear(n_vectors * self.hidden, self.hidden), nn.GELU(), nn.Dropout(self.dropout))
        self.over_turns = TurnAttention(self.hidden, self.layers, self.heads, self.dropout, self.context)
        self.output = nn.Sequential(nn.LayerNorm(self.hidden), nn.Linear(self.hidden, n_outputs))
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        frames = self.encoders.frames(batch)
        fused = self.fuse(frames)[0] if self.fusion == "attention" else self.fuse(frames).flatten(1)
        views, _ = self.encoders.pooled(frames, batch)
        turns = self.join(torch.cat([fused, views.flatten(1)], dim=1))
        return self.output(self.over_turns(turns, batch))
