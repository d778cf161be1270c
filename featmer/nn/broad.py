"""Broad Mamba: each modality reads the dialogue by itself, then the surest are heard most."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.dialogue import from_grid, to_grid
from featmer.nn.encoders import Encoders, heard
from featmer.nn.head import Answers, Head
from featmer.nn.mamba import Place, SelectiveSSM


class BroadNodes(nn.Module):
    """Widen a vector by random nodes in the manner of broad learning.

    ``Z = relu(h W_e + b_e)``, ``H = tanh(Z W_h + b_h)`` with orthonormal W_h, and
    ``[Z, H]`` comes out. The random weights stay as they are; they are buffers, saved
    with the trained ones.

    Parameters
    ----------
    hidden : int
        Width of the vector.
    nodes : int
        Mapped nodes Z, and as many enhancement nodes H.

    Examples
    --------
    >>> BroadNodes(8, nodes=32)(torch.ones(5, 8)).shape
    torch.Size([5, 64])
    """

    map_weight: Tensor
    map_bias: Tensor
    enhance_weight: Tensor
    enhance_bias: Tensor

    def __init__(self, hidden: int, nodes: int) -> None:
        super().__init__()
        self.register_buffer("map_weight", torch.randn(nodes, hidden) / hidden**0.5)
        self.register_buffer("map_bias", torch.empty(nodes).uniform_(-1, 1))
        self.register_buffer("enhance_weight", nn.init.orthogonal_(torch.empty(nodes, nodes)))
        self.register_buffer("enhance_bias", torch.empty(nodes).uniform_(-1, 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Widen vectors.

        Parameters
        ----------
        vectors : Tensor, shape (..., hidden)
            The vectors.

        Returns
        -------
        Tensor, shape (..., 2 * nodes)
            Their nodes.
        """
        mapped = nn.functional.linear(vectors, self.map_weight, self.map_bias).relu()
        enhanced = nn.functional.linear(mapped, self.enhance_weight, self.enhance_bias).tanh()
        return torch.cat([mapped, enhanced], dim=-1)


class BroadMambaLayer(nn.Module):
    """Read a sequence by a Mamba block, widen what was read, and bring it back to the width.

    ``u + W [Z, H]`` with Z, H the :class:`BroadNodes` of ``s = u + block(norm(u))``.

    Parameters
    ----------
    hidden : int
        Width of a token.
    states : int
        States a channel.
    nodes : int
        Mapped nodes, and as many enhancement nodes.
    dropout : float
        Share of entries set to zero in training.
    context : {"both", "past"}
        Whether later tokens are read too.

    Examples
    --------
    >>> layer = BroadMambaLayer(8, states=4, nodes=16, dropout=0.0, context="both")
    >>> layer(torch.ones(2, 3, 8), torch.ones(2, 3, dtype=torch.bool)).shape
    torch.Size([2, 3, 8])
    """

    def __init__(self, hidden: int, states: int, nodes: int, dropout: float, context: str) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(hidden)
        self.block = SelectiveSSM(hidden, states, context)
        self.broad = nn.Sequential(nn.LayerNorm(hidden), BroadNodes(hidden, nodes), nn.Linear(2 * nodes, hidden))
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, real: Tensor) -> Tensor:
        """Let tokens know of each other.

        Parameters
        ----------
        tokens : Tensor, shape (n_sequences, length, hidden)
            The tokens.
        real : Tensor of bool, shape (n_sequences, length)
            False at padding, which does not matter.

        Returns
        -------
        Tensor, shape (n_sequences, length, hidden)
            The tokens, changed.
        """
        read = tokens + self.drop(self.block(self.norm(tokens), real))
        return read + self.drop(self.broad(read))


class ProbabilityGuided(nn.Module):
    """Average the modalities of a row, weighted by how sure each is of its own answer.

    ``p_m = softmax(W_m h_m)``, ``c_m = max p_m``, ``w = softmax(sharpness * c)`` over the
    modalities that are there (over all, where none is), ``h = sum of w_m h_m``. Nothing
    but a modality's own probabilities decides how sure it is, so a modality gone bad at
    test time talks itself down.

    Parameters
    ----------
    n_modalities : int
        Modalities.
    hidden : int
        Width of each modality's vector.
    n_outputs : int
        Classes. Of a single number each modality is equally sure.
    sharpness : float, default=3.0
        How much more the surer count; 0 is the plain mean.

    Examples
    --------
    >>> fuse = ProbabilityGuided(2, hidden=8, n_outputs=3)
    >>> fused, weights, answers = fuse(torch.ones(5, 2, 8), torch.tensor([[True, False]]).expand(5, 2))
    >>> fused.shape, weights[0].tolist(), answers.shape
    (torch.Size([5, 8]), [1.0, 0.0], torch.Size([2, 5, 3]))
    """

    def __init__(self, n_modalities: int, hidden: int, n_outputs: int, sharpness: float = 3.0) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.answer = nn.ModuleList(nn.Linear(hidden, n_outputs) for _ in range(n_modalities))

    def forward(self, views: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fuse the modalities of each row.

        Parameters
        ----------
        views : Tensor, shape (n_rows, n_modalities, hidden)
            A vector a modality.
        present : Tensor of bool, shape (n_rows, n_modalities)
            False where it is missing.

        Returns
        -------
        fused : Tensor, shape (n_rows, hidden)
            The weighted means.
        weights : Tensor, shape (n_rows, n_modalities)
            The weights; rows sum to 1.
        answers : Tensor, shape (n_modalities, n_rows, n_outputs)
            What each modality says by itself.
        """
        answers = torch.stack([answer(view) for answer, view in zip(self.answer, views.unbind(1), strict=True)])
        sure = self.sharpness * answers.softmax(-1).amax(-1).T
        weights = sure.masked_fill(~heard(present), -torch.inf).softmax(1)
        return (weights[..., None] * views).sum(1), weights, answers


class BroadMamba(Head):
    """Read the dialogue in each modality by broad Mamba layers, then fuse by probabilities.

    In training each modality is held to the objective too, as an answer of its own, or
    its probabilities would say nothing.

    Parameters
    ----------
    hidden : int, default=64
        Width of a turn in each modality.
    layers : int, default=1
        Layers in each modality.
    states : int, default=16
        States a channel.
    nodes : int, default=128
        Random mapped nodes a layer, and as many enhancement nodes.
    sharpness : float, default=3.0
        How much more the surer modalities count; 0 is the plain mean.
    side_weight : float, default=0.5
        Weight of the modalities' own losses, their mean, beside the loss of all together.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    context : {"both", "past"}, default="both"
        Which turns of the dialogue a turn may know of.

    Notes
    -----
    There is no code of the paper. That the broad branch is a widening inside the layer
    whose random weights stay fixed, and that confidence is the greatest probability, is
    how featmer reads it.

    References
    ----------
    Shou et al.: Revisiting multi-modal emotion learning with broad state space models
    and probability-guidance fusion. arXiv 2404.17858, 2024.
    Chen, Liu: Broad learning system: An effective and efficient incremental learning
    system without the need for deep architecture. IEEE TNNLS, 2018.

    Examples
    --------
    >>> BroadMamba(nodes=64)
    BroadMamba(nodes=64)
    """

    search_space = {**Head.search_space, "layers": [1, 2], "nodes": [64, 128, 256]}

    def __init__(
        self,
        *,
        hidden: int = 64,
        layers: int = 1,
        states: int = 16,
        nodes: int = 128,
        sharpness: float = 3.0,
        side_weight: float = 0.5,
        dropout: float = 0.3,
        context: Literal["both", "past"] = "both",
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.states = states
        self.nodes = nodes
        self.sharpness = sharpness
        self.side_weight = side_weight
        self.dropout = dropout
        self.context = context

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.place = Place(self.hidden)
        self.blocks = nn.ModuleList(
            BroadMambaLayer(self.hidden, self.states, self.nodes, self.dropout, self.context)
            for _ in range(self.layers * len(in_features))
        )
        self.norm = nn.LayerNorm(self.hidden)
        self.fuse = ProbabilityGuided(len(in_features), self.hidden, n_outputs, self.sharpness)
        self.output = nn.Linear(self.hidden, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor | Answers:
        """Map a batch to outputs; see :class:`Head`."""
        views, present = self.encoders(batch)
        grid, real = to_grid(views + self.place(batch)[:, None], batch)
        read = list(grid.unbind(2))
        for number, block in enumerate(self.blocks):
            modality = number % len(read)
            read[modality] = block(read[modality], real)
        turns = self.norm(from_grid(torch.stack(read, dim=2), batch))
        fused, _, answers = self.fuse(turns, present)
        outputs = self.output(fused)
        return Answers(outputs, answers, self.side_weight) if self.training else outputs
