"""Turn a story into WAV and MP4 files, those not yet there, with the accidents that befall some."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from featmer._saving import replaced_file
from featmer.demo.face import LOOKS, Face, beside
from featmer.demo.story import Turn
from featmer.demo.voice import VOICES, loudness, speak
from featmer.media import write_audio, write_video

_FPS = 10
_SHORTEST = slice(0.3, 0.4)  # seconds of its utterance that the clip of 0.1 s keeps
_KEPT = 0.6  # share of its bytes that the truncated file keeps


def film(root: Path, turns: Sequence[Turn], rng: np.random.Generator) -> None:
    """Write the sound and video files of all turns that are not there yet.

    Parameters
    ----------
    root : Path
        The corpus's folder.
    turns : sequence of Turn
        The whole story, in order.
    rng : numpy.random.Generator
        Where the differences between clips come from; each clip has a stream of its own, so that files made later
        are the files that would have been made at once.
    """
    voice_rng, *face_rngs = rng.spawn(1 + len(turns))
    missing = [n for n, turn in enumerate(turns) if not _is_filmed(root, turn)]
    if not missing:
        return
    for folder in ("audio", "video"):
        (root / folder).mkdir(exist_ok=True)
    # All lines are spoken even to film a few, because only all of them in order sound the same again.
    signals, rate = speak([(turn.text, VOICES[turn.speaker], turn.voice) for turn in turns], voice_rng)
    face = Face()
    for n in tqdm(missing, desc="making the demo corpus", unit="clip"):
        _film_turn(root, turns[n], face, signals[n], rate, face_rngs[n])


def _is_filmed(root: Path, turn: Turn) -> bool:
    return all((root / path).is_file() for path in (turn.audio_path, turn.video_path) if path)


def _film_turn(root: Path, turn: Turn, face: Face, signal: np.ndarray, rate: int, rng: np.random.Generator) -> None:
    """Write the files of one turn."""
    if turn.accident == "0.1 s":
        signal = signal[int(_SHORTEST.start * rate) : int(_SHORTEST.stop * rate)]
    frames = _frames(turn, face, loudness(signal, rate, _FPS), rng)
    if turn.accident == "silent":
        signal = np.zeros_like(signal)
    write_audio(root / turn.audio_path, signal, rate)
    if turn.video_path is None:
        return
    write = _write_truncated if turn.accident == "truncated" else write_video
    write(root / turn.video_path, frames, _FPS, signal=signal, rate=rate)


def _frames(turn: Turn, face: Face, levels: np.ndarray, rng: np.random.Generator) -> Iterable[np.ndarray]:
    """Return the frames of one turn: the speaker, nobody, or the speaker with somebody beside."""
    if turn.accident == "no face":
        return face.empty_room(len(levels))
    frames = face.perform(LOOKS[turn.speaker], turn.face, levels, _FPS, rng)
    if turn.accident != "two faces":
        return frames
    other = next(look for name, look in LOOKS.items() if name != turn.speaker)
    return beside(frames, face.perform(other, turn.face, np.zeros_like(levels), _FPS, rng))


def _write_truncated(path: Path, frames: Iterable[np.ndarray], fps: float, *, signal: np.ndarray, rate: int) -> None:
    """Write a video whose end, where MP4 keeps its index, never arrived."""
    with replaced_file(path) as file:
        write_video(file, frames, fps, signal=signal, rate=rate)
        os.truncate(file, int(_KEPT * file.stat().st_size))
