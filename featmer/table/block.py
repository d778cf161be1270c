"""One modality's values: a vector or a sequence of frames a row, missing as NaN with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from featmer._checks import check_name
from featmer.table.statistics import STATISTICS

UNEXPLAINED = "no value given"
_ROWS_AT_A_TIME = 4096


class Block:
    """Values of one modality, a row an utterance.

    Parameters
    ----------
    values : array-like of shape (n_rows, n_features), or list of n_rows arrays
        Floats; a row of NaN is missing. A list of arrays of shape
        (n_frames_i, n_features) makes a sequence block, in which None or an
        array without frames is missing.
    names : sequence of str
        The n_features names, ``"audio.eGeMAPSv02.loudness_mean"``.
    times : list of n_rows arrays of shape (n_frames_i,), default=None
        Seconds of each frame from the start of its segment.
    reasons : sequence of str of length n_rows, default=None
        Why a row is missing; ``""`` where it is present.
    quality : DataFrame of n_rows rows, default=None
        Columns that tell how far to trust a row: faces seen, voiced share.

    Attributes
    ----------
    frames : ndarray of shape (n_rows, n_features) or (n_all_frames, n_features)
        The storage: rows of vectors, or the frames of all rows one after another.
    offsets : ndarray of shape (n_rows + 1,) or None
        Where each row's frames begin; None in a vector block.
    missing : ndarray of bool of shape (n_rows,)
        Rows without any value.

    Raises
    ------
    ValueError
        If shapes, names, times, reasons or quality do not fit, or a value is infinite.

    Examples
    --------
    >>> block = Block([[1.0, 2.0], [np.nan, np.nan]], ["audio.pitch", "audio.loudness"], reasons=["", "silent"])
    >>> block.missing
    array([False,  True])
    >>> Block([np.ones((3, 1)), None], ["face.smile"]).pool(["mean"]).values
    array([[ 1.],
           [nan]])
    """

    def __init__(
        self,
        values: ArrayLike | Sequence[NDArray[Any] | None],
        names: Iterable[str],
        *,
        times: Sequence[ArrayLike | None] | None = None,
        reasons: Iterable[str] | None = None,
        quality: pd.DataFrame | None = None,
    ):
        self.names = tuple(names)
        self.offsets: NDArray[np.int64] | None = None
        self.frame_times: NDArray[np.float64] | None = None
        if _is_sequence(values):
            self.frames, self.offsets = _stack(values, len(self.names))  # type: ignore[arg-type]
            self.frame_times = _stack_times(times, self.offsets)
        elif times is not None:
            raise ValueError("times belong to sequences, but values is one vector a row; leave times out.")
        else:
            self.frames = _as_float(values)
        self._finish(reasons, quality)

    @classmethod
    def from_frames(
        cls,
        frames: NDArray[Any],
        names: Iterable[str],
        offsets: NDArray[np.int64] | None,
        *,
        frame_times: NDArray[np.float64] | None = None,
        reasons: Iterable[str] | None = None,
        quality: pd.DataFrame | None = None,
    ) -> Block:
        """Make a block from its storage without copying it.

        Parameters
        ----------
        frames : ndarray of shape (n_rows, n_features) or (n_all_frames, n_features)
            As the attribute ``frames``.
        names : sequence of str
            The n_features names.
        offsets : ndarray of shape (n_rows + 1,) or None
            Where each row's frames begin; None for a vector block.
        frame_times : ndarray of shape (n_all_frames,), default=None
            Seconds of each frame.
        reasons : sequence of str, default=None
            Why a row is missing.
        quality : DataFrame, default=None
            Quality columns.

        Returns
        -------
        Block
            The block.

        Examples
        --------
        >>> Block.from_frames(np.ones((3, 1)), ["face.smile"], np.array([0, 2, 3])).n_rows
        2
        """
        block = cls.__new__(cls)
        block.names, block.frames = tuple(names), _as_float(frames)
        block.offsets, block.frame_times = offsets, frame_times
        block._finish(reasons, quality)
        return block

    def _finish(self, reasons: Iterable[str] | None, quality: pd.DataFrame | None) -> None:
        _check_frames(self.frames, self.names)
        self.missing = self._find_missing()
        self.reasons = _check_reasons(reasons, self.missing)
        if quality is not None and len(quality) != self.n_rows:
            raise ValueError(f"quality has {len(quality)} rows, but the block has {self.n_rows}.")
        self.quality = None if quality is None else quality.reset_index(drop=True)

    def _find_missing(self) -> NDArray[np.bool_]:
        absent = np.isnan(self.frames).all(axis=1)
        if self.offsets is None:
            return absent
        present_so_far = np.concatenate([[0], np.cumsum(~absent)])
        return present_so_far[self.offsets[1:]] == present_so_far[self.offsets[:-1]]

    @property
    def is_sequence(self) -> bool:
        """Whether a row is a sequence of frames."""
        return self.offsets is not None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.frames) if self.offsets is None else len(self.offsets) - 1

    @property
    def n_features(self) -> int:
        """Number of features of a row or frame."""
        return len(self.names)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Frames of each row; 1 in a vector block."""
        return np.ones(self.n_rows, np.int64) if self.offsets is None else np.diff(self.offsets)

    @property
    def values(self) -> Any:
        """The vectors (n_rows, n_features), or a list of (n_frames_i, n_features) views."""
        return self.frames if self.offsets is None else np.split(self.frames, self.offsets[1:-1])

    @property
    def times(self) -> list[NDArray[np.float64]] | None:
        """Seconds of the frames of every row, or None."""
        if self.frame_times is None or self.offsets is None:
            return None
        return np.split(self.frame_times, self.offsets[1:-1])

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        kind = "sequence" if self.is_sequence else "vector"
        return f"Block({self.n_rows} rows, {self.n_features} features, {kind}, {int(self.missing.sum())} missing)"

    def __getitem__(self, rows: Any) -> Block:
        """Take rows: integers, a mask or a slice."""
        rows = np.arange(self.n_rows)[rows]
        index, offsets = rows, None
        if self.offsets is not None:
            lengths = self.lengths[rows]
            offsets = np.concatenate([[0], np.cumsum(lengths)])
            index = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        frame_times = None if self.frame_times is None else self.frame_times[index]
        quality = None if self.quality is None else self.quality.iloc[rows]
        return Block.from_frames(
            self.frames[index],
            self.names,
            offsets,
            frame_times=frame_times,
            reasons=self.reasons[rows],
            quality=quality,
        )

    def pool(self, statistics: Iterable[str] = ("mean", "std", "max")) -> Block:
        """Turn sequences into vectors, a statistic of each feature a column.

        Parameters
        ----------
        statistics : iterable of {"mean", "std", "min", "max"}
            What to take over the frames of a row; NaN frames are left out.

        Returns
        -------
        Block
            A vector block with names ``<name>_<statistic>``; a vector block is
            returned as it is.

        Examples
        --------
        >>> Block([np.array([[1.0], [3.0]])], ["face.smile"]).pool(["mean", "max"]).values
        array([[2., 3.]])
        """
        statistics = list(statistics)
        for statistic in statistics:
            check_name(statistic, STATISTICS, "statistic")
        if self.offsets is None:
            return self
        pooled = np.full((self.n_rows, len(statistics) * self.n_features), np.nan, self.frames.dtype)
        # Some rows at a time: what the statistics need besides the frames stays small.
        for first in range(0, self.n_rows, _ROWS_AT_A_TIME):
            begins = self.offsets[first : first + _ROWS_AT_A_TIME + 1]
            full = np.flatnonzero(np.diff(begins))
            if len(full):
                frames, starts = self.frames[begins[0] : begins[-1]], begins[full] - begins[0]
                pooled[first + full] = np.concatenate([STATISTICS[name](frames, starts) for name in statistics], axis=1)
        names = [f"{name}_{statistic}" for statistic in statistics for name in self.names]
        return Block(pooled, names, reasons=self.reasons, quality=self.quality)

    @staticmethod
    def hstack(blocks: Sequence[Block]) -> Block:
        """Set vector blocks of the same rows side by side.

        Parameters
        ----------
        blocks : sequence of Block
            Vector blocks with equal numbers of rows and different names.

        Returns
        -------
        Block
            A row is missing where it is missing in all; the reasons are joined.

        Raises
        ------
        ValueError
            If a block is a sequence or the rows differ in number.

        Examples
        --------
        >>> Block.hstack([Block([[1.0]], ["audio.pitch"]), Block([[2.0]], ["audio.rate"])]).names
        ('audio.pitch', 'audio.rate')
        """
        if len(blocks) == 1:
            return blocks[0]
        if any(block.is_sequence for block in blocks):
            raise ValueError("Sequences cannot stand side by side, their frames differ: pool() them first.")
        if len({block.n_rows for block in blocks}) > 1:
            raise ValueError(f"Blocks have {[block.n_rows for block in blocks]} rows; they must be equal.")
        names = [name for block in blocks for name in block.names]
        values = np.concatenate([block.frames for block in blocks], axis=1)
        missing = np.logical_and.reduce([block.missing for block in blocks])
        told = [dict.fromkeys(filter(None, row)) for row in zip(*(block.reasons for block in blocks), strict=True)]
        reasons = ["; ".join(row) if gone else "" for row, gone in zip(told, missing, strict=True)]
        qualities = [block.quality for block in blocks if block.quality is not None]
        quality = pd.concat(qualities, axis=1) if qualities else None
        if quality is not None:  # extractors that share a clip tell the same of it: once is enough
            quality = quality.loc[:, ~quality.columns.duplicated()]
        return Block(values, names, reasons=reasons, quality=quality)

    @staticmethod
    def vstack(blocks: Sequence[Block]) -> Block:
        """Put blocks of the same features one below another.

        Parameters
        ----------
        blocks : sequence of Block
            Blocks with the same names and of the same kind.

        Returns
        -------
        Block
            The rows of all blocks.

        Raises
        ------
        ValueError
            If names or kinds differ.

        Examples
        --------
        >>> Block.vstack([Block([[1.0]], ["audio.pitch"]), Block([[2.0]], ["audio.pitch"])]).n_rows
        2
        """
        first = blocks[0]
        if any(block.names != first.names or block.is_sequence != first.is_sequence for block in blocks):
            raise ValueError("Blocks differ in their feature names or kind: extract them with the same extractor.")
        offsets, frame_times = None, None
        if first.is_sequence:
            lengths = np.concatenate([block.lengths for block in blocks])
            offsets = np.concatenate([[0], np.cumsum(lengths)])
            known = [block.frame_times for block in blocks if block.frame_times is not None]
            frame_times = np.concatenate(known) if len(known) == len(blocks) else None
        qualities = [pd.DataFrame(index=range(b.n_rows)) if b.quality is None else b.quality for b in blocks]
        quality = pd.concat(qualities, ignore_index=True)
        return Block.from_frames(
            np.concatenate([block.frames for block in blocks]),
            first.names,
            offsets,
            frame_times=frame_times,
            reasons=np.concatenate([block.reasons for block in blocks]),
            quality=quality if len(quality.columns) else None,
        )


def _is_sequence(values: Any) -> bool:
    if isinstance(values, np.ndarray):
        return values.dtype == object
    if not isinstance(values, list | tuple):
        return False
    return any(row is None for row in values) or any(np.ndim(row) == 2 for row in values)


def _as_float(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    return array


def _stack(values: Iterable[NDArray[Any] | None], n_features: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    rows = [np.empty((0, n_features), np.float32) if row is None else _as_float(row) for row in values]
    for index, row in enumerate(rows):
        if row.ndim != 2 or row.shape[1] != n_features:
            raise ValueError(
                f"Row {index} has shape {row.shape}, expected (n_frames, {n_features}) as there are names."
            )
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    filled = [row for row in rows if len(row)]
    return np.concatenate(filled) if filled else np.empty((0, n_features), np.float32), offsets


def _stack_times(times: Sequence[ArrayLike | None] | None, offsets: NDArray[np.int64]) -> NDArray[np.float64] | None:
    if times is None:
        return None
    rows = [np.empty(0) if row is None else np.asarray(row, np.float64) for row in times]
    lengths = np.diff(offsets).tolist()
    if [len(row) for row in rows] != lengths:
        raise ValueError("times must hold one time for every frame of every row.")
    return np.concatenate([np.empty(0), *rows])


def _check_frames(frames: NDArray[Any], names: tuple[str, ...]) -> None:
    if frames.ndim != 2 or frames.shape[1] != len(names):
        raise ValueError(f"values have shape {frames.shape}, expected (n_rows, {len(names)}) as there are names.")
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"Feature names must be unique, but these are not: {twice[:5]}.")
    infinite = np.isinf(frames)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise ValueError(f"Row {row} of {names[column]!r} is infinite; use NaN where a value is missing.")


def _check_reasons(reasons: Iterable[str] | None, missing: NDArray[np.bool_]) -> NDArray[np.object_]:
    told = np.full(len(missing), "", object)
    if reasons is not None:
        given = list(reasons)
        if len(given) != len(missing):
            raise ValueError(f"reasons has {len(given)} entries, but the block has {len(missing)} rows.")
        told[:] = given
    told[missing & (told == "")] = UNEXPLAINED
    wrong = np.flatnonzero(~missing & (told != ""))
    if len(wrong):
        raise ValueError(f"Row {wrong[0]} has values and yet a reason to be missing: {told[wrong[0]]!r}.")
    return told
