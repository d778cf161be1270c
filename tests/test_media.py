"""Media: sound sample by sample, pictures by time, and every way in which a file can be broken."""

from __future__ import annotations

import contextlib
import pickle
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer.media import MediaError, probe, read_audio, read_frames, write_audio, write_video

RATE = 16000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Return three seconds of noise at 44.1 kHz."""
    return (0.1 * np.random.default_rng(0).standard_normal(3 * 44100)).astype(np.float32)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory, noise: np.ndarray) -> dict[str, Path]:
    """Return one noise in several containers."""
    folder = tmp_path_factory.mktemp("media")
    names = ("a.wav", "a.flac", "stereo.wav", "a.mp4", "a.mkv", "a.mp3", "a.ts", "a.aiff", "a.opus")
    paths = {name: folder / name for name in names}
    write_audio(paths["a.wav"], noise, 44100)
    write_audio(paths["a.flac"], noise, 44100)
    samples = soundfile.read(paths["a.wav"], dtype="int16")[0]
    soundfile.write(paths["stereo.wav"], np.c_[samples, 0 * samples], 44100, subtype="PCM_16")
    # Tones, for AAC has its decoder draw noise anew at every reading.
    times = np.arange(3 * 44100) / 44100
    tones = sum(0.1 * np.sin(2 * np.pi * pitch * times + times**2) for pitch in (220, 440, 1000))
    write_video(paths["a.mp4"], numbered_frames(75), 25, signal=tones, rate=44100)
    codecs = {"a.mkv": "pcm_s16le", "a.mp3": "libmp3lame", "a.ts": "mp2", "a.aiff": "pcm_s16be"}
    for name, codec in codecs.items():
        encode_sound(paths[name], codec, noise, 44100, len(noise))
    encode_sound(paths["a.opus"], "libopus", noise[: 48000 * 2], 48000, 960)
    return paths


def encode_sound(path: Path, codec: str, signal: np.ndarray, rate: int, size: int, lost: range = range(0)) -> None:
    """Write sound by any codec, ``size`` samples at a time, without those packets that are lost on their way."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.time_base = Fraction(1, rate)
        packets = []
        for begin in range(0, len(signal) // size * size, size):
            samples = (signal[None, begin : begin + size] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        container.mux([packet for number, packet in enumerate(packets) if number not in lost])


def numbered_frames(n_frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Return grey frames whose brightness is three times their number."""
    grey = (3 * np.arange(n_frames)).astype(np.uint8)
    return np.broadcast_to(grey[:, None, None, None], (n_frames, height, width, 3))


def number_of(image: np.ndarray) -> int:
    return round(image.mean() / 3)


def write_stamped(path: Path, stamps: list[int], rotation: int = 0) -> None:
    """Write frames with stamps in hundredths of a second; the upper left quarter of each is white."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=100)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def cut(path: Path, target: Path, share: float) -> Path:
    content = path.read_bytes()
    target.write_bytes(content[: int(share * len(content))])
    return target


class TestSound:
    def test_flac_at_its_own_rate_equals_soundfile_bit_for_bit(self, media):
        expected, rate = soundfile.read(media["a.flac"], dtype="float32")
        assert np.array_equal(read_audio(media["a.flac"], rate=rate), expected)

    def test_real_flac_equals_soundfile_bit_for_bit(self, shared_data):
        path = next((shared_data("RAVDESS") / "audio16k").rglob("*.flac"))
        assert np.array_equal(read_audio(path), soundfile.read(path, dtype="float32")[0])

    def test_written_samples_come_back_exactly(self, tmp_path):
        samples = np.arange(-32768, 32768, dtype=np.int64)
        write_audio(tmp_path / "a.wav", samples / 32768, RATE)
        assert np.array_equal(read_audio(tmp_path / "a.wav"), (samples / 32768).astype(np.float32))

    def test_channels_are_averaged(self, media):
        mono, stereo = (read_audio(media[name], rate=44100) for name in ("a.wav", "stereo.wav"))
        assert np.array_equal(stereo, mono / 2)

    def test_resampling_keeps_a_tone_and_its_place(self, tmp_path):
        times = np.arange(44100) / 44100
        write_audio(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 440 * times), 44100)
        signal = read_audio(tmp_path / "tone.wav")
        expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
        assert len(signal) == RATE
        np.testing.assert_allclose(signal[100:-100], expected[100:-100], atol=1e-3)

    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp4", "a.mkv", "a.mp3", "a.ts", "a.aiff"])
    @settings(max_examples=15, deadline=None)
    @given(start=st.floats(0, 2.5), length=st.floats(0.01, 0.45))
    def test_a_part_equals_the_same_part_of_the_whole(self, media, name, start, length):
        whole = read_audio(media[name])
        part = read_audio(media[name], start=start, end=start + length)
        expected = whole[round(start * RATE) : round((start + length) * RATE)]
        # Lossy codecs carry a trace of what came before the place where decoding began.
        tolerance = 1e-4 if name in ("a.mp4", "a.mp3", "a.ts") else 0
        np.testing.assert_allclose(part, expected, rtol=0, atol=tolerance)

    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mkv"])
    def test_a_part_may_reach_beyond_the_end(self, media, name):
        assert np.array_equal(read_audio(media[name], start=2.0, end=9.0), read_audio(media[name])[2 * RATE :])

    def test_sound_written_beside_pictures_stays_in_time(self, tmp_path):
        signal = np.zeros(2 * RATE)
        signal[RATE:] = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
        write_video(tmp_path / "a.mp4", numbered_frames(50), 25, signal=signal, rate=RATE)
        heard = np.flatnonzero(np.abs(read_audio(tmp_path / "a.mp4")) > 0.2)[0]
        assert abs(heard - RATE) < 0.005 * RATE

    def test_nan_times_mean_the_whole_file(self, media):
        assert np.array_equal(read_audio(media["a.wav"], start=np.nan, end=np.nan), read_audio(media["a.wav"]))

    def test_sound_that_begins_late_is_preceded_by_zeros(self, tmp_path):
        path = tmp_path / "late.mkv"
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=10)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            audio = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
            for image in numbered_frames(20):
                container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(video.encode(None))
            frame = av.AudioFrame.from_ndarray(np.full((1, RATE), 16384, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, RATE // 2
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
        signal = read_audio(path)
        assert np.flatnonzero(signal)[0] == RATE // 2
        assert np.array_equal(read_audio(path, start=0.75, end=1.0), np.full(RATE // 4, 0.5, np.float32))


def test_a_clip_cut_without_encoding_begins_at_its_edit(tmp_path):
    """The file holds three seconds, of which its edit list shows the second half."""
    signal = np.where(np.arange(3 * RATE) < 2 * RATE, 0, np.sin(np.arange(3 * RATE)))
    write_video(tmp_path / "whole.mp4", numbered_frames(75), 25, signal=signal, rate=RATE)
    options = {"avoid_negative_ts": "disabled"}
    with (
        av.open(str(tmp_path / "whole.mp4")) as whole,
        av.open(str(tmp_path / "cut.mp4"), "w", options=options) as part,
    ):
        streams = {stream.index: part.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None:
                shift = int(Fraction(3, 2) / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = streams[packet.stream.index]
                part.mux(packet)
    numbers = [number_of(frame.image) for frame in read_frames(tmp_path / "cut.mp4", fps=5)]
    assert numbers == [38, 43, 48, 53, 58, 63, 68, 73]
    assert np.flatnonzero(np.abs(read_audio(tmp_path / "cut.mp4")) > 0.2)[0] == pytest.approx(0.5 * RATE, abs=50)


class TestPictures:
    def test_frames_come_in_order_with_their_times(self, media):
        frames = list(read_frames(media["a.mp4"]))
        assert [number_of(frame.image) for frame in frames] == list(range(75))
        np.testing.assert_allclose([frame.time for frame in frames], np.arange(75) / 25, atol=1e-4)

    def test_previous_is_the_frame_sampled_before(self, media):
        frames = list(read_frames(media["a.mp4"], fps=5))
        assert frames[0].previous is None
        assert all(np.array_equal(b.previous, a.image) for a, b in zip(frames, frames[1:], strict=False))

    @pytest.mark.parametrize("fps", [1, 5, 7.5, 12.5, 25, 60])
    def test_sampling_is_even(self, media, fps):
        numbers = [number_of(frame.image) for frame in read_frames(media["a.mp4"], fps=fps)]
        step = max(1.0, 25 / fps)
        expected = np.unique(np.ceil(np.arange(0, 75, step) - 1e-6)).astype(int)
        assert numbers == list(expected[expected < 75])

    def test_part_of_a_video(self, media):
        numbers = [number_of(frame.image) for frame in read_frames(media["a.mp4"], fps=5, start=1.0, end=2.0)]
        assert numbers == [25, 30, 35, 40, 45]

    def test_variable_frame_rate_is_sampled_by_time(self, tmp_path):
        write_stamped(tmp_path / "vfr.mkv", [*range(0, 50, 2), 90, 95, 150, 151, 152, 153, 199])
        times = [frame.time for frame in read_frames(tmp_path / "vfr.mkv", fps=4)]
        np.testing.assert_allclose(times, [0, 0.26, 0.9, 1.5, 1.99], atol=2e-3)

    @pytest.mark.parametrize(("rotation", "corner"), [(90, "lower left"), (180, "lower right"), (-90, "upper right")])
    def test_rotation_is_undone(self, tmp_path, rotation, corner):
        write_stamped(tmp_path / "turned.mp4", [0, 10], rotation)
        image = next(iter(read_frames(tmp_path / "turned.mp4"))).image
        assert image.shape == ((64, 96, 3) if rotation == 180 else (96, 64, 3))
        halves = {"upper": slice(0, 20), "lower": slice(-20, None), "left": slice(0, 20), "right": slice(-20, None)}
        rows, columns = (halves[word] for word in corner.split())
        assert image[rows, columns].mean() > 200
        assert image.mean() < 100
        assert probe(tmp_path / "turned.mp4").rotation % 360 == rotation % 360

    def test_a_stopped_reader_leaves_the_rest_undecoded(self, media):
        frames = read_frames(media["a.mp4"])
        next(frames)
        frames.close()


class TestProbe:
    def test_video_with_sound(self, media):
        info = probe(media["a.mp4"])
        assert (info.rate, info.channels, info.fps, info.width, info.height) == (44100, 1, 25.0, 64, 48)
        assert info.duration == pytest.approx(3.0, abs=0.1)

    def test_sound_only(self, media):
        info = probe(media["stereo.wav"])
        assert (info.rate, info.channels, info.fps, info.rotation) == (44100, 2, None, None)


class TestBrokenFiles:
    def refusal(self, read, *arguments, **options) -> MediaError:
        with pytest.raises(MediaError) as caught:
            list(read(*arguments, **options))
        assert caught.value.advice
        return caught.value

    @pytest.mark.parametrize("read", [read_audio, read_frames])
    def test_missing_and_empty(self, tmp_path, read):
        (tmp_path / "empty.mp4").touch()
        assert self.refusal(read, tmp_path / "none.mp4").reason == "file not found"
        assert self.refusal(read, tmp_path / "empty.mp4").reason == "empty file"
        assert self.refusal(read, tmp_path).reason == "file not found"

    @pytest.mark.parametrize("read", [read_audio, read_frames])
    def test_no_media_file(self, tmp_path, read):
        (tmp_path / "text.mp4").write_text("This is not a video.\n" * 50)
        assert "not readable" in self.refusal(read, tmp_path / "text.mp4").reason

    @pytest.mark.parametrize("read", [read_audio, read_frames])
    @pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
    def test_truncated_mp4(self, tmp_path, media, read, share):
        path = cut(media["a.mp4"], tmp_path / "cut.mp4", share)
        assert self.refusal(read, path).reason == "truncated: no index (moov atom) found"

    @pytest.mark.parametrize("share", [0.3, 0.6])
    def test_truncated_mp4_with_its_index_in_front(self, tmp_path, noise, share):
        path = tmp_path / "front.mp4"
        images = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), dtype=np.uint8)
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for image in images:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
        assert len(list(read_frames(path))) == 50
        assert "truncated" in self.refusal(read_frames, cut(path, tmp_path / "cut.mp4", share)).reason

    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp4", "a.mkv", "a.mp3", "a.aiff", "a.opus"])
    @settings(max_examples=15, deadline=None)
    @given(share=st.floats(0.01, 0.85))
    def test_a_file_cut_anywhere_is_refused(self, tmp_path_factory, media, name, share):
        path = cut(media[name], tmp_path_factory.mktemp("cut") / name, share)
        assert self.refusal(read_audio, path).reason.startswith(("truncated", "damaged", "not readable"))

    def test_a_few_lost_milliseconds_are_silent_and_a_lost_packet_is_refused(self, tmp_path, noise):
        encode_sound(tmp_path / "blink.mkv", "pcm_s16le", noise, 44100, 882, lost=range(20, 22))
        whole, signal = noise[: 882 * 150], read_audio(tmp_path / "blink.mkv", rate=44100)
        silent = slice(882 * 20, 882 * 22)
        assert np.abs(signal[silent][50:-50]).max() == 0
        np.testing.assert_allclose(signal[silent.stop + 50 :], whole[silent.stop + 50 :], atol=1e-4)
        encode_sound(tmp_path / "lost.mkv", "pcm_s16le", noise, 44100, 882, lost=range(20, 40))
        assert self.refusal(read_audio, tmp_path / "lost.mkv").reason.startswith("sound is lost at 0.4 s")
        assert len(read_audio(tmp_path / "lost.mkv", rate=44100, start=1.0)) == 882 * 100

    def test_wav_written_to_a_pipe_is_not_truncated(self, tmp_path, media, noise):
        content = bytearray(media["a.wav"].read_bytes())
        content[4:8] = b"\xff\xff\xff\xff"
        (tmp_path / "piped.wav").write_bytes(content)
        assert len(read_audio(tmp_path / "piped.wav", rate=44100)) == len(noise)

    def test_damaged_bytes_never_crash(self, tmp_path, media):
        rng = np.random.default_rng(0)
        for name in ("a.mp4", "a.flac", "a.mp3", "a.mkv"):
            for _ in range(5):
                content = bytearray(media[name].read_bytes())
                for place in rng.integers(0, len(content), 40):
                    content[place] = rng.integers(256)
                (tmp_path / name).write_bytes(content)
                for read in (read_audio, read_frames):
                    with contextlib.suppress(MediaError):
                        list(read(tmp_path / name))

    def test_missing_streams(self, tmp_path, media):
        write_video(tmp_path / "mute.mp4", numbered_frames(10), 10)
        assert self.refusal(read_audio, tmp_path / "mute.mp4").reason == "no audio stream"
        assert self.refusal(read_frames, media["a.wav"]).reason == "no video stream"

    def test_times_outside_the_file(self, media):
        assert "no sound from 5 s" in self.refusal(read_audio, media["a.wav"], start=5.0).reason
        assert "no picture from 5 s" in self.refusal(read_frames, media["a.mp4"], start=5.0).reason
        assert "no time between" in self.refusal(read_audio, media["a.wav"], start=2.0, end=1.0).reason
        assert "no time between" in self.refusal(read_frames, media["a.mp4"], start=-1.0).reason

    def test_nan_samples(self, tmp_path):
        signal = np.zeros(RATE, np.float32)
        signal[100] = np.nan
        soundfile.write(tmp_path / "nan.wav", signal, RATE, subtype="FLOAT")
        assert "NaN" in self.refusal(read_audio, tmp_path / "nan.wav").reason

    def test_the_error_survives_the_way_from_a_worker(self):
        error = MediaError("a.wav", "empty file", "copy it again")
        copy = pickle.loads(pickle.dumps(error))
        assert (copy.path, copy.reason, copy.advice, str(copy)) == (error.path, error.reason, error.advice, str(error))


class TestWriting:
    def test_wav_is_plain_pcm(self, tmp_path):
        write_audio(tmp_path / "a.wav", [0.0, 2.0, -2.0], 8000)
        with wave.open(str(tmp_path / "a.wav")) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
            assert np.array_equal(np.frombuffer(file.readframes(3), np.int16), [0, 32767, -32768])

    def test_unknown_ending(self, tmp_path):
        with pytest.raises(ValueError, match="expected a name ending in .wav or .flac"):
            write_audio(tmp_path / "a.ogg", [0.0], 8000)

    @pytest.mark.parametrize("frames", [[], [np.zeros((31, 48, 3), np.uint8)]])
    def test_frames_that_cannot_be_written(self, tmp_path, frames):
        with pytest.raises(ValueError, match="expected frames"):
            write_video(tmp_path / "a.mp4", frames, 10)

    def test_an_error_leaves_what_was_there(self, tmp_path):
        (tmp_path / "a.mp4").write_text("before")

        def breaking():
            yield np.zeros((32, 48, 3), np.uint8)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_video(tmp_path / "a.mp4", breaking(), 10)
        assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
