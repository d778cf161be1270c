"""Low-level descriptors per window: sounds whose level, pitch, spectrum and voice are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from featmer import extract
from featmer.extractors import LowLevelDescriptors
from featmer.extractors.base import UndescribableError
from featmer.media import read_audio, write_audio

RATE = 16000
FRAMES = LowLevelDescriptors(level="frames")


def tone(pitch: float, seconds: float = 1.0, amplitude: float = 0.5, overtones: int = 8) -> np.ndarray:
    """Return a voice-like tone of a pitch (Hz) that peaks at the amplitude."""
    times = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * k * pitch * times) / k for k in range(1, overtones + 1))
    return (amplitude * wave / np.abs(wave).max()).astype(np.float32)


def noise(seconds: float, amplitude: float = 0.1) -> np.ndarray:
    return (amplitude * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


def windows(signal: np.ndarray, extractor: LowLevelDescriptors = FRAMES) -> pd.DataFrame:
    """Return a row a window with the channels' short names."""
    found = extractor.features(signal)
    names = [name.removeprefix("audio.low_level.") for name in extractor.names]
    return pd.DataFrame(found.values, columns=names, index=found.times)


class TestKnownSounds:
    @pytest.mark.parametrize("pitch", [62, 110, 150.5, 220, 311, 440, 880])
    @pytest.mark.parametrize("overtones", [1, 8])
    def test_pitch_within_one_percent(self, pitch, overtones):
        found = windows(tone(pitch, overtones=overtones))["pitch"]
        np.testing.assert_allclose(27.5 * 2 ** (found / 12), pitch, rtol=0.01)

    def test_level_of_a_sine_in_decibels_of_full_scale(self):
        for amplitude in (1.0, 0.1, 0.01):
            sine = tone(400, amplitude=amplitude, overtones=1)
            np.testing.assert_allclose(windows(sine)["intensity"], 20 * np.log10(amplitude) - 3.01, atol=0.05)

    def test_twice_the_amplitude(self):
        soft, loud = windows(tone(200, amplitude=0.2)), windows(tone(200, amplitude=0.4))
        np.testing.assert_allclose(loud["intensity"] - soft["intensity"], 6.02, atol=0.01)
        np.testing.assert_allclose(loud["loudness"] / soft["loudness"], 2**0.66, rtol=0.01)
        same = ["pitch", "jitter", "shimmer", "hnr"]
        np.testing.assert_allclose(loud[same], soft[same], atol=0.05)

    def test_predictor_of_a_known_process(self):
        coefficients = [-1.3, 0.8, -0.2]
        found = windows(lfilter([0.05], [1, *coefficients], noise(4, 1.0)).astype(np.float32))
        expected = np.pad(coefficients, (0, 9))
        np.testing.assert_allclose(found.filter(regex="lpc").mean(), expected, atol=0.03)

    def test_cepstrum_tells_a_bright_from_a_dark_noise(self):
        dark = windows(lfilter([0.1], [1, -0.95], noise(1)).astype(np.float32))
        bright = windows(lfilter([0.1], [1, 0.95], noise(1)).astype(np.float32))
        assert dark["mfcc1"].min() > bright["mfcc1"].max() + 20

    def test_noise_has_no_voice(self):
        found = windows(noise(2))
        assert found[["pitch", "jitter", "shimmer", "hnr"]].isna().mean().min() > 0.9
        assert found["voicing"].max() < 0.7
        assert found.drop(columns=["pitch", "jitter", "shimmer", "hnr"]).notna().all(axis=None)

    def test_quality_of_a_voice(self):
        rng = np.random.default_rng(0)
        clean = tone(200)
        hoarse = clean + 0.05 * rng.standard_normal(len(clean)).astype(np.float32)
        periods = 80 + np.round(rng.normal(0, 2, 190)).astype(int)  # the deviation is 2.5 % of a period
        pulse = np.exp(-np.arange(160) / 10) * np.sin(2 * np.pi * np.arange(160) / 20)
        starts = np.cumsum(periods)
        clicks = np.zeros(RATE)
        clicks[starts[starts < RATE]] = 0.4
        rough = np.convolve(clicks, pulse)[:RATE].astype(np.float32)
        assert (windows(clean)["hnr"] > windows(hoarse)["hnr"] + 2).all()
        assert windows(rough)["jitter"].mean() == pytest.approx(0.028, abs=0.012)  # 2.5 % times 2 / sqrt(pi)
        assert windows(tone(197))["jitter"].max() < 0.003

    def test_digital_silence_beside_sound_is_finite(self):
        found = windows(np.concatenate([np.zeros(RATE, np.float32), tone(200)]))
        assert found["intensity"].iloc[0] == pytest.approx(-101.1, abs=0.1)
        assert found["loudness"].iloc[0] < 0.1 < found["loudness"].iloc[-1]
        assert not np.isinf(found.to_numpy()).any()


class TestWindows:
    @settings(max_examples=25, deadline=None)
    @given(length=st.integers(960, 20000), window=st.integers(6, 60), hop=st.integers(1, 60), pad=st.booleans())
    def test_every_whole_window_and_no_other(self, length, window, hop, pad):
        extractor = LowLevelDescriptors(
            level="frames", window=window / 100, hop=hop / 100, short="pad" if pad else "missing"
        )
        rest = (length - 160 * window) / (160 * hop)
        if rest < 0 and not pad:
            with pytest.raises(UndescribableError, match="too short"):
                extractor.features(noise(length / RATE))
            return
        expected = 1 + max(0, int(np.ceil(rest) if pad else np.floor(rest)))
        found = extractor.features(noise(length / RATE))
        assert len(found.values) == len(found.times) == expected
        np.testing.assert_allclose(found.times, np.arange(expected) * hop / 100)

    def test_a_later_sound_has_the_same_windows_later(self):
        signal = np.concatenate([noise(0.5, 0.05), tone(180, 0.6), noise(0.5, 0.02)])
        plain, later = windows(signal), windows(np.concatenate([np.zeros(25 * 640, np.float32), signal]))
        spectral = plain.columns[:26]
        np.testing.assert_allclose(later[spectral].iloc[25:], plain[spectral], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(later["pitch"].iloc[38:41], plain["pitch"].iloc[13:16], rtol=1e-3)

    def test_nothing_from_outside_a_window_enters_its_spectrum(self):
        signal, louder = noise(1.2), noise(1.2)
        louder[round(0.8 * RATE) :] *= 5
        spectral = windows(signal).columns[:26]
        within = windows(signal).index + 0.4 <= 0.8 + 1e-9
        assert within.sum() == 11
        assert windows(signal)[spectral][within].equals(windows(louder)[spectral][within])
        assert not windows(signal)[spectral][~within].equals(windows(louder)[spectral][~within])

    def test_functionals_are_statistics_of_the_windows(self):
        signal = np.concatenate([noise(0.5, 0.05), tone(180, 0.6), noise(0.5, 0.02)])
        frames = windows(signal)
        found = LowLevelDescriptors().features(signal)
        assert found.times is None
        expected = np.concatenate([frames.mean(), frames.std(ddof=0), frames.max()])
        np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-4)
        assert LowLevelDescriptors().names[:1] == ("audio.low_level.loudness_mean",)

    @pytest.mark.parametrize("parameter", [{"window": 0.05}, {"window": 0.405}, {"hop": 0.0}, {"hop": float("nan")}])
    def test_what_cannot_be_cut(self, parameter):
        ((name, value),) = parameter.items()
        with pytest.raises(ValueError, match=f"Got {name}={value}, expected a multiple of 0.01 seconds"):
            _ = LowLevelDescriptors(**parameter).names

    def test_unknown_words(self):
        with pytest.raises(ValueError, match="Unknown level 'lld'"):
            _ = LowLevelDescriptors(level="lld").names
        with pytest.raises(ValueError, match="Unknown treatment of short sounds 'stretch'"):
            _ = LowLevelDescriptors(short="stretch").names


class TestExtract:
    def test_short_sounds(self, tmp_path):
        write_audio(tmp_path / "a.wav", tone(200, 1.0), RATE)
        segments = pd.DataFrame({"dialogue": "a", "turn": range(3), "audio": "a.wav", "start": 0.0})
        segments["end"] = [0.3, 0.41, 1.0]
        table, failures = extract(segments, FRAMES, root=tmp_path, progress=False)
        assert table.blocks["audio"].lengths.tolist() == [0, 1, 16]
        assert failures["reason"].tolist() == ["too short: 0.30 s of sound, at least 0.4 s needed"]
        padding = LowLevelDescriptors(level="frames", short="pad")
        table, failures = extract(segments, padding, root=tmp_path, progress=False)
        assert table.blocks["audio"].lengths.tolist() == [1, 2, 16]
        assert failures.empty

    def test_real_speech(self, shared_data):
        path = min(shared_data("RAVDESS").glob("audio16k/Actor_02/*-05-02-01-01-*.flac"))  # a woman, strong anger
        found = windows(read_audio(path))
        assert 0.2 < found["pitch"].notna().mean() < 0.9
        assert 150 < 27.5 * 2 ** (found["pitch"].median() / 12) < 500
        assert 0.002 < found["jitter"].median() < 0.05
        assert 0.2 < found["shimmer"].median() < 2
        assert 0 < found["hnr"].median() < 20
