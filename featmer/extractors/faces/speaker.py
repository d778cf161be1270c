"""Tell who speaks: whose mouth opens when the sound gets louder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from featmer.extractors.base import UndescribableError
from featmer.extractors.sources.pictures import Excerpt
from featmer.media import read_audio

LEAST_FPS = 10.0  # syllables come 4 to 5 times a second; fewer pictures cannot follow them
_RATE = 2000  # Hz; enough for the voice, and little for an hour
_STEP = 0.02  # seconds between values of the envelope
_SMOOTHING = 0.04  # seconds, standard deviation
_LAGS = np.arange(-0.12, 0.121, 0.04)  # seconds that the sound may come late
_TREND_SECONDS = 1.0  # what changes more slowly is no speech: smiles, distance from the microphone
_LEAST_SECONDS = 1.0  # of a track, to judge it
_JITTER = 0.001  # of a still mouth's opening, in shares of the face's height
_SILENCE = 1e-4


def speech_envelope(excerpt: Excerpt | None) -> NDArray[np.float64]:
    """Return how loud the sound of a clip is, every 20 ms.

    Parameters
    ----------
    excerpt : Excerpt or None
        A part of a file with sound.

    Returns
    -------
    ndarray of shape (n_steps,)
        Smoothed root mean square of the sound below 1 kHz; value ``i`` is that of ``0.02 * i`` seconds.

    Raises
    ------
    MediaError
        If the sound cannot be read.
    UndescribableError
        If there is none, or it is silent.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from featmer.media import write_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(Path(folder) / "a.wav", np.sin(np.arange(16000) / 5) * (np.arange(16000) > 8000), 16000)
    ...     envelope = speech_envelope(Excerpt(Path(folder) / "a.wav"))
    >>> envelope[[0, 40]].round(1)
    array([0. , 0.7])
    """
    if excerpt is None:
        raise UndescribableError("no media file", "give the video itself")
    signal = read_audio(excerpt.path, rate=_RATE, start=excerpt.start, end=excerpt.end)
    length = round(_STEP * _RATE)
    steps = np.pad(signal, (length // 2, length))[: len(signal) // length * length + length].reshape(-1, length)
    envelope = np.sqrt(np.mean(steps**2, axis=1, dtype=np.float64))
    if envelope.max() < _SILENCE:
        raise UndescribableError("silent", "check that the right channel or file was exported")
    return gaussian_filter1d(envelope, _SMOOTHING / _STEP)


def agreement(times: NDArray[np.float64], mouth: NDArray[np.float64], envelope: NDArray[np.float64]) -> float:
    """Score how well one mouth goes with the sound.

    The correlation of the mouth's opening with the envelope, both without what changes over more than a second, at the
    best of lags up to 0.12 s. It is shrunk where there is little to judge by: a mouth that moves no more than the
    landmarks tremble, and a track of few seconds, where chance correlates well.

    Parameters
    ----------
    times : ndarray of shape (n,)
        Seconds from the start of the sound, ascending.
    mouth : ndarray of shape (n,)
        Opening of the mouth in shares of the face's height, or NaN.
    envelope : ndarray of shape (n_steps,)
        From `speech_envelope`.

    Returns
    -------
    float
        From -1 to 1; NaN for less than a second.

    References
    ----------
    Chandrasekaran et al. (2009), "The natural statistics of audiovisual speech".

    Examples
    --------
    >>> times = np.arange(0, 9, 0.1)
    >>> envelope = 1 + np.sin(17 * np.arange(0, 9, 0.02))
    >>> agreement(times, 0.02 * np.sin(17 * times), envelope) > agreement(times, 0.02 * np.sin(23 * times), envelope)
    True
    """
    known = ~np.isnan(mouth)
    times, mouth = times[known], mouth[known]
    seconds = len(times) * np.median(np.diff(times)) if len(times) > 1 else 0.0
    if seconds < _LEAST_SECONDS - 1e-6:
        return np.nan
    opening = _quick(times, mouth)
    movement = np.sqrt(np.sum(opening**2) + len(times) * _JITTER**2)
    best = -1.0
    for lag in _LAGS:
        loudness = _quick(times, np.interp(times + lag, _STEP * np.arange(len(envelope)), envelope))
        best = max(best, opening @ loudness / (movement * np.linalg.norm(loudness) + 1e-12))
    return float(best * seconds / (seconds + _LEAST_SECONDS))


def _quick(times: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values less their mean over a second around each; frames may be missing."""
    begin = np.searchsorted(times, times - _TREND_SECONDS / 2)
    end = np.searchsorted(times, times + _TREND_SECONDS / 2, side="right")
    sums = np.append(0.0, np.cumsum(values))
    quick = values - (sums[end] - sums[begin]) / (end - begin)
    return quick - quick.mean()
