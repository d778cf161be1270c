"""Voices that feel: eSpeak NG reads the lines, filters and levels give them their mood."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from featmer._checks import require
from featmer.demo.story import Cue

if TYPE_CHECKING:
    from featmer.demo.speak import Plan


@dataclass(frozen=True)
class Voice:
    """What makes one speaker's voice: an eSpeak NG variant, its pitch (0 to 99), words a minute."""

    variant: str
    pitch: float
    rate: float


VOICES = {
    "Ada": Voice("en-us+f2", 45, 180),
    "Ben": Voice("en-us+m3", 48, 172),
    "Chloe": Voice("en-us+f5", 52, 190),
    "Dan": Voice("en-us+m1", 42, 165),
    "Eva": Voice("en-us+f3", 42, 176),
    "Finn": Voice("en-us+m5", 55, 186),
    "Gina": Voice("en-us+belinda", 38, 182),
    "Hugo": Voice("en-us+m6", 40, 170),
}


@dataclass(frozen=True)
class _Manner:
    """How an emotion at full strength changes a voice."""

    pitch: float = 0.0  # steps of eSpeak's 0 to 99
    pitch_range: float = 0.0
    rate: float = 1.0  # times as fast
    level: float = 0.0  # dB
    brightness: float = 0.0  # -1 (muffled) to 1 (sharp)
    tremor: float = 0.0  # share of the level that trembles
    breath: float = 0.0  # noise beside the voice, as a share of it


_PLAIN_RANGE = 40.0
_MANNERS = {
    "neutral": _Manner(),
    "joy": _Manner(22, 35, 1.10, 3.0, 0.2, 0.0, 0.0),
    "sadness": _Manner(-18, -28, 0.80, -6.0, -0.6, 0.0, 0.15),
    "anger": _Manner(12, 15, 1.15, 6.5, 0.7, 0.0, 0.0),
    "fear": _Manner(26, -10, 1.28, -2.0, 0.0, 0.5, 0.20),
    "surprise": _Manner(26, 50, 0.98, 1.5, 0.1, 0.0, 0.05),
    "disgust": _Manner(-14, 5, 0.84, 0.0, 0.3, 0.25, 0.30),
}
_PAUSE = 0.08  # seconds of room before and after the words
_ROOM = 0.0006  # level of the room's noise


def speak(lines: Sequence[tuple[str, Voice, Cue]], rng: np.random.Generator) -> tuple[list[np.ndarray], int]:
    """Speak lines, each in a voice and with the feeling it shows.

    Parameters
    ----------
    lines : sequence of (str, Voice, Cue)
        Words, who says them, and what the voice shows. eSpeak NG carries a little state from one line to the next, so
        only the same lines in the same order give the same samples.
    rng : numpy.random.Generator
        Where the differences between one utterance and the next come from.

    Returns
    -------
    signals : list of ndarray of shape (n_samples,)
        A float32 signal a line, values from -1 to 1.
    rate : int
        Samples a second (Hz).

    Examples
    --------
    >>> signals, rate = speak([("Hello!", VOICES["Ada"], Cue("joy", 1.0))], np.random.default_rng(0))
    >>> rate, 0.3 < len(signals[0]) / rate < 1.5
    (22050, True)
    """
    require("espeakng_loader", "demo")
    rngs = rng.spawn(len(lines))
    plans = [_plan(*line, rng) for line, rng in zip(lines, rngs, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        questions, answers = Path(folder) / "plans.json", Path(folder) / "signals.npz"
        questions.write_text(json.dumps(plans), "utf-8")
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("speak.py")), str(questions), str(answers)], check=True
        )
        with np.load(answers) as archive:
            rate = int(archive["rate"])
            spoken = np.split(archive["samples"], np.cumsum(archive["lengths"])[:-1])
    signals = [_colour(samples, cue, rng, rate) for samples, (_, _, cue), rng in zip(spoken, lines, rngs, strict=True)]
    return signals, rate


def _manner(cue: Cue) -> _Manner:
    """Return the manner of the emotion shown, or what lies between those of two."""
    if cue.second is None:
        return _MANNERS[cue.emotion]
    return _Manner(*np.mean([astuple(_MANNERS[emotion]) for emotion in (cue.emotion, cue.second)], axis=0))


def _plan(text: str, voice: Voice, cue: Cue, rng: np.random.Generator) -> Plan:
    """Return what eSpeak NG is told: words, voice, pitch, range, speed."""
    manner = _manner(cue)
    pitch = voice.pitch + cue.strength * manner.pitch + rng.normal(0, 4)
    pitch_range = _PLAIN_RANGE + cue.strength * manner.pitch_range + rng.normal(0, 6)
    rate = voice.rate * manner.rate**cue.strength * rng.uniform(0.93, 1.07)
    return {
        "text": text,
        "voice": voice.variant,
        "pitch": int(np.clip(pitch, 0, 99)),
        "pitch_range": int(np.clip(pitch_range, 0, 99)),
        "rate": int(np.clip(rate, 80, 400)),
    }


def _colour(samples: np.ndarray, cue: Cue, rng: np.random.Generator, rate: int) -> np.ndarray:
    """Return the line with the level, brightness, tremor and breath of its mood, in a quiet room."""
    manner, strength = _manner(cue), cue.strength
    pause = np.zeros(int(_PAUSE * rate))
    signal = np.concatenate([pause, samples / 32768, pause])
    time = np.arange(len(signal)) / rate
    signal *= 1 + strength * manner.tremor * np.sin(2 * np.pi * rng.uniform(6, 9) * time)
    envelope = lfilter([0.002], [1, -0.998], np.abs(signal))
    signal += strength * manner.breath * envelope * rng.standard_normal(len(signal))
    signal = _tilt(signal, strength * manner.brightness + rng.normal(0, 0.12))
    signal *= 10 ** ((strength * manner.level + rng.normal(0, 1.5) - 6) / 20)
    return np.clip(signal + _ROOM * rng.standard_normal(len(signal)), -1, 1).astype(np.float32)


def _tilt(signal: np.ndarray, brightness: float) -> np.ndarray:
    """Return the signal at its old level, sharper or duller by a filter of one pole or one zero."""
    amount = float(np.clip(0.75 * brightness, -0.85, 0.85))
    tilted = lfilter([1, -amount], [1], signal) if amount > 0 else lfilter([1 + amount], [1, amount], signal)
    return tilted * signal.std() / max(tilted.std(), 1e-9)


def loudness(signal: np.ndarray, rate: int, fps: float) -> np.ndarray:
    """Return how loud each video frame is, for a mouth that moves with the words.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
        Sound.
    rate : int
        Samples a second (Hz).
    fps : float
        Video frames a second.

    Returns
    -------
    ndarray of shape (n_frames,)
        Mean absolute value within each frame, as a share of the loudest frame's.

    Examples
    --------
    >>> loudness(np.array([0.0, 0.0, 0.1, -0.1, 0.2, 0.2]), rate=20, fps=10)
    array([0. , 0.5, 1. ])
    """
    n_frames = max(1, int(np.ceil(len(signal) / rate * fps)))
    pieces = np.array_split(np.abs(signal), n_frames)
    levels = np.array([piece.mean() for piece in pieces])
    return levels / max(levels.max(), 1e-9)
