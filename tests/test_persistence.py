"""Every estimator can be written to a folder and read back, those around others too; what is no such folder says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from public_estimators import public_estimators
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featmer import (
    Block,
    BoostedClassifier,
    BoostedRegressor,
    FeatureTable,
    FusionClassifier,
    FusionRegressor,
    MultitaskFusion,
)
from featmer.baselines import (
    AugmentedClassifier,
    AUPrototypeClassifier,
    BroadLearningClassifier,
    BroadLearningRegressor,
    DistilledClassifier,
    LinearClassifier,
    LinearRegressor,
    MajorityClassifier,
    PairwiseCompound,
    StackedClassifier,
)
from featmer.calibration import CalibratedClassifier, SelectiveClassifier
from featmer.causal import BackdoorClassifier, CounterfactualClassifier
from featmer.labels import label_space
from featmer.missing import Missing
from featmer.nn import Concat

QUICK = {"epochs": 2, "random_state": 0}


def fusion() -> FusionClassifier:
    return FusionClassifier(Concat(hidden=8), **QUICK)


def boosted() -> BoostedClassifier:
    return BoostedClassifier(n_estimators=5, random_state=0)


PIPELINE = make_pipeline(SimpleImputer(), LogisticRegression())
ESTIMATORS: dict[str, tuple[Any, str]] = {
    "majority": (MajorityClassifier(), "labels"),
    "linear": (LinearClassifier(), "labels"),
    "linear values": (LinearRegressor(), "values"),
    "boosted": (boosted(), "labels"),
    "boosted values": (BoostedRegressor(n_estimators=5, random_state=0), "values"),
    "broad": (BroadLearningClassifier(random_state=0), "labels"),
    "broad values": (BroadLearningRegressor(random_state=0), "values"),
    "prototypes": (AUPrototypeClassifier(), "faces"),
    "fusion": (fusion(), "labels"),
    "fusion values": (FusionRegressor(Concat(hidden=8), **QUICK), "values"),
    "several targets": (MultitaskFusion(Concat(hidden=8), **QUICK), "several"),
    "augmented": (AugmentedClassifier(missing=Missing("audio", rate=0.5), copies=2), "labels"),
    "augmented fusion": (AugmentedClassifier(fusion()), "labels"),
    "stacked": (StackedClassifier(n_folds=2), "labels"),
    "stacked fusion": (
        StackedClassifier(fusion(), boosted(), n_folds=2),
        "indicators",
    ),
    "distilled": (DistilledClassifier(LinearClassifier()), "labels"),
    "distilled, a student a label": (
        DistilledClassifier(boosted()),
        "probabilities",
    ),
    "pairs": (PairwiseCompound(LinearClassifier()), "compounds"),
    "pairs of a space": (PairwiseCompound(fusion(), basic=label_space("ekman"), rule="minimum"), "compounds"),
    "calibrated": (CalibratedClassifier(StackedClassifier(n_folds=2), random_state=0), "labels"),
    "selective": (SelectiveClassifier(CalibratedClassifier(fusion(), random_state=0), random_state=0), "labels"),
    "back door": (BackdoorClassifier(AugmentedClassifier(), random_state=0), "labels"),
    "counterfactual": (CounterfactualClassifier(LinearClassifier(), ["audio"], random_state=0), "labels"),
    "around scikit-learn": (
        CalibratedClassifier(PIPELINE, random_state=0),
        "labels",
    ),
}
each = pytest.mark.parametrize("name", ESTIMATORS)


def rows_for(kind: str, table: FeatureTable) -> tuple[FeatureTable, Any]:
    """Return rows and targets of a kind."""
    emotion = table.segments["emotion"].to_numpy(object)
    marks = pd.DataFrame({label: (emotion == label).astype(int) for label in ("anger", "joy")})
    if kind == "faces":
        face = table.blocks["face"].values
        shown = Block(1 / (1 + np.exp(-face)), ["face.au.AU04", "face.au.AU06", "face.au.AU12", "face.au.AU15"])
        return FeatureTable(table.segments, {"face": shown}), emotion
    targets = {
        "labels": emotion,
        "values": table.segments["valence"].to_numpy(),
        "indicators": marks,
        "probabilities": 0.2 + 0.7 * marks,
        "several": table.segments[["emotion", "valence"]],
        "compounds": np.resize(["anger", "disgust", "fear", "joy", "sadness", "surprise"], len(table)),
    }
    return table, targets[kind]


@pytest.fixture(scope="module")
def fitted(tiny_table: FeatureTable) -> Any:
    """Return a function that fits an estimator once."""
    made: dict[str, Any] = {}

    def fit(name: str) -> Any:
        if name not in made:
            model, kind = ESTIMATORS[name]
            made[name] = clone(model).fit(*rows_for(kind, tiny_table))
        return made[name]

    return fit


def test_every_public_estimator_can_be_kept() -> None:
    for asked in ("save", "load"):
        assert public_estimators("fit") == public_estimators(asked)
    assert {type(model).__name__ for model, _ in ESTIMATORS.values()} == set(public_estimators("predict"))


def assert_says_the_same(one: Any, other: Any, X: Any) -> None:
    for method in ("predict", "predict_proba", "predict_set"):
        if hasattr(one, method):
            said, expected = getattr(one, method)(X), getattr(other, method)(X)
            if isinstance(expected, pd.DataFrame):
                pd.testing.assert_frame_equal(said, expected, check_exact=True)
            elif isinstance(expected, dict | list):
                assert repr(said) == repr(expected)
            else:
                np.testing.assert_array_equal(said, expected)


@each
def test_saved_and_loaded_it_says_the_same(name: str, fitted: Any, tiny_table: FeatureTable, tmp_path: Path) -> None:
    model, (X, y) = fitted(name), rows_for(ESTIMATORS[name][1], tiny_table)
    for _ in range(2):  # the second time it replaces the first
        model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    assert_says_the_same(loaded, model, X)
    assert repr(loaded) == repr(model)
    assert_says_the_same(clone(loaded).fit(X, y), clone(model).fit(X, y), X)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    files = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert files <= {".skops", ".json", ".safetensors"}


def test_a_classifier_that_was_fitted_before_is_kept_frozen(tiny_table: FeatureTable, tmp_path: Path) -> None:
    X, basic = rows_for("compounds", tiny_table)
    model = PairwiseCompound(FrozenEstimator(LinearClassifier().fit(X, basic))).fit(X, basic)
    model.save(tmp_path / "model")
    loaded = PairwiseCompound.load(tmp_path / "model")
    assert_says_the_same(loaded, model, X)
    other_rows = np.roll(basic, 1)  # which a frozen classifier does not learn from
    assert_says_the_same(clone(loaded).fit(X, other_rows), model, X)


@each
def test_another_folder_is_left_alone(name: str, fitted: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not replaced"):
        fitted(name).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@each
def test_damaged_and_foreign_folders_are_named(name: str, fitted: Any, tmp_path: Path) -> None:
    model = fitted(name)
    load, folder = type(model).load, tmp_path / "model"
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ValueError, match="holds no saved estimator"):
            load(path)
    model.save(folder)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole = file.read_bytes()
        for damage in (whole[: len(whole) // 2], b"", b"no such thing"):
            file.write_bytes(damage)
            with pytest.raises(ValueError, match=r"holds no saved estimator|damaged"):
                load(folder)
        file.unlink()
        with pytest.raises(ValueError, match=r"holds no saved estimator|damaged"):
            load(folder)
        file.write_bytes(whole)
    load(folder)
    kin = [kind for kind in public_estimators("load").values() if kind is not type(model)]
    for kind in kin:
        with pytest.raises(ValueError, match=r"load it with|holds no saved"):
            kind.load(folder)


class Unkept(LinearClassifier):
    """A classifier that cannot be written."""

    def save(self, path: Any) -> None:
        raise OSError("disk full")


@pytest.mark.parametrize("name", ["stacked", "distilled, a student a label", "augmented", "pairs"])
def test_what_stops_half_way_leaves_the_one_before(
    name: str, fitted: Any, tiny_table: FeatureTable, tmp_path: Path
) -> None:
    model = fitted(name)
    model.save(tmp_path / "model")
    X, y = rows_for(ESTIMATORS[name][1], tiny_table)
    last = list(model.nested.items())[-1][1]
    half = clone(model).set_params(**{last: Unkept()}).fit(X, y)
    with pytest.raises(OSError, match="disk full"):
        half.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert_says_the_same(type(model).load(tmp_path / "model"), model, X)


def test_a_parameter_that_could_not_be_read_back_is_named_before_anything_is_written(
    tiny_table: FeatureTable, tmp_path: Path
) -> None:
    class Own(Missing):
        """Not of featmer."""

    model = AugmentedClassifier(missing=Own("audio")).fit(*rows_for("labels", tiny_table))
    with pytest.raises(ValueError, match="Own"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())
