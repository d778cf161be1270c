"""Several targets with gaps, of a model of all and of one for each, under one protocol."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from featmer import FeatureTable, FusionClassifier, MultitaskFusion, evaluate, leaderboard
from featmer.baselines import LinearClassifier, LinearRegressor
from featmer.evaluation import selection_gap, status
from featmer.evaluation.metrics import f1_macro
from featmer.evaluation.stats import approximate_randomisation
from featmer.missing import Missing
from featmer.nn import Concat
from featmer.report import comparisons, load_results, save_results, write_page

TARGETS = ["emotion", "valence", "labels.", "votes."]
SMALL = {"epochs": 15, "lr": 0.02, "random_state": 0}
JOINT = MultitaskFusion(Concat(hidden=16, dropout=0.0), objective={"votes": "soft"}, **SMALL)
TWO = MultitaskFusion(Concat(hidden=16, dropout=0.0), **SMALL)
ASKED = {"splitter": "official", "n_bootstrap": 0, "progress": False}


@pytest.fixture(scope="module")
def table(tiny_table: FeatureTable) -> FeatureTable:
    """Return the tiny table with four targets, each missing in a third of the rows, and some rows without any."""
    rng, segments = np.random.default_rng(3), tiny_table.segments.copy()
    codes = segments["emotion"].map({"anger": 0, "joy": 1, "neutral": 2}).to_numpy()
    shares = np.where(np.arange(2) == (codes == 1)[:, None], 4, 1)
    segments[["labels.tense", "labels.warm"]] = np.column_stack([codes == 0, codes == 1]).astype(float)
    segments[["votes.cold", "votes.warm"]] = shares
    for name in TARGETS:
        columns = [column for column in segments if column == name or (name[-1] == "." and column.startswith(name))]
        segments.loc[rng.random(len(segments)) < 1 / 3, columns] = np.nan
    segments.loc[[0, 50], [column for column in segments if column.startswith(("emo", "val", "lab", "vot"))]] = np.nan
    return FeatureTable(segments, tiny_table.blocks)


@pytest.fixture(scope="module")
def found(table: FeatureTable):
    models = {"one": JOINT, "alone": {"emotion": LinearClassifier(), "valence": LinearRegressor()}}
    return evaluate(models, table, target=TARGETS, seeds=[0, 1], return_predictions=True, **ASKED)


def test_every_target_is_scored_by_what_fits_it_on_the_rows_that_have_it(table, found):
    results, predictions = found
    assert (results["error"] == "").all()
    assert list(predictions) == list(results["target"].unique()) == TARGETS
    firsts = ["f1_weighted", "ccc", "multilabel_f1_macro", "kld"]
    for name, first in zip(TARGETS, firsts, strict=True):
        own, said = results[results["target"] == name], predictions[name]
        assert own["metric"].iloc[0] == first
        known = table.segments.filter(regex=f"^{name.removesuffix('.')}").notna().all(axis=1)
        for part in ("valid", "test"):
            wanted = np.flatnonzero(known & (table.segments["split"] == part))
            rows = said[(said["model"] == "one") & (said["seed"] == 0) & (said["part"] == part)]
            assert rows["row"].tolist() == wanted.tolist()
            assert set(own.loc[own["part"] == part, "n_rows"]) == {len(wanted)}
        assert set(own["n_train_rows"]) == {int((known & (table.segments["split"] == "train")).sum())}
        assert set(own["n_left_out"]) == {int((~known).sum())}
        assert set(own["model"]) == {"one", "majority"} | ({"alone"} if name in TARGETS[:2] else set())
    for name in ("emotion", "valence"):
        scores = results[(results["target"] == name) & (results["part"] == "test")].groupby(["metric", "model"])
        means = scores["value"].mean()[firsts[TARGETS.index(name)]]
        assert means["one"] > means["majority"] + 0.3, "it learns through the gaps"


def test_a_model_of_all_is_what_its_own_fit_and_answers_are(table, found):
    """The same as by hand: targets with gaps in, whole parts asked, the rows with a target scored."""
    segments, split = table.segments, table.segments["split"]
    y = segments[["emotion", "valence", "labels.tense", "labels.warm"]].copy()
    votes = segments[["votes.cold", "votes.warm"]]
    y[votes.columns] = votes.div(votes.sum(axis=1), axis=0)
    fits = {part: np.flatnonzero((split == part) & y.notna().any(axis=1)) for part in ("train", "valid")}
    train, valid = ((table[rows], y.loc[rows].reset_index(drop=True)) for rows in fits.values())
    model = JOINT.fit(*train, validation=valid)
    test = np.flatnonzero(split == "test")
    said, given = model.predict(table[test]), model.predict_proba(table[test])
    own = {name: rows[(rows["model"] == "one") & (rows["seed"] == 0)] for name, rows in found[1].items()}
    own = {name: rows[rows["part"] == "test"] for name, rows in own.items()}
    for name in ("emotion", "valence"):
        known = segments.loc[test, name].notna().to_numpy()
        assert own[name]["target"].tolist() == segments.loc[test[known], name].tolist()
        assert own[name]["prediction"].tolist() == said.loc[known, name].tolist()
    known = segments.loc[test, "labels.warm"].notna().to_numpy()
    np.testing.assert_array_equal(
        own["labels."][["d.tense", "d.warm"]], said.loc[known, ["labels.tense", "labels.warm"]]
    )
    np.testing.assert_array_equal(own["labels."][["p.tense", "p.warm"]], given["labels"][known])
    known = votes.loc[test].notna().all(axis=1).to_numpy()
    np.testing.assert_array_equal(own["votes."][["p.cold", "p.warm"]], given["votes"][known])
    by_hand = f1_macro(own["emotion"]["target"], own["emotion"]["prediction"])
    scores = found[0].query("target == 'emotion' and model == 'one' and seed == 0 and part == 'test'")
    assert scores.set_index("metric")["value"]["f1_macro"] == pytest.approx(by_hand)


def test_other_models_are_fitted_to_each_target_as_alone(table, found):
    for name, model in (("emotion", LinearClassifier()), ("valence", LinearRegressor())):
        alone, said = evaluate({"alone": model}, table, target=name, return_predictions=True, **ASKED)
        rows = found[0].query("target == @name and model != 'one' and seed == 0").reset_index(drop=True)
        shared = [
            column
            for column in alone
            if not column.endswith("_seconds") and column not in ("peak_memory_mb", "started")
        ]
        pd.testing.assert_frame_equal(rows[shared], alone[shared])
        both = found[1][name].query("model != 'one' and seed == 0")[list(said)].reset_index(drop=True)
        pd.testing.assert_frame_equal(both, said, check_dtype=False)


def test_runs_are_kept_and_those_of_one_target_are_shared(table, tmp_path):
    models = {"one": TWO, "each": {"emotion": LinearClassifier(), "valence": LinearRegressor()}}
    asked = {**ASKED, "cache": tmp_path}
    for name in ("emotion", "valence"):
        evaluate({"each": models["each"][name]}, table, target=name, **asked)
    two = {"target": ["emotion", "valence"], "splitter": "official", "n_bootstrap": 0}
    states = status(models, table, cache=tmp_path, **two).set_index(["model", "target"])["state"].to_dict()
    assert states == {
        ("one", "emotion, valence"): "left",
        **{(model, name): "done" for model in ("each", "majority") for name in ("emotion", "valence")},
    }
    first = evaluate(models, table, target=two["target"], **asked)
    assert set(status(models, table, cache=tmp_path, **two)["state"]) == {"done"}
    again = evaluate(models, table, target=two["target"], **asked)
    pd.testing.assert_frame_equal(first, again, check_dtype=False)  # times of fitting are those of the first
    other = status(models, table, cache=tmp_path, **{**two, "target": ["valence", "emotion"]})
    assert other.loc[other["model"] == "one", "state"].tolist() == ["left"], "the order is what is learnt"


def test_folds_conditions_and_an_audit(table):
    more = {"conditions": {"no audio": Missing("audio")}, "audit": True, "n_bootstrap": 50, "progress": False}
    results, predictions = evaluate(
        {"one": TWO}, table, target=["emotion", "valence"], splitter="by_speaker",
        metrics=["ccc", "uar", "f1_per_class"], return_predictions=True, **more,
    )  # fmt: skip
    assert (results["error"] == "").all()
    assert results.groupby("target")["metric"].unique().map(list).to_dict() == {
        "emotion": ["uar", "f1:anger", "f1:joy", "f1:neutral"],
        "valence": ["ccc"],
    }
    for name, own in results.groupby("target"):
        whole = own[own["fold"].isna() & (own["part"] == "test") & (own["model"] == "one")]
        n_known = table.segments[name].notna().sum()
        assert set(whole["n_rows"]) == {n_known}, "the answers of all folds together are one test set"
        assert set(whole["condition"].fillna("")) == {"", "no audio"}
        assert set(predictions[name].loc[predictions[name]["model"] == "one", "selection"]) == {"valid", "test"}
        assert len(selection_gap(own).loc["one"]) == own["metric"].nunique()
    assert results["low"].notna().any()


def test_leaderboards_tests_and_pages_are_of_one_target_each(table, found, tmp_path):
    results, predictions = found
    with pytest.raises(ValueError, match="several comparisons, target"):
        leaderboard(results, predictions["emotion"])
    boards = {}
    for comparison in comparisons(results, predictions):
        boards[comparison.name] = leaderboard(comparison.results, comparison.predictions, n_resamples=200)
        page = write_page(comparison.results, comparison.predictions, tmp_path / comparison.name, table=table)
        assert "one" in page.read_text(encoding="utf-8")
    assert list(boards) == [f"tiny-{name.removesuffix('.')}-official" for name in TARGETS]
    assert boards["tiny-valence-official"].attrs["metric"] == "ccc"
    assert boards["tiny-emotion-official"]["p"].notna().sum() == 2
    pair = (predictions["valence"].query("model == @name") for name in ("one", "alone"))
    assert 0 <= approximate_randomisation("ccc", *pair, n_resamples=200).pvalue <= 1
    save_results(results, predictions, tmp_path / "results")
    alone = evaluate({"linear": LinearClassifier()}, table, seeds=[0, 1], return_predictions=True, **ASKED)
    save_results(*alone, tmp_path / "results")
    merged = {comparison.name: comparison for comparison in load_results([tmp_path / "results"])}
    assert set(merged) == set(boards)
    assert set(merged["tiny-emotion-official"].results["model"]) == {"one", "alone", "linear", "majority"}


def test_a_failed_model_of_all_is_a_result_for_each_target(table, caplog):
    with caplog.at_level(logging.WARNING):
        results, predictions = evaluate(
            {"broken": MultitaskFusion("no such head"), "alone": {"valence": LinearRegressor()}}, table,
            target=["emotion", "valence"], metrics=["uar", "mae"], return_predictions=True, **ASKED,
        )  # fmt: skip
    broken = results[results["model"] == "broken"]
    assert broken.groupby("target")["metric"].unique().map(list).to_dict() == {"emotion": ["uar"], "valence": ["mae"]}
    assert broken["value"].isna().all()
    assert broken["error"].str.contains("no such head").all()
    assert set(predictions["valence"]["model"]) == {"alone", "majority"}
    assert "broken failed" in caplog.text


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": []}, "name one or more"),
        ({"target": ["emotion", "emotion"]}, "each once"),
        ({"target": ["emotion", "mood"]}, "Unknown target 'mood'"),
        (
            {"target": ["emotion", "valence"], "metrics": ["uar"]},
            r"No metric of \['uar'\] fits target 'valence'.*'ccc'",
        ),
        ({"target": ["emotion", "valence"], "metrics": ["uar", "ccc", "jaccard"]}, "Metric 'jaccard' needs indicators"),
        ({"target": ["emotion"], "models": {"each": {"mood": LinearClassifier()}}}, "target of model 'each' 'mood'"),
    ],
)
def test_what_does_not_fit_is_named(table, asked, message):
    with pytest.raises(ValueError, match=message):
        evaluate(asked.pop("models", LinearClassifier()), table, **asked, **ASKED)


def test_one_target_in_a_list_is_a_list_of_one(table):
    results, predictions = evaluate(
        FusionClassifier(Concat(hidden=8), epochs=2), table, target=["emotion"], return_predictions=True, **ASKED
    )
    assert list(predictions) == ["emotion"]
    assert set(results["target"]) == {"emotion"}
