"""Heads for continuous streams, such as a film: a step by itself, or the last few steps of the same film."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.dialogue import to_grid
from featmer.nn.head import Head

LAYERS = 2  # of the memory, as in the paper


class Reduce(nn.Module):
    """Bring each modality to one width by a matrix product, and set them side by side.

    The frames of a sequence are averaged first. A missing modality is zero. So the whole is linear: no bias, nothing
    learned for what is missing.

    Parameters
    ----------
    in_features : mapping of str to int
        Width of each modality.
    hidden : int
        Width that each is brought to.
    dropout : float
        Share of the features, and of what comes out, set to zero in training.

    Examples
    --------
    >>> index = torch.zeros(1, dtype=torch.long)
    >>> audio, there = torch.ones(1, 3), torch.ones(1, dtype=torch.bool)
    >>> batch = Batch({"audio": audio}, {"audio": there}, {}, dialogue=index, turn=index, speaker=index)
    >>> Reduce({"audio": 3}, hidden=8, dropout=0.0)(batch).shape
    torch.Size([1, 8])
    """

    def __init__(self, in_features: Mapping[str, int], hidden: int, dropout: float) -> None:
        super().__init__()
        self.modalities = tuple(in_features)
        self.project = nn.ModuleList(nn.Linear(width, hidden, bias=False) for width in in_features.values())
        self.drop = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Reduce a batch.

        Parameters
        ----------
        batch : Batch
            Standardised rows.

        Returns
        -------
        Tensor, shape (n_rows, n_modalities * hidden)
            The modalities side by side.
        """
        views = []
        for name, project in zip(self.modalities, self.project, strict=True):
            features = batch.features[name]
            if name in batch.frames:
                real = batch.frames[name]
                features = (features * real[..., None]).sum(1) / real.sum(1, keepdim=True).clamp(min=1)
            views.append(project(self.drop(features)) * batch.present[name][:, None])
        return self.drop(torch.cat(views, dim=1))


class Stepwise(Head):
    """Answer each step of a stream from that step alone, by fully connected layers.

    Each modality is reduced to ``hidden`` numbers without bias; all of them pass through two layers of half that width
    and the output. As in the paper's code there is neither bias nor non-linearity anywhere, so that the three layers
    and the reductions are one matrix of rank ``hidden // 2`` at most: the strongest model that sees nothing but a
    linear mixture of standardised features.

    Parameters
    ----------
    nonlinear : bool, default=False
        Give the layers after the reductions biases, and the two inner ones rectifiers.
    hidden : int, default=128
        Width that each modality is reduced to; twice that of the layers after it.
    dropout : float, default=0.3
        Share of features and of reduced entries set to zero in training.

    Notes
    -----
    A stream is a dialogue whose turns are its steps, such as the windows of :func:`featmer.alignment.align`. Without
    ``nonlinear`` a step of which nothing is known gets zeros for all outputs. The paper divides logits by 2 before the
    softmax, which changes no order and is left out.

    References
    ----------
    Thao, Herremans, Roig: Multimodal deep models for predicting affective responses evoked by movies. ICCV workshops,
    2019. There the model is called 2FC.

    Examples
    --------
    >>> Stepwise(nonlinear=True)
    Stepwise(nonlinear=True)
    """

    def __init__(self, *, nonlinear: bool = False, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.nonlinear = nonlinear
        self.hidden = hidden
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        inner = self.hidden // 2
        self.reduce = Reduce(in_features, self.hidden, self.dropout)
        between = nn.ReLU if self.nonlinear else nn.Identity
        self.layers = nn.Sequential(
            nn.Linear(len(in_features) * self.hidden, inner, bias=self.nonlinear),
            between(),
            nn.Linear(inner, inner, bias=self.nonlinear),
            between(),
            nn.Linear(inner, n_outputs, bias=self.nonlinear),
        )
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        return self.layers(self.reduce(batch))


class WindowedLSTM(Head):
    """Answer each step of a stream from the last few steps, by a long short-term memory that starts anew for each.

    The modalities are reduced as in :class:`Stepwise`. Two recurrent layers of half that width read the window, and
    their last state gives the output. A window holds the step and up to ``steps - 1`` before it in the same dialogue:
    it is shorter at the start of one, and no step knows of a later one.

    Parameters
    ----------
    steps : int, default=5
        Steps in a window, at least 1.
    hidden : int, default=128
        Width that each modality is reduced to; twice that of the memory.
    dropout : float, default=0.3
        Share of features, of reduced entries and of entries between the recurrent layers set to zero in training.

    Notes
    -----
    The paper's code cuts windows out of all films joined end to end, so that some reach into another film.

    References
    ----------
    Thao, Herremans, Roig: Multimodal deep models for predicting affective responses evoked by movies. ICCV workshops,
    2019.

    Examples
    --------
    >>> WindowedLSTM(steps=3)
    WindowedLSTM(steps=3)
    """

    context = "past"
    search_space = {**Head.search_space, "steps": [3, 5, 9]}

    def __init__(self, *, steps: int = 5, hidden: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.steps = steps
        self.hidden = hidden
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        if self.steps < 1:
            raise ValueError(f"A window needs at least 1 step, got steps={self.steps}.")
        inner = self.hidden // 2
        self.reduce = Reduce(in_features, self.hidden, self.dropout)
        self.memory = nn.LSTM(len(in_features) * self.hidden, inner, LAYERS, batch_first=True, dropout=self.dropout)
        self.output = nn.Linear(inner, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Map a batch to outputs; see :class:`Head`."""
        rows, last = last_steps(batch, self.steps)
        said, _ = self.memory(self.reduce(batch)[rows])
        return self.output(said[torch.arange(batch.n_rows, device=last.device), last])


def last_steps(batch: Batch, steps: int) -> tuple[Tensor, Tensor]:
    """Find the window of each row: itself and the steps before it in its dialogue, in order.

    Parameters
    ----------
    batch : Batch
        Rows of whole dialogues.
    steps : int
        Length of a window.

    Returns
    -------
    rows : Tensor of int, shape (n_rows, steps)
        Rows of the batch. Where a dialogue has begun later, the row itself fills the end of its window.
    last : Tensor of int, shape (n_rows,)
        Where in its window a row stands; what comes after it is filling.

    Examples
    --------
    >>> index = torch.tensor([0, 0, 1])
    >>> batch = Batch({}, {}, {}, dialogue=index, turn=torch.tensor([0, 1, 0]), speaker=index)
    >>> rows, last = last_steps(batch, 2)
    >>> rows.tolist(), last.tolist()
    ([[0, 0], [0, 1], [2, 2]], [0, 1, 0])
    """
    grid, _ = to_grid(torch.arange(batch.n_rows, device=batch.turn.device), batch)
    last = batch.turn.clamp(max=steps - 1)
    step = (batch.turn - last)[:, None] + torch.arange(steps, device=batch.turn.device)
    return grid[batch.dialogue[:, None], torch.minimum(step, batch.turn[:, None])], last
