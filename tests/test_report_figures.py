"""Figures of several labels a row, ranks over several corpora, and concordance within dialogues."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featmer import FeatureTable, evaluate
from featmer.evaluation.metrics import ccc
from featmer.evaluation.within import ccc_within_dialogues
from featmer.report import Comparison, over_corpora, save_results, write_page
from featmer.report.charts import corpora_chart, label_calibration_chart, still, together_chart

COMPARE = Path(__file__).parents[1] / "experiments" / "compare.py"
FOUR = ("meld", "mosi", "ravdess", "demo")


def of_chart(spec: dict) -> pd.DataFrame:
    return pd.DataFrame(spec["data"]["values"])


# several labels a row


def several_labels() -> pd.DataFrame:
    """Return a model that takes fear for awe; it is as sure of joy as it should be, and too sure of awe."""
    rows = pd.DataFrame({"t.awe": np.repeat([1, 0], 10), "t.fear": np.repeat([0, 1], 10), "t.joy": [1] * 16 + [0] * 4})
    said = {"d.awe": 1, "d.fear": 0, "d.joy": 1, "p.awe": 0.95, "p.fear": 0.05, "p.joy": 0.8}
    return rows.assign(**said, model="sure", row=range(20))


def test_labels_together_are_shares_of_the_rows_of_each() -> None:
    spec = together_chart(several_labels(), ["sure"])
    cells = of_chart(spec).set_index(["model", "true", "predicted"])["percent"]
    assert cells["gold", "awe", "joy"] == 100
    assert cells["gold", "fear", "joy"] == 60
    assert cells["gold", "fear", "awe"] == 0
    assert cells["sure", "fear", "awe"] == 100, "what fear is taken for"
    assert cells["sure", "fear", "fear"] == 0, "the diagonal is the recall"
    assert spec["hconcat"][0]["layer"][0]["encoding"]["y"]["sort"] == ["joy", "awe", "fear"], "commonest first"
    assert [param["value"] for param in spec["params"]] == ["gold", "sure"]
    assert "<svg" in still(spec)


def test_a_label_that_never_holds_is_an_empty_row() -> None:
    rows = several_labels().assign(**{"t.fear": 0})
    cells = of_chart(together_chart(rows, ["sure"])).query("true == 'fear'")
    assert (cells["percent"] == 0).all()


def test_each_label_is_calibrated_for_itself() -> None:
    spec = label_calibration_chart(several_labels(), ["sure", "silent"])
    assert spec is not None
    found = of_chart(spec).set_index("label")
    assert found.loc["joy", ["confidence", "held", "n_rows"]].tolist() == [0.8, 0.8, 20]
    assert found.loc["awe", ["confidence", "held"]].tolist() == [0.95, 0.5]
    assert found.loc["fear", ["confidence", "held"]].tolist() == [0.05, 0.5]
    assert {param["name"]: param["value"] for param in spec["params"]} == {"model": "sure", "label": "joy"}
    drawn = still(spec)
    assert "probability of the label" in drawn, "layers agree on the titles of their axes"
    assert "share of rows where it holds" in drawn
    bare = several_labels().drop(columns=["p.awe", "p.fear", "p.joy"])
    assert label_calibration_chart(bare, ["sure"]) is None


# several corpora


@pytest.fixture(scope="module")
def runs(tiny_table: FeatureTable) -> tuple[pd.DataFrame, pd.DataFrame]:
    models = {f"c{c}": make_pipeline(SimpleImputer(), LogisticRegression(C=c)) for c in (0.01, 1.0)}
    return evaluate(models, tiny_table, splitter="official", n_bootstrap=0, return_predictions=True, progress=False)


def comparison(runs: tuple[pd.DataFrame, pd.DataFrame], corpus: str, **values: float) -> Comparison:
    """Return the runs as of a corpus, with scores of one's own."""
    results = runs[0].assign(corpus=corpus)
    results["value"] = results["model"].map(values).fillna(results["value"])
    return Comparison(corpus, results, runs[1].assign(corpus=corpus))


def test_corpora_are_ranked_by_their_own_scores(runs: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    given = {"c0.01": 0.4, "c1.0": 0.6, "majority": 0.1}
    found = [comparison(runs, name, **given) for name in FOUR]
    by_error = found[1].results.assign(metric=found[1].results["metric"].replace("f1_weighted", "mae"))
    found[1] = found[1]._replace(results=by_error)
    scores = over_corpora(found)
    assert scores is not None
    assert list(scores.index) == list(FOUR)
    assert scores.loc["meld", ["c0.01", "c1.0", "majority"]].tolist() == pytest.approx([0.4, 0.6, 0.1])
    assert scores.loc["mosi", ["c0.01", "c1.0", "majority"]].tolist() == pytest.approx([-0.4, -0.6, -0.1])
    small = found[0]._replace(results=found[0].results.assign(value=0.9, protocol="another"))
    pd.testing.assert_frame_equal(over_corpora([small, *found]), scores)
    assert over_corpora([small, *found[:3]]) is None, "three corpora tell nothing apart"
    lacking = found[2].results.query("model != 'c1.0'")
    assert list(over_corpora([*found[:2], found[2]._replace(results=lacking), found[3]])) == ["c0.01", "majority"]
    alone = found[2]._replace(results=lacking.query("model == 'majority'"))
    assert over_corpora([*found[:2], alone, found[3]]) is None


def test_the_page_has_the_diagram_with_its_limits(runs: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    found = [comparison(runs, name) for name in FOUR]
    scores = over_corpora(found)
    words = write_page(*found[0][1:], tmp_path / "in", corpora=scores).read_text(encoding="utf-8")
    assert "ranked within each of 4 corpora (meld, mosi, ravdess, demo)" in words
    assert "4 are few: mean ranks of 3 models must lie 1.7 apart" in words
    assert (tmp_path / "in" / "plots" / "corpora.svg").is_file()
    other = comparison(runs, "another corpus")
    for name, given in {"without": None, "another": scores}.items():
        write_page(*other[1:], tmp_path / name, corpora=given)
        assert not (tmp_path / name / "plots" / "corpora.svg").exists()


@pytest.mark.slow
def test_compare_draws_it(runs: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    for number, name in enumerate(FOUR, start=1):
        save_results(*comparison(runs, name)[1:], tmp_path / "results")
        if number >= 3:
            subprocess.run([sys.executable, str(COMPARE), f"output={tmp_path}"], cwd=tmp_path, check=True)
            drawn = {path.parents[1].name for path in tmp_path.glob("pages/*/plots/corpora.svg")}
            assert drawn == ({f"{corpus}-emotion-official" for corpus in FOUR} if number == 4 else set())


# concordance within dialogues


def make_values(n_turns: int, seed: int = 0) -> pd.DataFrame:
    """Return dialogues of different levels, by a model that knows these only and one that follows each course."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"dialogue": np.repeat(range(8), n_turns), "turn": np.tile(range(n_turns), 8), "seed": 0})
    level = np.repeat(rng.normal(size=8) * 3, n_turns)
    course = rng.normal(size=len(rows))
    rows = rows.assign(fold=0, target=level + course)
    follower = course + 0.3 * rng.normal(size=len(rows))
    both = [rows.assign(model="level", prediction=level), rows.assign(model="course", prediction=level + follower)]
    return pd.concat(both, ignore_index=True)


def test_concordance_within_dialogues_asks_for_their_course() -> None:
    rows = make_values(12)
    found = ccc_within_dialogues(rows)
    assert found["level"] == 0
    assert found["course"] > 0.8
    pooled = rows.groupby("model")[["target", "prediction"]].apply(lambda own: ccc(own["target"], own["prediction"]))
    assert pooled["level"] > 0.8, "which the pooled one praises"
    by_hand = [ccc(own["target"], own["prediction"]) for _, own in rows[rows["model"] == "course"].groupby("dialogue")]
    assert found["course"] == pytest.approx(np.mean(by_hand))


def test_short_and_constant_dialogues_are_left_out() -> None:
    rows = make_values(12)
    short = rows["dialogue"].eq(0) & rows["turn"].ge(9)
    flat = rows.assign(target=rows["target"].where(rows["dialogue"] != 1, 0.5))
    by_hand = [ccc(own["target"], own["prediction"]) for _, own in rows[rows["model"] == "course"].groupby("dialogue")]
    assert ccc_within_dialogues(rows[~short])["course"] == pytest.approx(np.mean(by_hand[1:]))
    assert ccc_within_dialogues(flat)["course"] == pytest.approx(np.mean([by_hand[0], *by_hand[2:]]))
    assert ccc_within_dialogues(make_values(9)).empty
    assert ccc_within_dialogues(rows[:0]).empty


@pytest.mark.parametrize("n_turns", [6, 12])
def test_the_table_has_it_where_dialogues_are_long(tiny_table: FeatureTable, tmp_path: Path, n_turns: int) -> None:
    rng = np.random.default_rng(0)
    segments = pd.DataFrame({"dialogue": np.repeat(range(10), n_turns), "turn": np.tile(range(n_turns), 10)})
    segments = segments.assign(valence=rng.normal(size=len(segments)))
    blocks = {name: block[np.arange(len(segments)) % len(tiny_table)] for name, block in tiny_table.blocks.items()}
    table = FeatureTable(segments, blocks)
    options = {"metrics": ["ccc", "mae"], "n_bootstrap": 0, "return_predictions": True, "progress": False}
    write_page(*evaluate({"mean": DummyRegressor()}, table, target="valence", **options), tmp_path)
    board = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert ("CCC within dialogues" in board) == (n_turns >= 10)
    page = (tmp_path / "leaderboard.html").read_text(encoding="utf-8")
    assert ("follows the ups and downs" in page) == (n_turns >= 10)


# one comparison over several corpora


def two_corpora() -> pd.DataFrame:
    """Return a model that tells the chats and takes half of the films for joy, with two seeds."""
    rows = pd.DataFrame({"corpus": np.repeat(["films", "chats"], 4), "target": ["joy", "fear"] * 4})
    said = rows.assign(prediction=rows["target"].where(rows["corpus"] == "chats", "joy"), model="keen")
    return pd.concat([said.assign(seed=seed) for seed in (0, 1)], ignore_index=True)


def test_each_corpus_has_its_score() -> None:
    spec = corpora_chart(two_corpora(), ["keen"], "accuracy")
    assert of_chart(spec).set_index(["model", "corpus"])["percent"].to_dict() == {
        ("keen", "chats"): 100,
        ("keen", "films"): 50,
    }
    assert spec["layer"][0]["encoding"]["x"]["sort"] == ["chats", "films"], "told best first"
    assert "<svg" in still(spec)


@pytest.mark.parametrize(("corpora", "shown"), [(("films", "chats"), True), (("films", "films"), False)])
def test_the_page_shows_corpora_where_there_are_several(corpora, shown, tiny_table, tmp_path) -> None:
    n_rows = len(tiny_table)
    segments = tiny_table.segments.assign(corpus=np.repeat(corpora, [n_rows // 2, n_rows - n_rows // 2]))
    table = FeatureTable(segments, tiny_table.blocks)
    model = make_pipeline(SimpleImputer(), LogisticRegression())
    found = evaluate(model, table, n_bootstrap=0, return_predictions=True, progress=False)
    page = write_page(*found, tmp_path).read_text(encoding="utf-8")
    assert ("Score of each corpus" in page) == shown
