"""The comparison of pre-training with none: who sees which labels, what is kept, and what is printed."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from featmer import Block, FeatureTable
from featmer.baselines import LinearClassifier
from featmer.descriptions import Describer
from featmer.pretraining import PRETRAINING

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "pretraining.py"))
MODELS = {"linear": LinearClassifier()}


@pytest.fixture(scope="module")
def corpus(tiny_table):
    """Return the tiny table with action units that can be told in words, and how it is folded and described."""
    units = Block(np.random.default_rng(0).random((len(tiny_table), 2)), ["face.au.AU12_max", "face.au.AU04_max"])
    table = FeatureTable(tiny_table.segments, {**tiny_table.blocks, "face": units})
    return table, "dialogue", Describer(transcript=False)


@pytest.fixture
def fits(monkeypatch):
    """Record the rows and labels that each pre-training is fitted on."""
    seen = []
    for name, kind in PRETRAINING.items():

        def fit(self, X, y=None, *, original=kind.fit, name=name):
            seen.append((name, set(zip(X.segments["dialogue"], X.segments["turn"], strict=True)), y))
            return original(self, X, y)

        monkeypatch.setattr(kind, "fit", fit)
    return seen


def short(*names):
    kinds = {name: PRETRAINING[name](hidden=4, epochs=1) for name in names}
    return {"none": None, **kinds}


@pytest.mark.parametrize(("share", "sizes"), [(0.01, [1, 1, 1]), (0.1, [1, 2, 4]), (1.0, [5, 20, 40])])
def test_every_class_has_its_share_of_labels_and_one_at_least(share, sizes):
    labels = np.array(["joy"] * 5 + ["fear"] * 20 + ["anger"] * 40 + ["test"] * 10, object)
    rows = BENCHMARK["draw"](labels, np.arange(65), share, 0)
    assert [(labels[rows] == label).sum() for label in ("joy", "fear", "anger", "test")] == [*sizes, 0]
    np.testing.assert_array_equal(rows, BENCHMARK["draw"](labels, np.arange(65), share, 0))
    assert share == 1 or (rows != BENCHMARK["draw"](labels, np.arange(65), share, 1)).any()


def rows_of(segments):
    return set(zip(segments["dialogue"], segments["turn"], strict=True))


def test_all_training_rows_are_seen_without_labels_and_a_share_with_them(corpus, fits, tmp_path):
    table = corpus[0]
    found = BENCHMARK["answers"](corpus, short("triplet", "pairwise_contrastive"), MODELS, 0, tmp_path)
    folds = [rows_of(table.segments) - rows_of(own) for _, own in found.groupby("fold")]
    assert len(folds) == 4
    assert [(rows, y) for name, rows, y in fits if name == "pairwise_contrastive"] == [(rows, None) for rows in folds]
    supervised = [(rows, len(y)) for name, rows, y in fits if name == "triplet"]
    assert [rows for rows, _ in supervised if len(rows) > 50] == folds
    assert all(any(rows <= fold for fold in folds) and len(rows) == n_labels for rows, n_labels in supervised)
    assert min(n_labels for _, n_labels in supervised) == table.segments["emotion"].nunique()
    assert found.groupby(["pretraining", "model", "share"]).size().eq(len(table)).all()
    assert set(found["model"][found["pretraining"] != "none"]) == {"linear"}


def test_words_are_those_of_training_rows_and_are_no_modality(corpus, fits, tmp_path, monkeypatch):
    table, _, describer = corpus
    described, told = [], BENCHMARK["Describer"].fit
    monkeypatch.setattr(
        BENCHMARK["Describer"], "fit", lambda self, X: described.append(rows_of(X.segments)) or told(self, X)
    )
    kind = BENCHMARK["KINDS"]["unified, described"]
    kind = clone(kind).set_params(hidden=4, heads=1, layers=1, epochs=1)
    train = np.arange(60)
    made, drawn = next(BENCHMARK["seen"](table, describer, kind, train, 0, tmp_path))
    assert described == [rows_of(table.segments[:60])] == [fits[0][1]]
    assert made.modalities == ("fused", *table.modalities)
    assert list(drawn) == [0.01, 0.1, 1.0]


def test_what_was_done_is_not_done_again(corpus, fits, tmp_path):
    first = BENCHMARK["answers"](corpus, short("triplet"), MODELS, 0, tmp_path)
    done = len(fits)
    more = BENCHMARK["answers"](corpus, short("triplet", "scene_person"), MODELS, 0, tmp_path)
    assert [name for name, _, _ in fits[done:]] == 4 * ["scene_person"]
    pd.testing.assert_frame_equal(more[more["pretraining"] != "scene_person"].reset_index(drop=True), first)
    BENCHMARK["answers"](corpus, short("triplet"), MODELS, 1, tmp_path)
    assert len(fits) > done + 4


def test_the_table_shows_recall_its_gain_and_how_much_that_varies():
    right = {("none", 0): 2, ("none", 1): 4, ("triplet", 0): 6, ("triplet", 1): 6}  # of ten rows of either class
    parts = []
    for (name, seed), n_right in right.items():
        target = np.repeat(["joy", "fear"], 10)
        prediction = np.where(np.tile(np.arange(10) < n_right, 2), target, target[::-1])
        parts.append(pd.DataFrame({"target": target, "prediction": prediction, "pretraining": name, "seed": seed}))
    shown = BENCHMARK["summary"](pd.concat(parts).assign(model="linear", share=0.1)).xs(0.1, level="share", axis=1)
    assert shown.loc[("linear", "none")].tolist() == [0.3, 0.0, 0.0]
    assert shown.loc[("linear", "triplet")].tolist() == [0.6, 0.3, 0.141]
