"""What goes missing: modalities, rows, frames and words taken away at random, and noise, to test and to train with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from featmer._checks import check_name
from featmer.table import Block, FeatureTable

RATES = tuple(number / 10 for number in range(11))
TAKEN = "taken away"

Lengths = Mapping[str, NDArray[np.int64]]
Rate = float | Mapping[str, float] | None


class Condition(BaseEstimator):
    """What a table goes through before a fitted model is asked: base of `Missing` and `Noise`.

    A subclass has the parameters ``modalities``, ``rate`` and ``random_state``, and makes one block of another in
    ``_change``.
    """

    modalities: str | Iterable[str] | None
    rate: Any

    def apply(self, table: FeatureTable) -> FeatureTable:
        """Return the table as it is under the condition.

        Parameters
        ----------
        table : FeatureTable of n_rows rows
            Stays as it is.

        Returns
        -------
        FeatureTable of n_rows rows
            The same for the same seed.

        Raises
        ------
        ValueError
            If a modality is unknown, or a parameter is out of range.
        """
        wanted = [self.modalities] if isinstance(self.modalities, str) else self.modalities
        chosen = table if wanted is None else table.select(wanted)
        return FeatureTable(table.segments, {**table.blocks, **self._change(chosen)}, provenance=table.provenance)

    def at(self, rates: Iterable[float] = RATES) -> list[Self]:
        """Return this condition at several rates: a curve.

        Parameters
        ----------
        rates : iterable of float, default=(0.0, 0.1, ..., 1.0)
            How much.

        Returns
        -------
        list of Condition
            One a rate. The same random numbers serve all, so that what is missing at one rate is at higher ones.

        Examples
        --------
        >>> Missing("audio", how="rmfm").at([0.0, 0.5])
        [Missing(how='rmfm', modalities='audio', rate=0.0), Missing(how='rmfm', modalities='audio', rate=0.5)]
        """
        return [clone(self).set_params(rate=rate) for rate in rates]

    def mean_rate(self) -> float:
        """Return the rate as one number: the mean over modalities where each has its own, NaN where it is drawn.

        Examples
        --------
        >>> Missing(how="rmfm_same", rate={"audio": 1.0, "text": 0.0}).mean_rate()
        0.5
        """
        if isinstance(self.rate, Mapping):
            return float(np.mean(list(self.rate.values())))
        return np.nan if self.rate is None else float(self.rate)

    def _change(self, table: FeatureTable) -> dict[str, Block]:
        """Return the changed blocks of a table that has the chosen modalities only."""
        raise NotImplementedError(f"{type(self).__name__} must change blocks in _change().")


class Missing(Condition):
    """Take modalities, rows, frames or words away; they become NaN, which estimators and heads know as missing.

    Parameters
    ----------
    modalities : str, iterable of str or None, default=None
        From which modalities; None for all.
    how : {"rmm", "rmfm", "rmfm_same", "tmfm", "stmfm"}, default="rmm"
        What goes as one, see `draw_missing`. A row of a vector block is a sequence of one frame.
    rate : float, mapping of str to float or None, default=1.0
        Chance of each to go, or of one a modality ("rmm" and "rmfm_same"). None draws rates evenly from 0 to 1, as
        for training: in "rmfm" one a frame, in "rmfm_same" one a row and modality, else one a row.
    protected : mapping of str to int, default=None
        Frames at each end of a row that are never taken, by modality: ``{"text": 1}`` keeps [CLS] and [SEP].
    random_state : int, default=1111
        Seed.

    References
    ----------
    CIDer: arXiv 2506.10452, 2025, whose names and seed these are.

    Examples
    --------
    >>> import pandas as pd
    >>> segments = pd.DataFrame({"dialogue": ["a", "a"], "turn": [0, 1]})
    >>> blocks = {"audio": Block(np.ones((2, 1)), ["audio.f0"]), "text": Block(np.ones((2, 1)), ["text.length"])}
    >>> Missing("audio").apply(FeatureTable(segments, blocks)).describe()[["missing", "reasons"]]
              missing       reasons
    modality
    audio           2  2 taken away
    text            0
    """

    def __init__(
        self,
        modalities: str | Iterable[str] | None = None,
        *,
        how: str = "rmm",
        rate: Rate = 1.0,
        protected: Mapping[str, int] | None = None,
        random_state: int = 1111,
    ):
        self.modalities = modalities
        self.how = how
        self.rate = rate
        self.protected = protected
        self.random_state = random_state

    def _change(self, table: FeatureTable) -> dict[str, Block]:
        lengths = {name: block.lengths for name, block in table.blocks.items()}
        rng = np.random.default_rng(self.random_state)
        gone = draw_missing(lengths, self.how, self.rate, rng, protected=self.protected)
        return {name: _without(block, gone[name]) for name, block in table.blocks.items()}


class Noise(Condition):
    """Add Gaussian noise to modalities.

    Parameters
    ----------
    modalities : str, iterable of str or None, default=None
        To which modalities; None for all.
    rate : float, default=1.0
        Standard deviation of the noise, in standard deviations of each feature over the rows of the table.
    random_state : int, default=1111
        Seed.

    Examples
    --------
    >>> import pandas as pd
    >>> segments = pd.DataFrame({"dialogue": [0, 0], "turn": [0, 1]})
    >>> table = FeatureTable(segments, {"audio": Block([[1.0], [3.0]], ["audio.f0"])})
    >>> Noise(rate=0.1).apply(table).blocks["audio"].values.round(1).tolist()
    [[1.1], [3.0]]
    """

    def __init__(self, modalities: str | Iterable[str] | None = None, *, rate: float = 1.0, random_state: int = 1111):
        self.modalities = modalities
        self.rate = rate
        self.random_state = random_state

    def _change(self, table: FeatureTable) -> dict[str, Block]:
        if self.rate < 0:
            raise ValueError(f"The rate of noise is 0 or more standard deviations, got {self.rate!r}.")
        rng = np.random.default_rng(self.random_state)
        changed = {}
        for name, block in table.blocks.items():
            noise = rng.standard_normal(block.frames.shape)
            shown = block.frames[~np.isnan(block.frames).all(axis=1)]
            spread = np.nanstd(shown, axis=0) if len(shown) else 0.0
            frames = (block.frames + self.rate * spread * noise).astype(block.frames.dtype)
            changed[name] = _with_frames(block, frames, block.reasons)
        return changed


def draw_missing(
    lengths: Lengths, how: str, rate: Rate, rng: np.random.Generator, *, protected: Mapping[str, int] | None = None
) -> dict[str, NDArray[np.bool_]]:
    """Draw which frames of which rows go missing.

    =========== =================================================================================================
    "rmm"       whole modalities of a row
    "rmfm"      single frames, each by itself; drawn rates are one a frame
    "rmfm_same" single frames, each by itself; drawn rates are one a row and modality
    "tmfm"      the same frames in all modalities, which must have equally many
    "stmfm"     one block of neighbouring frames, ``round(rate * length)`` long, in each row and modality
    =========== =================================================================================================

    Parameters
    ----------
    lengths : mapping of str to ndarray of int of shape (n_rows,)
        Frames of each row, by modality.
    how : {"rmm", "rmfm", "rmfm_same", "tmfm", "stmfm"}
        What goes as one.
    rate : float, mapping of str to float or None
        As of `Missing`.
    rng : numpy.random.Generator
        Makes the same random numbers whatever the rate is.
    protected : mapping of str to int, default=None
        Frames at each end of a row that are kept, by modality.

    Returns
    -------
    dict of str to ndarray of bool of shape (n_all_frames,)
        True for what goes, the frames of all rows one after another.

    Raises
    ------
    ValueError
        If ``how`` is unknown, a rate is not between 0 and 1, or does not fit ``how``.

    Examples
    --------
    >>> lengths = {"text": np.array([6, 4])}
    >>> draw_missing(lengths, "stmfm", 0.5, np.random.default_rng(0), protected={"text": 1})["text"].astype(int)
    array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0])
    """
    check_name(how, _VARIANTS, "variant of missing features")
    _check_rate(how, rate)
    gone = _VARIANTS[how]({name: np.asarray(each) for name, each in lengths.items()}, rate, rng, protected or {})
    for name, kept in (protected or {}).items():
        if name in gone:
            place, length = _places(lengths[name])
            gone[name] &= (place >= kept) & (place < length - kept)
    return gone


def _whole(lengths: Lengths, rate: Rate, rng: np.random.Generator, protected: Mapping[str, int]) -> dict[str, Any]:
    rates = _rates(rate, rng, lengths)
    return {name: np.repeat(rng.random(len(each)) < rates[name], each) for name, each in lengths.items()}


def _frames(lengths: Lengths, rate: Rate, rng: np.random.Generator, protected: Mapping[str, int]) -> dict[str, Any]:
    gone = {}
    for name, each in lengths.items():
        chance = rng.random(each.sum())
        gone[name] = chance < (rng.random(each.sum()) if rate is None else rate)
    return gone


def _frames_alike(
    lengths: Lengths, rate: Rate, rng: np.random.Generator, protected: Mapping[str, int]
) -> dict[str, Any]:
    gone = {}
    for name, each in lengths.items():
        rates = _rates(rate, rng, {name: each})[name]
        gone[name] = rng.random(each.sum()) < np.repeat(rates, each)
    return gone


def _moments(lengths: Lengths, rate: Rate, rng: np.random.Generator, protected: Mapping[str, int]) -> dict[str, Any]:
    first, *others = lengths.values()
    if any(not np.array_equal(first, other) for other in others):
        raise ValueError(
            f"'tmfm' takes the same frames from all modalities, but {list(lengths)} differ in their numbers of frames; "
            f"bring them to common windows or words with featmer.align."
        )
    gone = rng.random(first.sum()) < np.repeat(next(iter(_rates(rate, rng, lengths).values())), first)
    return {name: gone.copy() for name in lengths}


def _stretches(lengths: Lengths, rate: Rate, rng: np.random.Generator, protected: Mapping[str, int]) -> dict[str, Any]:
    rates, gone = _rates(rate, rng, lengths), {}
    for name, each in lengths.items():
        kept = protected.get(name, 0)
        free = np.maximum(each - 2 * kept, 0)
        size = np.floor(rates[name] * free + 0.5).astype(int)
        start = kept + np.floor(rng.random(len(each)) * (free - size + 1)).astype(int)
        place, _ = _places(each)
        gone[name] = (place >= np.repeat(start, each)) & (place < np.repeat(start + size, each))
    return gone


_VARIANTS: dict[str, Callable[[Lengths, Rate, np.random.Generator, Mapping[str, int]], dict[str, NDArray[np.bool_]]]]
_VARIANTS = {"rmm": _whole, "rmfm": _frames, "rmfm_same": _frames_alike, "tmfm": _moments, "stmfm": _stretches}


def _rates(rate: Rate, rng: np.random.Generator, lengths: Lengths) -> dict[str, NDArray[np.float64]]:
    """Return a rate a row for each modality."""
    n_rows = len(next(iter(lengths.values())))
    if isinstance(rate, Mapping):
        return {name: np.full(n_rows, rate.get(name, 0.0)) for name in lengths}
    return dict.fromkeys(lengths, rng.random(n_rows) if rate is None else np.full(n_rows, rate))


def _places(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return of every frame its place in the row, and how many frames the row has."""
    each = np.asarray(lengths)
    starts = np.cumsum(each) - each
    return np.arange(each.sum()) - np.repeat(starts, each), np.repeat(each, each)


def _check_rate(how: str, rate: Rate) -> None:
    if isinstance(rate, Mapping) and how not in ("rmm", "rmfm_same"):
        raise ValueError(f"{how!r} has one rate for all modalities; for one each choose 'rmm' or 'rmfm_same'.")
    given = list(rate.values()) if isinstance(rate, Mapping) else [] if rate is None else [rate]
    if not all(0 <= each <= 1 for each in given):
        raise ValueError(f"A rate is a share between 0, nothing missing, and 1, got {rate!r}.")


def _without(block: Block, gone: NDArray[np.bool_]) -> Block:
    frames = np.where(gone[:, None], np.nan, block.frames).astype(block.frames.dtype)
    return _with_frames(block, frames, np.where(block.missing, block.reasons, TAKEN))


def _with_frames(block: Block, frames: NDArray[Any], reasons: NDArray[Any]) -> Block:
    """Return a block with other values; ``reasons`` count for rows without any."""
    made = Block.from_frames(frames, block.names, block.offsets, frame_times=block.frame_times, quality=block.quality)
    made.reasons[made.missing] = reasons[made.missing]
    return made
