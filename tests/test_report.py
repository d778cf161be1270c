"""The leaderboard's numbers and the page that shows them."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from featmer import FeatureTable, evaluate, leaderboard
from featmer.evaluation.stats import corrected_t_test, holm
from featmer.report import write_page

HOSTILE = '<script>alert("1")</script> & $\\frac | *b*'
SHOWN = ["rank", "model", "mean", "sd", "low", "high", "p", "valid"]


@pytest.fixture(scope="module")
def comparison(tiny_table: FeatureTable) -> tuple[pd.DataFrame, pd.DataFrame]:
    models = {
        "linear": make_pipeline(SimpleImputer(), LogisticRegression()),
        "forest": make_pipeline(SimpleImputer(), RandomForestClassifier(8)),
        HOSTILE: make_pipeline(SimpleImputer(), DecisionTreeClassifier(max_depth=1)),
        "broken": LogisticRegression(),
    }
    segments = tiny_table.segments.replace({"emotion": {"anger": "<b>anger</b>"}})
    table = FeatureTable(segments, tiny_table.blocks)
    return evaluate(models, table, seeds=(0, 1), n_bootstrap=50, return_predictions=True, progress=False)


class Page(HTMLParser):
    """Collect the tags, the text and the addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_models_are_ranked_by_their_mean(comparison: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, predictions = comparison
    board = leaderboard(results, predictions, n_resamples=300)
    assert list(board)[:8] == SHOWN
    assert board["mean"].dropna().is_monotonic_decreasing
    assert board["model"].iloc[-2:].tolist() == ["majority", "broken"]
    assert board["rank"].tolist()[:4] == [1, 2, 3, 4]
    assert pd.isna(board["rank"].iloc[-1])
    chosen = results[(results["metric"] == "f1_weighted") & (results["part"] == "test") & results["fold"].isna()]
    forest = chosen[chosen["model"] == "forest"]
    row = board.set_index("model").loc["forest"]
    assert row["mean"] == pytest.approx(forest["value"].mean())
    assert row["sd"] == pytest.approx(forest["value"].std())
    assert (row["n_runs"], row["n_failed"]) == (10, 0)
    assert board.set_index("model").loc["broken", "n_failed"] == 10
    scored = board.dropna(subset=["mean"])
    assert ((scored["low"] < scored["mean"]) & (scored["mean"] < scored["high"])).all()
    assert {"uar", "f1_macro", "accuracy", "log_loss", "ece"} < set(board)
    assert not any(name.startswith("f1:") for name in board)


def test_p_tells_who_is_worse_than_the_best(comparison: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, predictions = comparison
    for board in (leaderboard(results, predictions, n_resamples=500), leaderboard(results)):
        p = board.set_index("model")["p"]
        assert np.isnan(p.iloc[0])
        assert p["majority"] < 0.05
        assert np.isnan(p["broken"])


def test_p_can_tell_who_differs_from_any_model(comparison: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, predictions = comparison
    against_best = leaderboard(results, predictions, n_resamples=500).set_index("model")
    against_majority = leaderboard(results, predictions, against="majority", n_resamples=500).set_index("model")
    assert against_majority["p"].isna().tolist() == [name in ("majority", "broken") for name in against_majority.index]
    assert against_majority["p"]["linear"] < 0.05
    assert against_best.drop(columns="p").equals(against_majority.drop(columns="p"))
    with pytest.raises(ValueError, match="Choose from"):
        leaderboard(results, predictions, against="broken")


def test_without_predictions_the_runs_decide(comparison: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, _ = comparison
    board = leaderboard(results).dropna(subset=["mean"]).set_index("model")
    runs = results[(results["metric"] == "f1_weighted") & (results["part"] == "test") & results["fold"].notna()]
    chosen = runs.set_index(["fold", "seed"])
    share = (chosen["n_rows"] / chosen["n_train_rows"])[chosen["model"] == "linear"].mean()
    best = chosen.loc[chosen["model"] == board.index[0], "value"]
    others = [chosen.loc[chosen["model"] == name, "value"] for name in board.index[1:]]
    expected = holm([corrected_t_test(best, other.loc[best.index], share).pvalue for other in others])
    np.testing.assert_allclose(board["p"].iloc[1:], expected)


def test_one_run_keeps_its_own_interval(comparison: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, _ = comparison
    one = results[(results["fold"] == 0) & (results["seed"] == 0)]
    board = leaderboard(one).set_index("model")
    row = one[(one["model"] == "linear") & (one["metric"] == "f1_weighted") & (one["part"] == "test")].iloc[0]
    assert board.loc["linear", ["low", "high"]].tolist() == [row["low"], row["high"]]
    assert board["p"].isna().all()


def test_any_metric_and_part_can_rank(comparison: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, _ = comparison
    by_loss = leaderboard(results, metric="log_loss")
    assert by_loss["mean"].dropna().is_monotonic_increasing
    assert by_loss.attrs["metric"] == "log_loss"
    assert leaderboard(results, metric="f1:joy")["mean"].notna().sum() == 4
    on_valid = leaderboard(results, part="valid")
    assert (on_valid["mean"].dropna() == on_valid["valid"].dropna()).all()
    with pytest.raises(ValueError, match="Unknown metric of the results 'ccc'"):
        leaderboard(results, metric="ccc")


def test_comparisons_are_not_mixed(comparison: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, _ = comparison
    with pytest.raises(ValueError, match="several comparisons, corpus"):
        leaderboard(pd.concat([results, results.assign(corpus="other")]))
    with pytest.raises(ValueError, match="run evaluate first"):
        leaderboard(results.iloc[:0])


def test_the_page_stands_alone(comparison: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    path = write_page(*comparison, tmp_path / "new" / "folder", title="Tiny")
    page = Page(path.read_text(encoding="utf-8"))
    assert path.name == "leaderboard.html"
    assert all(address == "data:," or address.startswith("#") for address in page.addresses)
    assert path.stat().st_size < 1_000_000
    words = " ".join("".join(page.text).split())
    for said in ("tiny", "by_dialogue", "120 rows of 24 dialogues", "0, 1", "How to read this", "numpy", "no network"):
        assert (said in words) == (said != "no network")
    plots = {file.name for file in (path.parent / "plots").iterdir()}
    names = ("scores", "ranks", "confusion", "f1_by_label", "calibration", "risk_coverage", "cost")
    assert plots == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    assert "var(--" not in (path.parent / "plots" / "scores.svg").read_text(encoding="utf-8")
    assert not list(path.parent.rglob("*.part"))


def test_the_same_results_make_the_same_page(comparison: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    first, second = (write_page(*comparison, tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_hostile_names_stay_text(comparison: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    path = write_page(*comparison, tmp_path, title="<img src=x>")
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert page.tags.count("script") == 5
    assert {"img", "b", "iframe"}.isdisjoint(page.tags)
    assert "alert" not in html.split('<script type="text/plain"', 1)[1]
    assert HOSTILE in "".join(page.text)
    lines = (tmp_path / "leaderboard.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# &lt;img src=x>"
    assert len({line.replace("\\|", "").count("|") for line in lines[2:]}) == 1


def test_a_failure_is_told_with_its_reason(comparison: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    words = " ".join("".join(Page(write_page(*comparison, tmp_path).read_text(encoding="utf-8")).text).split())
    assert "broken (10 runs): ValueError: Input X contains NaN" in words
    assert "0 of 10" in words


def test_values_have_their_page_too(tiny_table: FeatureTable, tmp_path: Path) -> None:
    found = evaluate(
        {"boosted": HistGradientBoostingRegressor(max_iter=5)},
        tiny_table,
        target="valence",
        splitter="official",
        n_bootstrap=20,
        return_predictions=True,
        progress=False,
    )
    html = write_page(*found, tmp_path).read_text(encoding="utf-8")
    assert "Predicted against true values" in html
    names = {file.stem for file in (tmp_path / "plots").iterdir()}
    assert names == {"scores", "ranks", "agreement", "cost"}


def test_nothing_to_show_says_so(tiny_table: FeatureTable, tmp_path: Path) -> None:
    broken = {"majority": LogisticRegression()}
    found = evaluate(broken, tiny_table, splitter="official", return_predictions=True, progress=False)
    with pytest.raises(ValueError, match="No model could be scored.*contains NaN"):
        write_page(*found, tmp_path)


def test_importing_it_is_light() -> None:
    heavy = ("torch", "matplotlib", "lightgbm", "vl_convert")
    code = f"import sys, featmer.report; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
