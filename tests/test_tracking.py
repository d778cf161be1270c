"""Runs written to MLflow and TensorBoard, read back with their own readers: once each, whole, and never instead of
the results.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from featmer import FeatureTable, FusionClassifier, evaluate
from featmer._checks import MissingExtra
from featmer.baselines import LinearClassifier
from featmer.evaluation import status
from featmer.tracking import MLflow, TensorBoard, TrackedRun

ASKED: dict[str, Any] = {"metrics": ["uar", "f1_per_class"], "splitter": "official", "n_bootstrap": 0, "seeds": [0, 1]}
MODELS = {"concat": FusionClassifier(epochs=3, lr=0.25), "linear": LinearClassifier(C=0.5)}
Read = Callable[[Path], list[TrackedRun]]


class Broken(ClassifierMixin, BaseEstimator):
    """Does not fit."""

    def fit(self, X, y):
        raise RuntimeError("not today")


def read_mlflow(folder: Path) -> list[TrackedRun]:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = []
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            assert run.info.status == "FINISHED"
            data = run.data
            curves = {
                name.removeprefix("epoch."): client.get_metric_history(run.info.run_id, name)
                for name in data.metrics
                if name.startswith("epoch.")
            }
            found.append(told(experiment.name, data.tags["featmer.digest"], data.params, data.metrics, curves))
    return found


def read_tensorboard(folder: Path) -> list[TrackedRun]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = []
    for path in sorted((folder / "board").glob("*/*")):
        events = EventAccumulator(str(path))
        events.Reload()
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        given = HParamsPluginData.FromString(content).session_start_info.hparams
        parameters = {name: getattr(value, value.WhichOneof("kind")) for name, value in given.items()}
        scalars = {name: events.Scalars(name) for name in events.Tags()["scalars"]}
        curves = {name.removeprefix("epoch/"): found for name, found in scalars.items() if "/" in name}
        metrics = {name: values[-1].value for name, values in scalars.items() if "/" not in name}
        found.append(told(path.parent.name, str(parameters.pop("digest")), parameters, metrics, curves))
    return found


def told(comparison: str, digest: str, parameters: Any, metrics: Any, curves: Any) -> TrackedRun:
    parameters = {name: str(value) for name, value in parameters.items()}
    place = parameters.pop("model"), int(float(parameters.pop("fold"))), int(float(parameters.pop("seed")))
    epochs = sorted({entry.step for curve in curves.values() for entry in curve})
    entries = [
        {name: entry.value for name, curve in curves.items() for entry in curve if entry.step == epoch}
        for epoch in epochs
    ]
    scores = {name: value for name, value in metrics.items() if not name.startswith("epoch.")}
    return TrackedRun(digest, comparison, *place, parameters, scores, entries)


@pytest.fixture(params=["mlflow", "tensorboard"])
def tracked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Callable[[], list[TrackedRun]]]:
    """Return a tracker, and what reads its runs."""
    pytest.importorskip(request.param, reason=f"pip install featmer[{request.param}]")
    if request.param == "mlflow":
        return MLflow(f"sqlite:///{tmp_path}/mlflow.db"), lambda: read_mlflow(tmp_path)
    return TensorBoard(tmp_path / "board"), lambda: read_tensorboard(tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*", "ignore::FutureWarning:mlflow.*")
def test_what_was_tracked_is_read_back_once(tiny_table: FeatureTable, tmp_path: Path, tracked: Any) -> None:
    tracker, read = tracked
    asked = {**ASKED, "cache": tmp_path / "runs", "progress": False}
    results = evaluate(MODELS, tiny_table, **asked)  # what was done before there was a tracker is tracked, too
    evaluate(MODELS, tiny_table, tracker=tracker, **asked)
    pd.testing.assert_frame_equal(evaluate(MODELS, tiny_table, tracker=tracker, **asked), results)
    runs = {(run.model, run.seed): run for run in read()}
    assert len(read()) == len(runs) == 6, "a run was tracked twice"
    known = status(MODELS, tiny_table, **{key: asked[key] for key in (*ASKED, "cache")})
    assert {run.digest for run in runs.values()} == set(known["digest"])
    for (model, seed), run in runs.items():
        rows = results[(results["model"] == model) & (results["seed"] == seed)]
        wanted = dict(zip(rows["part"] + "." + rows["metric"], rows["value"], strict=True))
        wanted |= {name: rows[name].iloc[0] for name in ("fit_seconds", "parameters")}
        wanted = {name: value for name, value in wanted.items() if not math.isnan(value)}
        found = {name.replace("f1_", "f1:", 1): value for name, value in run.metrics.items()}
        assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-6)
        assert all(word in run.comparison for word in ("tiny", "emotion", "official"))
    assert float(runs["linear", 1].parameters["C"]) == 0.5
    assert float(runs["concat", 0].parameters["lr"]) == 0.25
    assert len(runs["concat", 0].curve) == 3
    assert runs["linear", 0].curve == []


def test_a_curve_is_what_the_model_learned_by(tiny_table: FeatureTable, tmp_path: Path) -> None:
    seen: list[TrackedRun] = []
    asked = {**ASKED, "seeds": [0], "progress": False}
    model = {"concat": MODELS["concat"], "broken": Broken()}
    evaluate(model, tiny_table, tracker=seen.append, cache=tmp_path, **asked)
    evaluate(model, tiny_table, tracker=seen.append, cache=tmp_path, **asked)
    first, again = (run for run in seen if run.model == "concat")
    assert first == again, "what is read from the cache has its curve"
    table = tiny_table[tiny_table.segments["split"] == "train"]
    valid = tiny_table[tiny_table.segments["split"] == "valid"]
    fitted = FusionClassifier(epochs=3, lr=0.25, random_state=0).fit(
        table, table.segments["emotion"], validation=(valid, valid.segments["emotion"])
    )
    assert first.curve == fitted.history_
    assert {run.model for run in seen} == {"concat", "majority"}, "a failed run has nothing to track"


def test_a_tracker_that_fails_costs_no_result(tiny_table: FeatureTable, caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def tracker(run: TrackedRun) -> None:
        calls.append(run)
        raise ConnectionError("the server is gone")

    asked = {**ASKED, "progress": False}
    with caplog.at_level(logging.WARNING):
        results = evaluate(LinearClassifier(), tiny_table, tracker=tracker, **asked)
    assert np.isfinite(results["value"]).all()
    assert len(calls) == 1, "one failure is enough to know"
    assert "results are complete" in caplog.text
    assert "the server is gone" in caplog.text


def test_what_a_kill_left_half_written_is_written_anew(tiny_table: FeatureTable, tracked: Any) -> None:
    tracker, read = tracked
    run = TrackedRun(
        "0f" * 8, "tiny, emotion, official", "linear", 0, 0, {"C": 1.0}, {"test.uar": 0.5}, [{"loss": 1.0}]
    )
    if isinstance(tracker, MLflow):
        client = tracker._mlflow.MlflowClient(tracker.uri)
        experiment = client.create_experiment(run.comparison)
        client.create_run(experiment, tags={"featmer.digest": run.digest})
    else:
        (Path(f"{tracker.folder}.part") / f".{run.digest}-killed").mkdir(parents=True)
    tracker(run)
    tracker(run)
    (found,) = read()
    assert (found.digest, found.metrics, found.curve) == (run.digest, run.metrics, run.curve)


@pytest.mark.parametrize(("package", "make"), [("mlflow", MLflow), ("tensorboard", lambda: TensorBoard("board"))])
def test_a_missing_package_says_what_to_install(
    package: str, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'featmer\[{package}\]'"):
        make()
