"""How far to trust a sound: length, voice, clipping and noise; hides frames and autocorrelation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Boersma (1993) and the defaults of Praat: three periods of the lowest pitch make a frame.
_FRAME_SECONDS = 0.04
_LOWEST_PITCH, _HIGHEST_PITCH = 75, 500
_PERIODICITY = 0.45
_SILENCE = 0.03**2
# Pitch needs no more than this sample rate (Hz); the rest is work.
_PITCH_RATE = 4000
# Resampling bends what was cut flat at 1 by a few percent.
_CLIPPED = 0.98
_FRAMES_AT_A_TIME = 4096
# Power of the rounding of 16-bit samples: there is no less noise than that.
_ROUNDING = 1 / 12 / 32768**2


def sound_quality(signal: NDArray[np.float32], rate: int) -> dict[str, float]:
    """Measure the length, voice, clipping and noise of a sound.

    Frames last 0.04 s. A frame is voiced if it repeats itself at a pitch from 75 to 500 Hz (autocorrelation of at least
    0.45, so noise of more power than the voice hides it) and is no more than 30 dB weaker than the strongest frame.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
        Sound from -1 to 1.
    rate : int
        Samples a second (Hz).

    Returns
    -------
    dict of str to float
        ``audio_seconds``: length; ``audio_voiced_share``: share of the frames that are voiced; ``audio_clipped_share``:
        share of the samples at 98 % of the full scale or beyond; ``audio_snr``: estimate of the signal-to-noise ratio
        in dB, the mean power of the voiced frames less the noise, over the noise, which is the tenth percentile of the
        power of the other frames. NaN where there is too little sound to tell, or no voice, or no pause in it.

    References
    ----------
    Boersma (1993), "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
    sampled sound", IFA Proceedings 17.

    Examples
    --------
    >>> times = np.arange(16000) / 16000
    >>> tone = np.where(times < 0.6, np.sin(2 * np.pi * 200 * times), 0.01 * np.sin(2 * np.pi * 3000 * times))
    >>> {name: round(value, 1) for name, value in sound_quality(tone.astype(np.float32), 16000).items()}
    {'audio_seconds': 1.0, 'audio_voiced_share': 0.6, 'audio_clipped_share': 0.1, 'audio_snr': 40.0}
    """
    size = round(_FRAME_SECONDS * rate)
    frames = signal[: len(signal) // size * size].reshape(-1, size)
    power = np.einsum("ij,ij->i", frames, frames) / size
    # Some minutes at a time: hours of spectra would not fit into memory.
    parts = np.array_split(frames, len(frames) // _FRAMES_AT_A_TIME + 1)
    periodic = np.concatenate([_periodic(part, rate) for part in parts])
    voiced = periodic & (power > _SILENCE * power.max(initial=0.0))
    return {
        "audio_seconds": len(signal) / rate,
        "audio_voiced_share": float(voiced.mean()) if len(voiced) else math.nan,
        "audio_clipped_share": float(np.mean((signal >= _CLIPPED) | (signal <= -_CLIPPED))),
        "audio_snr": _signal_to_noise(power, voiced),
    }


def _signal_to_noise(power: NDArray[np.float32], voiced: NDArray[np.bool_]) -> float:
    """Return the ratio in dB, of voiced frames to the quietest of the others."""
    if voiced.all() or not voiced.any():
        return math.nan
    noise = max(float(np.quantile(power[~voiced], 0.1)), _ROUNDING)
    ratio = float(power[voiced].mean()) / noise - 1
    return 10 * math.log10(ratio) if ratio > 0 else math.nan


def _periodic(frames: NDArray[np.float32], rate: int) -> NDArray[np.bool_]:
    """Tell which frames (n_frames, size) repeat themselves at a pitch of the voice."""
    step = max(1, rate // _PITCH_RATE)
    size = frames.shape[1] // step
    # Means of neighbours: a low-pass, good enough for pitch.
    slow = frames[:, : size * step].reshape(len(frames), size, step).mean(axis=2)
    slow -= slow.mean(axis=1, keepdims=True)
    lags = np.arange(int(rate / step / _HIGHEST_PITCH) - 1, int(rate / step / _LOWEST_PITCH) + 2)
    padded = 2 ** math.ceil(math.log2(size + lags[-1]))
    spectrum = np.fft.rfft(slow, padded, axis=1)
    raw = np.fft.irfft(np.abs(spectrum) ** 2, padded, axis=1)
    energy = np.maximum(raw[:, :1], np.finfo(np.float32).tiny)
    # Fewer samples overlap at longer lags.
    similarity = raw[:, lags] / energy / (1 - lags / size)
    best = similarity.argmax(axis=1)
    # At an edge it is no peak: a hum below the voice, or slow noise.
    inside = (best > 0) & (best < len(lags) - 1)
    return inside & (similarity.max(axis=1) >= _PERIODICITY)
