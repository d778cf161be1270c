"""Each modality reads the dialogue by itself, then one main modality looks through the eyes of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Self

import torch
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.attention import Attention, AttentionBlock, TurnBias, hide
from featmer.nn.dialogue import from_grid, to_grid
from featmer.nn.encoders import Encoders
from featmer.nn.head import Head

DIRECTIONS = ("both", "past")
MAIN = "text"
VALUES = ("main", "other")


class ModalityReader(nn.Module):
    """Let the turns of one modality look at each other, layer by layer with a skip round each.

    ``H = H + norm(block(H))`` for each layer, then a linear map.

    Parameters
    ----------
    hidden : int
        Width of a turn.
    layers : int
        Transformer layers.
    heads : int
        Attention heads; must divide ``hidden``.
    dropout : float
        Share of entries set to zero in training.

    Examples
    --------
    >>> ModalityReader(8, layers=1, heads=2, dropout=0.0)(torch.ones(3, 5, 8), torch.zeros(5, 5)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, hidden: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AttentionBlock(hidden, heads, dropout) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(layers))
        self.project = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.Dropout(dropout))

    def forward(self, turns: Tensor, bias: Tensor) -> Tensor:
        """Read dialogues.

        Parameters
        ----------
        turns : Tensor, shape (n_dialogues, n_turns, hidden)
            A vector a turn.
        bias : Tensor, broadcasting to (n_dialogues, heads, n_turns, n_turns)
            Added to the attention scores; -inf where a turn must not look.

        Returns
        -------
        Tensor, shape (n_dialogues, n_turns, hidden)
            The vectors, changed.
        """
        for block, norm in zip(self.blocks, self.norms, strict=True):
            turns = turns + norm(block(turns, bias))
        return self.project(turns)


class FusionAttention(nn.Module):
    """Change a main modality by what each other modality makes of it: one fusion attention module an other.

    For the main modality's turns T and another's turns A, ``Z = attention(queries T, keys A, values T)`` and
    ``relu(W relu([Z; T]) + b)``; those of all others that are there are summed up. A turn where no other modality is
    there stays as it is.

    Parameters
    ----------
    n_others : int
        Modalities beside the main one.
    hidden : int
        Width of a turn.
    heads : int
        Attention heads; must divide ``hidden``.
    values : {"main", "other"}
        Whether the values that attention mixes are T too, so that A but says where to look, or A.

    Examples
    --------
    >>> main, other, there = torch.ones(3, 5, 8), torch.ones(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)
    >>> FusionAttention(1, 8, heads=2, values="main")(main, [other], [there], [torch.zeros(5, 5)]).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, n_others: int, hidden: int, heads: int, values: str) -> None:
        super().__init__()
        check_name(values, VALUES, "choice of values")
        self.values = values
        self.look = nn.ModuleList(Attention(hidden, heads) for _ in range(n_others))
        self.mix = nn.ModuleList(nn.Linear(2 * hidden, hidden) for _ in range(n_others))

    def forward(self, main: Tensor, others: list[Tensor], there: list[Tensor], biases: list[Tensor]) -> Tensor:
        """Look at the main modality through the eyes of the others.

        Parameters
        ----------
        main : Tensor, shape (n_dialogues, n_turns, hidden)
            The main modality.
        others : list of Tensor, shape (n_dialogues, n_turns, hidden)
            The others.
        there : list of Tensor of bool, shape (n_dialogues, n_turns)
            False where another is missing.
        biases : list of Tensor, broadcasting to (n_dialogues, heads, n_turns, n_turns)
            Added to the attention scores; -inf where a turn must not look.

        Returns
        -------
        Tensor, shape (n_dialogues, n_turns, hidden)
            The main modality, changed.
        """
        changed, alone = torch.zeros_like(main), torch.ones_like(main[..., :1], dtype=torch.bool)
        for look, mix, other, here, bias in zip(self.look, self.mix, others, there, biases, strict=True):
            seen = look(main, other, main if self.values == "main" else other, bias)
            changed = changed + mix(torch.cat([seen, main], dim=-1).relu()).relu() * here[..., None]
            alone = alone & ~here[..., None]
        return torch.where(alone, main, changed)


class M2FNet(Head):
    """Read the dialogue in each modality, then fuse the others into a main one by attention over the turns.

    Each modality goes through a :class:`ModalityReader` of its own; the main one, text if there is any and the first
    otherwise, through layers of :class:`FusionAttention`; all are set side by side before a small perceptron.

    Parameters
    ----------
    hidden : int, default=128
        Width of a turn in each modality.
    layers : int, default=1
        Transformer layers in each modality.
    fusions : int, default=1
        Layers of fusion attention.
    heads : int, default=4
        Attention heads; must divide ``hidden``.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    values : {"main", "other"}, default="main"
        Whether the values that fusion attention mixes are those of the main modality, or of the other one.
    context : {"both", "past"}, default="both"
        Which turns of the dialogue a turn may know of.

    Notes
    -----
    There is no code of the paper. That queries and values are both those of the text, and that the updates of several
    other modalities are summed up, is how reimplementations read it; ``values="other"`` is plain cross-attention. The
    paper's encoders are as wide as the features, here these are brought to one width first; and attention knows how
    far apart turns are and whether their speakers are the same (:class:`featmer.nn.attention.TurnBias`).

    References
    ----------
    Chudasama et al.: M2FNet: Multi-modal fusion network for emotion recognition in conversation. CVPR workshops, 2022.

    Examples
    --------
    >>> M2FNet(fusions=2)
    M2FNet(fusions=2)
    """

    search_space = {**Head.search_space, "layers": [1, 2], "fusions": [1, 2, 4]}

    def __init__(
        self,
        *,
        hidden: int = 128,
        layers: int = 1,
        fusions: int = 1,
        heads: int = 4,
        dropout: float = 0.3,
        values: Literal["main", "other"] = "main",
        context: Literal["both", "past"] = "both",
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.fusions = fusions
        self.heads = heads
        self.dropout = dropout
        self.values = values
        self.context = context

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        check_name(self.context, DIRECTIONS, "context")
        names = list(in_features)
        self.main = names.index(MAIN) if MAIN in names else 0
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.bias = TurnBias(self.heads, self.context)
        self.read = nn.ModuleList(ModalityReader(self.hidden, self.layers, self.heads, self.dropout) for _ in names)
        self.fuse = nn.ModuleList(
            FusionAttention(len(names) - 1, self.hidden, self.heads, self.values)
            for _ in range(self.fusions if len(names) > 1 else 0)
        )
        self.output = nn.Sequential(
            nn.Linear(len(names) * self.hidden, self.hidden),
            nn.ReLU(),
            nn.Dropout(self.dropout),
            nn.Linear(self.hidden, n_outputs),
        )
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        views, present = self.encoders(batch)
        grid, real = to_grid(views, batch)
        there = list(to_grid(present, batch)[0].unbind(2))
        bias = self.bias(real, to_grid(batch.speaker, batch)[0])
        biases = [hide(bias, here) for here in there]
        read = [
            reader(turns, own) * here[..., None]
            for reader, turns, own, here in zip(self.read, grid.unbind(2), biases, there, strict=True)
        ]
        main, others = read[self.main], _without(self.main, read)
        for fuse in self.fuse:
            main = fuse(main, others, _without(self.main, there), _without(self.main, biases))
        return self.output(from_grid(torch.cat([main, *others], dim=-1), batch))


def _without(number: int, of_modalities: list[Tensor]) -> list[Tensor]:
    return of_modalities[:number] + of_modalities[number + 1 :]
