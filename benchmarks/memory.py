"""Compare the peak memory of extracting a 60-minute 720p video with that of a 1-minute one.

    python benchmarks/memory.py --minutes 60

Each extraction runs in a process of its own, whose peak resident memory is what Linux says. The video
has a new picture (a portrait that drifts) five times a second, and sound. For one description of the whole file, sound
is read whole, 4 bytes a sample, and openSMILE keeps all frames, so memory grows with its length; by utterances it does
not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pandas as pd
from av.audio import AudioStream
from av.video import VideoStream
from skimage.data import astronaut

from featmer import extract
from featmer.extractors import EXTRACTORS

# Eight seconds of sound are a whole number of packets.
FPS, RATE, LOOP_SECONDS = 5, 16000, 8
Encoded = tuple[VideoStream | AudioStream, bytes, int, Fraction, bool]
"""Stream, content, stamp, seconds of its tick, and whether decoding can begin here."""
CASES = {
    "pictures, as a whole": (["face_landmarks", "motion"], False),
    "sound, by utterances": (["opensmile"], True),
    "sound, as a whole": (["opensmile"], False),
}


def make_video(path: Path, minutes: int) -> None:
    """Encode eight seconds once, and write their packets again and again, in order of time as a recorder does."""
    with av.open(str(path), "w") as container:
        video = cast(VideoStream, container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"}))
        video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
        sound = cast(AudioStream, container.add_stream("aac", rate=RATE, layout="mono"))
        loop = [*encode_pictures(video), *encode_sound(sound)]
        loop.sort(key=lambda packet: packet[2] * packet[3])
        for number in range(minutes * 60 // LOOP_SECONDS):
            for stream, content, stamp, tick, is_key in loop:
                packet = av.Packet(content)
                packet.stream, packet.time_base, packet.is_keyframe = stream, tick, is_key
                packet.pts = packet.dts = stamp + round(number * LOOP_SECONDS / tick)
                container.mux(packet)


def encode_pictures(stream: VideoStream) -> Iterator[Encoded]:
    """Encode the demo's portrait, which drifts to the right."""
    face = astronaut()[:220, 110:330].repeat(3, axis=0).repeat(3, axis=1)
    for number in range(FPS * LOOP_SECONDS + 1):
        picture = np.full((720, 1280, 3), 90, np.uint8)
        picture[30:690, 300 + number : 960 + number] = face
        last = number == FPS * LOOP_SECONDS
        for packet in stream.encode(None if last else av.VideoFrame.from_ndarray(picture, format="rgb24")):
            yield stream, bytes(packet), packet.pts, packet.time_base, packet.is_keyframe


def encode_sound(stream: AudioStream) -> Iterator[Encoded]:
    """Encode a tone with overtones, louder and softer, in noise; a whole number of packets."""
    times = np.arange(RATE * LOOP_SECONDS) / RATE
    voice = sum(np.sin(2 * np.pi * 150 * number * times) / number for number in range(1, 9)) * (1 + np.sin(4 * times))
    signal = (0.1 * voice + 0.003 * np.random.default_rng(0).standard_normal(len(times))).astype(np.float32)
    signal = np.resize(signal, len(signal) + 1024)  # the encoder keeps the last packet to itself
    for begin in range(0, len(signal), 1024):
        frame = av.AudioFrame.from_ndarray(signal[None, begin : begin + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
        for packet in stream.encode(frame):
            yield stream, bytes(packet), packet.pts + 1024, packet.time_base, True  # the encoder begins a packet early


def extract_alone(path: Path, names: list[str], minutes: int, by_utterances: bool) -> dict[str, float]:
    """Extract in a process of its own; return its peak memory in MB and its seconds."""
    command = [sys.executable, __file__, "--of", str(path), "--by", *names, "--minutes", str(minutes)]
    done = subprocess.run([*command, *["--utterances"] * by_utterances], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def extract_here(path: Path, names: list[str], minutes: int, by_utterances: bool) -> None:
    """Extract, and print the peak memory of this process and the seconds it took."""
    segments = pd.DataFrame({"dialogue": "a", "turn": [0], "video": [str(path)]})
    if by_utterances:
        starts = np.arange(0, minutes * 60 - LOOP_SECONDS, LOOP_SECONDS)
        rows = {"turn": range(len(starts)), "start": starts, "end": starts + LOOP_SECONDS}
        segments = pd.DataFrame({"dialogue": "a", "video": str(path), **rows})
    begin = time.perf_counter()
    extractors = [EXTRACTORS[name](fps=FPS) if name in ("face_landmarks", "motion") else name for name in names]
    _, failures = extract(segments, extractors, progress=False)
    assert failures.empty, failures
    # Of this program alone; getrusage would count what the process was before it became this program.
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    print(json.dumps({"MB": peak, "seconds": time.perf_counter() - begin}))


def main() -> None:
    """Compare, or be one of the processes that are compared."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("featmer-output/memory"))
    parser.add_argument("--of", type=Path, help="used by the processes themselves")
    parser.add_argument("--by", nargs="+", help="used by the processes themselves")
    parser.add_argument("--utterances", action="store_true", help="used by the processes themselves")
    arguments = parser.parse_args()
    if arguments.of:
        extract_here(arguments.of, arguments.by, arguments.minutes, arguments.utterances)
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    lengths = (1, arguments.minutes)
    paths = {minutes: arguments.folder / f"{minutes}.mp4" for minutes in lengths}
    for minutes, path in paths.items():
        make_video(path, minutes)
    for case, (names, by_utterances) in CASES.items():
        short, long = (extract_alone(paths[minutes], names, minutes, by_utterances) for minutes in lengths)
        print(
            f"{case}: {short['MB']:.0f} MB for 1 minute, {long['MB']:.0f} MB for {arguments.minutes} minutes ", end=""
        )
        print(f"({long['seconds']:.0f} s): {long['MB'] / short['MB']:.2f} (goal 1.30)", flush=True)


if __name__ == "__main__":
    main()
