"""Speak lines with eSpeak NG: a script that runs in a process of its own.

eSpeak NG is GPL-3. It is loaded here and only here, in a short-lived program that talks to featmer through one JSON and
one NPZ file, so that neither featmer nor a user's program is ever linked with it.

Usage: ``python speak.py plans.json signals.npz``, where ``plans.json`` is a list of objects like `Plan`, and
``signals.npz`` holds the ``samples`` of all signals one after another (int16), their ``lengths`` and ``rate`` in Hz.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any, TypedDict

import espeakng_loader
import numpy as np

# Values of the C enumerations in speak_lib.h
_RETRIEVE_SAMPLES = 1
_WORDS_PER_MINUTE, _PITCH, _PITCH_RANGE = 1, 3, 4
_UTF8 = 1
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Plan(TypedDict):
    """One line to speak: rate in words a minute, pitches in eSpeak's 0 to 99."""

    text: str
    voice: str
    pitch: int
    pitch_range: int
    rate: int


class _Synthesizer:
    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        folder = str(Path(espeakng_loader.get_data_path()).parent).encode()
        self.sample_rate = int(self._library.espeak_Initialize(_RETRIEVE_SAMPLES, 0, folder, 0))
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG did not start: it found no voices in {folder.decode()}.")
        self._chunks: list[np.ndarray] = []
        self._callback = _Callback(self._collect)  # kept here, or ctypes frees it while C still calls it
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: Any, n_samples: int, _events: int) -> int:
        if samples and n_samples:
            self._chunks.append(np.ctypeslib.as_array(samples, (n_samples,)).copy())
        return 0

    def speak(self, plan: Plan) -> np.ndarray:
        """Return one line as int16 samples."""
        self._chunks = []
        if self._library.espeak_SetVoiceByName(plan["voice"].encode()):
            raise ValueError(f"eSpeak NG has no voice {plan['voice']!r}.")
        for parameter, value in (
            (_WORDS_PER_MINUTE, plan["rate"]),
            (_PITCH, plan["pitch"]),
            (_PITCH_RANGE, plan["pitch_range"]),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # voices flutter at random, by the clock if not told
        text = plan["text"].encode()
        self._library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)


def main(plans_path: str, signals_path: str) -> None:
    """Speak all lines of a JSON file and save the signals."""
    synthesizer = _Synthesizer()
    plans: list[Plan] = json.loads(Path(plans_path).read_text("utf-8"))
    signals = [synthesizer.speak(plan) for plan in plans]
    lengths = [len(signal) for signal in signals]
    np.savez(signals_path, samples=np.concatenate(signals), lengths=lengths, rate=synthesizer.sample_rate)


if __name__ == "__main__":
    main(*sys.argv[1:])
