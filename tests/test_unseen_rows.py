"""Rows of which nothing is known: what a model says that has never met one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from featmer import Block, FeatureTable, FusionClassifier, FusionRegressor, MultitaskFusion
from featmer.nn import HEADS

N_DIALOGUES, TURNS = 30, 4
FAST = {"epochs": 8, "lr": 0.01, "validation_share": 0, "random_state": 0, "device": "cpu"}


def make_data(missing=()):
    """Return turns that are calm in seven cases of ten, as their voice tells; and these labels."""
    rng = np.random.default_rng(0)
    n_rows = N_DIALOGUES * TURNS
    calm = np.arange(n_rows) % 10 < 7
    rows = {"dialogue": np.repeat(np.arange(N_DIALOGUES), TURNS), "turn": np.tile(np.arange(TURNS), N_DIALOGUES)}
    pitch = np.where(calm, 0.0, 2.0) + rng.standard_normal(n_rows)
    pitch[list(missing)] = np.nan
    table = FeatureTable(pd.DataFrame(rows), {"audio": Block(pitch[:, None], ["audio.pitch"])})
    return table, np.where(calm, "calm", "angry")


@pytest.mark.parametrize("head", sorted(HEADS))
def test_a_dialogue_of_which_nothing_is_known_gets_the_mean_answer(head):
    table, y = make_data()
    model = FusionClassifier(head, **FAST).fit(table, y)
    unknown = make_data(range(TURNS))[0]
    answers = model.predict_proba(unknown)
    np.testing.assert_allclose(answers[:TURNS], [model.predict_proba(table).mean(0)] * TURNS, atol=1e-9)
    np.testing.assert_allclose(answers[TURNS:], model.predict_proba(table)[TURNS:], atol=1e-9)


def test_the_mean_is_that_of_all_training_rows_however_many_are_taken_at_a_time(monkeypatch):
    table, y = make_data()
    at_once = FusionClassifier("recurrent", **FAST).fit(table, y)
    monkeypatch.setattr("featmer.estimators.fusion._AT_A_TIME", 10)
    np.testing.assert_allclose(FusionClassifier("recurrent", **FAST).fit(table, y).marginal_, at_once.marginal_)


def test_an_unknown_row_is_told_by_its_dialogue_where_the_head_looks_there():
    table, y = make_data()
    unknown = make_data([0])[0]
    alone, around = (FusionClassifier(head, **FAST).fit(table, y) for head in ("concat", "recurrent"))
    np.testing.assert_array_equal(alone.predict_proba(unknown)[0], alone.marginal_)
    assert alone.predict(unknown)[0] == "calm"  # the most frequent one
    assert not np.allclose(around.predict_proba(unknown)[0], around.marginal_)


def test_what_was_learnt_of_unknown_rows_stands():
    unknown = range(0, 24)
    table, y = make_data(unknown)
    y[list(unknown)] = "angry"  # who is neither seen nor heard is angry here
    model = FusionClassifier("concat", **{**FAST, "epochs": 60}).fit(table, y)
    assert model.marginal_ is None
    assert (model.predict(table)[list(unknown)] == "angry").all()


def test_numbers_get_their_mean(tmp_path):
    table, y = make_data()
    values = np.where(y == "calm", 1.0, 5.0)
    model = FusionRegressor("concat", **{**FAST, "epochs": 60}).fit(table, values)
    unknown = make_data([3])[0]
    assert model.predict(unknown)[3] == pytest.approx(model.predict(table).mean())
    assert model.predict(unknown)[3] == pytest.approx(values.mean(), abs=0.2)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(FusionRegressor.load(tmp_path / "model").predict(unknown), model.predict(unknown))


@pytest.mark.parametrize("best_epoch", ["shared", "by_task"])
def test_each_target_has_its_mean(best_epoch):
    table, y = make_data()
    targets = pd.DataFrame({"mood": y, "valence": np.where(y == "calm", 1.0, 5.0)})
    params = {**FAST, "validation_share": 0.2, "best_epoch": best_epoch}
    model = MultitaskFusion("concat", **params).fit(table, targets)
    answers = model.predict(make_data([7])[0])
    assert answers.loc[7, "mood"] == "calm"
    assert abs(answers.loc[7, "valence"] - targets["valence"].mean()) < 0.7
