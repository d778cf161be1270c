"""What goes missing: the laws of each variant, and models asked under conditions without being fitted again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier

from featmer import Block, FeatureTable, evaluate
from featmer.baselines import LinearClassifier
from featmer.evaluation import auilc, selection_gap
from featmer.missing import RATES, TAKEN, Missing, Noise, draw_missing

VARIANTS = ("rmm", "rmfm", "rmfm_same", "tmfm", "stmfm")
LENGTHS = {"audio": np.full(2000, 30), "text": np.full(2000, 30)}


def drawn(how: str, rate: Any, seed: int = 1111, lengths: Any = None, **more: Any) -> dict[str, np.ndarray]:
    return draw_missing(lengths or LENGTHS, how, rate, np.random.default_rng(seed), **more)


def make_sequences(n_rows: int = 12, n_frames: int = 8) -> FeatureTable:
    rng = np.random.default_rng(0)
    segments = pd.DataFrame({"dialogue": np.arange(n_rows) // 3, "turn": np.arange(n_rows) % 3})
    blocks = {
        name: Block(list(rng.normal(size=(n_rows, n_frames, 2))), [f"{name}.{i}" for i in "ab"]) for name in LENGTHS
    }
    blocks["face"] = Block(rng.normal(size=(n_rows, 2)), ["face.a", "face.b"])
    return FeatureTable(segments, blocks)


# the laws


@pytest.mark.parametrize("how", VARIANTS)
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.7])
def test_as_much_goes_as_the_rate_says(how: str, rate: float) -> None:
    tolerance = 0.03 if how == "rmm" else 0.01  # whole rows are fewer draws
    for gone in drawn(how, rate).values():
        assert gone.mean() == pytest.approx(rate, abs=tolerance)


@pytest.mark.parametrize("how", VARIANTS)
def test_drawn_rates_take_half_on_average(how: str) -> None:
    for gone in drawn(how, None).values():
        assert gone.mean() == pytest.approx(0.5, abs=0.03)


def test_drawn_rates_are_of_frames_or_of_rows() -> None:
    """A row's share scatters little where each frame has its rate, and evenly over 0 to 1 where the row has."""
    spread = {how: drawn(how, None)["audio"].reshape(2000, 30).mean(1).std() for how in VARIANTS}
    assert spread["rmfm"] == pytest.approx(0.5 / 30**0.5, rel=0.1)
    assert spread["rmfm_same"] == pytest.approx(12**-0.5, rel=0.15)
    assert spread["tmfm"] == pytest.approx(12**-0.5, rel=0.15)


@given(st.sampled_from(VARIANTS), st.floats(0, 1), st.integers(0, 99), st.lists(st.integers(0, 9), min_size=1))
@settings(max_examples=60, deadline=None)
def test_laws(how: str, rate: float, seed: int, rows: list[int]) -> None:
    lengths = {"audio": np.array(rows), "text": np.array(rows)}
    gone = drawn(how, rate, seed, lengths)
    more = drawn(how, min(1.0, rate + 0.3), seed, lengths)
    for name, frames in gone.items():
        assert frames.shape == (sum(rows),)
        assert np.array_equal(frames, drawn(how, rate, seed, lengths)[name])
        assert not drawn(how, 0.0, seed, lengths)[name].any()
        assert drawn(how, 1.0, seed, lengths)[name].all()
        if how != "stmfm":
            assert (more[name] >= frames).all()
    if how == "tmfm":
        assert np.array_equal(gone["audio"], gone["text"])
    ends = np.cumsum(rows)
    for name, first, last in ((name, e - n, e) for name in gone for n, e in zip(rows, ends, strict=True)):
        own = gone[name][first:last].astype(int)
        if how == "rmm":
            assert own.min(initial=1) == own.max(initial=0) or not len(own)
        if how == "stmfm":
            assert own.sum() == np.floor(rate * len(own) + 0.5)
            assert (np.diff(own, prepend=0) == 1).sum() == (own.sum() > 0)  # one block


@pytest.mark.parametrize("how", VARIANTS)
@pytest.mark.parametrize("rate", [0.4, 1.0, None])
def test_protected_frames_stay(how: str, rate: float | None) -> None:
    gone = drawn(how, rate, protected={"text": 2})
    own = gone["text"].reshape(2000, 30)
    assert not own[:, :2].any()
    assert not own[:, -2:].any()
    assert own[:, 2:-2].any()
    assert gone["audio"].reshape(2000, 30)[:, 0].any()
    if rate == 1.0:
        assert own[:, 2:-2].all()


def test_a_rate_a_modality_takes_one_away() -> None:
    gone = drawn("rmfm_same", {"audio": 1.0})
    assert gone["audio"].all()
    assert not gone["text"].any()


def test_what_cannot_be_drawn_says_so() -> None:
    with pytest.raises(ValueError, match="Unknown variant of missing features 'rmf', did you mean 'rmfm'"):
        drawn("rmf", 0.5)
    with pytest.raises(ValueError, match="between 0, nothing missing, and 1, got 1.5"):
        drawn("rmm", 1.5)
    with pytest.raises(ValueError, match="one rate for all modalities"):
        drawn("rmfm", {"audio": 0.5})
    with pytest.raises(ValueError, match="differ in their numbers of frames"):
        drawn("tmfm", 0.5, lengths={"audio": np.array([3]), "text": np.array([4])})


# tables


@pytest.mark.parametrize("how", ["rmm", "rmfm", "rmfm_same", "stmfm"])
def test_a_table_keeps_its_shape_and_says_what_was_taken(how: str) -> None:
    table = make_sequences()
    before = table.digest()
    assert Missing(how=how, rate=0.0).apply(table).digest() == before
    half = Missing(how=how, rate=0.5).apply(table)
    assert half.digest() not in (before, Missing(how=how, rate=0.5, random_state=0).apply(table).digest())
    assert half.digest() == Missing(how=how, rate=0.5).apply(table).digest()
    nothing = Missing(how=how).apply(table)
    assert table.digest() == before
    for name, block in nothing.blocks.items():
        assert block.missing.all()
        assert set(block.reasons) == {TAKEN}
        assert np.array_equal(block.lengths, table.blocks[name].lengths)
    assert nothing.segments.equals(table.segments)


def test_other_modalities_and_older_reasons_stay(tiny_table: FeatureTable) -> None:
    changed = Missing("audio").apply(tiny_table)
    assert changed.modalities == tiny_table.modalities
    assert changed.blocks["text"] is tiny_table.blocks["text"]
    assert pd.Series(changed.blocks["audio"].reasons).value_counts().to_dict() == {TAKEN: 115, "no audio": 5}
    with pytest.raises(ValueError, match="Unknown modality 'audoi', did you mean 'audio'"):
        Missing("audoi").apply(tiny_table)


def test_noise_is_as_strong_as_it_says(tiny_table: FeatureTable) -> None:
    noisy = Noise(["audio", "text"], rate=0.5).apply(tiny_table)
    for name in ("audio", "text"):
        old, new = tiny_table.blocks[name].values, noisy.blocks[name].values
        assert np.array_equal(np.isnan(old), np.isnan(new))
        assert np.nanmean((new - old).std(axis=0, where=~np.isnan(old)) / np.nanstd(old, axis=0)) == pytest.approx(
            0.5, abs=0.1
        )
    assert noisy.blocks["face"] is tiny_table.blocks["face"]
    assert Noise(rate=0.0).apply(tiny_table).digest() == tiny_table.digest()
    with pytest.raises(ValueError, match="0 or more standard deviations"):
        Noise(rate=-1.0).apply(tiny_table)


# the area


@given(st.floats(-1, 1), st.integers(2, 20))
@settings(max_examples=20, deadline=None)
def test_the_area_under_a_constant_is_the_constant(height: float, n: int) -> None:
    assert auilc(np.linspace(0, 1, n), np.full(n, height)) == pytest.approx(height)
    assert auilc(RATES, 1 - np.array(RATES)) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="rising rates"):
        auilc([0.5, 0.5], [1, 1])


# in evaluate()


class Counting(ClassifierMixin, BaseEstimator):
    """Count fits; say joy where the audio is there, else fear; stop at what the validation rows seem to ask for."""

    fits = 0

    def __init__(self, random_state: int | None = None):
        self.random_state = random_state

    def fit(self, X: FeatureTable, y: np.ndarray, validation: Any = None) -> Counting:
        Counting.fits += 1
        self.classes_ = np.unique(y)
        self.favourite_ = max(self.classes_, key=lambda label: (np.asarray(validation[1]) == label).sum())
        return self

    def predict(self, X: FeatureTable) -> np.ndarray:
        return np.where(X.blocks["audio"].missing, "joy", self.favourite_)


def without_costs(results: pd.DataFrame) -> pd.DataFrame:
    return results.drop(columns=["fit_seconds", "predict_seconds", "epoch_seconds", "peak_memory_mb", "started"])


def test_conditions_are_scored_without_fitting_again(tiny_table: FeatureTable, tmp_path: Any) -> None:
    Counting.fits = 0
    asked = {"table": tiny_table, "metrics": ["uar"], "splitter": "official", "progress": False}
    conditions = {"no audio": Missing("audio"), "frames missing": Missing(how="rmfm").at([0.0, 0.5, 1.0])}
    results, predictions = evaluate(Counting(), **asked, conditions=conditions, return_predictions=True, cache=tmp_path)
    assert Counting.fits == 1
    own = results[results["model"] == "Counting"].set_index(["part", "condition", "rate"])["value"]
    assert list(own.index) == [
        *(("valid", "", 0.0), ("test", "", 0.0), ("test", "no audio", 1.0)),
        *(("test", "frames missing", rate) for rate in (0.0, 0.5, 1.0)),
    ]
    assert own["test", "frames missing", 0.0] == own["test", "", 0.0]
    taken = predictions[(predictions["condition"] == "no audio") & (predictions["model"] == "Counting")]
    assert set(taken["prediction"]) == {"joy"}
    assert own["test", "no audio", 1.0] == pytest.approx(1 / 3)
    again = evaluate(Counting(), **asked, conditions=conditions, cache=tmp_path)
    assert Counting.fits == 1
    pd.testing.assert_frame_equal(again, results)
    plain = evaluate(Counting(), **asked)
    as_it_is = results[results["condition"] == ""].drop(columns=["condition", "rate"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(without_costs(plain), without_costs(as_it_is))


def test_conditions_are_scored_over_all_folds(tiny_table: FeatureTable) -> None:
    results = evaluate(
        LinearClassifier(), tiny_table, metrics=["uar"], n_bootstrap=0, progress=False,
        conditions={"noise": Noise().at([0.0, 3.0])},
    )  # fmt: skip
    whole = results[results["fold"].isna() & (results["model"] == "LinearClassifier") & (results["part"] == "test")]
    scores = whole.set_index(["condition", "rate"])["value"]
    assert scores["noise", 0.0] == scores["", 0.0] > scores["noise", 3.0] + 0.1


def test_conditions_that_do_not_fit_say_so_before_any_fit(tiny_table: FeatureTable) -> None:
    Counting.fits = 0
    with pytest.raises(ValueError, match="Unknown modality 'voice'"):
        evaluate(Counting(), tiny_table, conditions={"no voice": Missing("voice")})
    with pytest.raises(ValueError, match="give the rate to test at"):
        evaluate(Counting(), tiny_table, conditions={"any": Missing(rate=None)})
    with pytest.raises(ValueError, match="needs a name"):
        evaluate(Counting(), tiny_table, conditions={"": Missing()})
    assert Counting.fits == 0


def test_an_audit_adds_the_figure_picked_on_test_rows_and_changes_no_other(tiny_table: FeatureTable) -> None:
    asked = {"table": tiny_table, "metrics": ["accuracy", "uar"], "progress": False, "n_bootstrap": 50}
    models = {"picky": Counting(), "linear": LinearClassifier(), "majority": DummyClassifier()}
    plain, answers = evaluate(models, **asked, return_predictions=True)
    audited, all_answers = evaluate(models, **asked, audit=True, return_predictions=True)
    kept = audited[audited["selection"] == "valid"].drop(columns="selection").reset_index(drop=True)
    pd.testing.assert_frame_equal(without_costs(plain), without_costs(kept))
    kept = all_answers[all_answers["selection"] == "valid"].drop(columns="selection").reset_index(drop=True)
    pd.testing.assert_frame_equal(answers, kept)
    picked = audited[audited["selection"] == "test"]
    assert set(picked["part"]) == {"test"}
    assert "picky" in set(picked["model"])
    gap = selection_gap(audited)
    test = tiny_table.segments.loc[all_answers.loc[all_answers["selection"] == "test", "row"].unique(), "emotion"]
    assert len(test) == len(tiny_table)
    assert gap.loc[("picky", "accuracy"), "difference"] > 0
    assert (gap["difference"] == gap["test_selected"] - gap["dev_selected"]).all()
    assert "majority" not in gap.index.get_level_values("model")
    with pytest.raises(ValueError, match="audit=True"):
        selection_gap(plain)


def test_the_preset_takes_away_ever_more() -> None:
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    with initialize_config_dir(str(Path(__file__).parents[1] / "conf"), version_base=None):
        protocol = instantiate(compose("config", overrides=["protocol=missing"]).protocol, _convert_="all")
    assert protocol["splitter"] == "by_dialogue"
    assert {name: [each.rate for each in curve] for name, curve in protocol["conditions"].items()} == dict.fromkeys(
        ("frames missing", "modalities missing", "noise"), list(RATES)
    )
