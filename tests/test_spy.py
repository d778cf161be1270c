"""Nothing of the test rows reaches a model: spoil them, and all but what is said of them is the same to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from featmer import (
    Block,
    BoostedClassifier,
    BoostedRegressor,
    FeatureTable,
    FusionClassifier,
    FusionRegressor,
    baselines,
    calibration,
    causal,
    estimators,
    evaluate,
)
from featmer.baselines import (
    AugmentedClassifier,
    BroadLearningClassifier,
    BroadLearningRegressor,
    LinearClassifier,
    LinearRegressor,
    MajorityClassifier,
    StackedClassifier,
)
from featmer.calibration import CalibratedClassifier, SelectiveClassifier
from featmer.causal import BackdoorClassifier, CounterfactualClassifier
from featmer.missing import Missing
from featmer.nn import Concat, SelfDistilled, Transformer

SHORT = {"epochs": 3, "random_state": 0}
# Made for other targets or features; what they fit is one of those below. `scale_transductively` does look at test
# rows, and says so by its name.
ELSEWHERE = {"AUPrototypeClassifier", "DistilledClassifier", "PairwiseCompound", "MultitaskFusion"}
LABELS: dict[str, Any] = {
    "majority": MajorityClassifier(),
    "linear": LinearClassifier(),
    "boosted": BoostedClassifier(n_estimators=30, n_jobs=1),
    "broad": BroadLearningClassifier(),
    "stacked": StackedClassifier(n_folds=2),
    "augmented": AugmentedClassifier(),
    "fusion": FusionClassifier(Transformer(hidden=8, context="both"), **SHORT),
    "distilled": FusionClassifier(SelfDistilled(Concat(hidden=8)), **SHORT),
    "pretrained": FusionClassifier(Concat(hidden=8), pretraining="pairwise_contrastive", **SHORT).set_params(
        pretraining__epochs=2
    ),
    "calibrated": CalibratedClassifier(LinearClassifier()),
    "selective": SelectiveClassifier(LinearClassifier()),
    "backdoor": BackdoorClassifier(LinearClassifier()),
    "counterfactual": CounterfactualClassifier(LinearClassifier(), ["audio"]),
    "search": GridSearchCV(make_pipeline(SimpleImputer(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}),
}
VALUES: dict[str, Any] = {
    "linear": LinearRegressor(),
    "boosted": BoostedRegressor(n_estimators=30, n_jobs=1),
    "broad": BroadLearningRegressor(),
    "fusion": FusionRegressor(Concat(hidden=8), **SHORT),
}


class Peeping(LinearClassifier):
    """A cheat that knows the whole table."""

    table: FeatureTable

    def fit(self, X: Any, y: Any, validation: Any = None) -> Peeping:
        everything = Peeping.table
        return super().fit(everything, everything.segments["emotion"].to_numpy(object))


def spoilt(table: FeatureTable, *, features: bool) -> FeatureTable:
    """Return a table whose test rows have other labels and, if told so, enormous features."""
    test = (table.segments["split"] == "test").to_numpy()
    segments = table.segments.copy()
    turned = {"anger": "joy", "joy": "neutral", "neutral": "anger"}
    segments.loc[test, "emotion"] = segments.loc[test, "emotion"].map(turned)
    segments.loc[test, "valence"] = 1e6
    if not features:
        return FeatureTable(segments, table.blocks)
    blocks = {}
    for name, block in table.blocks.items():
        values = block.values.copy()
        values[test] = 1e9 * (1 + np.arange(test.sum())[:, None] % 3)
        blocks[name] = Block(values, block.names)
    return FeatureTable(segments, blocks)


def answers(models: dict[str, Any], table: FeatureTable, target: str, **more: Any) -> pd.DataFrame:
    metric = "uar" if target == "emotion" else "mae"
    results, predictions = evaluate(
        models, table, target=target, splitter="official", metrics=[metric], n_bootstrap=0, progress=False,
        return_predictions=True, **more,
    )  # fmt: skip
    assert (results["error"] == "").all(), results["error"].unique()
    return predictions.drop(columns="target")


def of_part(predictions: pd.DataFrame, part: str) -> pd.DataFrame:
    return predictions[predictions["part"] == part].reset_index(drop=True)


@pytest.mark.parametrize("target", ["emotion", "valence"])
def test_test_rows_reach_nothing_but_their_own_answers(tiny_table: FeatureTable, target: str) -> None:
    """Weights, early stops, thresholds, calibration and search all show in what is said of validation rows."""
    models = LABELS if target == "emotion" else VALUES
    before = answers(models, tiny_table, target)
    other_labels = answers(models, spoilt(tiny_table, features=False), target)
    pd.testing.assert_frame_equal(other_labels, before, check_exact=True)
    other_features = answers(models, spoilt(tiny_table, features=True), target)
    pd.testing.assert_frame_equal(of_part(other_features, "valid"), of_part(before, "valid"), check_exact=True)
    changed = of_part(other_features, "test").merge(of_part(before, "test"), on=["model", "row"])
    assert (changed["prediction_x"] != changed["prediction_y"]).any()


def test_neither_conditions_nor_an_audit_open_a_way(tiny_table: FeatureTable) -> None:
    models = {name: LABELS[name] for name in ("boosted", "fusion", "calibrated")}
    before = answers(models, tiny_table, "emotion")
    more = {"conditions": {"no audio": Missing("audio")}, "audit": True}
    after = answers(models, spoilt(tiny_table, features=True), "emotion", **more)
    shared = of_part(after, "valid")[list(before)]
    pd.testing.assert_frame_equal(shared, of_part(before, "valid"), check_exact=True)


def test_the_spy_sees_a_cheat(tiny_table: FeatureTable) -> None:
    said = []
    for table in (tiny_table, spoilt(tiny_table, features=True)):
        Peeping.table = table
        said.append(of_part(answers({"cheat": Peeping()}, table, "emotion"), "valid"))
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(*said, check_exact=True)


def test_every_estimator_is_watched() -> None:
    known = {name for room in (baselines, calibration, causal, estimators) for name in room.__all__}
    wanted = {name for name in known if name.endswith(("Classifier", "Regressor", "Fusion", "Compound"))}
    assert wanted - ELSEWHERE == {type(model).__name__ for model in [*LABELS.values(), *VALUES.values()]} - {
        "GridSearchCV"
    }
    assert wanted >= ELSEWHERE
