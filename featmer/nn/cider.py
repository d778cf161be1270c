"""Tokens look at each other once for each set of modalities, so that each set is read by itself as well."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations
from typing import Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.attention import hide
from featmer.nn.encoders import Encoders, FramePlace, Frames
from featmer.nn.head import Head


class CompositeAttention(nn.Module):
    """Attention among the tokens of every set of modalities, from the same queries, keys and values.

    With three modalities there are seven sets, from each by itself to all. A token looks at those of its own modality
    and of the others of a set, through attention weights of that set alone; what it saw in all sets that its modality
    is in is joined. Where a modality is missing, the sets without it are as they were.

    Parameters
    ----------
    n_modalities : int
        How many modalities; with more than four or so, the 2^n - 1 sets get many.
    hidden : int
        Width of a token.
    heads : int
        Attention heads; must divide ``hidden``.

    References
    ----------
    Zhong et al.: Towards robust multimodal emotion recognition under missing modalities and distribution shifts.
    arXiv 2506.10452, 2025: multimodal composite transformer.

    Examples
    --------
    >>> attention = CompositeAttention(n_modalities=3, hidden=8, heads=2)
    >>> [len(members) for members in attention.sets]
    [1, 1, 1, 2, 2, 2, 3]
    >>> tokens, real = torch.ones(5, 4, 8), torch.ones(5, 4, dtype=torch.bool)
    >>> attention(tokens, real, modality=torch.tensor([0, 0, 1, 2])).shape
    torch.Size([5, 4, 8])
    """

    def __init__(self, n_modalities: int, hidden: int, heads: int) -> None:
        super().__init__()
        if hidden % heads:
            raise ValueError(f"heads must divide hidden, got hidden={hidden} and heads={heads}.")
        every = range(n_modalities)
        self.heads = heads
        self.sets = [members for size in every for members in combinations(every, size + 1)]
        self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.after_set = nn.ModuleList(nn.Linear(hidden, hidden) for _ in self.sets)
        n_own = 2 ** (n_modalities - 1)
        self.join = nn.ModuleList(nn.Linear(n_own * hidden, hidden) for _ in every)
        self.after = nn.Linear(hidden, hidden)

    def forward(self, tokens: Tensor, real: Tensor, modality: Tensor) -> Tensor:
        """Let the tokens look.

        Parameters
        ----------
        tokens : Tensor, shape (n, n_tokens, hidden)
            Those of the modalities, one modality after the other.
        real : Tensor of bool, shape (n, n_tokens)
            False where a token is missing or padding: others do not look at it.
        modality : Tensor of int, shape (n_tokens,)
            Number of each token's modality.

        Returns
        -------
        Tensor, shape (n, n_tokens, hidden)
            What each token saw.
        """
        made = self.query_key_value(tokens).unflatten(-1, (3, self.heads, -1))
        query, key, value = made.permute(2, 0, 3, 1, 4)  # each (n, heads, n_tokens, depth)
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        seen: list[list[Tensor]] = [[] for _ in self.join]
        for members, after in zip(self.sets, self.after_set, strict=True):
            inside = torch.isin(modality, torch.tensor(members, device=modality.device))
            weights = hide(scores, real & inside).softmax(-1)
            of_set = after((weights @ value).transpose(1, 2).flatten(2))
            for member in members:
                seen[member].append(of_set[:, modality == member])
        joined = [join(torch.cat(own, dim=-1)) for join, own in zip(self.join, seen, strict=True)]
        return self.after(torch.cat(joined, dim=1))


class _Block(nn.Module):
    """One pre-norm layer: composite attention, then a perceptron."""

    def __init__(self, n_modalities: int, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(hidden)
        self.attention = CompositeAttention(n_modalities, hidden, heads)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, 4 * hidden), nn.GELU(), nn.Linear(4 * hidden, hidden)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, real: Tensor, modality: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.attention(self.before(tokens), real, modality))
        return tokens + self.dropout(self.perceptron(tokens))


class CIDer(Head):
    """Read every set of modalities by itself and all together, to depend on none: the network of CIDer.

    Frames of all modalities are tokens side by side, a vector is a single one. Layers of :class:`CompositeAttention`
    change them; each modality's tokens are pooled, and the modalities' vectors, side by side, go through a perceptron
    that adds to them.

    It is meant to be trained with features missing, as ``SelfDistilled("cider", how="rmfm")``, preset
    ``cider_distilled``; the back door for classes and the counterfactual text are
    `featmer.causal.BackdoorClassifier` and `featmer.causal.CounterfactualClassifier` around it.

    Parameters
    ----------
    hidden : int, default=64
        Width of a token.
    layers : int, default=2
        Layers of composite attention.
    heads : int, default=4
        Attention heads; must divide ``hidden``.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    Notes
    -----
    The paper first brings voice and face to the length of the text by attention from its words, and runs a GRU over
    each modality; here modalities keep their own frames, with their place in time, since rows need not have text. Its
    loss on attention maps and its restoring of missing frames are left out, see :class:`SelfDistilled`.

    References
    ----------
    Zhong et al.: Towards robust multimodal emotion recognition under missing modalities and distribution shifts.
    arXiv 2506.10452, 2025.

    Examples
    --------
    >>> CIDer(layers=3)
    CIDer(layers=3)
    """

    search_space = {**Head.search_space, "layers": [1, 2, 3, 4]}

    def __init__(self, *, hidden: int = 64, layers: int = 2, heads: int = 4, dropout: float = 0.3) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        width = len(in_features) * self.hidden
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.place = FramePlace(self.hidden)
        self.blocks = nn.ModuleList(
            _Block(len(in_features), self.hidden, self.heads, self.dropout) for _ in range(self.layers)
        )
        self.norm = nn.LayerNorm(self.hidden)
        self.more = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(self.dropout), nn.Linear(width, width))
        self.output = nn.Linear(width, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        frames = [self.place(each) for each in self.encoders.frames(batch)]
        lengths = [each.values.shape[1] for each in frames]
        modality = torch.arange(len(frames), device=batch.turn.device).repeat_interleave(
            torch.tensor(lengths, device=batch.turn.device)
        )
        tokens, real = (torch.cat(parts, dim=1) for parts in zip(*frames, strict=True))
        for block in self.blocks:
            tokens = block(tokens, real, modality)
        changed = self.norm(tokens).split(lengths, dim=1)
        views, _ = self.encoders.pooled(
            [Frames(own, each.real) for own, each in zip(changed, frames, strict=True)], batch
        )
        joined = views.flatten(1)
        return self.output(joined + self.more(joined))
