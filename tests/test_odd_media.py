"""Odd inputs, through `extract`: each gives the values of the clean clip, or a row of the failures that helps."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import soundfile

from featmer import OpenSmile, extract
from featmer.extractors import AudioExtractor, VideoExtractor
from featmer.media import probe, write_audio, write_video

RATE, SECONDS, FPS = 16000, 2, 25
TIMES = np.arange(RATE * SECONDS) / RATE
HEIGHT, WIDTH = 90, 160


def voice(rate: int = RATE) -> np.ndarray:
    """Return two seconds of harmonics below 4 kHz, which every sample rate can carry, now louder, now softer."""
    times = np.arange(rate * SECONDS) / rate
    harmonics = sum(np.sin(2 * np.pi * 180 * number * times + number) / number for number in range(1, 12))
    return (0.15 * harmonics * (1 + np.sin(2 * np.pi * times)) / 2).astype(np.float32)


def picture(time: float, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return a picture with a left half that brightens with time, and a white upper right corner."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[:, : width // 2] = round(40 + 80 * time)
    image[: height // 3, -width // 4 :] = 230
    return image


class Bands(AudioExtractor):
    """Level of each tenth of the sound in four bands, in dB: what a shift, a loss or a filter would change."""

    names = tuple(f"audio.band{band}_{part}" for part in range(10) for band in range(4))

    def describe(self, signal, rate):
        parts = np.array_split(signal, 10)
        spectra = [np.abs(np.fft.rfft(part, 4096)) ** 2 / len(part) for part in parts]
        edges = np.array([100, 500, 1000, 1500, 2100]) * 4096 // rate
        return np.concatenate([10 * np.log10(np.add.reduceat(each, edges)[:4] + 1e-3) for each in spectra])


class Halves(VideoExtractor):
    """Brightness of left, right and upper right."""

    modality = "scene"
    channels = ("scene.left", "scene.right", "scene.corner")

    def __init__(self, *, fps=5.0, level="frames"):
        super().__init__(fps=fps, level=level)

    def describe(self, frame):
        height, width = frame.image.shape[:2]
        left, right = frame.image[height // 2 :, : width // 3], frame.image[height // 2 :, -width // 3 :]
        return [left.mean(), right.mean(), frame.image[: height // 6, -width // 8 :].mean()], {}


def segments_of(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame([{"dialogue": "d", "turn": turn, **row} for turn, row in enumerate(rows)])


def hear(*paths: Path | dict, extractor: AudioExtractor | None = None) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the values of sounds and the failures."""
    rows = [path if isinstance(path, dict) else {"audio": str(path)} for path in paths]
    table, failures = extract(segments_of(*rows), extractor or Bands(), progress=False)
    return table.blocks["audio"].values, failures


def look(*paths: Path | dict) -> tuple[list[np.ndarray], list[np.ndarray], pd.DataFrame]:
    """Return the frames of videos, their times, and the failures."""
    rows = [path if isinstance(path, dict) else {"video": str(path)} for path in paths]
    table, failures = extract(segments_of(*rows), Halves(), progress=False)
    return table.blocks["scene"].values, table.blocks["scene"].times, failures


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the clean clip: its sound, its pictures, and both."""
    folder = tmp_path_factory.mktemp("clean")
    paths = {"sound": folder / "clip.wav", "film": folder / "clip.mp4", "mute": folder / "mute.mp4"}
    write_audio(paths["sound"], voice(), RATE)
    images = [picture(number / FPS) for number in range(FPS * SECONDS)]
    write_video(paths["film"], images, FPS, signal=voice(), rate=RATE)
    write_video(paths["mute"], images, FPS)
    return paths


def same_frames(got: np.ndarray, times: np.ndarray, tolerance: float = 4.0) -> None:
    """Compare frames with what the clean clip shows at their times."""
    assert len(got) >= 5
    np.testing.assert_allclose(got[:, 0], 40 + 80 * times, atol=tolerance)
    np.testing.assert_allclose(got[:, 1], 40, atol=tolerance)
    np.testing.assert_allclose(got[:, 2], 230, atol=tolerance)


def refused(failures: pd.DataFrame, *reasons: str) -> None:
    """Check that every row is missing for its reason, and that there is advice."""
    assert failures["severity"].tolist() == ["missing"] * len(reasons)
    for found, expected in zip(failures["reason"], reasons, strict=True):
        assert expected in found
    assert failures["advice"].str.len().min() > 20
    assert not failures["advice"].str.contains("an error of the extractor").any()


def film(path: Path, stamps: Iterable[Fraction], codec: str = "libx264", rotation: int = 0, **size: int) -> Path:
    """Write the picture of each time at that time, and no sound; rotated pictures are stored lying."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=60)
        turned = np.rot90(picture(0.0, **size), -rotation // 90)
        stream.height, stream.width, stream.pix_fmt = *turned.shape[:2], "yuv444p" if turned.shape[0] % 2 else "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for stamp in stamps:
            image = np.ascontiguousarray(np.rot90(picture(float(stamp), **size), -rotation // 90))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(stamp * 600), Fraction(1, 600)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class TestSoundOfEveryKind:
    @pytest.mark.parametrize("rate", [8000, 44100, 192000])
    def test_sample_rates(self, tmp_path, clean, rate):
        soundfile.write(tmp_path / "a.wav", voice(rate), rate, subtype="PCM_24")
        (expected, values), failures = hear(clean["sound"], tmp_path / "a.wav")
        assert failures.empty
        np.testing.assert_allclose(values, expected, atol=0.2)

    def test_five_channels_and_a_sixth_are_averaged(self, tmp_path, clean):
        soundfile.write(tmp_path / "a.wav", np.repeat(voice()[:, None], 6, axis=1), RATE, format="WAVEX")
        centre = np.zeros((len(TIMES), 6), np.float32)
        centre[:, 2] = 3 * voice()
        soundfile.write(tmp_path / "centre.flac", centre, RATE)
        write_audio(tmp_path / "half.wav", voice() / 2, RATE)
        names = ("a.wav", "half.wav", "centre.flac")
        (expected, same, half, quiet), failures = hear(clean["sound"], *(tmp_path / name for name in names))
        assert failures.empty
        np.testing.assert_allclose(same, expected, atol=0.01)
        np.testing.assert_allclose(quiet, half, atol=0.05)

    @pytest.mark.parametrize(
        "name", ["clip.mp4", "clip.txt", "clip", "clip.mp3", "ünï côde 音 clip.wav", "a:b #1%.wav"]
    )
    def test_a_wrong_or_odd_name_changes_nothing(self, tmp_path, clean, name):
        (tmp_path / name).write_bytes(clean["sound"].read_bytes())
        values, failures = hear(clean["sound"], tmp_path / name, extractor=OpenSmile())
        assert failures.empty
        assert np.array_equal(values[0], values[1])

    def test_the_streams_of_one_file_serve_both_columns(self, clean):
        both, part = str(clean["film"]), {"start": 0.2, "end": 1.8}  # AAC blurs the edges
        rows = ({"video": both}, {"video": both, "audio": both}, {"video": both, "audio": str(clean["sound"])})
        table, failures = extract(segments_of(*(row | part for row in rows)), [Bands(), Halves()], progress=False)
        assert failures.empty
        sound = table.blocks["audio"].values
        assert np.array_equal(sound[0], sound[1])
        np.testing.assert_allclose(sound[0], sound[2], atol=0.2)

    def test_eight_hours_and_what_is_said_in_the_seventh(self, tmp_path, clean):
        rate, begin = 8000, 7 * 3600 + 12.345
        with soundfile.SoundFile(tmp_path / "day.flac", "w", rate, 1) as file:
            minutes = np.zeros(rate * 600, np.float32)
            for number in range(8 * 6):
                part = minutes if number != 7 * 6 else minutes.copy()
                if number == 7 * 6:
                    part[round(12.345 * rate) :][: rate * SECONDS] = voice(rate)
                file.write(part)
        day = {"audio": str(tmp_path / "day.flac")}
        soundfile.write(tmp_path / "said.wav", voice(rate), rate)
        said = {"start": begin, "end": begin + SECONDS}
        values, failures = hear({"audio": str(tmp_path / "said.wav")}, day | said, day | {"start": 3.0, "end": 5.0})
        # Beside the words there is digital silence: the resampling filter rings into it, and out of the file's edge.
        np.testing.assert_allclose(values[1], values[0], atol=0.5)
        refused(failures, "silent")

    def test_sound_shorter_than_the_picture(self, tmp_path, clean):
        images = [picture(number / FPS) for number in range(FPS * SECONDS)]
        write_video(tmp_path / "a.mp4", images, FPS, signal=voice()[: RATE * SECONDS // 2], rate=RATE)
        path = str(tmp_path / "a.mp4")
        segments = segments_of(
            {"video": path, "start": 0.2, "end": 0.8}, {"video": path, "start": 1.5, "end": 2.0}, {"video": path}
        )
        table, failures = extract(segments, [Bands(), Halves()], progress=False)
        assert failures[["row", "modality", "reason"]].values.tolist() == [[1, "audio", "no sound from 1.5 s on"]]
        expected = hear({"audio": str(clean["sound"]), "start": 0.2, "end": 0.8})[0]
        np.testing.assert_allclose(table.blocks["audio"].values[:1], expected, atol=0.2)
        assert table.blocks["audio"].quality["audio_seconds"][2] == pytest.approx(1.0, abs=0.1)
        assert table.blocks["scene"].lengths.tolist() == [3, 3, 10]


class TestPicturesOfEveryKind:
    @pytest.mark.parametrize("name", ["clip.wav", "clip.avi", "a film?.mp4.part"])
    def test_a_wrong_or_odd_name_changes_nothing(self, tmp_path, clean, name):
        (tmp_path / name).write_bytes(clean["mute"].read_bytes())
        (expected, values), _, failures = look(clean["mute"], tmp_path / name)
        assert failures.empty
        assert np.array_equal(values, expected)

    def test_sixty_frames_a_second(self, tmp_path, clean):
        path = film(tmp_path / "a.mp4", [Fraction(number, 60) for number in range(120)])
        (slow, fast), times, failures = look(clean["mute"], path)
        assert failures.empty
        np.testing.assert_allclose(times[1], times[0], atol=0.02)
        same_frames(slow, times[0])
        same_frames(fast, times[1])

    def test_variable_frame_rate(self, tmp_path):
        stamps = [Fraction(number, 50) for number in (*range(20), 30, 31, 47, 60, 61, 62, 80, 95, 99)]
        (values,), (times,), failures = look(film(tmp_path / "a.mp4", stamps))
        assert failures.empty
        same_frames(values, times)
        np.testing.assert_allclose(times, [0, 0.2, 0.6, 0.94, 1.2, 1.6, 1.9], atol=0.01)

    @pytest.mark.parametrize("rotation", [90, 180, -90])
    def test_rotated(self, tmp_path, rotation):
        path = film(tmp_path / "a.mp4", [Fraction(number, 25) for number in range(50)], rotation=rotation)
        assert probe(path).rotation % 360 == rotation % 360
        (values,), (times,), failures = look(path)
        assert failures.empty
        same_frames(values, times)

    @pytest.mark.parametrize(("height", "width"), [(91, 161), (33, 47), (90, 161)])
    def test_odd_sizes(self, tmp_path, height, width):
        stamps = [Fraction(number, 25) for number in range(50)]
        (values,), (times,), failures = look(film(tmp_path / "a.mkv", stamps, codec="ffv1", height=height, width=width))
        assert failures.empty
        same_frames(values, times)


class TestWhatCannotBeRead:
    def test_empty_and_no_media(self, tmp_path):
        paths = [tmp_path / name for name in ("empty.wav", "text.wav", "random.mp4", "none.wav")]
        paths[0].touch()
        paths[1].write_text("This was a clip once.\n" * 100)
        paths[2].write_bytes(np.random.default_rng(0).bytes(50_000))
        values, failures = hear(*paths)
        assert np.isnan(values).all()
        refused(failures, "empty file", "not readable", "not readable", "missing file")

    def test_truncated(self, tmp_path, clean):
        for name in ("sound", "film"):
            content = clean[name].read_bytes()
            (tmp_path / clean[name].name).write_bytes(content[: len(content) // 2])
        _, failures = hear(tmp_path / "clip.wav", tmp_path / "clip.mp4")
        refused(failures, "truncated", "truncated")
        refused(look(tmp_path / "clip.mp4")[2], "truncated")

    def test_corrupt(self, tmp_path, clean):
        content = bytearray(clean["film"].read_bytes())
        begin = content.find(b"mdat") + len(content) // 4
        content[begin : begin + 2000] = np.random.default_rng(0).bytes(2000)
        (tmp_path / "a.mp4").write_bytes(content)
        refused(look(tmp_path / "a.mp4")[2], "damaged")

    def test_no_sound_and_no_picture(self, clean):
        refused(hear(clean["mute"])[1], "no audio stream")
        refused(look(clean["sound"])[2], "no video stream")

    def test_no_length(self, tmp_path):
        write_audio(tmp_path / "a.wav", [], RATE)
        write_audio(tmp_path / "a.flac", [], RATE)
        refused(hear(tmp_path / "a.wav", tmp_path / "a.flac")[1], "no sound", "no sound")

    def test_nan_samples(self, tmp_path):
        soundfile.write(tmp_path / "all.wav", np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")
        signal = voice()
        signal[500] = np.nan
        soundfile.write(tmp_path / "one.wav", signal, RATE, subtype="FLOAT")
        signal[500] = np.inf
        soundfile.write(tmp_path / "inf.wav", signal, RATE, subtype="FLOAT")
        _, failures = hear(tmp_path / "all.wav", tmp_path / "one.wav", tmp_path / "inf.wav")
        refused(failures, "NaN", "NaN", "infinite")

    def test_times_that_the_file_does_not_have(self, clean):
        sound, mute = {"audio": str(clean["sound"])}, {"video": str(clean["mute"])}
        refused(hear(sound | {"start": 5.0, "end": 6.0}, sound | {"start": 1.0, "end": 1.0})[1], "no sound", "no time")
        refused(look(mute | {"start": 5.0, "end": 6.0}, mute | {"start": 1.0, "end": 1.0})[2], "no picture", "no time")
        with pytest.raises(ValueError, match="ends before its start"):
            hear(sound | {"start": 2.0, "end": 1.0})
