"""What a search sees and leaves undone: validation scores alone, the higher the better, and trials that are pruned."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyRegressor

from featmer import FeatureTable, MultitaskFusion, evaluate
from featmer.baselines import LinearRegressor
from featmer.evaluation import TrialPruner, status, validation_score
from featmer.report import load_results, save_results

ASKED: dict[str, Any] = {"metrics": ["accuracy"], "splitter": "official", "n_bootstrap": 0, "progress": False}
SEEDS = [0, 1, 2, 3]


class Guesser(ClassifierMixin, BaseEstimator):
    """Says what is most frequent in training where it is skilled, else what is least, and writes down every fit."""

    fits: ClassVar[list[tuple[float, int]]] = []

    def __init__(self, skill: float = 1.0, random_state: int = 0):
        self.skill = skill
        self.random_state = random_state

    def fit(self, X, y):
        self.fits.append((self.skill, self.random_state))
        self.classes_, counts = np.unique(y, return_counts=True)
        self.label_ = self.classes_[counts.argmax() if self.skill > 0.5 else counts.argmin()]
        return self

    def predict(self, X):
        return np.full(len(X), self.label_)


@pytest.fixture
def table(tiny_table: FeatureTable) -> FeatureTable:
    """Return a table in which joy is said four times as often as anger, in every part."""
    segments = tiny_table.segments.assign(emotion=np.where(np.arange(len(tiny_table)) % 5 == 0, "anger", "joy"))
    return FeatureTable(segments, tiny_table.blocks)


def search(table: FeatureTable, folder: Path, skills: list[float], side_by_side: int = 1, **more: Any) -> pd.DataFrame:
    """Try skills one after the other, as the sweeper does, and return all rows."""
    pruners = pytest.importorskip("optuna.pruners", reason="pip install featmer[sweeps]")
    found = []
    for trial, skill in enumerate(skills):
        pruner = TrialPruner(pruners.MedianPruner(n_startup_trials=1), "guesser", folder, trial, side_by_side)
        results = evaluate({"guesser": Guesser(skill)}, table, seeds=SEEDS, pruner=pruner, **{**ASKED, **more})
        pruner.finish(validation_score(results[results["model"] == "guesser"], "accuracy"))
        found.append(results.assign(trial=trial))
    return pd.concat(found)


def pruned(results: pd.DataFrame) -> list[tuple[int, int]]:
    """Return trial and seed of every run that was pruned."""
    rows = results[results["error"].str.startswith("pruned: ")].drop_duplicates(["trial", "seed"])
    assert rows["value"].isna().all()
    return list(zip(rows["trial"], rows["seed"], strict=True))


def test_a_trial_behind_the_median_is_not_gone_on_with(
    table: FeatureTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guesser, "fits", [])
    results = search(table, tmp_path, [1.0, 0.0, 0.9])
    assert pruned(results) == [(1, 1), (1, 2), (1, 3)]
    assert Guesser.fits == [*((1.0, seed) for seed in SEEDS), (0.0, 0), *((0.9, seed) for seed in SEEDS)]
    reasons = set(results.loc[results["error"] != "", "error"])
    assert reasons == {"pruned: validation score 0.2 after 1 runs is behind earlier trials"}
    assert np.isfinite(results.loc[results["model"] == "majority", "value"]).all(), "the baseline is no trial"
    assert validation_score(results[(results["trial"] == 1) & (results["model"] == "guesser")], "accuracy") == -math.inf


def test_without_a_pruner_every_trial_comes_to_its_end(table: FeatureTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guesser, "fits", [])
    for skill in (1.0, 0.0):
        evaluate({"guesser": Guesser(skill)}, table, seeds=SEEDS, **ASKED)
    assert len(Guesser.fits) == 2 * len(SEEDS)


def test_a_repeated_search_prunes_the_same_and_fits_nothing(
    table: FeatureTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skills = [0.6, 0.0, 0.9, 0.1, 1.0]
    first = search(table, tmp_path / "first", skills, cache=tmp_path / "runs")
    monkeypatch.setattr(Guesser, "fits", [])
    again = search(table, tmp_path / "again", skills, cache=tmp_path / "runs")
    assert Guesser.fits == []
    assert len(pruned(first)) == 2 * 3
    columns = ["trial", "model", "seed", "part", "value", "error"]
    pd.testing.assert_frame_equal(first[columns], again[columns])
    parallel = search(table, tmp_path / "parallel", skills, cache=tmp_path / "two", n_jobs=2)
    pd.testing.assert_frame_equal(first[columns], parallel[columns])


def test_trials_that_run_beside_a_trial_are_not_looked_at(table: FeatureTable, tmp_path: Path) -> None:
    assert pruned(search(table, tmp_path, [1.0, 0.0, 0.1, 1.0], side_by_side=2)) == [(2, 1), (2, 2), (2, 3)]


def test_test_rows_decide_nothing(table: FeatureTable, tmp_path: Path) -> None:
    wrong = table.segments["emotion"].where(table.segments["split"] != "test", "anger")
    turned = FeatureTable(table.segments.assign(emotion=wrong), table.blocks)
    assert pruned(search(turned, tmp_path / "turned", [1.0, 0.0])) == pruned(search(table, tmp_path / "as", [1.0, 0.0]))


def test_what_was_pruned_says_so_until_somebody_asks_for_it(table: FeatureTable, tmp_path: Path) -> None:
    search(table, tmp_path, [1.0, 0.0], cache=tmp_path / "runs")
    asked = {**ASKED, "seeds": SEEDS, "cache": tmp_path / "runs"}
    known = {name: value for name, value in asked.items() if name != "progress"}
    states = status({"guesser": Guesser(0.0)}, table, **known)
    assert states["state"].tolist() == ["done", *["pruned"] * 3, *["done"] * 4]
    assert states["reason"][1].startswith("pruned: validation score 0.2 after 1 runs")
    assert np.isfinite(evaluate({"guesser": Guesser(0.0)}, table, **asked)["value"]).all()
    assert set(status({"guesser": Guesser(0.0)}, table, **known)["state"]) == {"done"}


@pytest.mark.parametrize("order", [1, -1], ids=["finished last", "pruned last"])
def test_a_pruned_run_never_hides_a_finished_one(table: FeatureTable, tmp_path: Path, order: int) -> None:
    given = {"seeds": SEEDS, "return_predictions": True, **ASKED}
    of_a_trial = evaluate(
        {"guesser": Guesser(0.0)}, table, pruner=lambda model, _: "behind" * (model[0] == "g"), **given
    )
    finished = evaluate({"guesser": Guesser(0.0)}, table, **given)
    for number, (results, predictions) in enumerate([of_a_trial, finished][::order]):
        save_results(results, predictions, tmp_path / str(number))
    ((_, results, _),) = load_results([tmp_path / "0", tmp_path / "1"])
    assert of_a_trial[0]["error"].str.startswith("pruned: behind").sum() == 3 * 2
    assert results["error"].eq("").all()
    assert len(results) == len(finished[0])


def test_of_several_targets_the_first_is_what_a_pruner_looks_at(tiny_table: FeatureTable) -> None:
    asked = {**ASKED, "metrics": ["accuracy", "mae"], "target": ["emotion", "valence"], "seeds": SEEDS}
    models = {
        "joint": MultitaskFusion("concat", epochs=1),
        "alone": {"emotion": Guesser(0.0), "valence": LinearRegressor()},
    }
    seen: list[tuple[str, int]] = []

    def pruner(model: str, scores: list[float]) -> str:
        seen.append((model, len(scores)))
        return "enough" if model != "majority" and len(scores) == 2 else ""

    results = evaluate(models, tiny_table, pruner=pruner, **asked)
    assert seen == [
        *(("joint", n) for n in (1, 2)),
        *(("alone", n) for n in (1, 2)),
        *(("majority", n) for n in (1, 2, 3, 4)),
    ]
    done = results[results["error"] == ""].drop_duplicates(["model", "target", "seed"])
    counts = done.groupby(["model", "target"]).size().to_dict()
    assert counts[("joint", "emotion")] == counts[("joint", "valence")] == counts[("alone", "emotion")] == 2
    assert ("alone", "valence") not in counts, "a model that was pruned is done with"


def test_of_several_targets_all_that_have_the_metric_count(tiny_table: FeatureTable) -> None:
    asked = {**ASKED, "metrics": ["ccc", "accuracy"], "target": ["valence", "arousal", "emotion"], "seeds": [0, 1]}
    segments = tiny_table.segments.assign(arousal=-(tiny_table.segments["valence"] ** 3))
    table = FeatureTable(segments, tiny_table.blocks)
    results = evaluate({"joint": MultitaskFusion("concat", epochs=2)}, table, **asked)
    joint = results[results["model"] == "joint"]
    valid = joint[(joint["part"] == "valid") & (joint["metric"] == "ccc")]
    means = valid.groupby("target")["value"].mean()
    assert set(means.index) == {"valence", "arousal"}
    assert abs(means["valence"] - means["arousal"]) > 1e-6
    assert validation_score(joint, "ccc") == pytest.approx(means.mean())
    emotions = joint[(joint["part"] == "valid") & (joint["metric"] == "accuracy")]
    assert validation_score(joint, "accuracy") == pytest.approx(emotions["value"].mean())
    failed = joint.assign(value=joint["value"].where(joint["target"] != "arousal"))
    assert validation_score(failed, "ccc") == -math.inf, "a target without a score is not passed over"
    assert joint.groupby("seed")["fit_seconds"].nunique().eq(1).all(), "the whole model's, in the rows of each target"


@pytest.mark.parametrize("metric", ["mae", "ccc"])
def test_more_is_better_whatever_the_metric(tiny_table: FeatureTable, metric: str) -> None:
    models = {"near": LinearRegressor(), "far": DummyRegressor(strategy="constant", constant=9.0)}
    asked = {**ASKED, "metrics": [metric], "target": "valence"}
    results = evaluate(models, tiny_table, **asked)
    scores = {model: validation_score(results[results["model"] == model], metric) for model in models}
    assert max(scores, key=lambda model: scores[model]) == "near"
    valid = results[(results["part"] == "valid") & (results["model"] == "far")]
    assert scores["far"] == (-1 if metric == "mae" else 1) * valid["value"].mean()
