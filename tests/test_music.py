"""Music: progressions in known keys, clicks of known tempo, and sounds that are no music."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import featmer._checks
from featmer import OpenSmile, extract
from featmer._checks import MissingExtra
from featmer.extractors import Music
from featmer.extractors.base import UndescribableError
from featmer.media import write_audio

RATE = 16000
PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}
PROGRESSIONS = {
    "major": [(0, "major"), (5, "major"), (7, "major"), (0, "major"), (9, "minor"), (2, "minor"), (7, "major")],
    "minor": [(0, "minor"), (5, "minor"), (7, "major"), (0, "minor"), (8, "major"), (5, "minor"), (7, "major")],
}


def note(pitch: float, seconds: float = 1.0) -> np.ndarray:
    """Return a plucked tone, its pitch in semitones where 69 is 440 Hz."""
    times = np.arange(round(seconds * RATE)) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * k * frequency * times) / k for k in range(1, 6))
    return wave * np.exp(-1.5 * times) * np.minimum(1, times / 0.01)


@cache
def progression(tonic: float, mode: str) -> np.ndarray:
    """Return a chord a second: the progression of the mode, and home again."""
    chords = [*PROGRESSIONS[mode], PROGRESSIONS[mode][0]]
    parts = [[48 + i for i in TRIADS[triad]] + [36] for _, triad in chords]
    played = [
        sum(note(tonic + root % 12 + part) for part in voices) for (root, _), voices in zip(chords, parts, strict=True)
    ]
    wave = np.concatenate(played)
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def clicks(tempo: float, seconds: float = 12.0) -> np.ndarray:
    times = np.arange(round(0.01 * RATE)) / RATE
    click = 0.5 * np.sin(2 * np.pi * 1000 * times) * np.exp(-300 * times)
    signal = np.zeros(round(seconds * RATE))
    starts = np.round(np.arange(0.3, seconds - 0.2, 60 / tempo) * RATE).astype(int)
    signal[starts] = 1
    return np.convolve(signal, click)[: len(signal)].astype(np.float32)


def noise(seconds: float = 8.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


def describe(signal: np.ndarray) -> pd.Series:
    """Return the functionals by their names without the modality."""
    names = [name.removeprefix("music.") for name in Music().names]
    return pd.Series(Music().features(signal).values, index=names)


def chords(signal: np.ndarray) -> list[tuple[float, str]]:
    """Return the start and the name of each chord."""
    found = Music(level="chords").features(signal)
    frames = pd.DataFrame(
        found.values, columns=[name.removeprefix("music.chord.") for name in Music(level="chords").names]
    )
    roots, modes = frames.filter(like="root_"), frames[["major", "minor", "none"]]
    assert (roots.sum(axis=1) == 1 - frames["none"]).all()
    assert (modes.sum(axis=1) == 1).all()
    assert found.times[0] == 0
    np.testing.assert_allclose(
        np.append(found.times, len(signal) / RATE)[1:], found.times + frames["seconds"], atol=1e-4
    )
    names = roots.idxmax(axis=1).str.removeprefix("root_") + " " + modes.idxmax(axis=1)
    return list(zip(found.times.tolist(), names.where(frames["none"] == 0, "none"), strict=True))


class TestKey:
    @pytest.mark.parametrize("mode", TRIADS)
    def test_every_transposition(self, mode):
        first = describe(progression(0, mode))
        for tonic, pitch in enumerate(PITCHES):
            found = describe(progression(tonic, mode))
            assert found.filter(like="key.").idxmax() == f"key.{pitch}"
            assert found["key.C":"key.B"].sum() == 1
            assert found["key.minor"] == (mode == "minor")
            assert found["key.strength"] > 0.8
            assert found["key.clarity"] > 0.05
            relative = first.index[first.index.str.startswith("chord.")]
            np.testing.assert_allclose(found[relative], first[relative], atol=0.06)

    def test_tuning_does_not_matter(self):
        for detuned in (-0.4, -0.2, 0.3):
            found = describe(progression(2 + detuned, "minor"))
            assert found[["key.D", "key.minor"]].tolist() == [1, 1]

    def test_loudness_does_not_matter(self):
        signal = progression(7, "major")
        pd.testing.assert_series_equal(describe(0.1 * signal), describe(signal), atol=0.02)


class TestChords:
    @pytest.mark.parametrize("mode", TRIADS)
    @pytest.mark.parametrize("tonic", [0, 5, 10])
    def test_a_chord_a_second(self, mode, tonic):
        found = chords(progression(tonic, mode))
        written = [*PROGRESSIONS[mode], PROGRESSIONS[mode][0]]
        assert [name for _, name in found] == [f"{PITCHES[(tonic + root) % 12]} {triad}" for root, triad in written]
        np.testing.assert_allclose([start for start, _ in found], range(8), atol=0.15)

    def test_statistics_are_those_of_the_sequence(self):
        signal = progression(9, "minor")
        found, sequence = describe(signal), chords(signal)
        starts = [start for start, _ in sequence] + [len(signal) / RATE]
        lengths = pd.Series([end - start for start, end in pairwise(starts)])
        share = (lengths.groupby([name for _, name in sequence]).sum() / lengths.sum()).to_dict()
        expected = {"I_minor": "A minor", "IV_minor": "D minor", "V_major": "E major", "bVI_major": "F major"}
        for degree, name in expected.items():
            assert found[f"chord.{degree}"] == pytest.approx(share[name], abs=1e-4)
        assert found["chord.I_major":"chord.none"].sum() == pytest.approx(1, abs=1e-5)
        assert found["chord.major_share"] == pytest.approx(share["E major"] + share["F major"], abs=1e-4)
        assert found["chord.changes"] == pytest.approx((len(sequence) - 1) / 8, abs=1e-4)
        shares = np.array(list(share.values()))
        assert found["chord.entropy"] == pytest.approx(-(shares * np.log2(shares)).sum(), abs=1e-4)

    def test_a_pause_has_no_chord(self):
        signal = np.concatenate([progression(0, "major"), np.zeros(3 * RATE, np.float32)])
        assert chords(signal)[-1][1] == "none"
        assert describe(signal)["chord.none"] == pytest.approx(3 / 11, abs=0.05)

    @pytest.mark.parametrize("signal", [noise(), clicks(100)])
    def test_what_is_no_music_has_no_chord(self, signal):
        found = describe(signal)
        assert chords(signal) == [(0, "none")]
        assert found[["chord.none", "chord.changes", "chord.entropy"]].tolist() == [1, 0, 0]
        assert np.isnan(found["chord.major_share"])


class TestTempo:
    @pytest.mark.parametrize("tempo", [75, 90, 120, 150])
    def test_within_four_percent_up_to_an_octave(self, tempo):
        found = describe(clicks(tempo))
        octave = found["tempo"] / tempo
        assert min(abs(octave / factor - 1) for factor in (0.5, 1, 2)) < 0.04
        assert found["beat.strength"] > 0.5
        assert found["beat.deviation"] < 0.05
        assert found["onsets"] == pytest.approx(tempo / 60, rel=0.06)

    def test_noise_has_a_weak_beat(self):
        assert describe(noise())["beat.strength"] < 0.15

    def test_a_steady_tone_has_no_beat(self):
        ramp = np.sin(np.linspace(0, np.pi, 8 * RATE))
        tone = 0.3 * ramp * np.sin(2 * np.pi * 440 * np.arange(8 * RATE) / RATE)
        found = describe(tone.astype(np.float32))
        assert np.isnan(found["tempo"]) or found["beat.strength"] < 0.5


class TestExtract:
    def test_it_stands_beside_opensmile_with_reasons(self, tmp_path):
        for name, signal in {"song": progression(4, "minor"), "silent": np.zeros(6 * RATE), "short": noise(2)}.items():
            write_audio(tmp_path / f"{name}.wav", signal, RATE)
        segments = pd.DataFrame({"dialogue": "a", "turn": range(3), "audio": ["song.wav", "silent.wav", "short.wav"]})
        table, failures = extract(segments, [OpenSmile(), Music()], root=tmp_path, progress=False)
        assert table.modalities == ("audio", "music")
        block = table.blocks["music"]
        assert block.names == Music().names
        assert block.missing.tolist() == [False, True, True]
        assert block.reasons[1:].tolist() == ["silent", "too short: 2.00 s of sound, at least 5 s needed"]
        assert set(failures["row"]) == {1, 2}
        sequence, _ = extract(segments, Music(level="chords"), root=tmp_path, progress=False)
        assert sequence.blocks["music"].lengths.tolist() == [8, 0, 0]

    def test_an_hour_is_no_piece_of_music(self):
        with pytest.raises(UndescribableError, match="too long: 60 minutes, at most 30"):
            Music().describe(np.zeros(3600 * RATE, np.float32), RATE)

    def test_the_same_bits_again(self):
        first, second = (Music().features(progression(3, "major")).values for _ in range(2))
        assert np.array_equal(first, second, equal_nan=True)

    def test_without_librosa_the_extra_is_named(self, monkeypatch):
        def missing(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        monkeypatch.setattr(featmer._checks.importlib, "import_module", missing)
        with pytest.raises(MissingExtra, match=r"pip install 'featmer\[music\]'"):
            Music().fingerprint()

    def test_what_does_not_fit(self):
        with pytest.raises(ValueError, match="Got min_seconds=1, expected at least 3 seconds"):
            _ = Music(min_seconds=1).names
        with pytest.raises(ValueError, match="Unknown level 'chord', did you mean 'chords'"):
            _ = Music(level="chord").names
