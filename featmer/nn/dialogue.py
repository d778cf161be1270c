"""From rows to a grid of dialogues and turns, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from featmer.collate import Batch


def to_grid(rows: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Lay rows out by dialogue and turn.

    Parameters
    ----------
    rows : Tensor, shape (n_rows, ...)
        Anything a row.
    batch : Batch
        Where the rows belong.

    Returns
    -------
    grid : Tensor, shape (n_dialogues, n_turns, ...)
        The rows, zeros where a dialogue has ended.
    real : Tensor of bool, shape (n_dialogues, n_turns)
        False where a dialogue has ended.
    """
    shape = (int(batch.dialogue.max()) + 1, int(batch.turn.max()) + 1)
    real = torch.zeros(shape, dtype=torch.bool, device=rows.device)
    real[batch.dialogue, batch.turn] = True
    grid = rows.new_zeros(shape + rows.shape[1:])
    grid[batch.dialogue, batch.turn] = rows
    return grid, real


def from_grid(grid: Tensor, batch: Batch) -> Tensor:
    """Bring a grid back to the order of the batch.

    Parameters
    ----------
    grid : Tensor, shape (n_dialogues, n_turns, ...)
        As :func:`to_grid` lays it out.
    batch : Batch
        Where the rows belong.

    Returns
    -------
    Tensor, shape (n_rows, ...)
        The rows.

    Examples
    --------
    >>> index = torch.tensor([0, 0, 1])
    >>> batch = Batch({}, {}, {}, dialogue=index, turn=torch.tensor([1, 0, 0]), speaker=index)
    >>> grid, real = to_grid(torch.tensor([1.0, 2.0, 3.0]), batch)
    >>> grid.tolist(), from_grid(grid, batch).tolist()
    ([[2.0, 1.0], [3.0, 0.0]], [1.0, 2.0, 3.0])
    """
    return grid[batch.dialogue, batch.turn]


def turned_round(grid: Tensor, real: Tensor) -> Tensor:
    """Turn the order of every dialogue's turns round; padding stays at the end.

    Parameters
    ----------
    grid : Tensor, shape (n_dialogues, n_turns, ...)
        As :func:`to_grid` lays it out.
    real : Tensor of bool, shape (n_dialogues, n_turns)
        False where a dialogue has ended.

    Returns
    -------
    Tensor, shape (n_dialogues, n_turns, ...)
        The last real turn first; twice turned round is as before.

    Examples
    --------
    >>> real = torch.tensor([[True, True, True], [True, True, False]])
    >>> turned_round(torch.tensor([[1, 2, 3], [4, 5, 0]]), real).tolist()
    [[3, 2, 1], [5, 4, 0]]
    """
    turn = torch.arange(real.shape[1], device=real.device)
    mirrored = real.sum(1, keepdim=True) - 1 - turn
    source = torch.where(real, mirrored, turn)
    return grid[torch.arange(len(grid), device=real.device)[:, None], source]
