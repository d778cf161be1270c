"""extract(): rows stay rows whatever happens, and finished work is never done twice."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from skimage.data import astronaut

import featmer
from featmer import FaceLandmarks, FeatureTable, OpenSmile, SentenceEmbedding, align, extract
from featmer.cache import CacheError, FeatureCache
from featmer.extractors import AudioExtractor, TextExtractor, VideoExtractor
from featmer.extractors.models import MissingModelError
from featmer.media import write_audio, write_video
from featmer.segments import SegmentsError

RATE = 16000


class Loudness(AudioExtractor):
    """Loudness and length, and a count of the calls."""

    names = ("audio.loudness", "audio.seconds")
    calls = 0

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def describe(self, signal, rate):
        type(self).calls += 1
        return [self.gain * np.sqrt(np.mean(signal**2)), len(signal) / rate]


class Brightness(VideoExtractor):
    """Brightness of each frame, and a count of the frames."""

    modality = "scene"
    channels = ("scene.brightness",)
    calls = 0

    def describe(self, frame):
        type(self).calls += 1
        return [frame.image.mean() / 255], {}


class Length(TextExtractor):
    """Letters of a text."""

    names = ("text.letters",)
    calls = 0

    def describe(self, texts):
        type(self).calls += len(texts)
        return [[len(text)] for text in texts]


@pytest.fixture(autouse=True)
def _no_calls_yet():
    Loudness.calls = Brightness.calls = Length.calls = 0


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return segments of real files, one for each thing that can go wrong."""
    root = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    tone = (0.3 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE) + 0.01 * rng.standard_normal(RATE)).astype(
        np.float32
    )
    face = np.ascontiguousarray(astronaut()[:300, 80:380])
    write_audio(root / "tone.wav", tone, RATE)
    write_audio(root / "silent.wav", 0 * tone, RATE)
    write_audio(root / "short.wav", tone[:1600], RATE)
    write_video(root / "face.mp4", [face] * 5, 5, signal=tone, rate=RATE)
    write_video(root / "mute.mp4", [face] * 5, 5)
    write_video(root / "empty.mp4", [0 * face] * 5, 5, signal=tone, rate=RATE)
    write_video(root / "two.mp4", [np.hstack([face, face])] * 5, 5, signal=tone, rate=RATE)
    (root / "cut.mp4").write_bytes((root / "face.mp4").read_bytes()[:-2000])
    rows = [
        ("fine", "tone.wav", "face.mp4", "All is well."),
        ("sound of the video", None, "face.mp4", "Me too."),
        ("silent", "silent.wav", "face.mp4", "  "),
        ("short", "short.wav", None, None),
        ("missing file", "none.wav", "none.mp4", "Where are we?"),
        ("no sound", None, "mute.mp4", "Can you hear me?"),
        ("no face", None, "empty.mp4", "Who is there?"),
        ("two faces", None, "two.mp4", "We are."),
        ("truncated", None, "cut.mp4", "And then"),
    ]
    segments = pd.DataFrame(rows, columns=["dialogue", "audio", "video", "text"])
    segments.insert(1, "turn", 0)
    segments.attrs["root"] = str(root)
    return segments


def reasons(failures: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(row.dialogue, row.modality): row.reason for row in failures.itertuples()}


def run(segments, extractors, **options) -> tuple[FeatureTable, pd.DataFrame]:
    return extract(segments, extractors, progress=False, **options)


@pytest.fixture(scope="module")
def extraction(clips: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureTable, pd.DataFrame]:
    """Return table and failures of the clips by the three extractors of featmer."""
    return run(clips, ["opensmile", FaceLandmarks(), SentenceEmbedding()], cache=tmp_path_factory.mktemp("cache"))


class TestAccidents:
    EXPECTED = {
        ("silent", "audio"): "silent",
        ("silent", "text"): "no text",
        ("short", "audio"): "too short: 0.10 s of sound, at least 0.25 s needed",
        ("short", "face"): "no video named in the segments",
        ("short", "text"): "no text",
        ("missing file", "audio"): "missing file",
        ("missing file", "face"): "missing file",
        ("no sound", "audio"): "no audio stream",
        ("no face", "face"): "no face in any frame",
        ("two faces", "face"): "2 faces",
        ("truncated", "audio"): "truncated: no index (moov atom) found",
        ("truncated", "face"): "truncated: no index (moov atom) found",
    }

    def test_every_accident_is_a_row_with_a_reason(self, extraction):
        _, failures = extraction
        assert reasons(failures) == self.EXPECTED
        assert failures["advice"].str.len().min() > 10
        assert list(failures.loc[failures["severity"] == "warning", "dialogue"]) == ["two faces"]
        assert failures["row"].is_monotonic_increasing

    def test_failed_rows_are_missing_in_the_table_and_no_others(self, extraction, clips):
        table, failures = extraction
        assert table.modalities == ("audio", "face", "text")
        missing = failures[failures["severity"] == "missing"]
        for modality, block in table.blocks.items():
            lost = missing[missing["modality"] == modality]
            assert list(np.flatnonzero(block.missing)) == sorted(lost["row"])
            assert list(block.reasons[lost["row"]]) == list(lost["reason"])

    def test_rows_equal_the_extractor_called_alone(self, extraction, clips):
        table, _ = extraction
        path = Path(clips.attrs["root"]) / "face.mp4"
        (alone,) = FaceLandmarks.describe_clip([FaceLandmarks()], path, None, None)
        assert np.array_equal(table.blocks["face"].values[0], alone.values)
        assert np.array_equal(table.blocks["face"].values[1], alone.values)

    def test_quality_stands_beside_the_values(self, extraction):
        quality = extraction[0].blocks["face"].quality
        assert list(quality["face_share"].fillna(-1)) == [1, 1, 1, -1, -1, 1, 0, 1, -1]
        assert quality["face_count"].max() == 2

    def test_two_workers_and_no_cache_give_the_same(self, extraction, clips):
        table, failures = run(clips, [OpenSmile(), FaceLandmarks(), SentenceEmbedding()], n_jobs=2)
        assert table.digest() == extraction[0].digest()
        pd.testing.assert_frame_equal(failures, extraction[1])

    def test_the_table_can_be_saved(self, extraction, tmp_path):
        extraction[0].save(tmp_path / "table.parquet")
        loaded = FeatureTable.load(tmp_path / "table.parquet")
        assert loaded.digest() == extraction[0].digest()
        made = loaded.provenance
        assert made["featmer"] == featmer.__version__
        assert [each["fingerprint"].get("opensmile") is not None for each in made["extractors"]] == [True, False, False]

    def test_provenance_stays_with_the_table(self, extraction, clips, tmp_path):
        table, _ = extraction
        table.save(tmp_path / "table.parquet")
        aligned = align(run(clips.iloc[:2], FaceLandmarks(level="frames"))[0], "window", length=0.5)
        joined = FeatureTable.concat([table, FeatureTable.load(tmp_path / "table.parquet")])
        for made in (*joined.provenance["parts"], aligned.provenance):
            assert {"featmer", "python", "machine", "made"} <= set(made)
            face = next(each for each in made["extractors"] if each["extractor"].endswith("FaceLandmarks"))
            assert face["parameters"]["fps"] == 5.0
            assert any(len(value) == 64 for value in face["fingerprint"].values())  # SHA-256 of the model file
            assert "mediapipe" in face["fingerprint"]
        assert aligned.provenance["alignment"]

    def test_counts_are_logged(self, clips, caplog):
        with caplog.at_level(logging.INFO, logger="featmer.extraction"):
            run(clips, Loudness())
        assert "Extracted 9 rows, 4 with faults" in caplog.text
        assert "1 x audio missing: silent" in caplog.text


class TestCache:
    def test_what_is_done_is_not_done_again(self, clips, tmp_path):
        first = run(clips, [Loudness(), Brightness(), Length()], cache=tmp_path)[0]
        calls = Loudness.calls, Brightness.calls, Length.calls
        again, failures = run(clips, [Loudness(), Brightness(), Length()], cache=tmp_path)
        assert calls == (Loudness.calls, Brightness.calls, Length.calls)
        assert min(calls) > 0
        assert first.digest() == again.digest()
        assert ("silent", "audio") in reasons(failures)

    def test_a_parameter_recomputes_its_extractor_only(self, clips, tmp_path):
        quiet = run(clips, [Loudness(), Length()], cache=tmp_path)[0]
        calls, texts = Loudness.calls, Length.calls
        loud = run(clips, [Loudness(gain=2.0), Length()], cache=tmp_path)[0]
        assert (Loudness.calls, Length.calls) == (2 * calls, texts)
        np.testing.assert_allclose(loud.blocks["audio"].values[:2, 0], 2 * quiet.blocks["audio"].values[:2, 0])

    def test_a_version_and_a_library_recompute(self, clips, tmp_path, monkeypatch):
        run(clips, Length(), cache=tmp_path)
        calls = Length.calls
        monkeypatch.setattr(Length, "version", 2)
        run(clips, Length(), cache=tmp_path)
        assert Length.calls == 2 * calls
        monkeypatch.setattr(Length, "fingerprint", lambda self: {"library": "3"})
        run(clips, Length(), cache=tmp_path)
        assert Length.calls == 3 * calls

    @pytest.mark.parametrize(("fingerprint", "repeats"), [("content", 0), ("stat", 1)])
    def test_a_touched_file_is_known_by_its_bytes(self, tmp_path, fingerprint, repeats):
        write_audio(tmp_path / "a.wav", np.full(RATE, 0.5), RATE)
        segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "audio": ["a.wav"]})
        options = {"root": tmp_path, "cache": tmp_path, "fingerprint": fingerprint}
        run(segments, Loudness(), **options)
        os.utime(tmp_path / "a.wav", (1, 1))
        run(segments, Loudness(), **options)
        assert Loudness.calls == 1 + repeats
        write_audio(tmp_path / "a.wav", np.full(RATE, 0.25), RATE)
        table, _ = run(segments, Loudness(), **options)
        assert table.blocks["audio"].values[0, 0] == pytest.approx(0.25)

    def test_segments_of_one_file_have_their_own_values(self, tmp_path):
        write_audio(tmp_path / "a.wav", np.repeat([0.1, 0.2, 0.4], RATE), RATE)
        segments = pd.DataFrame({"dialogue": "a", "turn": range(4), "audio": "a.wav"})
        segments["start"], segments["end"] = [0.0, 1.0, 2.0, np.nan], [1.0, 2.0, np.nan, np.nan]
        table, _ = run(segments, Loudness(), root=tmp_path)
        expected = [[0.1, 1], [0.2, 1], [0.4, 1], [np.sqrt((0.01 + 0.04 + 0.16) / 3), 3]]
        np.testing.assert_allclose(table.blocks["audio"].values, expected, atol=1e-4)

    def test_equal_rows_are_described_once(self, tmp_path):
        segments = pd.DataFrame({"dialogue": "a", "turn": range(3), "text": ["yes", "yes", "no"]})
        table, _ = run(segments, Length())
        assert Length.calls == 2
        assert table.blocks["text"].values[:, 0].tolist() == [3, 3, 2]

    def test_one_decoding_feeds_several_extractors(self, clips, monkeypatch):
        class Contrast(Brightness):
            modality, channels = "contrast", ("contrast.a",)

        opened = []
        reader = featmer.extractors.sources.pictures.read_frames
        monkeypatch.setattr(
            featmer.extractors.sources.pictures,
            "read_frames",
            lambda path, **times: opened.append(path) or reader(path, **times),
        )
        run(clips.iloc[[0]], [Brightness(), Contrast()])
        assert len(opened) == 1
        run(clips.iloc[[0]], [Brightness(), Contrast(fps=1)])
        assert len(opened) == 3

    def test_an_unexpected_error_is_a_row_and_is_tried_again(self, clips, tmp_path, monkeypatch):
        def fail(self, signal, rate):
            raise MemoryError("just now")

        with monkeypatch.context() as patch:
            patch.setattr(Loudness, "describe", fail)
            _, failures = run(clips, Loudness(), cache=tmp_path)
        assert reasons(failures)["fine", "audio"] == "MemoryError: just now"
        _, failures = run(clips, Loudness(), cache=tmp_path)
        assert ("fine", "audio") not in reasons(failures)

    def test_a_damaged_cache_says_what_to_do(self, clips, tmp_path):
        (tmp_path / "features.sqlite").write_bytes(b"This is no database. " * 500)
        with pytest.raises(CacheError, match=r"features.sqlite is damaged .*: delete this file"):
            run(clips, Length(), cache=tmp_path)

    def test_a_cache_that_cannot_be_written_says_why(self, clips, tmp_path):
        (tmp_path / "features.sqlite").mkdir()
        with pytest.raises(CacheError, match="cannot be used"):
            run(clips, Length(), cache=tmp_path)

    def test_an_unknown_key(self, tmp_path):
        cache = FeatureCache(tmp_path)
        with pytest.raises(KeyError):
            cache.get("none")
        cache.close()


class TestBlocks:
    def test_vectors_of_one_modality_stand_side_by_side(self, clips):
        table, _ = run(clips.iloc[:2], [OpenSmile(), Loudness()])
        assert table.blocks["audio"].n_features == 90
        assert table.blocks["audio"].names[-1] == "audio.seconds"

    def test_sequences_keep_their_frames_and_times(self, clips):
        table, failures = run(clips, [OpenSmile(level="lld"), FaceLandmarks(level="frames")])
        audio, face = table.blocks["audio"], table.blocks["face"]
        assert audio.is_sequence
        assert audio.lengths[0] > 90
        np.testing.assert_allclose(face.times[0], np.arange(5) / 5, atol=1e-3)
        assert face.lengths[6] == 0
        assert face.missing.sum() == (failures.query("modality == 'face'")["severity"] == "missing").sum()

    def test_extractors_that_do_not_fit_together(self, clips):
        with pytest.raises(ValueError, match="sequences cannot stand side by side"):
            run(clips, [OpenSmile(), OpenSmile(level="lld")])
        with pytest.raises(ValueError, match="both give the feature 'text.letters'"):
            run(clips, [Length(), Length()])

    def test_no_column_at_all(self):
        segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
        _, failures = run(segments, [Loudness(), FaceLandmarks(), Length()])
        assert list(failures["reason"]) == [
            "no audio named in the segments",
            "no video named in the segments",
            "no text",
        ]

    def test_no_rows(self, clips):
        table, failures = run(clips.iloc[:0], Loudness())
        assert table.shape == (0, 2)
        assert failures.empty


class TestRefusals:
    def test_unknown_names(self, clips):
        with pytest.raises(ValueError, match="Unknown extractor 'opensmil', did you mean 'opensmile'"):
            run(clips, "opensmil")
        with pytest.raises(TypeError, match=r"expected an object like OpenSmile\(\)"):
            run(clips, [OpenSmile])
        with pytest.raises(ValueError, match="Unknown fingerprint 'bytes'"):
            run(clips, Loudness(), fingerprint="bytes")

    def test_faults_of_the_segments(self):
        with pytest.raises(SegmentsError, match="turn"):
            run(pd.DataFrame({"dialogue": ["a"]}), Loudness())

    def test_a_missing_model_stops_before_any_work(self, clips, tmp_path):
        with pytest.raises(MissingModelError):
            run(clips, [Loudness(), FaceLandmarks(str(tmp_path / "none.task"))])
        assert Loudness.calls == 0


def test_joblib_backends_carry_the_work(clips):
    with joblib.parallel_config(backend="threading", n_jobs=2):
        table, _ = run(clips, Loudness(), n_jobs=2)
    assert table.digest() == run(clips, Loudness())[0].digest()


def test_the_demo_corpus_shows_its_accidents(demo_extraction, demo_corpus):
    table, failures = demo_extraction
    assert len(table) == len(demo_corpus)
    told = "; ".join(failures["reason"])
    for accident in ("silent", "no face in any frame", "2 faces", "truncated", "too short: 0.10 s", "no video named"):
        assert accident in told
    assert len(failures) < 10


SCRIPT = """
import sys, time
import pandas as pd
from featmer import extract
from featmer.extractors import AudioExtractor

class Slow(AudioExtractor):
    names = ("audio.mean", "audio.peak")

    def describe(self, signal, rate):
        with open(sys.argv[3], "a") as log:
            log.write(".")
        time.sleep(0.05)
        return [signal.mean(), signal.max()]

if __name__ == "__main__":
    folder, cache, _, n_jobs = sys.argv[1:]
    segments = pd.DataFrame({"dialogue": "a", "turn": range(24), "audio": [f"{turn}.wav" for turn in range(24)]})
    table, failures = extract(segments, Slow(), root=folder, cache=cache, n_jobs=int(n_jobs), progress=False)
    table.save(f"{cache}/table.parquet")
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_killed_and_started_again_equals_uninterrupted(tmp_path, n_jobs):
    rng = np.random.default_rng(0)
    for turn in range(24):
        write_audio(tmp_path / f"{turn}.wav", 0.3 * rng.standard_normal(800), RATE)
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    killed, whole = tmp_path / "killed", tmp_path / "whole"

    def start(cache: Path) -> subprocess.Popen:
        command = [sys.executable, script, tmp_path, cache, tmp_path / f"{cache.name}.log", str(n_jobs)]
        environment = {**os.environ, "PYTHONPATH": str(Path(featmer.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen([str(part) for part in command], env=environment, start_new_session=True)

    def finished() -> int:
        try:
            with sqlite3.connect(f"file:{killed}/features.sqlite?mode=ro", uri=True) as connection:
                return connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    process = start(killed)
    deadline = time.monotonic() + 60
    while finished() < 8 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done, described = finished(), len((tmp_path / "killed.log").read_text())
    assert 8 <= done < 24
    assert start(killed).wait() == 0
    assert start(whole).wait() == 0
    tables = [FeatureTable.load(cache / "table.parquet") for cache in (killed, whole)]
    assert tables[0].digest() == tables[1].digest()
    assert not tables[0].blocks["audio"].missing.any()
    # What was in flight at the kill is all that is described twice.
    again = len((tmp_path / "killed.log").read_text()) - described
    assert again == 24 - done
    assert described - done <= 2 * n_jobs
