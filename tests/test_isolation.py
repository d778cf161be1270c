"""A decoder that crashes or hangs costs its row, not the run; a process killed by others costs nothing."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import featmer
from featmer import FeatureTable, extract
from featmer._isolation import ProcessDied, TookTooLong, isolated
from featmer.extraction import census
from featmer.extractors import AudioExtractor, TextExtractor
from featmer.media import write_audio

RATE = 16000
N_CLIPS = 20
FATAL = {3: "abort", 8: "segfault", 9: "exit", 15: "backtrack"}


class Level(AudioExtractor):
    """Mean level of a sound."""

    names = ("audio.level",)

    def describe(self, signal, rate):
        return [np.abs(signal).mean()]


class Fragile(AudioExtractor):
    """Mean level of a sound; some sounds are fatal, and tell so by their length."""

    names = ("audio.fragile",)

    def describe(self, signal, rate):
        fate = FATAL.get(len(signal) - RATE)
        if fate == "abort":
            os.abort()
        if fate == "segfault":
            ctypes.string_at(0)
        if fate == "exit":
            os._exit(3)
        if fate == "backtrack":
            re.match(r"(a+)+$", 40 * "a" + "b")  # for ever, in C, holding the GIL
        return [np.abs(signal).mean()]


class Victim(AudioExtractor):
    """Mean level of a sound; the first process that hears the sixth sound is killed as if memory had run out."""

    names = ("audio.victim",)

    def __init__(self, mark: str = "", times: int = 1):
        self.mark = mark
        self.times = times

    def describe(self, signal, rate):
        mark = Path(self.mark)
        if len(signal) == RATE + 5 and len(mark.read_text()) < self.times:
            mark.write_text(mark.read_text() + ".")
            subprocess.run(["kill", "-KILL", str(os.getpid())], check=True)
            time.sleep(60)
        return [np.abs(signal).mean()]


class Letters(TextExtractor):
    """Letters of a text; one text is fatal."""

    names = ("text.letters",)

    def describe(self, texts):
        if "die" in texts:
            os.abort()
        return [[len(text)] for text in texts]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return segments of twenty sounds of their own lengths."""
    root = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for number in range(N_CLIPS):
        write_audio(root / f"{number}.wav", 0.1 * rng.standard_normal(RATE + number), RATE)
    segments = pd.DataFrame({"dialogue": "a", "turn": range(N_CLIPS)})
    segments["audio"] = [f"{number}.wav" for number in range(N_CLIPS)]
    segments.attrs["root"] = str(root)
    return segments


def run(segments, extractors, **options) -> tuple[FeatureTable, pd.DataFrame]:
    return extract(segments, extractors, progress=False, **options)


@pytest.fixture(scope="module")
def levels(clips: pd.DataFrame) -> np.ndarray:
    return run(clips, Level())[0].blocks["audio"].values[:, 0]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def extraction(clips: pd.DataFrame, cache: Path) -> tuple[FeatureTable, pd.DataFrame]:
    """Return what comes of clips of which four are fatal."""
    return run(clips, [Level(), Fragile()], n_jobs=2, timeout=3.0, cache=cache)


class TestFatalClips:
    def test_exactly_these_rows_are_lost_and_say_why(self, extraction, levels):
        table, failures = extraction
        expected = {
            3: "the decoder crashed (SIGABRT)",
            8: "the decoder crashed (SIGSEGV)",
            9: "the decoder crashed (exit status 3)",
            15: "took more than 3 s",
        }
        assert dict(zip(failures["row"], failures["reason"], strict=True)) == expected
        values = table.blocks["audio"].values
        fine = np.setdiff1d(range(N_CLIPS), list(FATAL))
        assert np.array_equal(values[fine, 1], levels[fine])
        assert np.isnan(values[list(FATAL), 1]).all()

    def test_the_other_extractor_of_a_fatal_clip_has_its_values(self, extraction, levels):
        assert np.array_equal(extraction[0].blocks["audio"].values[:, 0], levels)

    def test_what_crashed_is_remembered_until_it_is_tried_again(self, extraction, clips, cache, monkeypatch):
        # In this process, where a crash would end the tests: it is not even tried.
        again, failures = run(clips, [Level(), Fragile()], cache=cache)
        assert again.digest() == extraction[0].digest()
        pd.testing.assert_frame_equal(failures, extraction[1])
        monkeypatch.setattr(Fragile, "describe", Level.describe)
        _, failures = run(clips, [Level(), Fragile()], cache=cache, retry_failed=True)
        assert failures.empty


def test_a_process_killed_once_costs_nothing(clips, levels, tmp_path):
    mark = tmp_path / "mark"
    mark.touch()
    table, failures = run(clips, Victim(str(mark)), n_jobs=2)
    assert mark.read_text() == "."
    assert failures.empty
    assert np.array_equal(table.blocks["audio"].values[:, 0], levels)


def test_a_process_killed_again_and_again_is_an_accident_of_this_run(clips, levels, tmp_path):
    mark = tmp_path / "mark"
    mark.touch()
    options = {"n_jobs": 2, "cache": tmp_path}
    _, failures = run(clips, Victim(str(mark), times=2), **options)
    assert list(failures["reason"]) == ["its process was killed (SIGKILL)"]
    table, failures = run(clips, Victim(str(mark), times=2), **options)
    assert failures.empty
    assert np.array_equal(table.blocks["audio"].values[:, 0], levels)


def test_a_fatal_text_takes_no_other_with_it():
    texts = ["well", "die", *(f"text {number}" for number in range(8))]
    segments = pd.DataFrame({"dialogue": "a", "turn": range(len(texts)), "text": texts})
    table, failures = run(segments, Letters(), n_jobs=2)
    assert list(failures["row"]) == [1]
    present = ~table.blocks["text"].missing
    assert present.sum() == len(texts) - 1
    assert table.blocks["text"].values[present, 0].tolist() == [len(text) for text in texts if text != "die"]


def test_census_joins_reasons_that_differ_in_numbers():
    failures = pd.DataFrame(
        {
            "row": range(5),
            "file": [f"{row}.wav" for row in range(5)],
            "modality": ["audio"] * 4 + ["face"],
            "severity": ["missing"] * 4 + ["warning"],
            "reason": ["silent", "too short: 0.31 s of 1 s", "too short: 0.1 s of 1 s", "no file v2.wav", "2 faces"],
            "advice": "look",
        }
    )
    counts = census(failures)
    assert list(counts["rows"]) == [2, 1, 1, 1]
    assert counts.loc[0, "reason"] == "too short: 0.1 to 0.31 s of 1 s"
    assert counts.loc[0, "file"] == "1.wav"
    assert set(counts["reason"][1:]) == {"silent", "no file v2.wav", "2 faces"}
    assert census(failures.iloc[:0]).empty


_INTERRUPTED = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background is started deaf to it
import numpy as np, pandas as pd
from featmer import extract
from featmer.extractors import AudioExtractor

class Slow(AudioExtractor):
    names = ("audio.level",)

    def describe(self, signal, rate):
        with open("log", "a") as file:
            file.write(f"{os.getpid()}\\n")
        time.sleep(60 if len(signal) < 16000 + 14 else 0.1)
        return [np.abs(signal).mean()]

segments = pd.DataFrame({"dialogue": "a", "turn": range(20), "audio": [f"{number}.wav" for number in range(20)]})
extract(segments, Slow(), root=sys.argv[1], cache="cache", n_jobs=2, progress=False)
"""


def test_ctrl_c_keeps_what_is_finished_and_leaves_no_process(clips, tmp_path):
    # The longest six are quick and come first; the others would take minutes.
    environment = {**os.environ, "PYTHONPATH": str(Path(featmer.__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-c", _INTERRUPTED, clips.attrs["root"]]
    options = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **options) as process:
        log = tmp_path / "log"
        while not log.exists() or len(log.read_text().split()) < 8 or _n_kept(tmp_path / "cache") < 6:
            time.sleep(0.02)
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        try:
            said = process.communicate(timeout=30)[1]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGINT
    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not any(_runs(int(worker)) for worker in set(log.read_text().split()))
    assert _n_kept(tmp_path / "cache") == 6


def _n_kept(cache: Path) -> int:
    with closing(sqlite3.connect(cache / "features.sqlite", timeout=60)) as connection:
        return connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]


def _processors(seconds: float) -> set[int]:
    time.sleep(seconds)
    return os.sched_getaffinity(0)


class TestIsolatedCalls:
    @pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not bind processes to processors")
    def test_as_many_calls_as_processors_keep_out_of_each_others_way(self):
        ours = os.sched_getaffinity(0)
        if len(ours) < 2:
            pytest.skip("there is a single processor")
        try:
            os.sched_setaffinity(0, set(sorted(ours)[:2]))
            with ThreadPoolExecutor(2) as threads:
                side_by_side = [threads.submit(isolated, _processors, 0.5) for _ in range(2)]
                kept = [call.result() for call in side_by_side]
        finally:
            os.sched_setaffinity(0, ours)
        assert sorted(map(sorted, kept)) == [[processor] for processor in sorted(ours)[:2]]

    def test_processes_are_kept(self):
        first = isolated(os.getpid)
        assert first != os.getpid()
        assert isolated(os.getpid) == first

    def test_a_crash_and_a_hanging_call_say_what_they_are(self):
        with pytest.raises(ProcessDied, match="SIGABRT"):
            isolated(os.abort)
        with pytest.raises(TookTooLong, match=r"more than 0.2 s"):
            isolated(time.sleep, 30, timeout=0.2)
        assert isolated(abs, -1, timeout=30) == 1

    def test_an_exception_and_what_cannot_be_sent_are_told(self):
        with pytest.raises(RuntimeError, match="ValueError: invalid literal"):
            isolated(int, "one")
        with pytest.raises(TypeError, match="generator"):
            isolated(list, (number for number in range(3)))
        assert isolated(abs, -1) == 1

    def test_functions_made_on_the_spot_may_print(self):
        assert isolated(lambda: os.write(1, b"heard ") + sys.stdout.write("heard ")) == 12

    def test_relative_paths_and_arguments_are_those_of_the_caller(self, tmp_path, monkeypatch):
        isolated(os.getpid)
        monkeypatch.chdir(tmp_path)
        assert isolated(os.getcwd) == str(tmp_path)
        assert isolated(lambda: sys.argv[1:]) == sys.argv[1:]

    def test_a_process_ends_with_the_one_that_asked(self, tmp_path):
        code = "import os; from featmer._isolation import isolated; print(isolated(os.getpid), flush=True); os.{}"
        environment = {**os.environ, "PYTHONPATH": str(Path(featmer.__file__).parents[1])}
        for end in ("_exit(0)", "abort()", "getpid()"):
            command = [sys.executable, "-W", "error", "-c", code.format(end)]
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            assert done.returncode in (0, -signal.SIGABRT)
            companion = int(done.stdout)
            deadline = time.monotonic() + 20
            while _runs(companion) and time.monotonic() < deadline:
                time.sleep(0.02)
            assert not _runs(companion)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
