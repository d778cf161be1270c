"""FusionClassifier and FusionRegressor as scikit-learn sees them, on arrays and on tables."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from safetensors.torch import load_file
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import Block, FeatureTable, FusionClassifier, FusionRegressor
from featmer.evaluation.metrics import ccc
from featmer.nn import HEADS, Concat, Gated, Head, Transformer
from featmer.objectives import CrossEntropy, MeanSquaredError

QUICK = {"epochs": 30, "lr": 0.01, "random_state": 0}


@parametrize_with_checks(
    [FusionClassifier(head().set_params(hidden=16), epochs=30, lr=0.01) for head in HEADS.values()]
    + [FusionRegressor(epochs=30, lr=0.01)]
)
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def labels(tiny_table):
    return tiny_table.segments["emotion"]


@pytest.fixture(scope="module")
def fitted(tiny_table, labels):
    return FusionClassifier(Transformer(hidden=16), **QUICK).fit(tiny_table, labels)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_it_beats_the_majority(head, tiny_table, labels):
    dialogues = tiny_table.segments["dialogue"]
    model = FusionClassifier(head, **QUICK).set_params(head__hidden=16)
    scores = cross_val_score(model, tiny_table, labels.to_numpy(object), groups=dialogues, cv=GroupKFold(3))
    majority = cross_val_score(
        DummyClassifier(), np.zeros(len(labels)), labels.to_numpy(object), groups=dialogues, cv=GroupKFold(3)
    )
    assert scores.mean() > majority.mean() + 0.2


def mood_table(seed, n_dialogues=120, n_turns=6):
    """Return dialogues whose mood shows faintly in each turn, so that the neighbours tell more than the turn."""
    rng = np.random.default_rng(seed)
    mood = np.repeat(rng.integers(0, 2, n_dialogues), n_turns)
    segments = pd.DataFrame(
        {"dialogue": np.repeat(np.arange(n_dialogues), n_turns), "turn": np.tile(np.arange(n_turns), n_dialogues)}
    )
    faint = 0.6 * (2 * mood - 1)[:, None] + rng.standard_normal((len(mood), 2))
    return FeatureTable(segments, {"audio": Block(faint, ["audio.a", "audio.b"])}), mood


def test_context_helps_where_moods_last():
    train, test = mood_table(0), mood_table(1)
    scores = {
        context: FusionClassifier(Transformer(hidden=16, context=context), **QUICK).fit(*train).score(*test)
        for context in ("none", "past", "both")
    }
    assert scores["none"] + 0.04 < min(scores["past"], scores["both"])


def test_a_column_of_arrow_strings_is_a_target(tiny_table, fitted, labels):
    arrow = labels.astype("string[pyarrow]")
    assert FusionClassifier(Transformer(hidden=16), **QUICK).fit(tiny_table, arrow).predict(tiny_table).tolist() == (
        fitted.predict(tiny_table).tolist()
    )


def test_same_seed_same_predictions_and_nothing_global_touched(tiny_table, labels, fitted):
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    again = clone(fitted).fit(tiny_table, labels)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    np.testing.assert_array_equal(again.predict_proba(tiny_table), fitted.predict_proba(tiny_table))
    other = clone(fitted).set_params(random_state=1).fit(tiny_table, labels)
    assert not np.array_equal(other.predict_proba(tiny_table), fitted.predict_proba(tiny_table))


def test_predictions_depend_on_neither_batch_size_nor_row_order(tiny_table, fitted):
    whole = fitted.predict_proba(tiny_table)
    order = np.random.default_rng(0).permutation(len(tiny_table))
    np.testing.assert_allclose(fitted.predict_proba(tiny_table[order]), whole[order], rtol=0, atol=1e-9)
    fitted.set_params(batch_size=7)
    np.testing.assert_allclose(fitted.predict_proba(tiny_table), whole, rtol=0, atol=1e-9)
    fitted.set_params(batch_size=128)


def test_the_order_of_training_rows_does_not_matter(tiny_table, labels, fitted):
    order = np.random.default_rng(0).permutation(len(tiny_table))
    again = clone(fitted).fit(tiny_table[order], labels.iloc[order])
    np.testing.assert_allclose(again.predict_proba(tiny_table), fitted.predict_proba(tiny_table), atol=1e-3)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_predictions_do_not_depend_on_the_number_of_jobs(backend, tiny_table, labels):
    model = FusionClassifier("gated", epochs=5, random_state=0)
    split = {"groups": tiny_table.segments["dialogue"], "cv": GroupKFold(2), "method": "predict_proba"}
    one = cross_val_predict(model, tiny_table, labels.to_numpy(object), **split)
    with parallel_config(backend):
        two = cross_val_predict(model, tiny_table, labels.to_numpy(object), n_jobs=2, **split)
    np.testing.assert_array_equal(one, two)


class Recording(MeanSquaredError):
    """Remembers which targets were trained on and which were only looked at."""

    seen = {True: [], False: []}

    def loss(self, outputs, targets, batch):
        self.seen[torch.is_grad_enabled()].extend(targets[:, 0].tolist())
        return super().loss(outputs, targets, batch)


@pytest.fixture
def recorded():
    Recording.seen = {True: [], False: []}
    return Recording.seen


def test_early_stopping_holds_out_whole_dialogues_and_never_trains_on_them(tiny_table, recorded):
    dialogues = pd.factorize(tiny_table.segments["dialogue"])[0]
    FusionRegressor(objective=Recording(), epochs=3, validation_share=0.25).fit(tiny_table, dialogues)
    trained, watched = set(recorded[True]), set(recorded[False])
    assert not trained & watched
    assert trained | watched == set(dialogues)
    assert len(watched) == 6


def test_validation_rows_given_to_fit_are_watched_and_all_of_x_is_trained_on(tiny_table, recorded):
    X, watched = tiny_table[:60], tiny_table[60:]
    model = FusionRegressor(objective=Recording(), epochs=2).fit(X, np.zeros(60), validation=(watched, np.ones(60)))
    assert set(recorded[True]) == {0.0}
    assert set(recorded[False]) == {1.0}
    assert len(recorded[True]) == 60 * 2
    np.testing.assert_allclose(
        model.module_[0].mean[:6], np.nanmean(X.blocks["audio"].values, axis=0), rtol=1e-5, atol=1e-6
    )


def test_no_validation_share_trains_on_everything_to_the_end(tiny_table, labels):
    model = FusionClassifier(epochs=4, validation_share=0).fit(tiny_table, labels)
    assert [sorted(entry) for entry in model.history_] == [["epoch", "loss", "lr"]] * 4


def test_unknown_labels_and_odd_widths_in_validation_are_named(tiny_table, labels):
    with pytest.raises(ValueError, match="bored.*training rows lack"):
        FusionClassifier().fit(tiny_table, labels, validation=(tiny_table[:1], ["bored"]))
    with pytest.raises(ValueError, match="1 columns, but that of the validation rows 2"):
        FusionRegressor().fit(tiny_table, np.zeros(120), validation=(tiny_table[:1], [[1.0, 2.0]]))


def test_head_parameters_can_be_searched_by_name(tiny_table, labels):
    search = GridSearchCV(
        FusionClassifier("gated", epochs=2), {"head__hidden": [4, 8], "objective__label_smoothing": [0.1]}, cv=2
    )
    search.fit(tiny_table, labels.to_numpy(object))
    assert search.best_estimator_.head.hidden in (4, 8)
    assert search.best_estimator_.objective.label_smoothing == 0.1


def test_set_params_takes_a_head_and_its_parameters_at_once():
    model = FusionClassifier().set_params(head="transformer", head__layers=2)
    assert repr(model.head) == "Transformer(layers=2)"
    with pytest.raises(ValueError, match="layers"):
        FusionClassifier().set_params(head__layers=2)
    with pytest.raises(ValueError, match="did you mean 'gated'"):
        FusionClassifier().set_params(head="gatd", head__hidden=2)


def test_the_users_own_head_and_objective_are_left_alone(tiny_table, labels):
    head, objective = Gated(hidden=8), CrossEntropy(class_weight="balanced")
    model = FusionClassifier(head, objective=objective, epochs=1).fit(tiny_table, labels)
    assert list(head.parameters()) == []
    assert list(objective.buffers()) == []
    assert model.head is head
    assert model.n_parameters_ == sum(weights.numel() for weights in model.module_.parameters())


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"head": "transfomer"}, ValueError, "did you mean 'transformer'"),
        ({"objective": "mse"}, ValueError, "choose from .*cross_entropy"),
        ({"objective": MeanSquaredError()}, ValueError, "MeanSquaredError.. is for values"),
        ({"head": 3}, TypeError, "head must be one of"),
        ({"head": CrossEntropy()}, TypeError, "head must be one of"),
        ({"batch_size": 0}, ValueError, "batch_size must be 1 or more, got 0"),
        ({"lr": 0.0}, ValueError, "lr must be above 0"),
    ],
)
def test_wrong_parameters_are_named(parameters, error, message, tiny_table, labels):
    with pytest.raises(error, match=message):
        FusionClassifier(**parameters).fit(tiny_table, labels)


def test_empty_tables_are_named(tiny_table, labels, fitted):
    with pytest.raises(ValueError, match="no rows"):
        fitted.predict(tiny_table[:0])
    with pytest.raises(ValueError, match="no modality"):
        FusionClassifier().fit(FeatureTable(tiny_table.segments, {}), labels)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(tiny_table, labels):
    with pytest.raises(ValueError, match="torch sees no GPU"):
        FusionClassifier(device="cuda").fit(tiny_table, labels)


def test_modalities_choose_and_must_match(tiny_table, labels):
    model = FusionClassifier(modalities=["text", "audio"], epochs=1).fit(tiny_table, labels)
    assert list(model.modalities_) == ["text", "audio"]
    assert model.predict(tiny_table.select(["audio", "text"])).shape == (120,)
    with pytest.raises(ValueError, match="fitted on the modalities"):
        FusionClassifier(epochs=1).fit(tiny_table, labels).predict(tiny_table.select(["audio"]))


def test_sequences_are_learnt_from_and_must_stay_sequences():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    frames = [rng.standard_normal((rng.integers(1, 9), 3)) + 2 * label for label in labels]
    segments = pd.DataFrame({"dialogue": np.arange(60), "turn": 0})
    table = FeatureTable(segments, {"face": Block(frames, ["face.a", "face.b", "face.c"])})
    model = FusionClassifier(Concat(hidden=8), **QUICK).fit(table[:40], labels[:40])
    assert model.score(table[40:], labels[40:]) > 0.9
    flat = FeatureTable(segments, {"face": Block([f.mean(0) for f in frames], ["face.a", "face.b", "face.c"])})
    with pytest.raises(ValueError, match="pool both tables alike"):
        model.predict(flat)


@pytest.mark.parametrize("objective", ["mse", "ccc"])
def test_several_numbers_are_predicted_at_once(objective, tiny_table):
    valence = tiny_table.segments["valence"].to_numpy()
    targets = np.column_stack([valence, 100 - 50 * valence])
    model = FusionRegressor("transformer", objective=objective, **QUICK).fit(tiny_table, targets)
    assert model.predict(tiny_table).shape == (120, 2)
    assert model.score(tiny_table, targets) > 0.4


@pytest.mark.parametrize("seed", range(3))
def test_each_objective_of_numbers_is_best_at_what_it_asks_for(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2400, 4))
    y = X[:, 0] + 1.5 * rng.standard_normal(2400)  # noise draws least squares to the mean, concordance does not
    scores = {}
    for objective in ("mse", "ccc"):
        params = {**QUICK, "validation_share": 0, "random_state": seed}
        model = FusionRegressor(Concat(hidden=8, dropout=0.0), objective=objective, **params).fit(X[:400], y[:400])
        said = model.predict(X[400:])
        scores[objective] = ccc(y[400:], said), np.square(said - y[400:]).mean()
    (concordance, error), (best_concordance, worse_error) = scores["mse"], scores["ccc"]
    assert best_concordance > concordance + 0.04
    assert error < worse_error - 0.4


def test_saved_and_loaded_it_is_the_same(tiny_table, fitted, tmp_path):
    path = tmp_path / "model"
    fitted.save(path)
    fitted.save(path)  # replaces its own folder
    loaded = FusionClassifier.load(path)
    np.testing.assert_array_equal(loaded.predict_proba(tiny_table), fitted.predict_proba(tiny_table))
    assert loaded.predict(tiny_table).dtype == fitted.predict(tiny_table).dtype
    assert loaded.history_ == fitted.history_
    assert repr(loaded) == repr(fitted)
    assert loaded.n_parameters_ == fitted.n_parameters_
    assert sorted(file.name for file in path.iterdir()) == ["model.safetensors", "parameters.json"]
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    clone(loaded).fit(tiny_table, tiny_table.segments["emotion"])


def test_numbers_from_a_frame_are_saved_with_their_names(tmp_path):
    frame = pd.DataFrame({"pitch": np.arange(20.0), "loudness": 1.0})
    model = FusionRegressor(Gated(hidden=np.int64(4)), epochs=2).fit(frame, frame[["pitch"]].to_numpy()[:, 0])
    model.save(tmp_path / "model")
    loaded = FusionRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    assert loaded.feature_names_in_.tolist() == ["pitch", "loudness"]


def test_folders_that_are_not_models_are_left_alone_and_named(fitted, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not replaced"):
        fitted.save(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(ValueError, match="holds no saved estimator"):
        FusionClassifier.load(tmp_path)


def test_damaged_and_foreign_models_are_named(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"holds a FusionClassifier.*FusionClassifier.load"):
        FusionRegressor.load(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    whole = weights.read_bytes()
    for damage in (whole[: len(whole) // 2], b""):
        weights.write_bytes(damage)
        with pytest.raises(ValueError, match="damaged"):
            FusionClassifier.load(tmp_path / "model")
    weights.write_bytes(whole)
    about = tmp_path / "model" / "parameters.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "fitted": {}}))
    with pytest.raises(ValueError, match="damaged"):
        FusionClassifier.load(tmp_path / "model")
    assert len(load_file(weights)) > 5


class Own(Concat):
    """A head that no registry knows."""


def test_what_cannot_be_found_again_is_not_saved(tiny_table, labels, tmp_path):
    assert issubclass(Own, Head)
    with pytest.raises(ValueError, match="cannot be saved: its class is not one of"):
        FusionClassifier(Own(hidden=4), epochs=1).fit(tiny_table, labels).save(tmp_path / "a")
    with pytest.raises(ValueError, match="RandomState.* cannot be saved"):
        FusionClassifier(epochs=1, random_state=np.random.RandomState(0)).fit(tiny_table, labels).save(tmp_path / "b")  # noqa: NPY002
    assert list(tmp_path.iterdir()) == []


KILLED_FIT = """
import os, signal, sys
from featmer import FusionClassifier
from featmer.nn import Transformer
from featmer.training import Checkpoint
sys.path.insert(0, {tests!r})
from test_estimators import mood_table

class Deadly(Checkpoint):
    def save(self, progress):
        super().save(progress)
        if len(progress.history) == 4:
            os.kill(os.getpid(), signal.SIGKILL)

import featmer.estimators.fusion
featmer.estimators.fusion.Checkpoint = Deadly
table, mood = mood_table(0, n_dialogues=30)
FusionClassifier(Transformer(hidden=16), epochs=8, random_state=0, checkpoint={folder!r}).fit(table, mood)
"""


def test_a_killed_fit_ends_as_if_it_had_not_been_killed(tmp_path):
    program = KILLED_FIT.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "unfinished"))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(list((tmp_path / "unfinished").iterdir())) == 1
    table, mood = mood_table(0, n_dialogues=30)
    whole = FusionClassifier(Transformer(hidden=16), epochs=8, random_state=0).fit(table, mood)
    resumed = clone(whole).set_params(checkpoint=tmp_path / "unfinished").fit(table, mood)
    assert resumed.history_ == whole.history_
    np.testing.assert_array_equal(resumed.predict_proba(table), whole.predict_proba(table))
    assert list((tmp_path / "unfinished").iterdir()) == []
    resumed.save(tmp_path / "model")
    assert FusionClassifier.load(tmp_path / "model").checkpoint == str(tmp_path / "unfinished")


class Early(BaseEstimator):
    """Learns from the first dialogues first."""

    def rows(self, segments, y, epoch):
        return segments["dialogue"].to_numpy() < 10 * epoch


class Nothing(Early):
    """Learns from nothing."""

    def rows(self, segments, y, epoch):
        return np.zeros(len(segments), bool)


def test_a_curriculum_is_asked_each_epoch():
    table, mood = mood_table(0, n_dialogues=40)
    model = FusionClassifier(Transformer(hidden=16), epochs=3, validation_share=0, random_state=0)
    plain, schooled = clone(model).fit(table, mood), clone(model).set_params(curriculum=Early()).fit(table, mood)
    assert schooled.history_ != plain.history_
    with pytest.raises(ValueError, match="at least one of them True; for epoch 1"):
        model.set_params(curriculum=Nothing()).fit(table, mood)


def test_a_compiled_head_learns_the_same(tmp_path):
    table, mood = mood_table(0, n_dialogues=20)
    model = FusionClassifier(Concat(hidden=8, dropout=0.0), epochs=3, random_state=0).fit(table, mood)
    compiled = clone(model).set_params(compile=True).fit(table, mood)
    np.testing.assert_allclose(compiled.predict_proba(table), model.predict_proba(table), atol=1e-4)
    compiled.save(tmp_path / "model")
    loaded = FusionClassifier.load(tmp_path / "model")
    np.testing.assert_allclose(loaded.predict_proba(table), compiled.predict_proba(table), atol=1e-6)


def test_half_precision_learns_too():
    table, mood = mood_table(0)
    half = FusionClassifier(Transformer(hidden=16), half=True, **QUICK).fit(table, mood)
    full = FusionClassifier(Transformer(hidden=16), **QUICK).fit(table, mood)
    assert half.history_ != full.history_
    assert half.score(*mood_table(1)) == pytest.approx(full.score(*mood_table(1)), abs=0.05)
    assert half.seconds_per_epoch_ > 0


def test_a_model_saved_on_a_gpu_is_read_where_there_is_none(tiny_table, labels, tmp_path):
    fitted = FusionClassifier("concat", epochs=1, random_state=0, device="cpu").fit(tiny_table, labels)
    fitted.device = "cuda"
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(
        FusionClassifier.load(tmp_path / "model").set_params(device="cpu").predict_proba(tiny_table),
        fitted.set_params(device="cpu").predict_proba(tiny_table),
    )
