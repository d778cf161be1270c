"""Open media files and find one's place in them; hides the ways in which a file can be broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio import AudioStream
from av.container import InputContainer
from av.video import VideoStream

from featmer.media.wholeness import is_cut

# Containers whose index says how long a stream is; elsewhere the length is an estimate and proves nothing.
_INDEXED_CONTAINERS = {"mov", "mp4", "wav", "flac"}
_COPY_AGAIN = "copy or download the file again"
# For those who know the damage and want the rest: ffmpeg leaves it out, fills it up and writes a sound file.
MEND = f"{_COPY_AGAIN}, or make a sound one of what is left: ffmpeg -i old -af aresample=async=1 new.mp4"


class MediaError(ValueError):
    """Say why a media file cannot be read, and what to do about it.

    Parameters
    ----------
    path : str or Path
        The file.
    reason : str
        What is wrong, in a few words.
    advice : str
        What the reader of the message can do.

    Examples
    --------
    >>> error = MediaError("clip.wav", "empty file", "copy the file again")
    >>> error.reason
    'empty file'
    >>> str(error)
    'clip.wav: empty file; copy the file again'
    """

    def __init__(self, path: str | Path, reason: str, advice: str) -> None:
        super().__init__(str(path), reason, advice)
        self.path = str(path)
        self.reason = reason
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}; {self.advice}"


@dataclass(frozen=True)
class MediaInfo:
    """Describe the streams of a media file; None where there is no such stream.

    Attributes
    ----------
    duration : float or None
        Length in seconds; None where the container does not say.
    rate : int or None
        Samples a second (Hz) of the sound.
    channels : int or None
        Channels of the sound.
    fps : float or None
        Mean frames a second of the picture.
    width, height : int or None
        Size of the stored picture in pixels, before rotation.
    rotation : int or None
        Degrees by which the stored picture is turned counter-clockwise to be upright.

    Examples
    --------
    >>> MediaInfo(duration=1.5, rate=16000, channels=1).fps is None
    True
    """

    duration: float | None = None
    rate: int | None = None
    channels: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    rotation: int | None = None


def probe(path: str | Path) -> MediaInfo:
    """Read what a media file contains.

    Parameters
    ----------
    path : str or Path
        Any file that ffmpeg reads.

    Returns
    -------
    MediaInfo
        Duration, sample rate, channels, frame rate, size and rotation.

    Raises
    ------
    MediaError
        If the file is missing, empty, truncated or no media file.

    Examples
    --------
    >>> import tempfile
    >>> from featmer.media import write_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(Path(folder) / "a.wav", [0.0] * 8000, 16000)
    ...     info = probe(Path(folder) / "a.wav")
    >>> info.duration, info.rate, info.channels
    (0.5, 16000, 1)
    """
    with opened(path) as container:
        audio = find_stream(path, container, "audio") if container.streams.audio else None
        video = find_stream(path, container, "video") if container.streams.video else None
        picture = next(iter(container.decode(video)), None) if video else None
        return MediaInfo(
            duration=container.duration / av.time_base if container.duration else None,
            rate=audio.rate if audio else None,
            channels=audio.channels if audio else None,
            fps=float(video.average_rate) if video and video.average_rate else None,
            width=video.width if video else None,
            height=video.height if video else None,
            rotation=picture.rotation if picture else None,
        )


@contextmanager
def opened(path: str | Path) -> Iterator[InputContainer]:
    """Open a file for reading; whatever goes wrong with it, then or later, is a MediaError."""
    path = Path(path)
    if not path.is_file():
        raise MediaError(path, "file not found", "check the path and the corpus root")
    if path.stat().st_size == 0:
        raise MediaError(path, "empty file", _COPY_AGAIN)
    try:
        # An absolute path: ffmpeg would take the colon of a relative `a:b.mp4` for a protocol.
        container = av.open(str(path.resolve()), metadata_errors="replace", options=_probing(path))
    except av.FFmpegError as error:
        raise MediaError(path, _opening_fault(path, error), _COPY_AGAIN) from error
    with container:
        if is_cut(path):
            raise MediaError(path, "truncated: shorter than its header says", MEND)
        try:
            yield container
        except av.FFmpegError as error:
            raise MediaError(path, "damaged or truncated data", MEND) from error


def _probing(path: Path) -> dict[str, str]:
    """Return how far ffmpeg has to look into a file to know it."""
    with path.open("rb") as file:
        wave = file.read(12)[8:] == b"WAVE"
    # Its header says all, but ffmpeg searches megabytes for surround sound in disguise: a tenth of openSMILE's time.
    return {"probesize": "32768"} if wave else {}


def find_stream(path: str | Path, container: InputContainer, kind: str) -> Any:
    """Return the first stream of sound ("audio") or of pictures ("video")."""
    streams = getattr(container.streams, kind)
    if not streams:
        raise MediaError(path, f"no {kind} stream", f"give a file with {kind}, or leave out the extractors of {kind}")
    if streams[0].codec_context is None or (kind == "audio" and not streams[0].rate):
        raise MediaError(path, f"unknown codec of the {kind} stream", MEND)
    return streams[0]


def _opening_fault(path: Path, error: av.FFmpegError) -> str:
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:8] == b"ftyp":
        return "truncated: no index (moov atom) found"
    return f"not readable as audio or video ({error.strerror})"


def origin(container: InputContainer) -> float:
    """Return the stamp (seconds) at which the file begins."""
    return (container.start_time or 0) / av.time_base


def clock(stream: AudioStream | VideoStream) -> Fraction:
    """Return the seconds of one tick of a stream's stamps."""
    return stream.time_base or Fraction(1, av.time_base)


def seek(container: InputContainer, stream: AudioStream | VideoStream, time: float) -> None:
    """Go to the last point before ``time`` (seconds from the beginning) from which ``stream`` can be decoded."""
    if time > 0:
        container.seek(round((time + origin(container)) / clock(stream)), stream=stream)


def decode(
    path: str | Path, container: InputContainer, stream: AudioStream | VideoStream, start: float
) -> Iterator[tuple[Any, float | None]]:
    """Decode frames from where ``container`` stands, with their times (seconds from the beginning).

    Faults before ``start`` are those of beginning in the middle of a stream; later ones are damage.
    """
    tick, first = clock(stream), origin(container)
    for packet in container.demux(stream):
        try:
            frames: list[Any] = packet.decode()
        except av.InvalidDataError:
            if packet.pts is None or packet.pts * tick - first >= start:
                raise
            continue
        for frame in frames:
            time = None if frame.time is None else frame.time - first
            if frame.is_corrupt and time is not None and time >= start:
                raise MediaError(path, f"damaged data at {time:.1f} s", MEND)
            yield frame, time


def check_whole(path: str | Path, container: InputContainer, stream: AudioStream | VideoStream, end: float) -> None:
    """Raise if the data stopped at ``end`` (seconds) although the index says that there is more."""
    if not _INDEXED_CONTAINERS.intersection(container.format.name.split(",")) or not stream.duration:
        return
    expected = float((stream.duration + (stream.start_time or 0)) * clock(stream)) - origin(container)
    # Rounded stamps and a last frame of unknown length may miss some; half a clip may not.
    if end < expected - max(0.25, 0.05 * expected):
        raise MediaError(path, f"truncated: {end:.1f} s of {expected:.1f} s could be decoded", MEND)
