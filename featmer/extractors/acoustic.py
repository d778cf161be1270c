"""Acoustic features by openSMILE; hides its feature sets, levels, configuration files and traps."""

from __future__ import annotations

import hashlib
import math
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.sources import AudioExtractor

# openSMILE takes an unknown set or level for a configuration file and crashes the process: names are checked here.
_LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors", "lld_de": "LowLevelDescriptors_Deltas"}
_INCLUDED = re.compile(r"\\\{([^\\}]+)\}")
_LOUDEST = 32767 / 32768  # the largest 16-bit number


class OpenSmile(AudioExtractor):
    """Describe sound by an openSMILE feature set.

    The sound is resampled to 16 kHz first, because the values of one clip differ between sample rates by 10 % and more.

    Parameters
    ----------
    feature_set : str or Path, default="eGeMAPSv02"
        Name of a set of the opensmile package, with numbers of functionals and descriptors: eGeMAPSv02 (88, 25);
        eGeMAPSv01a, eGeMAPSv01b (88, 23); GeMAPSv01a, GeMAPSv01b (62, 18); ComParE_2016 (6373, 65); emobase (988, 26);
        IS09 (384, 16), IS10 (1582, 38), IS11 (4368, 59), IS12 (6125, 64), IS13 (6373, 65). Or the path of an own
        openSMILE configuration file, ending in .conf, that includes the ``source`` and ``sink`` of the opensmile
        package and writes to the levels ``func``, ``lld`` or ``lld_de``.
    level : {"functionals", "lld", "lld_de"}, default="functionals"
        A vector of statistics of the whole sound; its low-level descriptors, a frame every 10 ms; or their deltas,
        which the sets of the GeMAPS family lack.
    min_seconds : float, default=0.25
        Shortest sound described. openSMILE gives NaN below 0.06 s (its longest window); up to about 0.25 s, a
        syllable, percentiles and rates a second rest on a handful of frames.
    short : {"missing", "pad"}, default="missing"
        A sound shorter than ``min_seconds``, or than a window, is missing with this reason; or it is filled up with
        zeros at its end, which the statistics then contain.
    window : float or None, default=None
        Seconds of a window: the functionals of each window make a frame, equal to those of a file cut there. None takes
        the whole sound. What remains after the last whole window is left out, or filled up, as ``short`` says.
    hop : float or None, default=None
        Seconds from the start of a window to that of the next; None sets windows end to end.

    Attributes
    ----------
    names : tuple of str
        ``"audio.<feature set>.<feature>"``; of a configuration file, its name without ending is the set's.

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

    Half a second at a time, every quarter of a second:

    >>> windows = OpenSmile(window=0.5, hop=0.25).features(signal)
    >>> windows.values.shape, windows.times.tolist()
    ((3, 88), [0.0, 0.25, 0.5])
    """

    packages = ("av", "opensmile")

    def __init__(
        self,
        feature_set: str | Path = "eGeMAPSv02",
        *,
        level: str = "functionals",
        min_seconds: float = 0.25,
        short: str = "missing",
        window: float | None = None,
        hop: float | None = None,
    ) -> None:
        self.feature_set = feature_set
        self.level = level
        self.min_seconds = min_seconds
        self.short = short
        self.window = window
        self.hop = hop

    @property
    def is_sequence(self) -> bool:
        """Whether a row is a sequence of frames."""
        check_name(self.level, _LEVELS, "level")
        return self.level != "functionals" or self.window is not None

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the features, in openSMILE's order and words."""
        own = _is_own(self.feature_set)
        feature_set = Path(self.feature_set).stem if own else self.feature_set
        return tuple(f"audio.{feature_set}.{name}" for name in self._open().feature_names)

    def fingerprint(self) -> dict[str, str]:
        """Return the versions of the packages, and the hash of an own configuration file with all that it includes.

        Returns
        -------
        dict of str to str
            Version of each package; under "configuration" the hash, SHA-256.

        Raises
        ------
        MissingExtra
            If a package is missing; the message names the pip command.
        FileNotFoundError
            If the configuration file is missing.

        Examples
        --------
        >>> sorted(OpenSmile().fingerprint())
        ['av', 'opensmile']
        """
        versions = super().fingerprint()
        return versions | {"configuration": _hashed(self.feature_set)} if _is_own(self.feature_set) else versions

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
            Functionals; or frames (n_frames, n_features) and the times of their starts (n_frames,) in seconds.
        """
        smile = self._open()
        # openSMILE reads 16-bit numbers, in which a sound beyond the range would come out on the other side.
        signal = np.clip(signal, -1.0, _LOUDEST)
        if self.level != "functionals":
            frame = smile.process_signal(signal, rate)
            return frame.to_numpy(), frame.index.get_level_values("start").total_seconds().to_numpy()
        if self.window is None:
            return _functionals(smile, signal, rate)
        hop = self.hop or self.window
        size, step = round(self.window * rate), round(hop * rate)
        windows = sliding_window_view(self.whole_windows(signal, self.window, hop, rate), size)[::step]
        return np.stack([_functionals(smile, each, rate) for each in windows]), np.arange(len(windows)) * step / rate

    def _open(self) -> Any:
        """Check the parameters and return openSMILE."""
        check_name(self.level, _LEVELS, "level")
        check_name(self.short, ("missing", "pad"), "treatment of short sounds")
        if self.window is None and self.hop is not None:
            raise ValueError(f"Got hop={self.hop} without a window; give both, or neither.")
        if self.window is not None and self.level != "functionals":
            raise ValueError(f"Got window={self.window} with level={self.level!r}; windows are of functionals only.")
        if self.window is not None and not self.min_seconds <= self.window < math.inf:
            raise ValueError(f"Got window={self.window}, expected at least min_seconds={self.min_seconds} seconds.")
        if self.window is not None and self.hop is not None and not 1 / self.rate <= self.hop <= self.window:
            raise ValueError(f"Got hop={self.hop}, expected more than 0 and at most window={self.window} seconds.")
        return _open_smile(
            str(self.feature_set), self.level, _hashed(self.feature_set) if _is_own(self.feature_set) else ""
        )


def _is_own(feature_set: str | Path) -> bool:
    """Tell whether a feature set is a configuration file."""
    return Path(feature_set).suffix == ".conf"


def _functionals(smile: Any, signal: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return the one row (n_features,) of a sound."""
    rows = smile.process_signal(signal, rate).to_numpy()
    if len(rows) != 1:
        raise ValueError(f"level func of the configuration gave {len(rows)} rows, expected 1: set frameMode = full")
    return rows[0]


@cache
def _open_smile(feature_set: str, level: str, hashed: str) -> Any:
    """Open openSMILE once a process; a configuration file again when its hash is another."""
    import opensmile
    from opensmile.core.lib import OpenSmileException

    source = feature_set
    if not hashed:
        check_name(feature_set, opensmile.FeatureSet.__members__, "openSMILE feature set")
        source = opensmile.FeatureSet[feature_set]
        if level == "lld_de" and "GeMAPS" in feature_set:
            having = [name for name in opensmile.FeatureSet.__members__ if "GeMAPS" not in name]
            raise ValueError(f"{feature_set!r} has no deltas (level 'lld_de'); choose 'lld', or a set among {having}.")
    with warnings.catch_warnings():
        # Earlier versions of a set are asked for by name, to repeat published work.
        warnings.filterwarnings("ignore", "Feature set", UserWarning)
        try:
            return opensmile.Smile(source, opensmile.FeatureLevel[_LEVELS[level]])
        except OpenSmileException as error:
            sink = opensmile.FeatureLevel[_LEVELS[level]].value
            raise ValueError(
                f"openSMILE cannot read {feature_set} (code {error.code}), expected a configuration that includes "
                rf"\{{\cm[source{{?}}:source]}} and \{{\cm[sink{{?}}:sink]}} and writes to the level {sink!r}: "
                "correct the file, or choose another level."
            ) from error


def _hashed(configuration: str | Path) -> str:
    """Hash a configuration file with the files it includes."""
    path = Path(configuration)
    if not path.is_file():
        raise FileNotFoundError(f"Got feature_set={str(path)!r}, expected an openSMILE configuration file: none there.")
    return hashlib.sha256(b"".join(_contents(path, set()))).hexdigest()


def _contents(path: Path, seen: set[Path]) -> Iterator[bytes]:
    """Give the bytes of a file and of those it includes; openSMILE itself complains of missing ones."""
    if path.resolve() in seen or not path.is_file():
        return
    seen.add(path.resolve())
    content = path.read_bytes()
    yield content
    for name in _INCLUDED.findall(content.decode("utf-8", "replace")):
        yield from _contents(path.parent / name, seen)
