"""Turns that hear of the turns near them, by who spoke and which came first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Self

import torch
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.dialogue import from_grid, to_grid
from featmer.nn.fusion import Join
from featmer.nn.graph.edges import Edges, speaker_relations, window_edges
from featmer.nn.head import Head
from featmer.nn.recurrent import Memory

SPAN = 10  # turns; farther apart than this all distances are alike


class Bilinear(nn.Module):
    """Weigh the neighbours of a turn by how they answer it: ``softmax_j(g_i W g_j)``.

    Parameters
    ----------
    hidden : int
        Width of a turn.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.ask = nn.Linear(hidden, hidden, bias=False)

    def forward(self, nodes: Tensor, turn: Tensor, edges: Edges) -> Tensor:
        """Weigh edges; see :class:`RelationalGraphLayer` for the shapes."""
        question = self.ask(nodes)[..., None] / nodes.shape[1] ** 0.5
        return edges.softmax((edges.gather(nodes) @ question).squeeze(-1))


class Position(nn.Module):
    """Weigh the neighbours of a turn by what each of them says of turns at that distance from it.

    Parameters
    ----------
    hidden : int
        Width of a turn.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.score = nn.Linear(hidden, 2 * SPAN + 1)

    def forward(self, nodes: Tensor, turn: Tensor, edges: Edges) -> Tensor:
        """Weigh edges; see :class:`RelationalGraphLayer` for the shapes."""
        distance = (turn[edges.source] - turn[:, None]).clamp(-SPAN, SPAN) + SPAN
        return edges.softmax(self.score(nodes)[edges.source, distance])


EDGE_WEIGHTS = {"bilinear": Bilinear, "position": Position}


class RelationalGraphLayer(nn.Module):
    """Add up what neighbours say, each relation through a map of its own.

    ``h_i = sum over relations r of sum over neighbours j of (alpha_ij / c_ir) W_r g_j, + alpha_ii W_0 g_i``, with c_ir
    the number of i's neighbours of relation r, and ``W_r = sum over b of a_rb V_b`` made of a few bases.

    Parameters
    ----------
    hidden : int
        Width of a node.
    n_relations : int
        Relations.
    bases : int
        Bases V.

    References
    ----------
    Schlichtkrull, Kipf, Bloem, van den Berg, Titov, Welling: Modeling relational data with graph convolutional
    networks. ESWC, 2018.

    Examples
    --------
    >>> edges = window_edges(torch.zeros(3, dtype=torch.long), torch.arange(3))
    >>> layer = RelationalGraphLayer(hidden=4, n_relations=1, bases=1)
    >>> layer(torch.ones(3, 4), edges, torch.zeros_like(edges.source), torch.ones(3, 3)).shape
    torch.Size([3, 4])
    """

    def __init__(self, hidden: int, n_relations: int, bases: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.randn(n_relations, bases) / bases**0.5)
        self.bases = nn.Parameter(torch.randn(bases, hidden, hidden) / hidden**0.5)
        self.own = nn.Linear(hidden, hidden, bias=False)

    def forward(self, nodes: Tensor, edges: Edges, relation: Tensor, weight: Tensor) -> Tensor:
        """Let nodes hear of their neighbours.

        Parameters
        ----------
        nodes : Tensor, shape (n_nodes, hidden)
            A vector a node.
        edges : Edges
            The neighbours of each.
        relation : Tensor of int, shape (n_nodes, n_neighbours)
            Number of each edge's relation.
        weight : Tensor, shape (n_nodes, n_neighbours)
            Weights alpha; 0 where there is no edge.

        Returns
        -------
        Tensor, shape (n_nodes, hidden)
            The sums.
        """
        itself = torch.arange(len(nodes), device=nodes.device)[:, None] == edges.source
        own = (weight * itself).sum(1, keepdim=True) * self.own(nodes)
        counts = weight.new_zeros(len(nodes), len(self.mix)).scatter_add_(1, relation, edges.real.to(weight.dtype))
        share = weight / counts.gather(1, relation).clamp(min=1)
        # The edges' sums come before the maps: as many maps as bases then do for all relations.
        heard = (share[..., None] * self.mix[relation]).transpose(1, 2) @ edges.gather(nodes)
        return own + heard.flatten(1) @ self.bases.flatten(0, 1)


class DialogueGCN(Head):
    """..."""

    def __init__(
        self,
        *,
        hidden: int = 128,
        layers: int = 1,
        past: int = 10,
        future: int = 10,
        edge_weight: Literal["bilinear", "position"] = "bilinear",
        speakers: int = 4,
        bases: int = 8,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.past = past
        self.future = future
        self.edge_weight = edge_weight
        self.speakers = speakers
        self.bases = bases
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        check_name(self.edge_weight, EDGE_WEIGHTS, "edge_weight")
        hidden = self.hidden
        self.join = Join(in_features, hidden, self.dropout, sequences)
        self.memory = Memory(hidden, self.layers, self.dropout, "both" if self.future else "past")
        self.weigh = EDGE_WEIGHTS[self.edge_weight](hidden)
        self.relate = RelationalGraphLayer(hidden, 2 * self.speakers**2, self.bases)
        self.spread = nn.Linear(hidden, hidden, bias=False)
        self.keep = nn.Linear(hidden, hidden)
        self.attend = Bilinear(2 * hidden)
        self.drop = nn.Dropout(self.dropout)
        self.output = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Dropout(self.dropout), nn.Linear(hidden, n_outputs)
        )
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        turns = self.join(batch)
        said = from_grid(self.memory(*to_grid(turns, batch)), batch)
        edges = window_edges(batch.dialogue, batch.turn, self.past, self.future)
        relation = speaker_relations(batch.speaker, batch.turn, edges, self.speakers)
        weight = self.weigh(said, batch.turn, edges)
        heard = self.relate(said, edges, relation, weight).relu()
        near = (edges.gather(heard) * edges.real[..., None]).sum(1)
        heard = (self.spread(near) + self.keep(heard)).relu()
        nodes = self.drop(torch.cat([said, heard], dim=1))
        beta = self.attend(nodes, batch.turn, edges)
        return self.output((beta[:, None] @ edges.gather(nodes)).squeeze(1))
