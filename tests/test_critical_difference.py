"""The critical-difference diagram says what the tests say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featmer.evaluation.stats import friedman, nemenyi_cd
from featmer.report.charts import critical_difference_chart, save_chart, still


def make_scores(step: float, n_sets: int = 12, n_models: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.1, (n_sets, 1)) + rng.normal(0, 0.02, (n_sets, n_models)) - step * np.arange(n_models)
    return pd.DataFrame(scores, [f"set {i}" for i in range(n_sets)], [f"model {i}" for i in range(n_models)])


def bars(spec: dict[str, Any]) -> list[list[float]]:
    layers = [layer for layer in spec["layer"] if layer["mark"].get("strokeWidth") == 5]
    return [[row["from"], row["to"]] for layer in layers for row in layer["data"]["values"]]


@pytest.mark.parametrize("test", ["wilcoxon", "nemenyi"])
def test_names_ranks_and_bars(test: str) -> None:
    scores = make_scores(0.0)
    spec = critical_difference_chart(scores, test=test)
    ranks = friedman(scores).mean_ranks
    drawn = still(spec)
    assert all(f"{rank:.2f}  {name}" in drawn for name, rank in ranks.items())
    (bar,) = bars(spec)  # equal models: one bar over all of them
    assert bar == pytest.approx([ranks.min(), ranks.max()])
    assert not bars(critical_difference_chart(make_scores(1.0, 30, 3), test=test))


def test_the_critical_difference_is_drawn_where_it_is_the_rule() -> None:
    scores = make_scores(0.02)
    said = f"critical difference {nemenyi_cd(5, 12):.2f}"
    assert said in still(critical_difference_chart(scores, test="nemenyi"))
    assert "critical" not in still(critical_difference_chart(scores))


def test_the_direction_turns_the_order() -> None:
    scores = make_scores(0.1)
    up, down = (critical_difference_chart(scores, higher_is_better=way)["description"] for way in (True, False))
    assert "first: model 0 1.00" in up
    assert "model 0 5.00." in down


@pytest.mark.parametrize("n_models", [2, 5, 6])
def test_no_two_lines_cross(n_models: int) -> None:
    rows = critical_difference_chart(make_scores(0.1, 12, n_models))["data"]["values"]
    left, right = ([row for row in rows if row["left"] == side] for side in (True, False))
    assert len(left) - len(right) in (0, 1)
    assert [row["y"] for row in left] == sorted(row["y"] for row in left)
    assert [row["y"] for row in right] == sorted((row["y"] for row in right), reverse=True)


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_it_becomes_a_file(kind: str, tmp_path: Path) -> None:
    save_chart(critical_difference_chart(make_scores(0.1)), tmp_path / f"ranks.{kind}")
    assert (tmp_path / f"ranks.{kind}").stat().st_size > 2000
    with pytest.raises(ValueError, match=r"Unknown kind of picture '\.bmp'"):
        save_chart({}, "ranks.bmp")


def test_names_stay_text_and_folds_are_no_data_sets() -> None:
    hostile = make_scores(0.1).rename(columns={"model 0": "<script>"})
    assert "<script>" in json.dumps(critical_difference_chart(hostile))
    assert "<script>" not in still(critical_difference_chart(hostile))
    with pytest.raises(ValueError, match="never their seeds or folds"):
        critical_difference_chart(hostile.set_axis(["meld"] * 12))
    with pytest.raises(ValueError, match="did you mean 'nemenyi'"):
        critical_difference_chart(hostile, test="nemeny")
