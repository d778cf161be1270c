"""Boosted, linear and majority baselines, and the context of previous turns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import Block, FeatureTable
from featmer.baselines import (
    BoostedClassifier,
    BoostedRegressor,
    LinearClassifier,
    LinearRegressor,
    MajorityClassifier,
)
from featmer.context import add_context
from featmer.corpora import load_ravdess, load_ravdess_au

BASELINES = [
    BoostedClassifier(random_state=0),
    BoostedRegressor(random_state=0),
    LinearClassifier(),
    LinearRegressor(),
    MajorityClassifier(),
]


def target_of(model: Any, table: FeatureTable) -> pd.Series:
    return table.segments["emotion" if is_classifier(model) else "valence"]


def outputs(model: Any, table: FeatureTable) -> np.ndarray:
    return model.predict_proba(table) if is_classifier(model) else model.predict(table)


@parametrize_with_checks([BoostedClassifier(n_estimators=100), BoostedRegressor(n_estimators=200), *BASELINES[2:]])
def test_scikit_learn_conventions(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


each_baseline = pytest.mark.parametrize("model", BASELINES, ids=lambda model: type(model).__name__)


@each_baseline
def test_works_in_cross_validation_over_whole_dialogues(model: Any, tiny_table: FeatureTable) -> None:
    y = target_of(model, tiny_table)
    scores = cross_val_score(model, tiny_table, y, groups=tiny_table.segments["dialogue"], cv=GroupKFold(3))
    if isinstance(model, MajorityClassifier):
        assert scores.mean() < 0.5
    else:
        assert scores.mean() > (0.6 if is_classifier(model) else 0.4)


@each_baseline
def test_saved_and_loaded_predicts_the_same(model: Any, tiny_table: FeatureTable, tmp_path: Path) -> None:
    fitted = clone(model).fit(tiny_table, target_of(model, tiny_table))
    for _ in range(2):  # the second time it replaces the first
        fitted.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    assert repr(loaded) == repr(fitted)
    np.testing.assert_array_equal(outputs(loaded, tiny_table), outputs(fitted, tiny_table))
    with pytest.raises(ValueError, match="load it with the class that saved it"):
        (LinearRegressor if is_classifier(model) else LinearClassifier).load(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@each_baseline
def test_other_features_are_refused(model: Any, tiny_table: FeatureTable) -> None:
    fitted = clone(model).fit(tiny_table, target_of(model, tiny_table))
    with pytest.raises(ValueError, match="face"):
        fitted.predict(tiny_table.select(["audio", "text"]))
    chosen = clone(model).set_params(modalities=["text"]).fit(tiny_table, target_of(model, tiny_table))
    np.testing.assert_array_equal(outputs(chosen, tiny_table), outputs(chosen, tiny_table.select(["text"])))


@pytest.mark.parametrize("model", BASELINES[:2], ids=lambda model: type(model).__name__)
def test_same_seed_same_trees_whatever_the_threads(model: Any, tiny_table: FeatureTable) -> None:
    y = target_of(model, tiny_table)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - that featmer leaves alone
    one, again, two = (
        outputs(clone(model).set_params(n_estimators=20, n_jobs=n_jobs).fit(tiny_table, y), tiny_table)
        for n_jobs in (1, 1, 2)
    )
    other = outputs(clone(model).set_params(n_estimators=20, random_state=1).fit(tiny_table, y), tiny_table)
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("model", BASELINES[:2], ids=lambda model: type(model).__name__)
def test_validation_rows_only_tell_when_to_stop(model: Any, tiny_table: FeatureTable) -> None:
    y = target_of(model, tiny_table)
    train, valid = tiny_table[:80], tiny_table[80:]
    fits = [
        clone(model).set_params(n_estimators=1).fit(train, y[:80], validation=(valid, y_valid))
        for y_valid in (y[80:], y[80:][::-1])
    ]
    np.testing.assert_array_equal(outputs(fits[0], valid), outputs(fits[1], valid))
    stopped = clone(model).set_params(patience=5).fit(train, y[:80], validation=(valid, y[80:]))
    assert stopped.trees_[0].count("Tree=") < model.n_estimators


def test_validation_labels_unknown_in_training_are_left_out(tiny_table: FeatureTable) -> None:
    y = tiny_table.segments["emotion"]
    new = y[80:].where(y[80:] != "joy", "disgust")
    model = BoostedClassifier(n_estimators=5, random_state=0).fit(tiny_table[:80], y[:80], (tiny_table[80:], new))
    assert model.classes_.tolist() == ["anger", "joy", "neutral"]


def test_only_one_class_is_predicted_when_only_one_was_seen() -> None:
    model = BoostedClassifier(random_state=0).fit(np.ones((8, 2)), ["joy"] * 8)
    assert model.predict_proba(np.zeros((3, 2))).tolist() == [[1.0]] * 3


@pytest.mark.parametrize("model", [BoostedClassifier(random_state=0), LinearClassifier()])
def test_balanced_weights_find_the_rare(model: Any) -> None:
    rng = np.random.default_rng(0)
    y = np.where(rng.random(600) < 0.08, "fear", "neutral")
    X = rng.normal(size=(600, 4)) + 1.2 * (y == "fear")[:, None] * [1, 0, 0, 0]
    plain, balanced = (
        recall_score(y, cross_val_predict(model.set_params(class_weight=weight), X, y, cv=3), average="macro")
        for weight in (None, "balanced")
    )
    assert balanced > plain + 0.1


def test_regressors_take_several_targets(tiny_table: FeatureTable) -> None:
    y = tiny_table.segments[["valence"]].assign(opposite=-tiny_table.segments["valence"])
    for model in (BoostedRegressor(random_state=0), LinearRegressor()):
        predicted = model.fit(tiny_table[:80], y[:80], (tiny_table[80:], y[80:])).predict(tiny_table)
        assert predicted.shape == (120, 2)
        assert np.corrcoef(predicted.T)[0, 1] < -0.8


def test_missing_rows_and_features_are_values(tiny_table: FeatureTable) -> None:
    holes = {
        name: Block(np.where(np.arange(block.n_features) == 0, np.nan, block.values), block.names)
        for name, block in tiny_table.blocks.items()
    }
    table = FeatureTable(tiny_table.segments, holes)
    for model in BASELINES:
        assert np.isfinite(outputs(clone(model).fit(table, target_of(model, table)), table)).all()


def test_a_grid_search_finds_the_strength(tiny_table: FeatureTable) -> None:
    search = GridSearchCV(LinearClassifier(), {"C": [1e-6, 0.1], "modalities": [["audio"], None]}, cv=GroupKFold(3))
    search.fit(tiny_table, tiny_table.segments["emotion"], groups=tiny_table.segments["dialogue"])
    assert search.best_params_ == {"C": 0.1, "modalities": None}


# the context of previous turns


def test_context_helps_where_moods_persist() -> None:
    rng = np.random.default_rng(0)
    moods = np.repeat(rng.integers(0, 2, 40), 6)
    segments = pd.DataFrame({"dialogue": np.repeat(np.arange(40), 6), "turn": np.tile(np.arange(6), 40)})
    noisy = moods[:, None] + rng.normal(scale=1.0, size=(240, 2))
    table = FeatureTable(segments, {"text": Block(noisy, ["text.a", "text.b"])})
    for model in (LinearClassifier(), BoostedClassifier(random_state=0, n_estimators=100)):
        alone, in_context = (
            cross_val_score(model.set_params(context=n), table, moods, groups=segments["dialogue"], cv=GroupKFold(4))
            for n in (0, 3)
        )
        assert in_context.mean() > alone.mean() + 0.05


@settings(max_examples=40, deadline=None)
@given(
    turns=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), unique=True, min_size=1, max_size=12),
    n_turns=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
)
def test_context_is_that_of_the_dialogue_in_any_row_order(turns: list, n_turns: int, order: Any) -> None:
    order.shuffle(turns)
    segments = pd.DataFrame(turns, columns=["dialogue", "turn"])
    speakers = {turn: turn[1] % 2 for turn in turns}
    segments["speaker"] = [speakers[turn] for turn in turns]
    numbers = {turn: float(10 * turn[1] + "ab".index(turn[0])) for turn in turns}
    table = FeatureTable(segments, {"text": Block([[numbers[turn]] for turn in turns], ["text.number"])})
    context = add_context(table, n_turns)
    assert context.modalities == ("text", *(f"context{lag}" for lag in range(1, n_turns + 1)))
    for row, turn in enumerate(turns):
        earlier = sorted(other for other in turns if other[0] == turn[0] and other[1] < turn[1])
        for lag in range(1, n_turns + 1):
            before = earlier[-lag] if lag <= len(earlier) else None
            expected = [np.nan] * 2 if before is None else [numbers[before], float(speakers[before] == speakers[turn])]
            np.testing.assert_array_equal(context.blocks[f"context{lag}"].values[row], expected)


def test_context_of_unknown_speakers_and_equal_names_in_two_corpora() -> None:
    segments = pd.DataFrame(
        {"corpus": ["x", "x", "y"], "dialogue": "d", "turn": [0, 1, 2], "speaker": ["A", None, "A"]}
    )
    table = FeatureTable(segments, {"face": Block([np.ones((2, 1)), np.ones((1, 1)), None], ["face.smile"])})
    block = add_context(table, 1).blocks["context1"]
    assert np.isnan(block.values[1, -1])
    assert block.missing.tolist() == [True, False, True]
    assert block.reasons.tolist() == ["no turn 1 before", "", "no turn 1 before"]


# the floors that were measured with scikit-learn alone


def test_floors_on_ravdess_action_units(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("RAVDESS")
    segments = load_ravdess(root)
    table = FeatureTable(segments, {"face": load_ravdess_au(root, segments)})
    for model, floor in ((LinearClassifier(), 0.56), (BoostedClassifier(random_state=0), 0.56)):
        predicted = cross_val_predict(
            model, table, segments["emotion"], groups=segments["speaker"], cv=GroupKFold(4), method="predict"
        )
        assert recall_score(segments["emotion"], predicted, average="macro") > floor
