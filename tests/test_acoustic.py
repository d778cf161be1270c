"""Acoustic features: openSMILE's own values in every set and level, windows, short sounds, and sound quality."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import opensmile
import pandas as pd
import pytest

from featmer import FeatureTable, OpenSmile, extract
from featmer.extractors import AudioExtractor, Features
from featmer.extractors.sound_quality import sound_quality
from featmer.media import read_audio, write_audio

RATE = 16000
SETS = ("ComParE_2016", "GeMAPSv01b", "eGeMAPSv01b", "eGeMAPSv02", "emobase", "IS09", "IS10", "IS11", "IS12", "IS13")
LEVELS = {
    "functionals": opensmile.FeatureLevel.Functionals,
    "lld": opensmile.FeatureLevel.LowLevelDescriptors,
    "lld_de": opensmile.FeatureLevel.LowLevelDescriptors_Deltas,
}

SOURCE, SINK = r"\{\cm[source{?}:source]}", r"\{\cm[sink{?}:sink]}"
COMPONENTS = """
[componentInstances:cComponentManager]
instance[framer].type=cFramer
instance[energy].type=cEnergy
[framer:cFramer]
reader.dmLevel = wave
writer.dmLevel = frames
frameSize = 0.025
frameStep = 0.010
[energy:cEnergy]
reader.dmLevel = frames
writer.dmLevel = lld
writer.levelconf.growDyn = 1
writer.levelconf.isRb = 0
"""
FUNCTIONALS = """
[componentInstances:cComponentManager]
instance[functionals].type=cFunctionals
[functionals:cFunctionals]
reader.dmLevel = lld
writer.dmLevel = func
frameMode = full
frameSize = 0
frameStep = 0
functionalsEnabled = Extremes
Extremes.max = 1
Extremes.min = 1
"""


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """Return a second and a half: a tone with overtones, and then a pause of noise."""
    times = np.arange(round(1.6 * RATE)) / RATE
    tone = sum(0.2 / k * np.sin(2 * np.pi * k * 150 * times) for k in range(1, 6)) * (times < 0.8)
    return (tone + 0.003 * np.random.default_rng(0).standard_normal(len(times))).astype(np.float32)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Return a configuration file that includes another."""
    path = tmp_path / "energy.conf"
    (tmp_path / "components.conf.inc").write_text(COMPONENTS + FUNCTIONALS)
    memory = "[componentInstances:cComponentManager]\ninstance[dataMemory].type=cDataMemory\n"
    path.write_text(f"{memory}\n{SOURCE}\n\\{{components.conf.inc}}\n{SINK}\n")
    return path


def expected(signal: np.ndarray, feature_set: str, level: str) -> pd.DataFrame:
    """Return what opensmile itself gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        smile = opensmile.Smile(opensmile.FeatureSet[feature_set], LEVELS[level])
    return smile.process_signal(signal, RATE)


class TestSets:
    @pytest.mark.parametrize("level", LEVELS)
    @pytest.mark.parametrize("feature_set", SETS)
    def test_equal_the_package_called_directly(self, voice, feature_set, level):
        extractor = OpenSmile(feature_set, level=level)
        if level == "lld_de" and "GeMAPS" in feature_set:
            with pytest.raises(ValueError, match=r"has no deltas \(level 'lld_de'\); choose 'lld'.*ComParE_2016"):
                extractor.features(voice)
            return
        frame = expected(voice, feature_set, level)
        found = extractor.features(voice)
        assert np.array_equal(np.atleast_2d(found.values), frame.to_numpy())
        assert extractor.names == tuple(f"audio.{feature_set}.{name}" for name in frame.columns)
        assert extractor.is_sequence == (level != "functionals") == (found.times is not None)

    def test_real_speech(self, shared_data):
        folder = shared_data("RAVDESS")
        for path in sorted(folder.glob("audio16k/Actor_0[12]/*.flac"))[::40]:
            (found,) = OpenSmile.describe_clip([OpenSmile()], path, None, None)
            frame = expected(read_audio(path), "eGeMAPSv02", "functionals")
            assert np.array_equal(found.values, frame.to_numpy()[0])
            assert 0.1 < found.quality["audio_voiced_share"] < 0.6
            assert found.quality["audio_snr"] > 15


class TestConfiguration:
    def test_levels_and_names(self, voice, configuration):
        functionals, descriptors = OpenSmile(configuration), OpenSmile(configuration, level="lld")
        assert functionals.names[0] == "audio.energy.pcm_RMSenergy_max"
        frames = descriptors.features(voice)
        assert frames.values.shape == (len(frames.times), len(descriptors.names))
        assert functionals.features(voice).values[0] == frames.values[:, 0].max()
        by_text = OpenSmile(str(configuration))
        assert by_text.identity() == functionals.identity()

    def test_an_edited_include_is_another_identity(self, configuration):
        before, names = OpenSmile(configuration).fingerprint(), OpenSmile(configuration).names
        assert set(before) == {"av", "opensmile", "configuration"}
        included = configuration.with_name("components.conf.inc")
        included.write_text(COMPONENTS + FUNCTIONALS + "Extremes.range = 0\n")
        assert OpenSmile(configuration).fingerprint() != before
        removed = {"audio.energy.pcm_RMSenergy_range", "audio.energy.pcm_LOGenergy_range"}
        assert set(names) - set(OpenSmile(configuration).names) == removed

    def test_faults_are_named_before_any_work(self, configuration, tmp_path):
        segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "audio": ["none.wav"]})
        with pytest.raises(FileNotFoundError, match=r"none.conf', expected an openSMILE configuration file"):
            extract(segments, OpenSmile(tmp_path / "none.conf"), progress=False)
        with pytest.raises(ValueError, match=r"cannot read .*energy.conf .*writes to the level 'lld_de'"):
            extract(segments, OpenSmile(configuration, level="lld_de"), progress=False)


class TestWindows:
    def test_a_window_equals_a_file_cut_there(self, voice):
        found = OpenSmile(window=0.5, hop=0.4).features(voice)
        assert found.times == pytest.approx([0, 0.4, 0.8])
        for values, start in zip(found.values, (0, 6400, 12800), strict=True):
            assert np.array_equal(values, OpenSmile().features(voice[start : start + 8000]).values)

    def test_the_rest_is_left_out_or_filled_up(self, voice):
        left, filled = (OpenSmile(window=0.5, short=short).features(voice) for short in ("missing", "pad"))
        assert left.times.tolist() == [0, 0.5, 1]
        assert filled.times.tolist() == [0, 0.5, 1, 1.5]
        assert np.array_equal(filled.values[:3], left.values)
        last = np.pad(voice[24000:], (0, 6400))
        assert np.array_equal(filled.values[3], OpenSmile().features(last).values)

    def test_they_become_a_sequence_block(self, voice, tmp_path):
        write_audio(tmp_path / "a.wav", voice, RATE)
        segments = pd.DataFrame({"dialogue": "a", "turn": range(2), "audio": "a.wav", "start": 0.0, "end": [0.4, 1.6]})
        table, failures = extract(segments, OpenSmile(window=0.5), root=tmp_path, progress=False)
        assert table.blocks["audio"].lengths.tolist() == [0, 3]
        assert failures["reason"].tolist() == ["too short: 0.40 s of sound, at least 0.5 s needed"]

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"hop": 0.1}, "hop=0.1 without a window"),
            ({"window": 0.1}, "window=0.1, expected at least min_seconds=0.25"),
            ({"window": 1.0, "hop": 2.0}, "hop=2.0, expected more than 0 and at most window=1.0"),
            ({"window": 1.0, "hop": 0.0}, "hop=0.0, expected more than 0"),
            ({"window": 1.0, "level": "lld"}, "windows are of functionals only"),
            ({"short": "stretch"}, "Unknown treatment of short sounds 'stretch'"),
        ],
    )
    def test_what_does_not_fit(self, parameters, message):
        with pytest.raises(ValueError, match=message):
            _ = OpenSmile(**parameters).names


class TestShortSounds:
    def test_padding_adds_zeros_at_the_end(self, voice):
        padded = np.pad(voice[:1600], (0, 2400))
        found = OpenSmile(short="pad").features(voice[:1600])
        assert np.array_equal(found.values, OpenSmile().features(padded).values)
        frames = OpenSmile(level="lld", short="pad").features(voice[:1600])
        assert np.array_equal(frames.values, OpenSmile(level="lld").features(padded).values)
        assert np.array_equal(OpenSmile(short="pad").features(voice).values, OpenSmile().features(voice).values)

    def test_the_length_told_is_that_of_the_sound(self, voice, tmp_path):
        write_audio(tmp_path / "short.wav", voice[:1600], RATE)
        missing, padded = OpenSmile.describe_clip(
            [OpenSmile(), OpenSmile(short="pad")], tmp_path / "short.wav", None, None
        )
        assert missing.reason == "too short: 0.10 s of sound, at least 0.25 s needed"
        assert isinstance(padded, Features)
        assert missing.quality["audio_seconds"] == padded.quality["audio_seconds"] == pytest.approx(0.1)


class TestSoundQuality:
    @pytest.mark.parametrize("decibels", [10, 20, 40])
    def test_noise_is_measured_in_the_pause(self, decibels):
        times = np.arange(4 * RATE) / RATE
        tone = 0.3 * np.sin(2 * np.pi * 180 * times) * (times < 1)
        power = 0.3**2 / 2 / 10 ** (decibels / 10)
        noisy = tone + np.sqrt(power) * np.random.default_rng(0).standard_normal(len(times))
        found = sound_quality(noisy.astype(np.float32), RATE)
        assert found["audio_snr"] == pytest.approx(decibels, abs=1)
        assert found["audio_voiced_share"] == pytest.approx(0.25, abs=0.02)

    @pytest.mark.parametrize("rate", [8000, 16000, 44100])
    def test_only_what_sounds_like_a_voice_is_voiced(self, rate):
        times = np.arange(2 * rate) / rate
        noise = 0.1 * np.random.default_rng(0).standard_normal(len(times))
        for signal, share in ((np.sin(2 * np.pi * 120 * times), 1), (np.sin(2 * np.pi * 50 * times), 0), (noise, 0)):
            found = sound_quality(signal.astype(np.float32), rate)
            assert found["audio_voiced_share"] == pytest.approx(share, abs=0.03)

    def test_clipping_survives_resampling(self, tmp_path):
        times = np.arange(48000) / 48000
        wave = np.sin(2 * np.pi * 200 * times)
        write_audio(tmp_path / "clipped.wav", np.clip(2 * wave, -1, 1), 48000)
        write_audio(tmp_path / "fine.wav", 0.9 * wave, 48000)
        clipped, fine = (sound_quality(read_audio(tmp_path / f"{name}.wav"), RATE) for name in ("clipped", "fine"))
        assert clipped["audio_clipped_share"] == pytest.approx(2 / 3, abs=0.05)
        assert fine["audio_clipped_share"] == 0

    @pytest.mark.parametrize("signal", [np.zeros(RATE), np.full(100, 0.5), np.full(RATE, 0.5)])
    def test_nothing_to_tell(self, signal):
        found = sound_quality(signal.astype(np.float32), RATE)
        assert found["audio_seconds"] == len(signal) / RATE
        assert np.isnan(found["audio_snr"])

    def test_it_stands_beside_every_row_once(self, voice, tmp_path):
        class Loudness(AudioExtractor):
            names = ("audio.loudness",)

            def describe(self, signal, rate):
                return [np.sqrt(np.mean(signal**2))]

        write_audio(tmp_path / "voice.wav", voice, RATE)
        write_audio(tmp_path / "silent.wav", 0 * voice, RATE)
        segments = pd.DataFrame({"dialogue": "a", "turn": range(3), "audio": ["voice.wav", "silent.wav", "none.wav"]})
        table, _ = extract(segments, [OpenSmile(), Loudness()], root=tmp_path, progress=False)
        quality = table.blocks["audio"].quality
        assert list(quality) == ["audio_seconds", "audio_voiced_share", "audio_clipped_share", "audio_snr"]
        assert quality["audio_seconds"].fillna(-1).tolist() == pytest.approx([1.6, 1.6, -1])
        assert quality["audio_voiced_share"].fillna(-1).tolist() == pytest.approx([0.5, 0, -1], abs=0.03)
        table.save(tmp_path / "table.parquet")
        pd.testing.assert_frame_equal(FeatureTable.load(tmp_path / "table.parquet").blocks["audio"].quality, quality)


def test_a_sound_beyond_the_range_does_not_come_out_on_the_other_side(voice: np.ndarray) -> None:
    loud = (voice / np.abs(voice).max()).astype(np.float32)
    beyond = np.where(loud > 0.9, 1.02, loud).astype(np.float32)  # what resampling makes of a clipped sound
    within = np.minimum(beyond, 32767 / 32768).astype(np.float32)
    extractor = OpenSmile()
    np.testing.assert_array_equal(extractor.features(beyond).values, extractor.features(within).values)
    plain = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02)
    wrapped = plain.process_signal(beyond, RATE).to_numpy()[0]
    assert np.abs(wrapped - extractor.features(beyond).values).max() > 1
