"""The critical-difference diagram says what the tests say."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from featmer.evaluation.stats import friedman, nemenyi_cd
from featmer.report.critical_difference import draw_critical_difference


def make_scores(step: float, n_sets: int = 12, n_models: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.1, (n_sets, 1)) + rng.normal(0, 0.02, (n_sets, n_models)) - step * np.arange(n_models)
    return pd.DataFrame(scores, [f"set {i}" for i in range(n_sets)], [f"model {i}" for i in range(n_models)])


def bars(axes: Axes) -> list[list[float]]:
    return [list(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 4]


@pytest.mark.parametrize("test", ["wilcoxon", "nemenyi"])
def test_names_ranks_and_bars(test: str) -> None:
    scores = make_scores(0.0)
    axes = draw_critical_difference(scores, test=test)
    ranks = friedman(scores).mean_ranks
    texts = {text.get_text() for text in axes.texts}
    assert {f"{name} {rank:.2f}" for name, rank in ranks.items()} <= texts
    (bar,) = bars(axes)  # equal models: one bar over all of them
    assert bar == pytest.approx([ranks.min() - 0.03, ranks.max() + 0.03])
    assert not bars(draw_critical_difference(make_scores(1.0, 30, 3), test=test))
    stream = BytesIO()
    axes.figure.savefig(stream)
    assert stream.tell() > 5000


def test_the_critical_difference_is_drawn_where_it_is_the_rule() -> None:
    scores = make_scores(0.02)
    title = draw_critical_difference(scores, test="nemenyi").get_title()
    assert f"critical difference {nemenyi_cd(5, 12):.2f}" in title
    assert "critical" not in draw_critical_difference(scores).get_title()


def test_the_direction_turns_the_order() -> None:
    scores = make_scores(0.1)
    up, down = (draw_critical_difference(scores, higher_is_better=way) for way in (True, False))
    assert "model 0 1.00" in {text.get_text() for text in up.texts}
    assert "model 0 5.00" in {text.get_text() for text in down.texts}


def test_it_is_drawn_where_it_is_told() -> None:
    left, right = Figure().subplots(1, 2)
    assert draw_critical_difference(make_scores(0.1), right) is right
    assert not left.texts


def test_names_stay_text_and_folds_are_no_data_sets() -> None:
    hostile = make_scores(0.1).rename(columns={"model 0": "$\\frac{1}{0}$"})
    assert any(text.get_text().startswith("$\\frac") for text in draw_critical_difference(hostile).texts)
    draw_critical_difference(hostile).figure.savefig(BytesIO())
    with pytest.raises(ValueError, match="never their seeds or folds"):
        draw_critical_difference(hostile.set_axis(["meld"] * 12))
    with pytest.raises(ValueError, match="did you mean 'nemenyi'"):
        draw_critical_difference(hostile, test="nemeny")
