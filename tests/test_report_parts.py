"""What a page is made of: variants, letters, dialogues, tracks, published figures, charts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from featmer import Block, BoostedClassifier, FeatureTable, evaluate, leaderboard
from featmer.corpora import CORPORA
from featmer.evaluation.metrics import METRICS
from featmer.report import find_table, load_results, save_results, write_page
from featmer.report.answers import goodness
from featmer.report.charts import cost_chart, f1_chart, robustness_chart, still
from featmer.report.charts.style import colours
from featmer.report.dialogues import explore
from featmer.report.published import published_figures
from featmer.report.significance import letters, unit_scores
from featmer.report.tracks import choose_tracks, lay_out
from featmer.report.variants import areas_of, as_they_are, curves_of, picked_on_test


def make_results() -> pd.DataFrame:
    """Return two models, two seeds, two folds and their sum, as they are, at two rates, and audited."""
    whole = pd.DataFrame(
        [
            {"model": model, "seed": seed, "fold": fold, "value": score + 0.02 * seed + 0.1 * (fold == 0)}
            for model, score in {"a": 0.6, "b": 0.5}.items()
            for seed in (0, 1)
            for fold in (0, 1, None)
        ]
    ).assign(
        part="test",
        selection="valid",
        metric="uar",
        low=0.0,
        high=1.0,
        n_rows=9,
        n_train_rows=30,
        fit_seconds=1.0,
        parameters=10.0,
    )
    whole = whole.astype({"fold": "Int64"})
    gone = [whole.assign(value=whole["value"] - rate / 2, condition="no audio", rate=rate) for rate in (0.5, 1.0)]
    return pd.concat([whole, *gone, whole.assign(value=whole["value"] + 0.1, selection="test")], ignore_index=True)


def test_variants_are_kept_apart() -> None:
    results = make_results()
    plain = as_they_are(results)
    assert len(plain) == 12
    assert as_they_are(plain[["model"]]).equals(plain[["model"]])
    curves = curves_of(results, "uar").set_index(["model", "rate"])["value"]
    assert curves["a"].to_list() == pytest.approx([0.61, 0.36, 0.11])
    assert picked_on_test(results, "uar").round(3).to_dict("list") == {
        "test_selected": [0.71, 0.61],
        "difference": [0.1, 0.1],
    }
    assert leaderboard(results)["mean"].to_list() == leaderboard(plain)["mean"].to_list() == pytest.approx([0.61, 0.51])


def test_results_without_variants_have_none() -> None:
    plain = as_they_are(make_results()).drop(columns=["condition", "rate", "selection"])
    assert curves_of(plain, "uar").empty
    assert areas_of(curves_of(plain, "uar")).empty
    assert picked_on_test(plain, "uar").empty


def test_a_rate_of_zero_that_was_run_is_taken() -> None:
    results = make_results()
    zero = results[results["condition"] == "no audio"].query("rate == 1").assign(rate=0.0, value=0.9)
    curves = curves_of(pd.concat([results, zero]), "uar")
    assert curves[curves["rate"] == 0]["value"].to_list() == [0.9, 0.9]


def test_areas_are_means_over_rates() -> None:
    rates = [0.0, 0.1, 1.0]
    flat = pd.DataFrame({"model": "flat", "condition": "c", "rate": rates, "value": 0.4})
    steep = pd.DataFrame({"model": "steep", "condition": "c", "rate": rates, "value": [1.0, 0.9, 0.0]})
    areas = areas_of(pd.concat([flat, steep]))["c"]
    assert areas["flat"] == pytest.approx(0.4)
    assert areas["steep"] == pytest.approx(np.trapezoid([1.0, 0.9, 0.0], rates))


def test_letters_join_equals_and_part_others() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"dialogue": np.repeat(np.arange(60), 2), "turn": [0, 1] * 60, "fold": 0, "seed": 0})
    rows["target"] = rng.choice(["joy", "fear"], 120)
    wrong = rows["target"].map({"joy": "fear", "fear": "joy"})
    shares = {"good": 0.95, "also": 0.9, "bad": 0.5, "worst": 0.05}
    answers = [
        rows.assign(model=model, prediction=rows["target"].where(rng.random(120) < share, wrong))
        for model, share in shares.items()
    ]
    runs = pd.DataFrame({"model": list(shares), "fold": 0, "seed": 0, "value": list(shares.values())})
    found = letters(METRICS["accuracy"], runs, pd.concat(answers), list(shares))
    assert found == {"good": "a", "also": "a", "bad": "b", "worst": "c"}
    scores = unit_scores(pd.concat(answers), list(shares))
    assert scores.shape == (60, 4)
    assert scores.mean().is_monotonic_decreasing


def test_unit_scores_of_values_are_errors() -> None:
    rows = pd.DataFrame({"model": "a", "dialogue": [1, 1, 2], "target": [0.0, 1.0, 0.5], "prediction": [0.5, 1.0, 0.5]})
    assert unit_scores(rows, ["a"])["a"].to_list() == [-0.25, 0.0]


def make_answers() -> pd.DataFrame:
    rows = pd.DataFrame({"dialogue": ["y", "x", "x"], "turn": [0, 0, 2], "row": [2, 0, 1], "target": ["j", "f", "j"]})
    sure = rows.assign(model="sure", prediction="j", seed=0, **{"p.f": [0.1, 0.2, 0.6], "p.j": [0.9, 0.8, 0.4]})
    again = sure.assign(seed=1, **{"p.f": [0.1, 0.9, 0.0], "p.j": [0.9, 0.1, 1.0]})
    return pd.concat([sure, again, rows.assign(model="bare", prediction=["f", "f", "j"], seed=0)], ignore_index=True)


def test_the_explorer_averages_seeds_and_keeps_the_order_of_turns() -> None:
    told = explore(make_answers(), ["sure", "bare"], ".")
    assert (told["models"], told["labels"]) == (["sure", "bare"], ["f", "j"])
    first, second = told["dialogues"]
    assert (first["name"], [turn["turn"] for turn in first["turns"]]) == ("x", [0, 2])
    assert first["answers"]["sure"] == [{"said": ["f"], "p": [550, 450]}, {"said": ["j"], "p": [300, 700]}]
    assert first["answers"]["bare"] == [{"said": ["f"]}, {"said": ["j"]}]
    assert second["answers"]["bare"] == [{"said": ["f"]}]


def test_turns_that_were_not_scored_are_shown_and_other_dialogues_are_not(tmp_path: Path) -> None:
    segments = pd.DataFrame({"dialogue": ["x", "x", "x", "y", "z"], "turn": [0, 1, 2, 0, 0], "text": list("abcde")})
    segments["video"] = ["there.mp4", "gone.mp4", None, None, None]
    segments[["start", "end"]] = [[1.5, 2.0], *[[np.nan, np.nan]] * 4]
    segments.attrs["root"] = str(tmp_path)
    (tmp_path / "there.mp4").touch()
    table = FeatureTable(segments, {"text": Block(np.ones((5, 1)), ["text.length"])})
    told = explore(make_answers(), ["sure"], tmp_path / "pages" / "one", table)
    assert [dialogue["name"] for dialogue in told["dialogues"]] == ["x", "y"]
    turns = told["dialogues"][0]["turns"]
    assert [turn["text"] for turn in turns] == ["a", "b", "c"]
    assert [turn["gold"] and turn["gold"]["said"] for turn in turns] == [["f"], None, ["j"]]
    assert told["dialogues"][0]["answers"]["sure"][1] is None
    assert [turn.get("video") for turn in turns] == ["../../there.mp4#t=1.500,2.000", None, None]


def test_values_are_explored_too() -> None:
    rows = pd.DataFrame({"model": "a", "dialogue": "x", "turn": [0], "row": 0, "target": [0.12345], "prediction": 0.5})
    told = explore(rows, ["a"], ".")
    assert told["labels"] == []
    assert told["dialogues"][0]["turns"][0]["gold"] == {"said": 0.123}
    assert told["dialogues"][0]["answers"]["a"] == [{"said": 0.5}]


NAMES = ["audio.e.F0semitoneFrom27.5Hz_sma3nz_amean", "audio.e.F0semitoneFrom27.5Hz_sma3nz_stddevNorm"]
NAMES += ["audio.e.logRelF0-H1-H2_sma3nz_amean", "audio.e.loudness_sma3_percentile50.0", "audio.e.loudness_sma3_amean"]
FACE = [
    "face.pose.pitch_mean",
    *(f"face.au.AU{number:02d}_{kind}" for number in range(1, 10) for kind in ("mean", "max")),
]


def test_tracks_are_means_of_the_right_features() -> None:
    rng = np.random.default_rng(0)
    segments = pd.DataFrame({"dialogue": ["x"] * 4, "turn": range(4)})
    face = rng.random((4, len(FACE))) * np.arange(1, len(FACE) + 1)
    blocks = {"audio": Block(rng.random((4, 5)), NAMES), "face": Block(face, FACE)}
    chosen = choose_tracks(FeatureTable(segments, blocks))
    units = [track.name.split()[0] for track in chosen if track.kind == "action units"]
    assert len(units) == 6
    assert "AU01" not in units, "the one that varies least"
    assert [(track.kind, NAMES[track.column]) for track in chosen[6:]] == [("pitch", NAMES[0]), ("energy", NAMES[4])]


def test_frames_stand_one_after_another_and_are_thinned() -> None:
    segments = pd.DataFrame({"dialogue": ["x", "x"], "turn": [0, 1]})
    times = [np.arange(2000) / 100 + 5, np.arange(1001) / 100]
    values = [np.full((2000, 1), 2.0), np.zeros((1001, 1))]
    table = FeatureTable(segments, {"audio": Block(values, ["audio.lld.F0semitone"], times=times)})
    laid = lay_out(choose_tracks(table), np.array([0, 1]), 10)
    assert (laid["unit"], laid["starts"]) == ("s", [0.0, 19.99])
    points = pd.DataFrame(laid["points"])
    assert 200 < len(points) <= 241
    assert points["x"].is_monotonic_increasing
    assert set(points[points["x"] < 19.8]["y"]) == {2.0}
    assert points[points["x"] > 20.2]["y"].isna().all(), "no voice is no pitch of zero"
    assert len(lay_out(choose_tracks(table), np.array([0, 1]), 10_000)["points"]) <= 25
    assert lay_out([], np.array([0]), 1) == {}


def test_every_published_figure_can_be_traced() -> None:
    figures = published_figures()
    assert not (figures.astype(str) == "").any(axis=None)
    assert set(figures["selection"]) <= {"test", "valid", "not stated"}
    assert set(figures["told_by"]) == {"the authors", "others"}
    assert set(figures["metric"]) <= set(METRICS)
    assert not figures.duplicated(["model", "corpus", "split", "inputs", "metric", "source"]).any()
    assert set(figures["corpus"]) <= {*CORPORA, *MUSIC}
    shares = figures[figures["metric"].isin(["f1_weighted", "f1_macro", "accuracy"])]["value"]
    assert shares.between(0.2, 0.8).all()
    assert published_figures("nowhere").empty


MUSIC = ("jamendo", "deam", "emomusic", "pmemo")  # without a reader: a manifest may be of them


def test_the_table_of_unified_music_emotion_is_whole() -> None:
    """M10: every figure of its README by corpus, metric and dimension, and what they say about joint training."""
    figures = pd.concat(published_figures(corpus) for corpus in MUSIC)
    own = figures[figures["told_by"] == "the authors"]
    table = own.pivot_table(index="model", columns=["corpus", "metric", "split"], values="value")
    assert table.shape == (5, 8)
    assert sorted(table.notna().sum(axis=1)) == [4, 4, 4, 8, 8]
    assert table.loc["Music2Emotion of one corpus"].tolist() == table.min().tolist()
    gains = table.loc["Music2Emotion of four corpora"] - table.loc["Music2Emotion of one corpus"]
    assert gains.idxmax() == ("emomusic", "r2", "not stated; valence")
    assert gains.max() == pytest.approx(0.0555)
    others = figures[figures["told_by"] == "others"].groupby("metric")["value"]
    assert others.size().to_dict() == {"mean_auroc": 5, "mean_average_precision": 5}
    assert (others.max() < own.groupby("metric")["value"].min()[others.max().index]).all()


def test_cheap_and_good_models_are_worth_their_cost() -> None:
    board = pd.DataFrame({"model": list("abc"), "mean": [0.9, 0.5, 0.6], "p": np.nan, "fit_seconds": [9.0, 5.0, 1.0]})
    board["parameters"] = np.nan
    board.attrs["metric"] = "uar"
    for metric, worth in (("uar", ["c", "a"]), ("mae", ["c", "b"])):
        board.attrs["metric"] = metric
        (panel,) = cost_chart(board)["hconcat"]
        assert [row["model"] for row in panel["data"]["values"] if row["worth"]] == worth


def test_charts_can_be_drawn_with_names_of_any_kind() -> None:
    name = 'a.b[0] "c" \\ <i>'
    results = pd.DataFrame({"model": name, "part": "test", "metric": [f"f1:{name}", "f1:joy"], "value": [0.4, 0.6]})
    drawn = still(f1_chart(results, [name]))
    assert "&lt;i&gt;" in drawn
    assert "<i>" not in drawn
    curves = pd.DataFrame({"model": name, "condition": name, "rate": [0.0, 1.0], "value": [0.5, 0.4]})
    assert "&lt;i&gt;" in still(robustness_chart(curves, [name], "uar"))


def test_each_label_has_a_colour_of_its_own() -> None:
    labels = ["Joy", "anger", "sadness", "x", "y", "z"]
    assert len(set(colours(labels))) == 6
    assert len(colours([f"label {number}" for number in range(40)])) == 40


def test_several_labels_a_row_have_answers_too() -> None:
    place = pd.DataFrame(
        {"dialogue": "x", "turn": [0, 1, 0, 1], "row": [0, 1, 0, 1], "seed": [0, 0, 1, 1], "model": "a"}
    )
    true = {"t.f": [1, 0, 1, 0], "t.j": [1, 0, 1, 0]}
    given = {"p.f": [0.9, 0.2, 0.5, 0.2], "p.j": [0.6, 0.7, 0.6, 0.3]}
    sets = place.assign(**true, **given, **{"d.f": [1, 0, 1, 0], "d.j": [0, 1, 1, 0]})
    told = explore(sets, ["a"], ".")
    assert told["labels"] == ["f", "j"]
    turns = told["dialogues"][0]["turns"]
    assert [turn["gold"] for turn in turns] == [{"said": ["f", "j"], "p": [1000, 1000]}, {"said": [], "p": [0, 0]}]
    answers = told["dialogues"][0]["answers"]["a"]
    assert answers == [{"said": ["f", "j"], "p": [700, 600]}, {"said": ["j"], "p": [200, 500]}]
    assert goodness(sets).to_list() == [0.5, 0.5, 1.0, 1.0]
    bare = explore(sets.drop(columns=["p.f", "p.j"]), ["a"], ".")["dialogues"][0]["answers"]["a"]
    assert bare[0] == {"said": ["f", "j"], "p": [1000, 500]}


def test_distributions_have_answers_too() -> None:
    rows = pd.DataFrame({"dialogue": "x", "turn": [0], "row": 0, "model": "a", "t.f": 0.25, "t.j": 0.75})
    rows = rows.assign(**{"p.f": 0.5, "p.j": 0.5})
    dialogue = explore(rows, ["a"], ".")["dialogues"][0]
    assert dialogue["turns"][0]["gold"] == {"said": ["j"], "p": [250, 750]}
    assert dialogue["answers"]["a"] == [{"said": ["f"], "p": [500, 500]}]
    assert goodness(rows).to_list() == [0.75]


@pytest.mark.parametrize("target", ["labels.", "votes."])
def test_targets_of_several_labels_have_their_page(tiny_table: FeatureTable, tmp_path: Path, target: str) -> None:
    segments = tiny_table.segments.copy()
    for label in ("anger", "joy", "neutral"):
        segments[f"{target}{label}"] = (segments["emotion"] == label).astype(int)
    segments[f"{target}joy"] |= segments["turn"] == 1
    model = BoostedClassifier(n_estimators=5)
    found = evaluate(
        {"boosted": model},
        FeatureTable(segments, tiny_table.blocks),
        target=target,
        splitter="official",
        n_bootstrap=0,
        return_predictions=True,
        progress=False,
    )
    page = write_page(*found, tmp_path)
    assert "boosted" in page.read_text(encoding="utf-8")
    drawn = {file.stem for file in (tmp_path / "plots").iterdir()}
    assert {"scores", "ranks", "cost"} <= drawn
    assert ({"together", "label_calibration"} <= drawn) == (target == "labels.")


def make_table(kind: str, corpus: str = "c", n_turns: int = 3) -> FeatureTable:
    segments = pd.DataFrame({"corpus": corpus, "dialogue": "x", "turn": range(n_turns)})
    frames = np.ones((n_turns, 1)) if kind == "vector" else [np.ones((2, 1))] * n_turns
    return FeatureTable(segments, {"audio": Block(frames, ["audio.F0"])})


def test_the_richest_table_of_the_same_utterances_is_found(tmp_path: Path) -> None:
    asked = pd.DataFrame({"corpus": "c", "dialogue": "x", "turn": [0, 2]})
    make_table("sequence", corpus="other").save(tmp_path / "other.parquet")
    make_table("sequence", n_turns=2).save(tmp_path / "short.parquet")
    assert find_table(tmp_path, asked) is None
    make_table("vector").save(tmp_path / "vector.parquet")
    found = find_table(tmp_path, asked)
    assert found is not None
    assert not found.blocks["audio"].is_sequence
    make_table("sequence").save(tmp_path / "a_sequence.parquet")
    make_table("vector").save(tmp_path / "newest.parquet")
    richest = find_table(tmp_path, asked)
    assert richest is not None
    assert richest.blocks["audio"].is_sequence


def test_merging_keeps_conditions_and_audits_apart(tiny_table: FeatureTable, tmp_path: Path) -> None:
    model = {"boosted": BoostedClassifier(n_estimators=5)}
    found = evaluate(model, tiny_table, splitter="official", n_bootstrap=0, return_predictions=True, progress=False)
    results, predictions = (frame.assign(selection="valid") for frame in found)
    save_results(results, predictions, tmp_path / "plain")
    for name, more in {"gone": {"condition": "no audio", "rate": 1.0}, "audit": {"selection": "test"}}.items():
        save_results(results.assign(**more), predictions.assign(**more), tmp_path / name)
    (merged,) = load_results([tmp_path / name for name in ("plain", "gone", "audit", "plain")])
    assert len(merged.results) == 3 * len(results)
    assert len(as_they_are(merged.results)) == len(results)
    assert len(as_they_are(merged.predictions)) == len(predictions)
    assert leaderboard(*merged[1:], n_resamples=50)["n_runs"].to_list() == [1, 1]
    assert set(picked_on_test(merged.results, "f1_weighted").index) == {"boosted", "majority"}
