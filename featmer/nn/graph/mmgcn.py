"""Turns times modalities as nodes of one graph a dialogue, and a convolution over it that may be deep."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.dialogue import from_grid, to_grid
from featmer.nn.encoders import Encoders
from featmer.nn.head import Head
from featmer.nn.mamba import Place
from featmer.nn.recurrent import Memory

FIRST = 0.1  # share of the first layer's input in what each layer passes on (the paper's alpha)
DECAY = 0.5  # how fast layers turn into mere spreading with depth (lambda)
BELOW_ONE = 0.99999  # of a cosine: the slope of arccos has no end at 1


def angular_adjacency(nodes: Tensor, linked: Tensor) -> Tensor:
    """Weigh the edges of graphs by the angles between their nodes: ``1 - arccos(cos(n_i, n_j)) / pi``.

    Parameters
    ----------
    nodes : Tensor, shape (n_graphs, n_nodes, width)
        A vector a node.
    linked : Tensor of bool, shape (n_graphs, n_nodes, n_nodes)
        Which nodes are tied.

    Returns
    -------
    Tensor, shape (n_graphs, n_nodes, n_nodes)
        Weights from 0 to 1, symmetric if `linked` is; 0 where nodes are not tied.

    Examples
    --------
    >>> nodes = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]])
    >>> angular_adjacency(nodes, torch.ones(1, 3, 3, dtype=torch.bool))[0, 0].round(decimals=2).tolist()
    [1.0, 0.5, 0.0]
    """
    with torch.autocast(nodes.device.type, enabled=False):  # half precision would round a cosine beyond 1
        direction = F.normalize(nodes.to(torch.promote_types(nodes.dtype, torch.float32)), dim=-1)
        cosine = direction @ direction.transpose(1, 2)
    return (1 - torch.arccos(BELOW_ONE * cosine) / math.pi) * linked


def normalised(adjacency: Tensor) -> Tensor:
    """Divide the weight of each edge by the root of the degrees at both its ends.

    Parameters
    ----------
    adjacency : Tensor, shape (n_graphs, n_nodes, n_nodes)
        Weights, symmetric; a node's degree is the sum of its edges.

    Returns
    -------
    Tensor, shape (n_graphs, n_nodes, n_nodes)
        ``D^-1/2 A D^-1/2``, whose eigenvalues lie between -1 and 1; zeros for a node without edges.

    Examples
    --------
    >>> normalised(torch.ones(1, 4, 4))[0, 0].tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    scale = adjacency.sum(-1).clamp(min=1e-6).rsqrt()
    return scale[..., None] * adjacency * scale[:, None]


class GCNIILayer(nn.Module):
    """One layer of a graph convolution that may be deep: each layer is given the first one's input again.

    ``u = A h``; ``h' = relu(theta [u; h_0] W + (1 - theta) (0.9 u + 0.1 h_0))`` with ``theta = log(0.5 / l + 1)`` for
    the l-th layer, so the deeper it is the less it maps.

    Parameters
    ----------
    hidden : int
        Width of a node.
    level : int
        Which layer this is, from 1.

    References
    ----------
    Chen, Wei, Huang, Ding, Li: Simple and deep graph convolutional networks. ICML, 2020.

    Examples
    --------
    >>> nodes = torch.ones(1, 3, 4)
    >>> GCNIILayer(hidden=4, level=1)(nodes, nodes, torch.eye(3)[None]).shape
    torch.Size([1, 3, 4])
    """

    def __init__(self, hidden: int, level: int) -> None:
        super().__init__()
        self.theta = math.log(DECAY / level + 1)
        self.map = nn.Linear(2 * hidden, hidden, bias=False)

    def forward(self, nodes: Tensor, first: Tensor, adjacency: Tensor) -> Tensor:
        """Let nodes hear of their neighbours.

        Parameters
        ----------
        nodes : Tensor, shape (n_graphs, n_nodes, hidden)
            What the layer before gave.
        first : Tensor, shape (n_graphs, n_nodes, hidden)
            What the first layer was given.
        adjacency : Tensor, shape (n_graphs, n_nodes, n_nodes)
            As :func:`normalised` gives it.

        Returns
        -------
        Tensor, shape (n_graphs, n_nodes, hidden)
            The nodes, changed.
        """
        spread = adjacency @ nodes
        passed_on = (1 - FIRST) * spread + FIRST * first
        return (self.theta * self.map(torch.cat([spread, first], dim=-1)) + (1 - self.theta) * passed_on).relu()


class MMGCN(Head):
    """Spread what is known over one graph a dialogue, whose nodes are its turns in each of their modalities.

    Each modality is read by a memory of its own and told who speaks and where. Nodes are tied to all nodes of the same
    modality and to those of the same turn, the closer the smaller their angle (:func:`angular_adjacency`), and pass
    through layers of :class:`GCNIILayer`. What comes out is set beside what went in, for all modalities of a turn. A
    modality that is missing in a turn is a node less in the graph, and a learned vector in its place at the end.

    Parameters
    ----------
    hidden : int, default=128
        Width of a node; even, since the memories read both ways.
    layers : int, default=4
        Graph layers.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    Notes
    -----
    The graph of a dialogue is as good as complete, so time and memory grow with the square of its length; and it knows
    no order of turns, so there is no context of the past alone. In the paper only text has a memory, and only the
    speaker is told. The authors' program is passed a number of layers that its model does not use: it always has 64.
    The score it prints is that of the epoch which was best on the test part; featmer chooses on validation dialogues.

    References
    ----------
    Hu, Liu, Zhao, Jin: MMGCN: Multimodal fusion via deep graph convolution network for emotion recognition in
    conversation. ACL, 2021.

    Examples
    --------
    >>> MMGCN(layers=8)
    MMGCN(layers=8)
    """

    context = "both"
    search_space = {**Head.search_space, "layers": [2, 4, 8]}

    def __init__(self, *, hidden: int = 128, layers: int = 4, dropout: float = 0.3) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        hidden, n_modalities = self.hidden, len(in_features)
        self.encoders = Encoders(in_features, hidden, self.dropout, sequences)
        self.memories = nn.ModuleList(Memory(hidden, 1, self.dropout, "both") for _ in in_features)
        self.place = Place(hidden)
        self.enter = nn.Linear(hidden, hidden)
        self.convolutions = nn.ModuleList(GCNIILayer(hidden, level) for level in range(1, self.layers + 1))
        self.missing = nn.Parameter(torch.zeros(n_modalities, 2 * hidden))
        self.drop = nn.Dropout(self.dropout)
        self.output = nn.Linear(n_modalities * 2 * hidden, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        views, present = self._read(batch)
        row, modality = present.nonzero(as_tuple=True)
        fused = self.missing.expand(len(views), -1, -1)
        if len(row):
            known = self._spread(views[row, modality], nodes_of(batch, row), row, modality)
            fused = fused.index_put((row, modality), known.to(fused.dtype))
        return self.output(fused.flatten(1))

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return a vector a modality that knows of the others of its dialogue, (n_rows, n_modalities, hidden)."""
        views, present = self.encoders(batch)
        grid, real = to_grid(views, batch)
        said = torch.stack([memory(grid[:, :, m], real) for m, memory in enumerate(self.memories)], dim=2)
        return from_grid(said, batch) + self.place(batch)[:, None], present

    def _spread(self, nodes: Tensor, places: Batch, row: Tensor, modality: Tensor) -> Tensor:
        """Return nodes with what the graph makes of them beside, (n_nodes, 2 * hidden)."""
        (grid, real), (row, _), (modality, _) = (to_grid(each, places) for each in (nodes, row, modality))
        alike = (row[:, None] == row[..., None]) | (modality[:, None] == modality[..., None])
        adjacency = normalised(angular_adjacency(grid, alike & real[:, None] & real[..., None]))
        first = spread = self.drop(self.enter(grid).relu())
        for convolve in self.convolutions:
            spread = self.drop(convolve(spread, first, adjacency))
        return torch.cat([nodes, from_grid(spread, places)], dim=1).relu()


def nodes_of(batch: Batch, row: Tensor) -> Batch:
    """Make a batch of nodes, counted through within each dialogue.

    Parameters
    ----------
    batch : Batch
        The rows.
    row : Tensor of int, shape (n_nodes,)
        The row of each node.

    Returns
    -------
    Batch
        A row a node, without features; `turn` is the number of the node in its dialogue.

    Examples
    --------
    >>> index = torch.tensor([0, 1, 0])
    >>> batch = Batch({}, {}, {}, dialogue=index, turn=index, speaker=index)
    >>> nodes_of(batch, torch.tensor([0, 0, 1, 2, 2])).turn.tolist()
    [0, 1, 0, 2, 3]
    """
    dialogue = batch.dialogue[row]
    in_order = dialogue.argsort(stable=True)
    ends = torch.bincount(dialogue).cumsum(0)
    number = torch.empty_like(dialogue)
    number[in_order] = torch.arange(len(row), device=row.device)
    number = number - torch.cat([ends.new_zeros(1), ends])[dialogue]
    return Batch({}, {}, {}, dialogue=dialogue, turn=number, speaker=batch.speaker[row])
