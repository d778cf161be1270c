"""The field's recurrent baselines: one memory for the dialogue, or one for each of its speakers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import zip_longest
from typing import Literal, Self

import torch
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.dialogue import from_grid, to_grid, turned_round
from featmer.nn.fusion import Join
from featmer.nn.head import Head

DIRECTIONS = ("both", "past")


class Memory(nn.Module):
    """Read the turns of dialogues by long short-term memories, in order and perhaps also from the end.

    Parameters
    ----------
    hidden : int
        Width of a turn and of what is said of it; even where turns are read both ways, which share it.
    layers : int
        Recurrent layers; without any, turns stay as they are.
    dropout : float
        Share of entries set to zero after each layer in training.
    context : {"both", "past"}
        Which turns of the dialogue a turn may know of.

    Raises
    ------
    ValueError
        If the context is unknown, or both ways cannot share `hidden`.

    Examples
    --------
    >>> real = torch.tensor([[True, True, True], [True, False, False]])
    >>> Memory(hidden=8, layers=1, dropout=0.0, context="both")(torch.ones(2, 3, 8), real).shape
    torch.Size([2, 3, 8])
    """

    def __init__(self, hidden: int, layers: int, dropout: float, context: str) -> None:
        super().__init__()
        width = _width_each_way(hidden, context)
        self.forwards, self.backwards = (
            nn.ModuleList(nn.LSTM(hidden, width, batch_first=True) for _ in range(number))
            for number in (layers, layers if context == "both" else 0)
        )
        self.between = nn.Dropout(dropout)

    def forward(self, grid: Tensor, real: Tensor) -> Tensor:
        """Read dialogues.

        Parameters
        ----------
        grid : Tensor, shape (n_dialogues, n_turns, hidden)
            As :func:`featmer.nn.dialogue.to_grid` lays it out.
        real : Tensor of bool, shape (n_dialogues, n_turns)
            False where a dialogue has ended.

        Returns
        -------
        Tensor, shape (n_dialogues, n_turns, hidden)
            What is known at each turn.
        """
        # Padding comes last for either way of reading, so plain sequences do, and they are far faster than packed ones.
        for forwards, backwards in zip_longest(self.forwards, self.backwards):
            said = [forwards(grid)[0]]
            if backwards is not None:
                said.append(turned_round(backwards(turned_round(grid, real))[0], real))
            grid = self.between(torch.cat(said, dim=-1))
        return grid


class Recurrent(Head):
    """Read the turns of a dialogue by long short-term memories (bc-LSTM).

    The modalities of a turn are joined, then the turns are read in order and, for the context "both", also from the
    end. What the memories say of a turn is set beside the turn itself.

    Parameters
    ----------
    hidden : int, default=128
        Width of a turn and of the memory; even where turns are read both ways, which share it.
    layers : int, default=1
        Recurrent layers.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    context : {"both", "past"}, default="both"
        Which turns of the dialogue a turn may know of.

    Notes
    -----
    The paper reads each modality by a network of its own before a second one reads all; here they are joined first,
    which halves the sequential work and is what later comparisons call bc-LSTM on concatenated features.

    References
    ----------
    Poria, Cambria, Hazarika, Majumder, Zadeh, Morency: Context-dependent sentiment analysis in user-generated videos.
    ACL, 2017.

    Examples
    --------
    >>> Recurrent(layers=2)
    Recurrent(layers=2)
    """

    search_space = {**Head.search_space, "layers": [1, 2]}

    def __init__(
        self,
        *,
        hidden: int = 128,
        layers: int = 1,
        dropout: float = 0.3,
        context: Literal["both", "past"] = "both",
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = layers
        self.dropout = dropout
        self.context = context

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        self.join = Join(in_features, self.hidden, self.dropout, sequences)
        self.memory = Memory(self.hidden, self.layers, self.dropout, self.context)
        self.drop = nn.Dropout(self.dropout)
        self.output = nn.Linear(2 * self.hidden, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        turns = self.join(batch)
        said = from_grid(self.memory(*to_grid(turns, batch)), batch)
        return self.output(torch.cat([self.drop(turns), said], dim=1))


class DialogueRNN(Head):
    """Keep a state of the dialogue, of each of its speakers, and of the emotion.

    At each turn t, spoken by s, with the joined features u_t: the global state takes in the turn and what its speaker
    was like, ``g_t = GRU([u_t; q_s], g_(t-1))``; the turn looks back at the earlier global states,
    ``c_t = sum_i softmax_i(u_t W g_i) g_i`` for i < t; the speaker's state follows, ``q_s = GRU([u_t; c_t], q_s)``,
    the listeners' stay; and the emotion's, ``e_t = GRU(q_s, e_(t-1))``. For the context "both" a second set of cells
    reads the dialogue from its end.

    Parameters
    ----------
    hidden : int, default=128
        Width of a turn and of every state; even where turns are read both ways, which share it.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.
    context : {"both", "past"}, default="both"
        Which turns of the dialogue a turn may know of.

    Notes
    -----
    Listeners are not updated, which the paper found as good as doing so. Its attention over the emotion states of the
    whole dialogue is left out.

    References
    ----------
    Majumder, Poria, Hazarika, Mihalcea, Gelbukh, Cambria: DialogueRNN, an attentive RNN for emotion detection in
    conversations. AAAI, 2019.

    Examples
    --------
    >>> DialogueRNN(context="past")
    DialogueRNN(context='past')
    """

    def __init__(self, *, hidden: int = 128, dropout: float = 0.3, context: Literal["both", "past"] = "both") -> None:
        super().__init__()
        self.hidden = hidden
        self.dropout = dropout
        self.context = context

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        width = _width_each_way(self.hidden, self.context)
        self.join = Join(in_features, self.hidden, self.dropout, sequences)
        self.ways = nn.ModuleList(_Memories(self.hidden, width) for _ in range(self.hidden // width))
        self.output = nn.Sequential(nn.Dropout(self.dropout), nn.Linear(2 * self.hidden, n_outputs))
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        turns = self.join(batch)
        grid, real = to_grid(turns, batch)
        speaker = to_grid(batch.speaker, batch)[0]
        emotions = [self.ways[0](grid, speaker)]
        if self.context == "both":
            backwards = self.ways[1](turned_round(grid, real), turned_round(speaker, real))
            emotions.append(turned_round(backwards, real))
        return self.output(torch.cat([turns, from_grid(torch.cat(emotions, dim=-1), batch)], dim=1))


class _Memories(nn.Module):
    """The cells of DialogueRNN, reading one way.

    Padding follows the last turn of a dialogue, so what is made of it reaches no real turn.
    """

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.dialogue = nn.GRUCell(hidden + width, width)
        self.look_back = nn.Linear(hidden, width, bias=False)
        self.speaker = nn.GRUCell(hidden + width, width)
        self.emotion = nn.GRUCell(width, width)

    def forward(self, grid: Tensor, speaker: Tensor) -> Tensor:
        """Return the emotion's state after each turn, (n_dialogues, n_turns, width)."""
        n_dialogues, n_turns = speaker.shape
        n_speakers = int(speaker.max()) + 1
        nothing = grid.new_zeros(n_dialogues, self.width)
        of_dialogue, of_emotion = nothing, nothing
        past: list[Tensor] = []
        emotions: list[Tensor] = []
        of_speakers = grid.new_zeros(n_dialogues, n_speakers, self.width)
        speaks = nn.functional.one_hot(speaker, n_speakers).bool()[..., None]
        queries = self.look_back(grid)
        for turn in range(n_turns):
            words = grid[:, turn]
            own = (of_speakers * speaks[:, turn]).sum(1)
            context = _attend(queries[:, turn], past) if past else nothing
            of_dialogue = self.dialogue(torch.cat([words, own], dim=1), of_dialogue)
            own = self.speaker(torch.cat([words, context], dim=1), own)
            of_speakers = torch.where(speaks[:, turn], own[:, None], of_speakers)
            of_emotion = self.emotion(own, of_emotion)
            past.append(of_dialogue)
            emotions.append(of_emotion)
        return torch.stack(emotions, dim=1)


def _attend(query: Tensor, past: list[Tensor]) -> Tensor:
    """Return the mean of past states, weighted by how they answer a query: (n_dialogues, width)."""
    states = torch.stack(past, dim=1)
    weight = (states @ query[..., None]).softmax(1)
    return (weight * states).sum(1)


def _width_each_way(hidden: int, context: str) -> int:
    """Return the width of a memory: half where two share it."""
    check_name(context, DIRECTIONS, "context")
    if context == "past":
        return hidden
    if hidden % 2:
        raise ValueError(f"hidden must be even where turns are read both ways, got {hidden}.")
    return hidden // 2
