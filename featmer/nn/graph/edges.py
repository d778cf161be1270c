"""Which turns of a dialogue a turn is tied to, and by what relation: short lists, so long dialogues are cheap."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

UNLIMITED = -1


class Edges(NamedTuple):
    """The neighbours of each node, side by side.

    Attributes
    ----------
    source : Tensor of int, shape (n_nodes, n_neighbours)
        Number of the node that an edge comes from; the node's own where there is no edge.
    real : Tensor of bool, shape (n_nodes, n_neighbours)
        False where there is no edge, since some nodes have fewer.

    Examples
    --------
    >>> edges = Edges(torch.tensor([[0, 0], [0, 1]]), torch.tensor([[True, False], [True, True]]))
    >>> edges.gather(torch.tensor([[5.0], [7.0]]))[1].tolist()
    [[5.0], [7.0]]
    """

    source: Tensor
    real: Tensor

    def gather(self, nodes: Tensor) -> Tensor:
        """Return the neighbours' vectors.

        Parameters
        ----------
        nodes : Tensor, shape (n_nodes, width)
            A vector a node.

        Returns
        -------
        Tensor, shape (n_nodes, n_neighbours, width)
            The vectors that the edges come from.
        """
        return F.embedding(self.source, nodes)  # indexing is the same, but its gradient takes twice as long

    def total(self, nodes: Tensor, weight: Tensor) -> Tensor:
        """Add the neighbours' vectors up, each by its weight.

        Parameters
        ----------
        nodes : Tensor, shape (n_nodes, width)
            A vector a node.
        weight : Tensor, shape (n_nodes, n_neighbours)
            Weights; 0 where there is no edge.

        Returns
        -------
        Tensor, shape (n_nodes, width)
            The sums.
        """
        return (weight.to(nodes.dtype)[:, None] @ self.gather(nodes)).squeeze(1)

    def softmax(self, scores: Tensor) -> Tensor:
        """Share a weight of 1 out to the edges of each node.

        Parameters
        ----------
        scores : Tensor, shape (n_nodes, n_neighbours)
            The higher, the more.

        Returns
        -------
        Tensor, shape (n_nodes, n_neighbours)
            Weights; 0 where there is no edge.
        """
        return scores.masked_fill(~self.real, -torch.inf).softmax(1)


def window_edges(dialogue: Tensor, turn: Tensor, past: int = UNLIMITED, future: int = UNLIMITED) -> Edges:
    """Tie each turn to itself and to those near it in its dialogue.

    Parameters
    ----------
    dialogue : Tensor of int, shape (n_rows,)
        The dialogue of each row.
    turn : Tensor of int, shape (n_rows,)
        Where in its dialogue it stands, from 0; rows may come in any order.
    past, future : int, default=-1
        How many turns before and after it; -1 for all.

    Returns
    -------
    Edges
        A row's neighbours in the order of their turns.

    Examples
    --------
    >>> edges = window_edges(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 2, 0]), past=1, future=0)
    >>> edges.source.tolist()
    [[0, 0], [0, 1], [1, 2], [3, 3]]
    >>> edges.real.tolist()
    [[True, False], [True, True], [True, True], [True, False]]
    """
    length = int(turn.max()) + 1
    place = dialogue * length + turn  # the turns of a dialogue are neighbours in this order
    in_order, row = place.sort()
    first, last = (turn - past).clamp(min=0), (turn + future).clamp(max=length - 1)
    first = torch.zeros_like(turn) if past == UNLIMITED else first
    last = torch.full_like(turn, length - 1) if future == UNLIMITED else last
    start = torch.searchsorted(in_order, place - turn + first)
    n_edges = torch.searchsorted(in_order, place - turn + last, right=True) - start
    step = torch.arange(int(n_edges.max()), device=turn.device)
    real = step < n_edges[:, None]
    own = torch.arange(len(turn), device=turn.device)[:, None]
    source = torch.where(real, row[(start[:, None] + step).clamp(max=len(row) - 1)], own)
    return Edges(source, real)


def speaker_relations(speaker: Tensor, turn: Tensor, edges: Edges, n_speakers: int) -> Tensor:
    """Give each edge the number of its relation: who speaks, who spoke, and which turn came first.

    There are ``2 P^2`` of them for P speakers. An edge and the one back never have the same number.

    Parameters
    ----------
    speaker : Tensor of int, shape (n_rows,)
        The speaker of each row, counted from 0 within the dialogue.
    turn : Tensor of int, shape (n_rows,)
        Where in its dialogue it stands.
    edges : Edges
        Which turns are tied.
    n_speakers : int
        How many speakers of a dialogue are told apart; any more are like the last of them.

    Returns
    -------
    Tensor of int, shape (n_rows, n_neighbours)
        Numbers from 0 to ``2 * n_speakers**2 - 1``.

    Examples
    --------
    >>> turn, speaker = torch.arange(2), torch.tensor([0, 1])
    >>> edges = window_edges(torch.zeros_like(turn), turn)
    >>> speaker_relations(speaker, turn, edges, n_speakers=2).tolist()
    [[0, 3], [4, 6]]
    """
    known = speaker.clamp(max=n_speakers - 1)
    later = turn[edges.source] > turn[:, None]
    return 2 * (known[:, None] * n_speakers + known[edges.source]) + later.long()
