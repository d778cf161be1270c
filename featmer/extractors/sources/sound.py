"""Base of the extractors of sound; hides reading, silence and length checks, one reading for several extractors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featmer.extractors.base import Absence, Extractor, Features, Outcome, UndescribableError, attempt, checked
from featmer.extractors.sound_quality import sound_quality
from featmer.media import read_audio

# Below this peak 16-bit sound has two bits left: digital silence, with the dither of a codec at most.
_SILENCE = 1e-4


class AudioExtractor(Extractor):
    """Base of extractors that describe sound.

    The author writes ``names`` and ``describe(signal, rate)``. The sound comes as one channel at ``rate``; what is
    shorter than ``min_seconds`` or silent never reaches `describe`. Every row read from a file, missing or not, tells
    its length, voiced share, clipped share and signal-to-noise ratio, see `featmer.extractors.sound_quality`.

    Attributes
    ----------
    rate : int
        Samples a second (Hz) that `describe` is given.
    min_seconds : float
        Shortest sound that can be described.
    short : {"missing", "pad"}
        What becomes of a shorter sound.

    Examples
    --------
    >>> class Loudness(AudioExtractor):
    ...     names = ("audio.loudness",)
    ...
    ...     def describe(self, signal, rate):
    ...         return np.array([np.sqrt(np.mean(signal**2))])
    >>> Loudness().features(np.full(16000, 0.5, np.float32)).values
    array([0.5], dtype=float32)
    """

    modality = "audio"
    column = "audio"
    packages: ClassVar[tuple[str, ...]] = ("av",)
    version: ClassVar[int] = 2
    rate: int = 16000
    min_seconds: float = 0.0
    short: str = "missing"

    @property
    def sampling(self) -> float:
        """Sample rate in Hz."""
        return self.rate

    def describe(self, signal: NDArray[np.float32], rate: int) -> Any:
        """Describe one sound; the author's part.

        Parameters
        ----------
        signal : ndarray of shape (n_samples,)
            Sound from -1 to 1, finite, not silent.
        rate : int
            Samples a second (Hz).

        Returns
        -------
        ndarray of shape (n_features,), or tuple
            A vector; or, for a sequence, frames (n_frames, n_features) and their times (n_frames,) in seconds.

        Raises
        ------
        UndescribableError
            If there is nothing to describe.
        """
        raise NotImplementedError(f"{type(self).__name__} must define describe(signal, rate).")

    def features(self, signal: NDArray[np.float32]) -> Features:
        """Check a sound, describe it and check the values.

        Parameters
        ----------
        signal : ndarray of shape (n_samples,)
            Sound at the extractor's ``rate``.

        Returns
        -------
        Features
            The values.

        Raises
        ------
        UndescribableError
            If the sound is too short or silent.
        """
        signal = self.lengthened(signal, self.min_seconds, self.rate)
        if np.abs(signal).max() < _SILENCE:
            raise UndescribableError("silent", "check that the right channel or file was exported")
        described = self.describe(signal, self.rate)
        values, times = described if isinstance(described, tuple) else (described, None)
        return Features(checked(values, self.names), None if times is None else np.asarray(times, np.float64))

    def lengthened(self, signal: NDArray[np.float32], seconds: float, rate: int) -> NDArray[np.float32]:
        """Treat a sound that may be too short as ``short`` says.

        Parameters
        ----------
        signal : ndarray of shape (n_samples,)
            Any sound.
        seconds : float
            The length needed.
        rate : int
            Samples a second (Hz).

        Returns
        -------
        ndarray of shape (n_samples,)
            The sound; if it is shorter, with zeros at its end.

        Raises
        ------
        UndescribableError
            If the sound is shorter and must not be filled up.
        """
        if (given := len(signal) / rate) >= seconds:
            return signal
        if self.short == "pad":
            return np.pad(signal, (0, math.ceil(seconds * rate) - len(signal)))
        reason = f"too short: {given:.2f} s of sound, at least {seconds:g} s needed"
        raise UndescribableError(reason, "check start and end of the segment, or join it with its neighbour")

    def whole_windows(self, signal: NDArray[np.float32], window: float, hop: float, rate: int) -> NDArray[np.float32]:
        """Treat what is shorter than a window, and what remains after the last whole one, as ``short`` says.

        Parameters
        ----------
        signal : ndarray of shape (n_samples,)
            Any sound.
        window, hop : float
            Seconds of a window, and from the start of one to that of the next.
        rate : int
            Samples a second (Hz).

        Returns
        -------
        ndarray of shape (n_samples,)
            The sound, at least a window long; with zeros at its end if it must be filled up.

        Raises
        ------
        UndescribableError
            If the sound is shorter than a window and must not be filled up.
        """
        size, step = round(window * rate), round(hop * rate)
        signal = self.lengthened(signal, size / rate, rate)
        return np.pad(signal, (0, -(len(signal) - size) % step)) if self.short == "pad" else signal

    @staticmethod
    def describe_clip(
        extractors: Sequence[AudioExtractor], path: Path, start: float | None, end: float | None
    ) -> list[Outcome]:
        """Read a sound once and let several extractors describe it.

        Parameters
        ----------
        extractors : sequence of AudioExtractor
            With the same ``rate``.
        path : Path
            An audio or video file.
        start, end : float or None
            Seconds in the file.

        Returns
        -------
        list of Features or Absence
            One an extractor.
        """
        signal = attempt(lambda: read_audio(path, rate=extractors[0].rate, start=start, end=end))
        if isinstance(signal, Absence):
            return [signal] * len(extractors)
        quality = sound_quality(signal, extractors[0].rate)
        outcomes = [attempt(extractor.features, signal) for extractor in extractors]
        return [replace(outcome, quality=quality | outcome.quality) for outcome in outcomes]
