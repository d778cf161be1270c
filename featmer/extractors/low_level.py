"""Low-level descriptors of sound per window, as work on movies uses them; hides openSMILE's configuration and units."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.acoustic import OpenSmile
from featmer.extractors.sources import AudioExtractor
from featmer.table.statistics import STATISTICS

# In the order of the configuration's last section.
_CHANNELS = (
    *("loudness", "intensity"),
    *(f"mfcc{index}" for index in range(1, 13)),
    *(f"lpc{index}" for index in range(1, 13)),
    *("voicing", "pitch", "jitter", "shimmer", "hnr"),
)
_INTENSITY = _CHANNELS.index("intensity")
_ONLY_VOICED = slice(_CHANNELS.index("pitch"), None)
_FUNCTIONALS = ("mean", "std", "max")
# Seconds of openSMILE's own frames: their hop, and the longest of them.
_STEP, _LONGEST = 0.01, 0.06
# Power of the rounding of 16-bit samples: there is no less sound than that.
_ROUNDING = 1 / 12 / 32768**2


class LowLevelDescriptors(AudioExtractor):
    """Describe each window of a sound by loudness, level, spectrum, pitch and voice quality.

    openSMILE measures frames of 25 ms (60 ms for pitch and voice) every 10 ms, by the configuration
    ``featmer/resources/low_level.conf``; a window has the mean of the frames that lie within it. Work on affect evoked
    by movies sees sound so, in windows of 0.4 s every 0.04 s.

    Parameters
    ----------
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel over the windows; or the windows themselves.
    window : float, default=0.4
        Seconds of a window, at least 0.06, in steps of 0.01.
    hop : float, default=0.04
        Seconds from the start of a window to that of the next, in steps of 0.01.
    short : {"missing", "pad"}, default="missing"
        A sound shorter than a window is missing with this reason, and what remains after the last whole window is left
        out; or both are filled up with zeros.

    Attributes
    ----------
    channels : tuple of str
        ``audio.low_level.`` and a name:
        ``loudness``, cube roots of the power in 26 mel bands as the ear weighs them (Hermansky's model, as in eGeMAPS),
        summed, not calibrated, in proportion to amplitude to the power 0.66;
        ``intensity``, level in dB of full scale, -3 for the loudest sine, not below -101;
        ``mfcc1`` to ``mfcc12``, mel-frequency cepstrum;
        ``lpc1`` to ``lpc12``, coefficients a of the linear predictor x[t] = -a1 x[t-1] - ... - a12 x[t-12];
        ``voicing``, probability of voice from 0 to 1, 0 below -60 dB;
        and over voiced frames only, NaN in a window without any:
        ``pitch``, semitones above 27.5 Hz, from 55 to 1000 Hz;
        ``jitter``, mean difference of neighbouring periods as a share of the mean period;
        ``shimmer``, mean difference of neighbouring peaks in dB;
        ``hnr``, harmonics-to-noise ratio in dB.

    Notes
    -----
    The 1582 functionals a window that Thao et al. use are ``OpenSmile("IS10", window=0.4, hop=0.04)``. openSMILE then
    starts anew for every window, which took about as long as the sound; this extractor took a hundredth of it.

    References
    ----------
    Goyal, Kumar, Guha & Narayanan (2016), "A multimodal mixture-of-experts model for dynamic emotion prediction in
    movies", ICASSP.
    Thao, Herremans & Roig (2019), "Multimodal deep models for predicting affective responses evoked by movies", ICCV
    Workshops.
    Hermansky (1990), "Perceptual linear predictive (PLP) analysis of speech", JASA 87(4).

    Examples
    --------
    >>> times = np.arange(16000) / 16000
    >>> signal = (0.5 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)
    >>> extractor = LowLevelDescriptors(level="frames")
    >>> found = extractor.features(signal)
    >>> found.values.shape, found.times[:3].tolist()
    ((16, 31), [0.0, 0.04, 0.08])
    >>> window = dict(zip(extractor.names, found.values[0].round(1).tolist()))
    >>> window["audio.low_level.intensity"], window["audio.low_level.pitch"]
    (-9.0, 36.0)
    """

    packages = ("av", "opensmile")

    def __init__(
        self, *, level: str = "functionals", window: float = 0.4, hop: float = 0.04, short: str = "missing"
    ) -> None:
        self.level = level
        self.window = window
        self.hop = hop
        self.short = short

    @property
    def is_sequence(self) -> bool:
        """Whether a row is a sequence of windows."""
        check_name(self.level, ("functionals", "frames"), "level")
        return self.level == "frames"

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the values of a window."""
        return tuple(f"audio.low_level.{name}" for name in _CHANNELS)

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values."""
        self._check()
        if self.is_sequence:
            return self.channels
        return tuple(f"{channel}_{name}" for name in _FUNCTIONALS for channel in self.channels)

    def fingerprint(self) -> dict[str, str]:
        """Return the versions of the packages and the hash of the configuration.

        Returns
        -------
        dict of str to str
            Version of each package; under "configuration" the hash, SHA-256.

        Raises
        ------
        MissingExtra
            If a package is missing; the message names the pip command.

        Examples
        --------
        >>> sorted(LowLevelDescriptors().fingerprint())
        ['av', 'configuration', 'opensmile']
        """
        return super().fingerprint() | _open_smile().fingerprint()

    def describe(self, signal: NDArray[np.float32], rate: int) -> Any:
        """Describe one sound.

        Parameters
        ----------
        signal : ndarray of shape (n_samples,)
            Sound from -1 to 1.
        rate : int
            Samples a second (Hz).

        Returns
        -------
        ndarray of shape (n_features,), or tuple
            Statistics of the windows; or windows (n_windows, n_channels) and the times of their starts (n_windows,) in
            seconds.
        """
        self._check()
        frames, _ = _open_smile().describe(self.whole_windows(signal, self.window, self.hop, rate), rate)
        windows = self._windows(frames)
        if self.is_sequence:
            return windows, np.arange(len(windows)) * self.hop
        whole = np.zeros(1, np.int64)
        return np.concatenate([STATISTICS[name](windows, whole)[0] for name in _FUNCTIONALS])

    def _windows(self, frames: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the means (n_windows, n_channels) of the frames that lie within each window."""
        size, step = round((self.window - _LONGEST) / _STEP) + 1, round(self.hop / _STEP)
        frames = frames.astype(np.float64)
        frames[:, _INTENSITY] **= 2
        voiced = frames[:, _ONLY_VOICED]
        voiced[voiced == 0] = np.nan  # openSMILE's sign for what has no pitch, or too few periods to compare
        known = sliding_window_view(~np.isnan(frames), size, axis=0)[::step].sum(axis=-1)
        total = sliding_window_view(np.nan_to_num(frames), size, axis=0)[::step].sum(axis=-1)
        means = np.where(known, total / np.maximum(known, 1), np.nan)
        means[:, _INTENSITY] = 10 * np.log10(np.maximum(means[:, _INTENSITY], _ROUNDING))
        return means

    def _check(self) -> None:
        check_name(self.short, ("missing", "pad"), "treatment of short sounds")
        for name, least in (("window", _LONGEST), ("hop", _STEP)):
            seconds = getattr(self, name)
            if not least <= seconds < np.inf or abs(seconds / _STEP - round(seconds / _STEP)) > 1e-6:
                raise ValueError(f"Got {name}={seconds}, expected a multiple of {_STEP} seconds, at least {least}.")


def _open_smile() -> OpenSmile:
    """Return openSMILE with the package's own configuration."""
    return OpenSmile(Path(str(resources.files("featmer") / "resources" / "low_level.conf")), level="lld")
