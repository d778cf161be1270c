"""Acoustic features by openSMILE; hides its feature sets, levels and traps."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.sources import AudioExtractor

# openSMILE takes an unknown set or level for a configuration file and crashes the process: names are checked here.
_LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors"}


class OpenSmile(AudioExtractor):
    """Describe sound by an openSMILE feature set.

    The sound is resampled to 16 kHz first, because the values of one clip differ between sample rates by 10 % and more.

    Parameters
    ----------
    feature_set : str, default="eGeMAPSv02"
        Name of a set of the opensmile package: eGeMAPSv02 (88 functionals, 25 descriptors), ComParE_2016 (6373, 65),
        emobase, IS09 to IS13, ...
    level : {"functionals", "lld"}, default="functionals"
        A vector of statistics of the whole sound; or its low-level descriptors, a frame every 10 ms.
    min_seconds : float, default=0.25
        Shortest sound described. openSMILE gives NaN below 0.06 s (its longest window); up to about 0.25 s, a
        syllable, percentiles and rates a second rest on a handful of frames.

    Attributes
    ----------
    names : tuple of str
        ``"audio.<feature set>.<feature>"``.

    References
    ----------
    Eyben, Wöllmer & Schuller (2010), "openSMILE: the Munich versatile and fast open-source audio feature extractor".
    Eyben et al. (2016), "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research and affective
    computing", IEEE Transactions on Affective Computing 7(2).

    Examples
    --------
    >>> signal = np.sin(2 * np.pi * 220 * np.arange(16000) / 16000).astype(np.float32)
    >>> extractor = OpenSmile()
    >>> extractor.features(signal).values.shape
    (88,)
    >>> extractor.names[0]
    'audio.eGeMAPSv02.F0semitoneFrom27.5Hz_sma3nz_amean'
    """

    packages = ("av", "opensmile")

    def __init__(
        self, feature_set: str = "eGeMAPSv02", *, level: str = "functionals", min_seconds: float = 0.25
    ) -> None:
        self.feature_set = feature_set
        self.level = level
        self.min_seconds = min_seconds

    @property
    def is_sequence(self) -> bool:
        """Whether a row is a sequence of frames."""
        check_name(self.level, _LEVELS, "level")
        return self.level == "lld"

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the features, in openSMILE's order and words."""
        smile = _open_smile(self.feature_set, self.level)
        return tuple(f"audio.{self.feature_set}.{name}" for name in smile.feature_names)

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
            Functionals; or descriptors (n_frames, n_features) and their times (n_frames,) in seconds.
        """
        frame = _open_smile(self.feature_set, self.level).process_signal(signal, rate)
        if not self.is_sequence:
            return frame.to_numpy()[0]
        return frame.to_numpy(), frame.index.get_level_values("start").total_seconds().to_numpy()


@cache
def _open_smile(feature_set: str, level: str) -> Any:
    """Open openSMILE once a process."""
    import opensmile

    check_name(feature_set, opensmile.FeatureSet.__members__, "openSMILE feature set")
    check_name(level, _LEVELS, "level")
    return opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel[_LEVELS[level]])
