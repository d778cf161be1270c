"""The benchmark of missing modalities: every model trained in two ways, on the same rows and rates."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from featmer import FeatureTable, evaluate
from featmer.missing import Missing

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "robustness.py"))


def test_what_training_for_it_adds_is_told_over_seeds(tiny_table: FeatureTable) -> None:
    models = BENCHMARK["models_of"](["concat", "boosted"], epochs=1)
    assert list(models) == ["concat", "concat, distilled", "boosted", "boosted, augmented"]
    conditions = {BENCHMARK["CONDITION"]: Missing().at([0.0, 0.5, 1.0])}
    given = {"splitter": "official", "metrics": ["uar"], "conditions": conditions, "n_bootstrap": 0, "progress": False}
    results = evaluate(models, tiny_table, seeds=[0, 1], **given)
    told = BENCHMARK["summary"](results, "uar", ["concat", "boosted"])
    assert sorted(told.index) == ["boosted", "concat"]
    gains = told["area, trained for it"] - told["area"]
    assert told["gain"].to_numpy() == pytest.approx(gains.to_numpy())
    whole = results[(results["part"] == "test") & (results["rate"] == 0) & (results["model"] == "concat")]
    assert told.loc["concat", "clean"] == pytest.approx(whole["value"].mean())
    assert told["clean"].between(0, 1).all()
