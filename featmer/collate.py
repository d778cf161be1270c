"""The only door from tables to torch: rows in, padded and masked tensors out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from featmer.groups import group_codes

if TYPE_CHECKING:
    import pandas as pd

    from featmer.table import Block, FeatureTable


@dataclass(frozen=True)
class Batch:
    """Rows of a table as tensors, with whole dialogues kept together.

    Attributes
    ----------
    features : dict of str to Tensor
        For each modality ``(n_rows, n_features)``, or for a sequence block
        ``(n_rows, n_frames, n_features)`` with zeros after the last frame.
        Missing rows are zero; single missing numbers in a present row are NaN.
    present : dict of str to Tensor of bool, shape (n_rows,)
        False where the modality is missing.
    frames : dict of str to Tensor of bool, shape (n_rows, n_frames)
        True at real frames, False at padding and at frames without any value.
        Holds the sequence blocks only.
    dialogue : Tensor of int, shape (n_rows,)
        The dialogue of each row, counted from 0 within the batch.
    turn : Tensor of int, shape (n_rows,)
        Rank of the row within its dialogue, so gaps in the numbering cost nothing.
    speaker : Tensor of int, shape (n_rows,)
        The speaker of each row, counted from 0 within the dialogue.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> segments = pd.DataFrame({"dialogue": ["a", "a", "b"], "turn": [7, 3, 1]})
    >>> table = FeatureTable(segments, {"audio": Block(np.ones((3, 2)), ("audio.f0", "audio.hnr"))})
    >>> batch = collate(table)
    >>> batch.features["audio"].shape, batch.dialogue.tolist(), batch.turn.tolist()
    (torch.Size([3, 2]), [0, 0, 1], [1, 0, 0])
    """

    features: dict[str, Tensor]
    present: dict[str, Tensor]
    frames: dict[str, Tensor]
    dialogue: Tensor
    turn: Tensor
    speaker: Tensor

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.dialogue)

    def take(self, rows: Tensor) -> Batch:
        """Return some of the rows.

        Parameters
        ----------
        rows : Tensor of int
            Numbers of the rows.

        Returns
        -------
        Batch
            Those, in the order asked for, as they are numbered in this batch.
        """
        features, present, frames = (
            {name: values[rows] for name, values in part.items()} for part in (self.features, self.present, self.frames)
        )
        return Batch(features, present, frames, self.dialogue[rows], self.turn[rows], self.speaker[rows])


class TensorTable:
    """A table moved to a device once, from which batches are cut by index.

    Parameters
    ----------
    table : FeatureTable
        The rows; row i here is row i there.
    device : str or torch.device, default="cpu"
        Where the tensors live.
    dtype : torch.dtype, default=torch.float32
        Precision of the features.

    Attributes
    ----------
    values : dict of str to Tensor
        For each modality all rows, or all frames of all rows, below each other:
        ``(n_rows or total_frames, n_features)``, NaN where missing.
    in_features : dict of str to int
        Width of each modality.
    sequences : tuple of str
        The modalities that hold a sequence of frames a row.
    dialogue : ndarray of int, shape (n_rows,)
        Dialogue of each row, counted from 0 in the order of the dialogues' names.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> segments = pd.DataFrame({"dialogue": ["a", "a", "b"], "turn": [0, 1, 0]})
    >>> table = FeatureTable(segments, {"audio": Block(np.ones((3, 2)), ("audio.f0", "audio.hnr"))})
    >>> tensors = TensorTable(table)
    >>> [rows.tolist() for rows in tensors.dialogue_batches(batch_size=2)]
    [[2], [0, 1]]
    """

    def __init__(
        self, table: FeatureTable, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self.n_rows = len(table)
        self.dialogue, self._turn, self._speaker = _dialogue_codes(table.segments)
        self._codes = torch.tensor(np.stack([self.dialogue, self._turn, self._speaker]), device=self.device)
        self.sequences = tuple(name for name, block in table.blocks.items() if block.is_sequence)
        self.in_features = {name: block.n_features for name, block in table.blocks.items()}
        self.values = {name: self._numbers(block) for name, block in table.blocks.items()}
        self._shown = {name: ~self.values[name].isnan().all(-1) for name in self.sequences}
        self._offsets = {name: torch.tensor(table.blocks[name].offsets, device=self.device) for name in self.sequences}
        self._present = {
            name: torch.tensor(~np.asarray(block.missing), device=self.device) for name, block in table.blocks.items()
        }

    def _numbers(self, block: Block) -> Tensor:
        numbers = block.frames if block.is_sequence else block.values
        return torch.tensor(np.ascontiguousarray(numbers), dtype=self.dtype, device=self.device)

    def batch(self, rows: Tensor) -> Batch:
        """Cut rows out as a batch.

        Parameters
        ----------
        rows : Tensor of int, shape (n_rows,)
            Which rows. Dialogues should be whole, or the heads see gaps.

        Returns
        -------
        Batch
            The rows in the order asked for.
        """
        rows = rows.to(self.device)
        present = {name: mask[rows] for name, mask in self._present.items()}
        features, frames = {}, {}
        for name, values in self.values.items():
            if name in self.sequences:
                features[name], frames[name] = _pad(values, self._shown[name], self._offsets[name], rows)
            else:
                features[name] = torch.where(present[name][:, None], values[rows], 0.0)
        dialogue, turn, speaker = self._codes[:, rows]
        return Batch(features, present, frames, torch.unique(dialogue, return_inverse=True)[1], turn, speaker)

    def dialogue_batches(
        self, batch_size: int, rng: np.random.Generator | None = None, chosen: np.ndarray | None = None
    ) -> list[Tensor]:
        """Share the rows out to batches of whole dialogues of similar length.

        Parameters
        ----------
        batch_size : int
            Rows a batch, about: a dialogue is never cut.
        rng : numpy.random.Generator, optional
            Shuffles the dialogues (lengths are blurred by a third, so that they mix) and
            the batches. None keeps one fixed order.
        chosen : ndarray of bool, shape (n_rows,), optional
            The dialogues of these rows only; None for all.

        Returns
        -------
        list of Tensor
            Row numbers of each batch, dialogue by dialogue, turn by turn, on the device of the table.
        """
        lengths = np.bincount(self.dialogue)
        if chosen is not None:
            lengths = np.where(np.bincount(self.dialogue, chosen) > 0, lengths, 0)
        blur = np.ones(len(lengths)) if rng is None else rng.uniform(1.0, 4 / 3, len(lengths))
        order = np.argsort(lengths * blur, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        in_order = np.lexsort((self._turn, rank[self.dialogue]))
        rows = torch.from_numpy(in_order[lengths[self.dialogue[in_order]] > 0]).to(self.device)
        n_batches = max(1, round(len(rows) / batch_size))
        ends = np.cumsum(lengths[order])
        batch_of_dialogue = (np.maximum(ends, 1) - 1) * n_batches // max(1, len(rows))
        sizes = np.bincount(batch_of_dialogue, weights=lengths[order]).astype(int)
        batches = list(torch.split(rows, sizes[sizes > 0].tolist()))
        return batches if rng is None else [batches[i] for i in rng.permutation(len(batches))]


def collate(table: FeatureTable, device: str | torch.device = "cpu") -> Batch:
    """Turn a whole table into one batch.

    Parameters
    ----------
    table : FeatureTable
        The rows.
    device : str or torch.device, default="cpu"
        Where the tensors live.

    Returns
    -------
    Batch
        All rows, in the order of the table.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> segments = pd.DataFrame({"dialogue": [1, 1], "turn": [0, 1]})
    >>> pitch = Block([np.ones((4, 1)), np.ones((2, 1))], ("audio.f0",))
    >>> batch = collate(FeatureTable(segments, {"audio": pitch}))
    >>> batch.features["audio"].shape, batch.frames["audio"].sum(1).tolist()
    (torch.Size([2, 4, 1]), [4, 2])
    """
    tensors = TensorTable(table, device)
    return tensors.batch(torch.arange(tensors.n_rows))


def _dialogue_codes(segments: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers for dialogues, for turns within and, in order of appearance, for speakers within."""
    dialogue = group_codes(segments)
    in_turn = np.lexsort((segments["turn"].to_numpy(), dialogue))
    turn = np.empty_like(dialogue)
    starts = np.cumsum(np.bincount(dialogue)) - np.bincount(dialogue)
    turn[in_turn] = np.arange(len(dialogue)) - starts[dialogue[in_turn]]
    if "speaker" not in segments:
        return dialogue, turn, np.zeros_like(dialogue)
    names = segments["speaker"].reset_index(drop=True).iloc[in_turn]
    voices = names.to_frame().groupby([dialogue[in_turn], names], dropna=False, sort=False).ngroup()
    speaker = np.empty_like(dialogue)
    speaker[in_turn] = voices.to_numpy()
    first = np.full(len(starts), len(dialogue))
    np.minimum.at(first, dialogue, speaker)
    return dialogue, turn, speaker - first[dialogue]


def _pad(values: Tensor, shown: Tensor, offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Gather the frames of rows to (n_rows, n_frames, n_features) and say which are real."""
    starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    n_frames = int(lengths.max()) if len(rows) else 0
    position = torch.arange(n_frames, device=rows.device)
    real = position < lengths[:, None]
    frame = torch.where(real, starts[:, None] + position, 0)
    real &= shown[frame]
    return torch.where(real[..., None], values[frame], 0.0), real
