"""Write sound and pictures, whole or not at all; hides codecs and temporary files."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio import AudioStream
from av.container import OutputContainer
from av.video import VideoStream

from featmer._saving import replaced_file
from featmer.media.reading import sound_frame

_AUDIO_CODECS = {".wav": "pcm_s16le", ".flac": "flac"}


def write_audio(path: str | Path, signal: np.ndarray, rate: int) -> None:
    """Write one channel of sound as 16-bit WAV or FLAC, whole or not at all.

    Parameters
    ----------
    path : str or Path
        A name ending in ``.wav`` or ``.flac``.
    signal : array-like of shape (n_samples,)
        Values from -1 to 1; louder ones are clipped.
    rate : int
        Samples a second (Hz).

    Raises
    ------
    ValueError
        If the name has another ending.

    Examples
    --------
    >>> import tempfile
    >>> from featmer.media import read_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(Path(folder) / "a.flac", [0.0, 0.5, -0.5], 8000)
    ...     read_audio(Path(folder) / "a.flac", rate=8000)
    array([ 0. ,  0.5, -0.5], dtype=float32)
    """
    ending = Path(path).suffix.lower()
    if ending not in _AUDIO_CODECS:
        raise ValueError(f"Cannot write sound to {path}: expected a name ending in {' or '.join(_AUDIO_CODECS)}.")
    with replaced_file(path) as temporary, av.open(str(temporary), "w") as container:
        stream = cast(AudioStream, container.add_stream(_AUDIO_CODECS[ending], rate=rate, layout="mono"))
        samples = np.clip(np.rint(np.asarray(signal, dtype=float) * 32768), -32768, 32767).astype(np.int16)
        _encode_sound(container, stream, samples, "s16")


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float,
    *,
    signal: np.ndarray | None = None,
    rate: int | None = None,
) -> None:
    """Write pictures, with sound if given, as an MP4 file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        A name ending in ``.mp4``.
    frames : iterable of ndarray of shape (height, width, 3)
        RGB pictures, uint8, of one even height and width.
    fps : float
        Frames a second.
    signal : array-like of shape (n_samples,) or None, default=None
        One channel of sound, values from -1 to 1.
    rate : int or None, default=None
        Samples a second (Hz) of ``signal``.

    Raises
    ------
    ValueError
        If there is no frame, or a side of the pictures is odd.

    Examples
    --------
    >>> import tempfile
    >>> from featmer.media import probe
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     frames = np.full((10, 32, 48, 3), 128, dtype=np.uint8)
    ...     write_video(Path(folder) / "a.mp4", frames, 10, signal=np.zeros(16000), rate=16000)
    ...     info = probe(Path(folder) / "a.mp4")
    >>> info.width, info.height, info.fps, info.rate
    (48, 32, 10.0, 16000)
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None or first.shape[0] % 2 or first.shape[1] % 2:
        got = "no frame" if first is None else f"frames of shape {first.shape}"
        raise ValueError(
            f"Cannot write {path}: got {got}, expected frames (height, width, 3) of even height and width."
        )
    with replaced_file(path) as temporary, av.open(str(temporary), "w") as container:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = cast(VideoStream, container.add_stream(codec, rate=Fraction(fps).limit_denominator(10_000)))
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        sound = None if signal is None else container.add_stream("aac", rate=rate, layout="mono")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(first, format="rgb24")))
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if sound is not None:
            _encode_sound(container, sound, np.asarray(signal, dtype=np.float32), "fltp")


def _encode_sound(container: OutputContainer, stream: AudioStream, samples: np.ndarray, sample_format: str) -> None:
    """Encode one channel of samples into a file that is being written."""
    container.start_encoding()  # a file without samples has a header, too
    if len(samples):
        container.mux(stream.encode(sound_frame(samples, sample_format, stream.rate)))
    container.mux(stream.encode(None))
