"""The protocol: what reaches fit, what is scored, and what a result row says."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from featmer import FeatureTable, FusionClassifier, evaluate
from featmer.evaluation import ByDialogue, BySpeaker, digest
from featmer.evaluation.splits import make_splits
from featmer.evaluation.stats import cluster_bootstrap, interval
from featmer.pretraining import PairwiseContrastive

COSTS = ["fit_seconds", "epoch_seconds", "predict_seconds", "peak_memory_mb", "started"]
SEEN: list[dict[str, Any]] = []


class Spy(ClassifierMixin, BaseEstimator):
    """Remember all that fit and predict are given."""

    def __init__(self, random_state: int | None = None):
        self.random_state = random_state

    def fit(self, X: FeatureTable, y: np.ndarray, validation: tuple | None = None) -> Spy:
        self.classes_ = np.unique(y)
        self.seen_ = {"train": X.segments, "y": y, "validation": validation, "asked": []}
        SEEN.append(self.seen_)
        return self

    def predict(self, X: FeatureTable) -> np.ndarray:
        self.seen_["asked"].append(X)
        return np.full(len(X), self.classes_[0])


class Broken(BaseEstimator):
    """Fail, but only on the fold that holds the first dialogue in training."""

    def __init__(self, dialogue: str = "d00"):
        self.dialogue = dialogue

    def fit(self, X: FeatureTable, y: np.ndarray) -> Broken:
        if self.dialogue in set(X.segments["dialogue"]):
            raise RuntimeError("no memory left\nand more")
        return self

    def predict(self, X: FeatureTable) -> list[str]:
        return ["joy"] * len(X)


def linear() -> Any:
    return make_pipeline(SimpleImputer(), LogisticRegression())


def identity(rows: pd.DataFrame) -> set[tuple]:
    return set(zip(rows["dialogue"], rows["turn"], strict=True))


@pytest.mark.parametrize("splitter", ["official", ByDialogue(3), BySpeaker(3), GroupKFold(3)], ids=str)
def test_test_rows_and_labels_never_reach_fit(tiny_table: FeatureTable, splitter: Any) -> None:
    SEEN.clear()
    evaluate(Spy(), tiny_table, splitter=splitter, n_bootstrap=0, progress=False)
    splits = make_splits(splitter, tiny_table.segments, tiny_table.segments["emotion"])
    assert len(SEEN) == len(splits)
    for seen, fold in zip(SEEN, splits, strict=True):
        rows = {part: tiny_table.segments.iloc[getattr(fold, part)] for part in fold._fields}
        assert identity(seen["train"]) == identity(rows["train"])
        assert list(seen["y"]) == list(rows["train"]["emotion"])
        table, labels = seen["validation"]
        assert identity(table.segments) == identity(rows["valid"])
        assert list(labels) == list(rows["valid"]["emotion"])
        assert not identity(rows["test"]) & (identity(seen["train"]) | identity(table.segments))
        for asked in [table, *seen["asked"]]:
            assert not {"emotion", "valence"} & set(asked.segments)
        assert not {"emotion", "valence"} & set(seen["train"])


def test_a_result_row_says_where_it_comes_from(tiny_table: FeatureTable) -> None:
    results = evaluate({"linear": linear()}, tiny_table, splitter=ByDialogue(3), seeds=(0, 1), progress=False)
    assert list(results) == [
        *("corpus", "model", "model_digest", "features_digest", "target", "protocol", "unit", "fold", "seed"),
        *(
            "part",
            "metric",
            "value",
            "low",
            "high",
            "n_rows",
            "n_train_rows",
            "n_left_out",
            "fit_seconds",
            "epoch_seconds",
            "predict_seconds",
        ),
        *("peak_memory_mb", "parameters", "versions", "started", "error"),
    ]
    assert set(results["model"]) == {"linear", "majority"}
    # models, folds and all folds together, seeds, parts, metrics (three of them one label's F1)
    assert len(results) == 2 * (3 + 1) * 2 * 2 * 9
    row = results.iloc[0]
    assert (row["corpus"], row["target"], row["metric"]) == ("tiny", "emotion", "f1_weighted")
    assert row["protocol"] == "ByDialogue(n_splits=3, random_state=0)"
    assert row["features_digest"] == tiny_table.digest()
    assert row["model_digest"] == digest(linear())
    assert row["parameters"] == 3 * (6 + 4 + 8) + 3
    assert row["peak_memory_mb"] > 10 or sys.platform != "linux"
    assert json.loads(row["versions"])["numpy"] == np.__version__
    known = results.dropna(subset=["low"])
    assert (known["low"] <= known["high"]).all()
    test = results[(results["metric"] == "accuracy") & (results["part"] == "test") & (results["seed"] == 0)]
    folds, together = test[test["fold"].notna()], test[test["fold"].isna()]
    assert folds.groupby("model")["n_rows"].sum().to_dict() == {"linear": 120, "majority": 120}
    assert together["n_rows"].tolist() == [120, 120]


def test_scores_are_those_of_the_predictions(tiny_table: FeatureTable) -> None:
    results, predictions = evaluate(linear(), tiny_table, return_predictions=True, progress=False)
    keys = ["model", "fold", "seed", "part"]
    for key, rows in predictions.groupby(keys):
        expected = f1_score(rows["target"], rows["prediction"], average="weighted", zero_division=0)
        scores = results.set_index([*keys, "metric"])["value"]
        assert scores[(*key, "f1_weighted")] == pytest.approx(expected)
    for key, rows in predictions.groupby(["model", "seed", "part"]):
        expected = f1_score(rows["target"], rows["prediction"], average="weighted", zero_division=0)
        scores = results[results["fold"].isna()].set_index(["model", "seed", "part", "metric"])["value"]
        assert scores[(*key, "f1_weighted")] == pytest.approx(expected)
    probabilities = predictions[["p.anger", "p.joy", "p.neutral"]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    truth = tiny_table.segments["emotion"].to_numpy()[predictions["row"]]
    assert (predictions["target"] == truth).all()
    assert {"dialogue", "turn", "speaker"} < set(predictions)


def test_every_row_of_a_network_tells_what_it_cost(tiny_table: FeatureTable) -> None:
    network = FusionClassifier(epochs=2)
    models = {"alone": network, "last": make_pipeline(PairwiseContrastive(hidden=4, epochs=1), network)}
    results = evaluate(models, tiny_table, splitter="official", n_bootstrap=0, progress=False)
    for model, rows in results[results["model"] != "majority"].groupby("model"):
        assert (rows["epoch_seconds"] > 0).all(), model
        assert (2 * rows["epoch_seconds"] <= rows["fit_seconds"]).all()
        assert (rows["peak_memory_mb"] > 10).all() or sys.platform != "linux"
    train = tiny_table[tiny_table.segments["split"] == "train"]
    fitted = network.fit(train, train.segments["emotion"])
    assert set(results.loc[results["model"] == "alone", "parameters"]) == {fitted.n_parameters_}


def test_jobs_side_by_side_change_nothing(tiny_table: FeatureTable) -> None:
    models = {"forest": make_pipeline(SimpleImputer(), RandomForestClassifier(5)), "linear": linear()}
    one, two = (
        evaluate(
            models,
            tiny_table,
            splitter="official",
            seeds=(0, 1),
            n_jobs=n_jobs,
            return_predictions=True,
            progress=False,
        )
        for n_jobs in (1, 2)
    )
    pd.testing.assert_frame_equal(one[0].drop(columns=COSTS), two[0].drop(columns=COSTS))
    pd.testing.assert_frame_equal(one[1], two[1])


@pytest.mark.parametrize(("splitter", "unit"), [(ByDialogue(2), "dialogue"), (BySpeaker(2), "speaker")])
def test_intervals_draw_what_the_protocol_splits(tiny_table: FeatureTable, splitter: Any, unit: str) -> None:
    results, predictions = evaluate(
        linear(), tiny_table, splitter=splitter, metrics=["uar"], return_predictions=True, progress=False
    )
    assert set(results["unit"]) == {unit}
    place = ["model", "fold", "part"]
    rows = dict(list(predictions.groupby(place)))
    for row in results.dropna(subset=["fold"]).to_dict("records"):
        drawn = cluster_bootstrap("uar", rows[tuple(row[key] for key in place)], by=unit)
        assert (row["low"], row["high"]) == interval(drawn)


def test_the_seed_reaches_every_random_state(tiny_table: FeatureTable) -> None:
    forest = make_pipeline(SimpleImputer(), RandomForestClassifier(5, random_state=7))
    results = evaluate(forest, tiny_table, splitter="official", seeds=(0, 0, 1), n_bootstrap=0, progress=False)
    scores = results[(results["model"] == "Pipeline") & (results["metric"] == "log_loss") & (results["part"] == "test")]
    first, again, other = scores["value"]
    assert first == again != other
    assert forest[-1].random_state == 7


def test_a_failing_model_is_a_result_and_the_others_go_on(
    tiny_table: FeatureTable, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        results = evaluate({"broken": Broken(), "linear": linear()}, tiny_table, n_bootstrap=0, progress=False)
    assert "broken failed on fold" in caplog.text
    failed = results[results["error"].str.startswith("RuntimeError: no memory left")]
    assert set(failed["model"]) == {"broken"}
    assert failed["value"].isna().all()
    assert results.loc[results["model"] == "broken", "value"].notna().any()
    assert results.loc[results["model"] == "linear", "value"].notna().all()


def test_a_model_without_probabilities_is_scored_on_its_labels(tiny_table: FeatureTable) -> None:
    results = evaluate(make_pipeline(SimpleImputer(), LinearSVC()), tiny_table, splitter="official", progress=False)
    rows = results[results["model"] == "Pipeline"].set_index("metric")["value"]
    assert rows[["log_loss", "ece"]].isna().all()
    assert rows[["accuracy", "f1:joy"]].notna().all()


def test_rows_without_a_target_are_left_out_and_counted(tiny_table: FeatureTable) -> None:
    segments = tiny_table.segments.copy()
    segments.loc[::10, "emotion"] = None
    table = FeatureTable(segments, tiny_table.blocks)
    SEEN.clear()
    results, predictions = evaluate(Spy(), table, splitter="official", return_predictions=True, progress=False)
    known = segments[segments["emotion"].notna()].groupby("split").size()
    assert len(SEEN[0]["y"]) == known["train"] < 80
    assert "" not in SEEN[0]["y"]
    assert [len(asked) for asked in SEEN[0]["asked"]] == [20, 20]  # a dialogue is asked about whole
    assert set(results["n_left_out"]) == {12}
    assert results.groupby("part")["n_rows"].first().to_dict() == known[["test", "valid"]].to_dict()
    assert len(predictions) == 2 * (known["test"] + known["valid"])


def test_values_are_estimated(tiny_table: FeatureTable) -> None:
    results, predictions = evaluate(
        {"boosted": HistGradientBoostingRegressor(max_iter=20)},
        tiny_table,
        target="valence",
        splitter="official",
        return_predictions=True,
        progress=False,
    )
    test = results[results["part"] == "test"].set_index(["model", "metric"])["value"]
    assert set(results["metric"]) == {"ccc", "pearson", "mae", "rmse"}
    assert test["boosted", "ccc"] > 0.3
    assert test["majority", "ccc"] == 0
    assert predictions["prediction"].dtype == float


@pytest.mark.parametrize("dtype", ["str", "object", "category", "int"])
def test_a_target_column_of_any_kind(tiny_table: FeatureTable, dtype: str) -> None:
    emotion = tiny_table.segments["emotion"]
    column = emotion.astype("category").cat.codes.astype(int) if dtype == "int" else emotion.astype(dtype)
    table = FeatureTable(tiny_table.segments.assign(emotion=column), tiny_table.blocks)
    results = evaluate(HistGradientBoostingClassifier(max_iter=5), table, splitter="official", progress=False)
    test = results[(results["part"] == "test") & (results["metric"] == "accuracy")].set_index("model")["value"]
    assert test["HistGradientBoostingClassifier"] > test["majority"]


def test_searches_are_models_too(tiny_table: FeatureTable) -> None:
    search = GridSearchCV(linear(), {"logisticregression__C": [0.01, 1.0]}, cv=2)
    results = evaluate({"search": search}, tiny_table, splitter="official", n_bootstrap=0, progress=False)
    assert not results["error"].any()


def test_finished_runs_are_read_and_changed_ones_are_not(tiny_table: FeatureTable, tmp_path: Path) -> None:
    def run(model: Any, table: FeatureTable = tiny_table, target: str = "emotion") -> tuple[int, pd.DataFrame]:
        SEEN.clear()
        results = evaluate(
            {"spy": model}, table, splitter="official", target=target, n_bootstrap=0, cache=tmp_path, progress=False
        )
        return len(SEEN), results

    first, again = run(Spy()), run(Spy())
    assert (first[0], again[0]) == (1, 0)
    pd.testing.assert_frame_equal(first[1], again[1])
    changed = FeatureTable(tiny_table.segments.assign(text="new"), tiny_table.blocks)
    assert run(Spy(), changed)[0] == 1
    other = FeatureTable(tiny_table.segments.assign(mood=tiny_table.segments["emotion"]), tiny_table.blocks)
    assert run(Spy(), other, "mood")[0] == 0  # the same labels under another name
    assert not list(tmp_path.glob("*.part"))


def test_a_failed_run_is_tried_again(tiny_table: FeatureTable, tmp_path: Path) -> None:
    trained = tiny_table.segments.query("split == 'train'")["dialogue"].iloc[0]
    for _ in range(2):
        results = evaluate(
            Broken(trained), tiny_table, splitter="official", n_bootstrap=0, cache=tmp_path, progress=False
        )
        assert results["error"].str.contains("no memory left").sum() > 0
    assert len(list(tmp_path.glob("*.predictions.parquet"))) == 1  # the majority's


def test_what_cannot_be_evaluated_says_so(tiny_table: FeatureTable) -> None:
    with pytest.raises(TypeError, match="expected a FeatureTable"):
        evaluate(linear(), np.ones((3, 2)))
    with pytest.raises(ValueError, match="did you mean 'emotion'"):
        evaluate(linear(), tiny_table, target="emotoin")
    with pytest.raises(ValueError, match="needs labels, but target 'valence'"):
        evaluate(linear(), tiny_table, target="valence", metrics=["uar"])
    with pytest.raises(ValueError, match="needs values, but target 'emotion'"):
        evaluate(linear(), tiny_table, metrics=["ccc"])


def test_the_digest_is_of_parameters_and_the_same_in_every_process() -> None:
    code = (
        "from sklearn.pipeline import make_pipeline; from sklearn.impute import SimpleImputer\n"
        "from sklearn.linear_model import LogisticRegression; from featmer.evaluation import digest\n"
        "print(digest(make_pipeline(SimpleImputer(), LogisticRegression())))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest(linear())
    assert digest(LogisticRegression(C=1)) != digest(LogisticRegression(C=2))
    assert digest(linear().set_params(logisticregression__C=2)) != digest(linear())
    weights = [LogisticRegression(class_weight={"joy": weight}) for weight in (np.float64(1), 1.0, 2.0)]
    assert digest(weights[0]) == digest(weights[1]) != digest(weights[2])
    assert digest(np.arange(3)) != digest(np.arange(4))
    assert digest(f1_score) == digest(f1_score)
