"""Read sound and pictures; hides streams, seeking, presentation times, rotation, sample formats and broken files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio import AudioStream
from av.container import InputContainer
from av.video import VideoStream

from featmer.media.opening import MEND, MediaError, check_whole, clock, decode, find_stream, opened, seek

# Sound is decoded from this long before a start time, so that codecs with memory (AAC, MP3) have settled.
_PREROLL_SECONDS = 0.5
# Resampling starts this long before the first sample that is kept: longer than the resampling filter.
_FILTER_SECONDS = 0.05
# Time stamps may tremble by this much. Where they jump further, zeros fill the gap, so that the clock stays right...
_JITTER_SECONDS = 0.005
# ... and from here on so much is lost, a packet or a block, that what is left is another sound.
_LOST_SECONDS = 0.05

_NOTHING = np.empty(0, np.float32)


@dataclass(frozen=True)
class Frame:
    """Hold one picture of a video.

    Attributes
    ----------
    image : ndarray of shape (height, width, 3)
        Upright RGB picture, uint8.
    time : float
        Seconds from the beginning of the file.
    previous : ndarray of shape (height, width, 3) or None
        Picture of the frame sampled before this one; None for the first.
    previous_time : float or None
        Its time.

    Examples
    --------
    >>> Frame(np.zeros((4, 6, 3), dtype=np.uint8), time=0.0).image.shape
    (4, 6, 3)
    """

    image: np.ndarray
    time: float
    previous: np.ndarray | None = None
    previous_time: float | None = None


def read_audio(
    path: str | Path, *, rate: int = 16000, start: float | None = None, end: float | None = None
) -> np.ndarray:
    """Read the sound of a file as one channel at a given sample rate.

    Sample ``i`` is the sound at ``start + i / rate`` seconds, whether the whole file or a part is read. A sound that
    begins after the picture is preceded by zeros, so both keep one clock. Channels are averaged.

    Parameters
    ----------
    path : str or Path
        Any audio or video file that ffmpeg reads.
    rate : int, default=16000
        Samples a second (Hz) of the result.
    start, end : float or None, default=None
        Seconds from the beginning of the file; None (or NaN) for its beginning and end.

    Returns
    -------
    ndarray of shape (n_samples,)
        float32; 16-bit sound becomes exactly ``sample / 32768``.

    Raises
    ------
    MediaError
        If the file cannot be read, has no sound, ends before ``start`` or contains NaN or infinite samples.

    Examples
    --------
    >>> import tempfile
    >>> from featmer.media import write_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(Path(folder) / "a.wav", np.linspace(0, 0.5, 16000), 16000)
    ...     signal = read_audio(Path(folder) / "a.wav", start=0.5, end=0.6)
    >>> signal.shape, signal.dtype.name
    ((1600,), 'float32')
    """
    start, end = _span(path, start, end)
    first, last = round(start * rate), None if end is None else round(end * rate)
    with opened(path) as container:
        stream = find_stream(path, container, "audio")
        # Native samples and output samples coincide every `native` and `wanted` samples: a part that is resampled from
        # such a point equals the same part of the whole file.
        native, wanted = (value // math.gcd(stream.rate, rate) for value in (stream.rate, rate))
        block = max(0, math.floor(first - _FILTER_SECONDS * rate) // wanted)
        stop = None if last is None else math.ceil((last / rate + _FILTER_SECONDS) * stream.rate)
        mono = _decode_mono(path, container, stream, block * native, stop)
        signal = np.concatenate([_NOTHING, *_resample(mono, stream.rate, rate)])
    signal = signal[first - block * wanted : None if last is None else last - block * wanted]
    if not len(signal):
        raise MediaError(path, f"no sound from {start:g} s on", "correct the segment's start; the sound ends before it")
    if not np.isfinite(signal).all():
        raise MediaError(path, "the sound contains NaN or infinite samples", "export the file again from its source")
    return signal


def read_frames(
    path: str | Path, *, fps: float | None = None, start: float | None = None, end: float | None = None
) -> Iterator[Frame]:
    """Read the pictures of a video one by one, never the whole video at once.

    Frames are chosen by their presentation time, so that a variable frame rate is sampled evenly; none is repeated.

    Parameters
    ----------
    path : str or Path
        Any video file that ffmpeg reads.
    fps : float or None, default=None
        Frames a second to sample; None for every frame.
    start, end : float or None, default=None
        Seconds from the beginning of the file; None (or NaN) for its beginning and end.

    Yields
    ------
    Frame
        Upright RGB pictures with their times.

    Raises
    ------
    MediaError
        If the file cannot be read, has no picture, is cut off or ends before ``start``.

    Examples
    --------
    >>> import tempfile
    >>> from featmer.media import write_video
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_video(Path(folder) / "a.mp4", np.zeros((20, 32, 48, 3), dtype=np.uint8), 10)
    ...     times = [frame.time for frame in read_frames(Path(folder) / "a.mp4", fps=2)]
    >>> times
    [0.0, 0.5, 1.0, 1.5]
    """
    start, end = _span(path, start, end)
    previous = previous_time = None
    due = start
    with opened(path) as container:
        stream = find_stream(path, container, "video")
        for picture, time in _decode_pictures(path, container, stream, start, end):
            # Times are rounded to the container's clock: a frame due at this instant must not be missed by a tick.
            if time < due - 1e-3:
                continue
            image = np.ascontiguousarray(np.rot90(picture.to_ndarray(format="rgb24"), picture.rotation // 90))
            yield Frame(image, time, previous, previous_time)
            previous, previous_time = image, time
            if fps is not None:
                due = start + (math.floor((time - start + 1e-3) * fps) + 1) / fps
    if previous is None:
        raise MediaError(path, f"no picture from {start:g} s on", "correct the segment's times; the video ends before")


def _span(path: str | Path, start: float | None, end: float | None) -> tuple[float, float | None]:
    """Return times with 0 for a missing start and None for a missing end."""
    start = 0.0 if start is None or math.isnan(start) else float(start)
    end = None if end is None or math.isnan(end) else float(end)
    if start < 0 or (end is not None and end <= start):
        raise MediaError(path, f"no time between start {start:g} s and end {end} s", "correct the segment's times")
    return start, end


def _decode_mono(
    path: str | Path, container: InputContainer, stream: AudioStream, first: int, stop: int | None
) -> Iterator[np.ndarray]:
    """Decode samples ``first`` to ``stop`` (native rate), the mean of the channels, piece by piece."""
    rate = stream.rate
    # Stamps coarser than a sample (Matroska: 1 ms) cannot place it: there the samples are counted from the beginning.
    if clock(stream) * rate <= 1:
        seek(container, stream, first / rate - _PREROLL_SECONDS)
    position = None  # of the next sample
    for samples, stamp in _decode_sound(path, container, stream, first / rate):
        if position is None:
            position = first if stamp is None else min(stamp, first)  # what begins late is preceded by zeros
        elif stamp is not None and max(stamp, position) > first and abs(stamp - position) > _LOST_SECONDS * rate:
            raise MediaError(path, f"sound is lost at {position / rate:.1f} s, or its time stamps are wrong", MEND)
        gap = 0 if stamp is None or abs(stamp - position) <= _JITTER_SECONDS * rate else stamp - position
        samples = np.pad(samples, (gap, 0)) if gap > 0 else samples[-gap:]
        yield samples[max(0, first - position) : None if stop is None else max(0, stop - position)]
        position += len(samples)
        if stop is not None and position >= stop:
            return
    check_whole(path, container, stream, (first if position is None else position) / rate)


def _decode_sound(
    path: str | Path, container: InputContainer, stream: AudioStream, start: float
) -> Iterator[tuple[np.ndarray, int | None]]:
    """Decode the mean of the channels, frame by frame, each with the number of its first sample by its time stamp."""
    for frame, time in decode(path, container, stream, start):
        # Before the start it is but half a packet, of which decoders make what they can.
        if frame.sample_rate != stream.rate and (time is None or time >= start):
            raise MediaError(path, f"the sample rate changes to {frame.sample_rate} Hz within the sound", MEND)
        channels = _floats(frame)
        mono = channels[0] if len(channels) == 1 else channels.mean(axis=0)
        yield mono, None if time is None else round(time * stream.rate)


def _floats(frame: av.AudioFrame) -> np.ndarray:
    """Return samples from -1 to 1 as float32 (n_channels, n_samples)."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    floats = samples.astype(np.float32)
    if kind == "f":
        return floats
    if kind == "u":
        floats -= 128  # 8-bit sound has no sign
    return floats / 2.0 ** (bits - 1)  # a power of two: exact


def _resample(pieces: Iterable[np.ndarray], rate: int, wanted: int) -> Iterator[np.ndarray]:
    """Change the sample rate of one channel, piece by piece."""
    if rate == wanted:
        yield from pieces
        return
    resampler = av.AudioResampler(format="flt", layout="mono", rate=wanted)
    for piece in _joined(pieces, rate):
        for part in resampler.resample(sound_frame(piece, "flt", rate)):
            yield part.to_ndarray()[0]
    for part in resampler.resample(None):
        yield part.to_ndarray()[0]


def _joined(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Join small pieces to larger ones, of which fewer have to pass through ffmpeg."""
    held: list[np.ndarray] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= size:
            yield np.concatenate(held)
            held = []
    if any(map(len, held)):
        yield np.concatenate(held)


def _decode_pictures(
    path: str | Path, container: InputContainer, stream: VideoStream, start: float, end: float | None
) -> Iterator[tuple[av.VideoFrame, float]]:
    """Decode the pictures shown from ``start`` to ``end`` with their times in seconds."""
    # One thread: workers are the parallelism, and decoding threads would compete with them.
    stream.codec_context.thread_count = 1
    seek(container, stream, start)
    shown_until, tick = start, float(clock(stream))
    for picture, time in decode(path, container, stream, start):
        if time is None:
            continue
        if end is not None and time >= end:
            return
        shown_until = time + (picture.duration or 0) * tick
        if time >= start - 1e-3:
            yield picture, time
    check_whole(path, container, stream, shown_until)


def sound_frame(samples: np.ndarray, sample_format: str, rate: int) -> av.AudioFrame:
    """Wrap samples (n_samples,) of one channel as PyAV wants them."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], format=sample_format, layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    return frame
