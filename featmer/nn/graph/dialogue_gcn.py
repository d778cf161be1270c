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
from featmer.nn.graph.edges import UNLIMITED, Edges, speaker_relations, window_edges
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
    """Let the turns of a dialogue hear of those near them, by who spoke and which came first.

    The joined features of a turn, to which long short-term memories add what they say of it, are g_i. Each turn is tied
    to itself, to those within `past` turns before and to those within `future` turns after it, with weights alpha that
    sum to 1. Of them a :class:`RelationalGraphLayer`, whose relations are the speakers of both turns and their order,
    makes h_i. A second layer spreads it, ``h'_i = relu(mean over neighbours j of W h_j, + W' h_i)``. Last,
    ``e_i = [g_i; h'_i]`` looks once more at those around, ``e_i + sum over j of beta_ij e_j`` with
    ``beta_i = softmax_j(e_i W e_j)``.

    Parameters
    ----------
    hidden : int, default=128
        Width of a turn; even where the memories read both ways.
    layers : int, default=1
        Recurrent layers, reading both ways, or the past alone where `future` is 0. Without any, a turn knows of three
        windows on each side, as each of the three steps brings it one further.
    past, future : int, default=10
        Turns before and after a turn that it is tied to; -1 for all.
    edge_weight : {"bilinear", "position"}, default="bilinear"
        Where alpha comes from: from both turns, ``softmax_j(g_i W g_j)``, or from the neighbour alone, which says how
        much it matters to turns at each distance.
    speakers : int, default=4
        Speakers of a dialogue that are told apart, in order of appearance, so that there are ``2 * speakers**2``
        relations; any more are like the last.
    bases : int, default=8
        Bases that the maps of all relations are made of.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    Notes
    -----
    Where this is not the paper: the second layer takes a mean, not a sum, with which relations helped hardly at all in
    featmer's test of emotions that last in a speaker; the memories add to the turn, and the last step to e_i, in place
    of replacing them, so that a turn's own words are not averaged away; the last step looks at the window, not at all
    of the dialogue, so that `future=0` suits live use; and bilinear scores are divided by the root of the width.

    The authors' program has no activation between or after the two layers; the paper has, and this has. It weighs edges
    by absolute position, up to the longest dialogue it was made for; "position" here goes by distance. The score it
    prints is that of the epoch which was best on the test part; featmer chooses on validation dialogues.

    References
    ----------
    Ghosal, Majumder, Poria, Chhaya, Gelbukh: DialogueGCN: A graph convolutional neural network for emotion recognition
    in conversation. EMNLP, 2019.

    Examples
    --------
    >>> DialogueGCN(past=5, future=0)
    DialogueGCN(future=0, past=5)
    """

    search_space = {**Head.search_space, "past": [2, 5, 10], "future": [0, 5, 10]}

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

    @property
    def context(self) -> str:  # type: ignore[override]
        """Both ways, or the past where there is no `future`."""
        return "both" if self.future else "past"

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        self._check()
        hidden = self.hidden
        self.join = Join(in_features, hidden, self.dropout, sequences)
        self.memory = Memory(hidden, self.layers, self.dropout, "both" if self.layers and self.future else "past")
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

    def _check(self) -> None:
        check_name(self.edge_weight, EDGE_WEIGHTS, "edge_weight")
        for name in ("past", "future"):
            if getattr(self, name) < UNLIMITED:
                raise ValueError(f"{name} must be 0 or more, or -1 for all turns, got {getattr(self, name)!r}.")
        for name in ("speakers", "bases"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)!r}.")

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        turns = self.join(batch)
        if self.layers:
            turns = turns + from_grid(self.memory(*to_grid(turns, batch)), batch)
        edges = window_edges(batch.dialogue, batch.turn, self.past, self.future)
        relation = speaker_relations(batch.speaker, batch.turn, edges, self.speakers)
        heard = self.relate(turns, edges, relation, self.weigh(turns, batch.turn, edges)).relu()
        around = edges.total(heard, edges.real / edges.real.sum(1, keepdim=True))
        nodes = self.drop(torch.cat([turns, (self.spread(around) + self.keep(heard)).relu()], dim=1))
        return self.output(nodes + edges.total(nodes, self.attend(nodes, batch.turn, edges)))
