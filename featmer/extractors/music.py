"""Music: key, chords, tempo and beat; hides chroma, templates and their decoding."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import entropy

from featmer._checks import check_name, require
from featmer.extractors.base import UndescribableError
from featmer.extractors.sources import AudioExtractor

_PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_DEGREES = ("I", "bII", "II", "bIII", "III", "IV", "bV", "V", "bVI", "VI", "bVII", "VII")
_MODES = ("major", "minor")
_NO_CHORD = 24

# How well listeners found each of the twelve tones to fit after a key was heard, the tonic first.
_KEY_PROFILES = np.array(
    [
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
    ]
)
_TRIADS = np.zeros((2, 12))
_TRIADS[0, [0, 4, 7]] = _TRIADS[1, [0, 3, 7]] = 1

_CHROMA_HOP, _ONSET_HOP = 1024, 256  # samples
_SHORTEST = 3.0  # seconds that the filters of the lowest tones need
_LONGEST = 1800.0  # seconds; the transforms of a whole sound take 100 MB a minute
_CHORD_SECONDS = 1.0  # how long a chord is expected to last
_CONTRAST = 15.0  # log of how much likelier a chord is at a cosine of 1 than at 0
_QUIET = 0.01  # frames of no more than this share of the strongest amplitude have no chord

_FUNCTIONALS = (
    *(f"music.key.{pitch}" for pitch in _PITCHES),
    *("music.key.minor", "music.key.strength", "music.key.clarity"),
    *(f"music.chord.{degree}_{mode}" for mode in _MODES for degree in _DEGREES),
    *("music.chord.none", "music.chord.major_share", "music.chord.changes", "music.chord.entropy"),
    *("music.tempo", "music.beat.strength", "music.beat.deviation", "music.onsets"),
)
_CHORDS = (
    *(f"music.chord.root_{pitch}" for pitch in _PITCHES),
    *("music.chord.major", "music.chord.minor", "music.chord.none", "music.chord.seconds"),
)


class Music(AudioExtractor):
    """Describe music by its key, chords, tempo and beat.

    The key is the one of 24 whose profile correlates best with the chroma of the whole sound (Krumhansl & Schmuckler).
    Chords are the 24 major and minor triads, or none, found by templates on chroma frames of 64 ms and a Viterbi path
    that expects a chord to last a second. librosa does the signal processing; ``pip install 'featmer[music]'``.

    Parameters
    ----------
    level : {"functionals", "chords"}, default="functionals"
        Numbers on the whole sound; or its chords, a frame each.
    min_seconds : float, default=5.0
        Shortest sound described; less has neither a key nor a tempo. At least 3, for the lowest tones are slow.

    Attributes
    ----------
    names : tuple of str
        Of the functionals:
        ``music.key.C`` to ``music.key.B``, 1 for the tonic, else 0; ``music.key.minor``, 0 or 1;
        ``music.key.strength``, correlation with the key's profile, and ``music.key.clarity``, how far it is ahead of
        the next key's;
        ``music.chord.I_major`` to ``music.chord.VII_minor``, share of the time of each chord, its root as a degree of
        the major scale on the tonic (E flat in C minor is bIII), and ``music.chord.none``, without a chord;
        ``music.chord.major_share`` of the time with a chord, ``music.chord.changes`` a second,
        ``music.chord.entropy`` of the shares in bits;
        ``music.tempo`` in beats a minute, which may be half or twice what a person taps; ``music.beat.strength``,
        autocorrelation of the onsets a beat apart (1 for a metronome); ``music.beat.deviation``, mean distance of the
        times between beats from their median, as a share of it; these three are NaN where there are no beats;
        ``music.onsets`` a second.

        Of the chords: one-hot ``music.chord.root_C`` to ``music.chord.root_B``, ``music.chord.major``,
        ``music.chord.minor``, ``music.chord.none``, and ``music.chord.seconds``, how long it lasts.

    References
    ----------
    Krumhansl (1990), "Cognitive foundations of musical pitch", Oxford University Press.
    Ellis (2007), "Beat tracking by dynamic programming", Journal of New Music Research 36(1).
    Kang & Herremans (2025), "Towards unified music emotion recognition across dimensional and categorical models",
    which uses mode and chord sequences.
    McFee et al. (2015), "librosa: audio and music signal analysis in Python".

    Examples
    --------
    >>> times = np.arange(6 * 16000) / 16000
    >>> chord = sum(np.sin(2 * np.pi * pitch * times) for pitch in (261.6, 329.6, 392.0)) / 3
    >>> found = Music(level="chords").features(chord.astype(np.float32))
    >>> [name for name, value in zip(Music(level="chords").names, found.values[0]) if value == 1]
    ['music.chord.root_C', 'music.chord.major']
    """

    modality = "music"
    packages = ("av", "librosa")

    def __init__(self, *, level: str = "functionals", min_seconds: float = 5.0) -> None:
        self.level = level
        self.min_seconds = min_seconds

    @property
    def is_sequence(self) -> bool:
        """Whether a row is a sequence of chords."""
        check_name(self.level, ("functionals", "chords"), "level")
        return self.level == "chords"

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values."""
        if not self.min_seconds >= _SHORTEST:
            raise ValueError(f"Got min_seconds={self.min_seconds}, expected at least {_SHORTEST:g} seconds.")
        return _CHORDS if self.is_sequence else _FUNCTIONALS

    def fingerprint(self) -> dict[str, str]:
        """Return the versions of the packages.

        Returns
        -------
        dict of str to str
            Version of each package.

        Raises
        ------
        MissingExtra
            If librosa is missing; the message names the pip command.

        Examples
        --------
        >>> sorted(Music().fingerprint())
        ['av', 'librosa']
        """
        require("librosa", "music")
        return super().fingerprint()

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
            Functionals; or chords (n_chords, 16) and the times of their starts (n_chords,) in seconds.

        Raises
        ------
        UndescribableError
            If the sound is longer than half an hour.
        """
        if len(signal) > _LONGEST * rate:
            raise UndescribableError(
                f"too long: {len(signal) / rate / 60:.0f} minutes, at most {_LONGEST / 60:g} make one piece of music",
                "name each piece by start and end: a key and a tempo belong to one",
            )
        chroma = _chroma(signal, rate)
        path = _decode_chords(chroma, _CHROMA_HOP / rate)
        if self.is_sequence:
            return _chord_sequence(path, len(signal) / rate)
        key = _Key.of(chroma)
        tonic = np.eye(12)[key.tonic]
        return np.concatenate(
            [
                tonic,
                [key.mode, key.strength, key.clarity],
                _chord_statistics(path, key.tonic, len(signal) / rate),
                _rhythm(signal, rate),
            ]
        )


@dataclass(frozen=True)
class _Key:
    """A tonic (0 is C), a mode (0 major, 1 minor), and how sure it is."""

    tonic: int
    mode: int
    strength: float
    clarity: float

    @classmethod
    def of(cls, chroma: NDArray[np.float64]) -> _Key:
        """Find the key of chroma (12, n_frames)."""
        profiles = _turned(_KEY_PROFILES)
        correlations = np.corrcoef(np.vstack([chroma.mean(axis=1), profiles]))[0, 1:]
        second, first = np.argsort(correlations, kind="stable")[-2:]
        clarity = correlations[first] - correlations[second]
        return cls(int(first % 12), int(first // 12), float(correlations[first]), float(clarity))


def _turned(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what begins with C (2, 12) for every tone: 12 major and then 12 minor ones (24, 12)."""
    return np.concatenate([[np.roll(row, tone) for tone in range(12)] for row in rows])


def _chroma(signal: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Return the amplitudes (12, n_frames) of the tones, each frame of length 1, whatever the tuning."""
    import librosa

    with warnings.catch_warnings():
        # Clicks and noise have no tones to estimate the tuning from: then 440 Hz is taken.
        warnings.filterwarnings("ignore", "Trying to estimate tuning from empty", UserWarning)
        tones = librosa.feature.chroma_cqt(y=signal, sr=rate, hop_length=_CHROMA_HOP, norm=None).astype(np.float64)
    lengths = np.linalg.norm(tones, axis=0)
    quiet = lengths <= _QUIET * lengths.max()
    tones[:, quiet], lengths[quiet] = 1.0, np.sqrt(12)
    return tones / lengths


def _decode_chords(chroma: NDArray[np.float64], hop: float) -> NDArray[np.intp]:
    """Return the chord (n_frames,) of each frame: 0 to 11 major on C to B, 12 to 23 minor, 24 none."""
    import librosa

    templates = np.vstack([_turned(_TRIADS), np.ones(12)])
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    likelihoods = softmax(_CONTRAST * templates @ chroma, axis=0)
    stay = librosa.sequence.transition_loop(len(templates), 1 - hop / _CHORD_SECONDS)
    return librosa.sequence.viterbi_discriminative(likelihoods, stay)


def _chord_sequence(path: NDArray[np.intp], seconds: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a row for each chord (n_chords, 16), and when it starts."""
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    times = starts * (seconds / len(path))
    chords = path[starts]
    known = (chords != _NO_CHORD)[:, None]
    roots = np.eye(12)[chords % 12] * known
    modes = np.eye(3)[chords // 12]
    lengths = np.diff(times, append=seconds)[:, None]
    return np.concatenate([roots, modes, lengths], axis=1), times


def _chord_statistics(path: NDArray[np.intp], tonic: int, seconds: float) -> list[float]:
    """Return the shares of chords above a tonic, of none and of major, changes a second, and entropy."""
    shares = np.bincount(path, minlength=25) / len(path)
    degrees = np.roll(shares[:_NO_CHORD].reshape(2, 12), -tonic, axis=1)
    some = degrees.sum()
    major = degrees[0].sum() / some if some else np.nan
    changes = np.count_nonzero(np.diff(path)) / seconds
    return [*degrees.ravel(), shares[_NO_CHORD], major, changes, entropy(shares, base=2)]


def _rhythm(signal: NDArray[np.float32], rate: int) -> tuple[float, float, float, float]:
    """Return tempo (beats a minute), strength and deviation of the beat, and onsets a second."""
    import librosa

    envelope = librosa.onset.onset_strength(y=signal, sr=rate, hop_length=_ONSET_HOP)
    onsets = librosa.onset.onset_detect(onset_envelope=envelope, sr=rate, hop_length=_ONSET_HOP)
    onset_rate = len(onsets) / (len(signal) / rate)
    _, beats = librosa.beat.beat_track(onset_envelope=envelope, sr=rate, hop_length=_ONSET_HOP)
    if len(beats) < 3:
        return np.nan, np.nan, np.nan, onset_rate
    # Where the music stops, the last beats go astray: the median does not see them.
    period = np.median(np.diff(beats))
    similarity = librosa.autocorrelate(envelope - envelope.mean())
    strength = similarity[round(period)] / similarity[0]
    deviation = np.abs(np.diff(beats) - period).mean() / period
    return 60 * rate / _ONSET_HOP / period, strength, deviation, onset_rate
