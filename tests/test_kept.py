"""Runs that are kept: done once, and told apart while they are done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from featmer import FeatureTable, evaluate
from featmer.evaluation import status
from featmer.evaluation.kept import state_of

ASKER = """
import sys, time
from pathlib import Path
import pandas as pd
from featmer.evaluation.kept import once

def perform():
    with open(sys.argv[2], "a") as log:
        log.write("begun\\n")
    time.sleep(float(sys.argv[3]))
    return pd.DataFrame({"value": [1.0]}), pd.DataFrame({"prediction": ["joy"]})

once(Path(sys.argv[1]), perform)
"""


class Reluctant(DummyClassifier):
    """Fails, until it is told not to."""

    willing = False

    def fit(self, X, y):
        if not self.willing:
            raise RuntimeError("not today")
        return super().fit(X, y)


def ask(path: Path, log: Path, seconds: float) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", ASKER, path, log, str(seconds)])


def wait_for(log: Path) -> None:
    until = time.monotonic() + 60
    while not log.exists():
        assert time.monotonic() < until, "the run never began"
        time.sleep(0.02)


def test_two_processes_that_ask_at_once_perform_once(tmp_path: Path) -> None:
    path, log = tmp_path / "run.parquet", tmp_path / "log"
    askers = [ask(path, log, 1.0) for _ in range(2)]
    assert [asker.wait(60) for asker in askers] == [0, 0]
    assert log.read_text().split() == ["begun"]


def test_a_run_is_left_then_running_then_left_by_a_kill_then_done(tmp_path: Path) -> None:
    path, log = tmp_path / "run.parquet", tmp_path / "log"
    assert state_of(path) == ("left", "")
    asker = ask(path, log, 60)
    wait_for(log)
    assert state_of(path) == ("running", "")
    os.kill(asker.pid, signal.SIGKILL)
    asker.wait()
    assert state_of(path) == ("left", "")
    assert ask(path, log, 0).wait(60) == 0
    assert state_of(path) == ("done", "")
    assert log.read_text().split() == ["begun", "begun"]


def test_a_failed_run_has_its_reason_and_is_tried_again(
    tiny_table: FeatureTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"metrics": ["uar"], "splitter": "official", "n_bootstrap": 0}
    models = {"reluctant": Reluctant()}

    def states() -> dict[str, list[str]]:
        found = status(models, tiny_table, cache=tmp_path, **asked).set_index("model")
        return found[["state", "reason"]].T.to_dict("list")

    assert states() == {"reluctant": ["left", ""], "majority": ["left", ""]}
    results = evaluate(models, tiny_table, cache=tmp_path, progress=False, **asked)
    reason = "RuntimeError: not today"
    assert set(results.loc[results["model"] == "reluctant", "error"]) == {reason}
    assert states() == {"reluctant": ["failed", reason], "majority": ["done", ""]}
    monkeypatch.setattr(Reluctant, "willing", True)
    assert np.isfinite(evaluate(models, tiny_table, cache=tmp_path, progress=False, **asked)["value"]).all()
    assert states() == {"reluctant": ["done", ""], "majority": ["done", ""]}


@pytest.mark.parametrize("change", [{"metrics": ["accuracy"]}, {"n_bootstrap": 5}, {"target": "split"}])
def test_what_was_done_under_another_protocol_is_left(tiny_table: FeatureTable, tmp_path: Path, change: dict) -> None:
    asked = {"metrics": ["uar"], "n_bootstrap": 0}
    evaluate(DummyClassifier(), tiny_table, cache=tmp_path, progress=False, **asked)
    assert set(status(DummyClassifier(), tiny_table, cache=tmp_path, **asked)["state"]) == {"done"}
    assert set(status(DummyClassifier(), tiny_table, cache=tmp_path, **{**asked, **change})["state"]) == {"left"}
