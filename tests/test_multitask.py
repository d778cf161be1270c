"""Several named targets with gaps in one model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import Block, FeatureTable, FusionClassifier, FusionRegressor, MultitaskFusion
from featmer.collate import Batch
from featmer.nn import Concat
from featmer.objectives import BinaryCrossEntropy, ConcordanceLoss, CrossEntropy, MeanSquaredError, SeveralObjectives
from featmer.training import Best, TrainingError

SMALL = Concat(hidden=16, dropout=0.0)
QUICK = {"epochs": 40, "lr": 0.02, "random_state": 0}


@parametrize_with_checks([MultitaskFusion(Concat(hidden=16), epochs=30, lr=0.01)])
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def rows():
    """Return three numbers a row, and all kinds of targets that they decide."""
    X = np.random.default_rng(0).normal(size=(240, 3))
    shares = np.exp(2 * X) / np.exp(2 * X).sum(1, keepdims=True)
    return X, pd.DataFrame(
        {
            "emotion": np.array(["anger", "joy", "fear"])[X.argmax(1)],
            "valence": 5 + 2 * X[:, 0],
            **{f"labels.{name}": (X[:, k] > 0).astype(float) for k, name in enumerate(["tense", "warm", "loud"])},
            **{f"votes.{name}": shares[:, k] for k, name in enumerate(["anger", "joy", "fear"])},
            **{f"affect.{name}": X[:, k] * 10 for k, name in enumerate(["arousal", "dominance"])},
        }
    )


def with_gaps(y, seed=1, share=0.5):
    """Return y with each target left out in about half of the rows."""
    y, rng = y.copy(), np.random.default_rng(seed)
    for name in {column.split(".")[0] for column in y}:
        own = [column for column in y if column.split(".")[0] == name]
        y.loc[rng.random(len(y)) < share, own] = np.nan
    return y


@pytest.fixture(scope="module")
def fitted(rows):
    return MultitaskFusion(SMALL, **QUICK).fit(rows[0], with_gaps(rows[1]))


def test_every_kind_of_target_is_known_by_its_looks_and_learnt_through_gaps(rows, fitted):
    X, y = rows
    assert [(task.name, task.kind) for task in fitted.tasks_] == [
        ("emotion", "labels"),
        ("valence", "values"),
        ("labels", "indicators"),
        ("votes", "distributions"),
        ("affect", "values"),
    ]
    predicted = fitted.predict(X)
    assert list(predicted) == [*y.columns[:5], "votes", "affect.arousal", "affect.dominance"]
    assert (predicted["emotion"] == y["emotion"]).mean() > 0.9
    assert (predicted["votes"] == y["emotion"]).mean() > 0.9
    assert (predicted.filter(like="labels.") == y.filter(like="labels.")).to_numpy().mean() > 0.9
    for name in ("valence", "affect.arousal", "affect.dominance"):
        assert np.corrcoef(predicted[name], y[name])[0, 1] > 0.9
        assert predicted[name].std() > 0.7 * y[name].std()  # in its own units


def test_probabilities_come_by_name(rows, fitted):
    probabilities = fitted.predict_proba(rows[0])
    assert {name: list(classes) for name, classes in fitted.classes_.items()} == {
        "emotion": ["anger", "fear", "joy"],
        "labels": ["tense", "warm", "loud"],
        "votes": ["anger", "joy", "fear"],
    }
    assert list(probabilities) == list(fitted.classes_)
    np.testing.assert_allclose(probabilities["emotion"].sum(1), 1)
    assert probabilities["labels"].sum(1).max() > 1.5
    shares = rows[1].filter(like="votes.").to_numpy()
    assert np.abs(probabilities["votes"] - shares).mean() < 0.1


def test_labels_come_as_sets_too(rows, fitted):
    X, y = rows
    sets, predicted = fitted.predict_set(X), fitted.predict(X)
    assert list(sets) == ["emotion", "labels", "votes"]
    assert sets["emotion"] == [{label} for label in predicted["emotion"]]
    assert sets["labels"][0] == {name for name in ("tense", "warm", "loud") if predicted[f"labels.{name}"][0]}
    shares = fitted.predict_proba(X)["votes"]
    assert [len(each) for each in sets["votes"]] == (shares > 1 / 3).sum(1).tolist()
    assert not hasattr(MultitaskFusion(epochs=1).fit(X, y[["valence"]]), "predict_set")


def test_a_mapping_gives_a_mapping_and_an_array_an_array(rows):
    X, y = rows
    matrix = y.filter(like="labels.")
    model = MultitaskFusion(epochs=2, random_state=0)
    predicted = model.fit(X, {"emotion": y["emotion"], "tags": matrix.to_numpy()}).predict(X)
    assert [predicted[name].shape for name in ("emotion", "tags")] == [(240,), (240, 3)]
    assert model.fit(X, y["emotion"].to_numpy()).predict_proba(X).shape == (240, 3)
    assert set(model.predict(X)) <= {"anger", "joy", "fear"}
    assert not hasattr(model.fit(X, y["valence"]), "predict_proba")
    assert model.predict(X).shape == (240,)


def test_whole_numbers_are_numbers_unless_their_objective_is_for_labels(rows):
    stars = np.clip(rows[1]["valence"].round(), 1, 9)
    model = MultitaskFusion(epochs=1).fit(rows[0], {"stars": stars})
    assert model.tasks_[0].kind == "values"
    model.set_params(objective={"stars": "cross_entropy"}).fit(rows[0], {"stars": stars})
    assert model.classes_["stars"].tolist() == sorted(set(stars))


def tasks(graph=None, **parameters):
    """Return an objective with a category, a dimension and two labels, and what it makes of its numbers."""
    kinds = {"emotion": CrossEntropy(), "valence": MeanSquaredError(), "tags": BinaryCrossEntropy()}
    return SeveralObjectives(kinds, {"emotion": 3, "valence": 1, "tags": 2}, graph=graph, **parameters).build(6)


NAN = float("nan")
TARGETS = torch.tensor([[0, 1.0, 1, 0], [2, NAN, NAN, NAN], [NAN, 3.0, 0, 1], [1, NAN, NAN, NAN]])
OUTPUTS = {"emotion": slice(0, 3), "valence": slice(3, 4), "tags": slice(4, 6)}


def batch_of(n_rows):
    index = torch.arange(n_rows)
    return Batch({}, {}, {}, dialogue=index, turn=torch.zeros_like(index), speaker=torch.zeros_like(index))


@pytest.mark.parametrize("gap", ["emotion", "valence", "tags"])
def test_a_batch_without_a_target_leaves_its_outputs_exactly_alone(gap):
    columns = {"emotion": slice(0, 1), "valence": slice(1, 2), "tags": slice(2, 4)}
    targets = TARGETS[:1].repeat(3, 1)
    targets[:, columns[gap]] = NAN
    outputs = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)
    tasks().learn(TARGETS).loss(outputs, targets, batch_of(3)).backward()
    for name, place in OUTPUTS.items():
        assert bool((outputs.grad[:, place] == 0).all()) == (name == gap)


def test_a_batch_without_any_target_has_no_loss_and_no_gradient():
    outputs = torch.randn(2, 6, requires_grad=True)
    loss = tasks().learn(TARGETS).loss(outputs, torch.full((2, 4), NAN), batch_of(2))
    loss.backward()
    assert loss.item() == 0
    assert bool((outputs.grad == 0).all())


def test_the_loss_is_the_weighted_sum_of_each_task_on_the_rows_that_have_it():
    outputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    objective = tasks(weights={"valence": 3.0}).learn(TARGETS)
    ce = torch.nn.functional.cross_entropy(outputs[[0, 1, 3], :3], torch.tensor([0, 2, 1]))
    mse = (outputs[[0, 2], 3] - torch.tensor([-1.0, 1.0])).square().mean()  # 1 and 3 are one deviation from 2
    bce = torch.nn.functional.binary_cross_entropy_with_logits(outputs[[0, 2], 4:], TARGETS[[0, 2], 2:])
    torch.testing.assert_close(objective.loss(outputs, TARGETS, batch_of(4)), ce + 3 * mse + bce)
    watched = objective.parts(outputs, TARGETS, batch_of(4))
    assert {name: n_rows for name, (_, n_rows) in watched.items()} == {"emotion": 3, "valence": 2, "tags": 2}


def test_each_task_learns_its_scale_from_its_own_rows():
    objective = tasks().learn(TARGETS)
    assert objective.decode(torch.zeros(1, 6))[0].tolist() == pytest.approx([1 / 3] * 3 + [2.0] + [0.5] * 2)


class OfFirstRows(MeanSquaredError):
    """Sees to it that a task's objective is given the batch of its own rows."""

    def loss(self, outputs, targets, batch):
        assert batch.dialogue.tolist() == [0, 2]
        return super().loss(outputs, targets, batch)


def test_an_objective_sees_the_batch_of_its_own_rows():
    objective = SeveralObjectives({"valence": OfFirstRows()}, {"valence": 1}).build(1)
    targets = torch.tensor([[1.0], [NAN], [2.0]])
    assert objective.learn(targets).loss(torch.zeros(3, 1), targets, batch_of(3)) > 0


def test_corpora_with_different_labels_are_learnt_by_one_model(rows):
    """A third of the rows each has a category, a dimension and labels: one model is as good as one a corpus."""
    X, y = rows
    corpus = np.arange(240) % 3
    tables = [table_of(X[corpus == number], f"corpus {number}") for number in range(3)]
    targets = [
        y.loc[corpus == number, columns]
        for number, columns in enumerate([["emotion"], ["valence"], [c for c in y if c.startswith("labels.")]])
    ]
    model = MultitaskFusion(SMALL, **QUICK).fit(FeatureTable.concat(tables), pd.concat(targets, ignore_index=True))
    predicted = model.predict(table_of(X, "all"))
    assert (predicted["emotion"] == y["emotion"]).mean() > 0.85
    assert np.corrcoef(predicted["valence"], y["valence"])[0, 1] > 0.9
    assert (predicted.filter(like="labels.") == y.filter(like="labels.")).to_numpy().mean() > 0.85


def table_of(X, corpus):
    segments = pd.DataFrame({"corpus": corpus, "dialogue": np.arange(len(X)), "turn": 0})
    return FeatureTable(segments, {"text": Block(X, ["text.a", "text.b", "text.c"])})


def test_one_task_is_what_the_estimators_of_one_task_learn(rows):
    """With a single target without gaps, the weights are those of FusionClassifier and FusionRegressor."""
    X, y = rows
    several = MultitaskFusion(SMALL, epochs=5, random_state=0)
    alone = FusionClassifier(SMALL, epochs=5, random_state=0).fit(X, y["emotion"])
    np.testing.assert_allclose(several.fit(X, y[["emotion"]]).predict_proba(X)["emotion"], alone.predict_proba(X))
    number = FusionRegressor(SMALL, epochs=5, random_state=0, objective="ccc").fit(X, y["valence"])
    several.set_params(objective={"valence": "ccc"}).fit(X, y["valence"].rename("valence").to_frame())
    np.testing.assert_allclose(several.predict(X)["valence"], number.predict(X))


def test_weights_decide_which_task_a_narrow_model_is_for():
    X = np.random.default_rng(0).normal(size=(300, 4))
    both = {"a": X[:, 0] * X[:, 1], "b": X[:, 2] * X[:, 3]}
    model = MultitaskFusion(
        Concat(hidden=4, dropout=0.0), epochs=60, lr=0.03, batch_size=300, validation_share=0.0, random_state=0
    )
    for preferred, other in (("a", "b"), ("b", "a")):
        predicted = model.set_params(weights={preferred: 100.0}).fit(X, both).predict(X)
        error = {name: np.square(predicted[name] - both[name]).mean() for name in both}
        assert error[preferred] + 0.3 < error[other]


def test_validation_is_watched_task_by_task_and_in_sum(rows, fitted):
    entry = fitted.history_[0]
    own = {name: value for name, value in entry.items() if name.startswith("validation_loss.")}
    assert list(own) == [f"validation_loss.{task.name}" for task in fitted.tasks_]
    assert sum(own.values()) == pytest.approx(entry["validation_loss"])


def test_a_task_may_be_missing_from_the_validation_rows(rows):
    X, y = rows
    model = MultitaskFusion(epochs=2).fit(X, y, validation=(X[:20], y.loc[:19, ["emotion"]]))
    assert [name for name in model.history_[0] if "." in name] == ["validation_loss.emotion"]
    with pytest.raises(TrainingError, match="None of the rows to stop early on has a target"):
        MultitaskFusion(epochs=2).fit(X, y, validation=(X[:20], {"emotion": [None] * 20}))


def test_best_keeps_the_best_epoch_of_each_task_and_of_all():
    module = torch.nn.Linear(1, 1)
    best = Best(module, each=["a", "b"])
    losses = [{"a": 3.0, "b": 1.0}, {"a": 2.0, "b": 1.5}, {"a": 1.0, "b": 4.0}]
    for epoch, each in enumerate(losses, start=1):
        torch.nn.init.constant_(module.weight, epoch)
        best.offer(epoch, each)
    assert best.epochs == {"": 2, "a": 3, "b": 1}
    assert {name: states[0]["weight"].item() for name, states in best.states.items()} == {"": 2, "a": 3, "b": 1}
    assert best.epoch == 3
    best.restore()
    assert module.weight.item() == 2


@pytest.fixture(scope="module")
def early_and_late():
    """Return a task that is soon learnt by heart and one that is learnt slowly."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 8))
    return X, {"noisy": rng.normal(size=120), "slow": 3 * X[:, 0] + X[:, 1] + 0.1 * rng.normal(size=120)}


def test_each_task_can_keep_its_own_best_epoch(early_and_late, tmp_path):
    X, y = early_and_late
    validation = X[90:], {name: values[90:] for name, values in y.items()}
    training = X[:90], {name: values[:90] for name, values in y.items()}
    model = MultitaskFusion(Concat(hidden=64, dropout=0.0), epochs=60, lr=0.01, patience=60, half=False, random_state=0)
    own = clone(model).set_params(best_epoch="by_task").fit(*training, validation=validation)
    shared = model.fit(*training, validation=validation)
    losses = pd.DataFrame(own.history_).set_index("epoch")
    best = {name: losses[f"validation_loss.{name}"].idxmin() for name in y}
    assert best["noisy"] < best["slow"]
    pd.testing.assert_frame_equal(losses, pd.DataFrame(shared.history_).set_index("epoch"))
    for name, values in validation[1].items():
        deviation = training[1][name].std()
        loss = np.square((own.predict(X[90:])[name] - values) / deviation).mean()
        assert loss == pytest.approx(losses.loc[best[name], f"validation_loss.{name}"], rel=1e-3)
    assert not all(np.allclose(shared.predict(X)[name], own.predict(X)[name]) for name in y)
    own.save(tmp_path / "model")
    loaded = MultitaskFusion.load(tmp_path / "model")
    for name in y:
        np.testing.assert_array_equal(loaded.predict(X)[name], own.predict(X)[name])


@pytest.mark.parametrize(
    "parameters",
    [
        {
            "objective": {"emotion": CrossEntropy(class_weight="balanced"), "valence": "ccc"},
            "weights": {"valence": 2.0},
        },
        {"objective": {"labels": "hybrid", "valence": "ccc"}},
        {"objective": "label_graph"},
        {"best_epoch": "by_task", "thresholds": "class"},
    ],
)
def test_saved_and_loaded_with_equal_answers(parameters, rows, tmp_path):
    X, y = rows
    model = MultitaskFusion(SMALL, epochs=3, random_state=0, **parameters).fit(X, with_gaps(y))
    model.save(tmp_path / "model")
    loaded = MultitaskFusion.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.predict(X), model.predict(X))
    assert loaded.weights == model.weights
    assert str(loaded.objective) == str(model.objective)
    assert loaded.classes_.keys() == model.classes_.keys()


def test_thresholds_are_chosen_on_validation_rows_or_given(rows):
    X, y = rows
    model = MultitaskFusion(SMALL, thresholds="class", **QUICK).fit(X, with_gaps(y))
    assert list(model.thresholds_) == ["labels"]
    assert model.thresholds_["labels"].tolist() != [0.5] * 3
    given = clone(model).set_params(thresholds=0.3).fit(X, y)
    np.testing.assert_array_equal(
        given.predict(X).filter(like="labels.").to_numpy(), given.predict_proba(X)["labels"] > 0.3
    )
    none = clone(model).set_params(thresholds=1.0).fit(X, y)
    assert none.predict(X).filter(like="labels.").to_numpy().sum() == 0
    with pytest.raises(ValueError, match="no probability"):
        MultitaskFusion(thresholds=3.0).fit(X, y)


def test_a_killed_fit_goes_on_and_ends_the_same(rows, tmp_path):
    X, y = rows
    y = with_gaps(y)
    model = MultitaskFusion(SMALL, epochs=6, patience=6, best_epoch="by_task", random_state=0)
    whole = clone(model).fit(X, y).predict_proba(X)

    class Dying:
        def rows(self, segments, y, epoch):
            if epoch == 4 and self.alive:
                raise KeyboardInterrupt
            return np.ones(len(segments), bool)

    curriculum = Dying()
    curriculum.alive = True
    kept = clone(model).set_params(checkpoint=tmp_path, curriculum=curriculum)
    kept.curriculum = curriculum
    with pytest.raises(KeyboardInterrupt):
        kept.fit(X, y)
    assert list(tmp_path.glob("*.safetensors"))
    Dying.rows = lambda self, segments, y, epoch: np.ones(len(segments), bool)
    resumed = kept.fit(X, y).predict_proba(X)
    for name, probabilities in whole.items():
        np.testing.assert_array_equal(resumed[name], probabilities)


def test_a_further_fit_goes_on_with_the_same_targets(rows):
    X, y = rows
    model = MultitaskFusion(SMALL, epochs=5, warm_start=True, random_state=0).fit(X, y)
    first = model.history_[-1]["loss"]
    assert model.fit(X, y[["emotion", "valence"]]).history_[0]["loss"] < first
    assert len(model.tasks_) == 5
    with pytest.raises(ValueError, match="rows to go on with have targets .'mood'"):
        model.fit(X, {"mood": y["emotion"]})


@pytest.mark.parametrize(
    ("parameters", "y", "message"),
    [
        ({}, {"emotion": [None] * 240}, "No row has a target 'emotion'"),
        ({}, {}, "y has the targets"),
        ({}, None, "requires y to be passed"),
        ({}, {"emotion": ["joy"] * 3}, "inconsistent numbers of samples"),
        ({"objective": {"mood": "ccc"}}, {"emotion": ["joy", "fear"] * 120}, "none for the objectives of .'mood'"),
        ({"objective": {"emotion": "ccc"}}, {"emotion": ["joy", "fear"] * 120}, "'emotion'.*are labels.*cross_entropy"),
        ({"objective": "ccc"}, {"valence": np.zeros(240)}, "name the targets that it is for"),
        ({"weights": {"valense": 1}}, {"valence": np.zeros(240)}, "did you mean 'valence'"),
        ({"best_epoch": "each"}, {"valence": np.zeros(240)}, "best epoch"),
        ({}, {"affect": np.where(np.eye(240, 2) > 0, np.nan, 0.5)}, "gaps within 2 rows.*first: row 0"),
        ({}, pd.DataFrame({"a": [0.0] * 240, "a.b": 1.0, "a.c": 2.0}), "begin with 'a.'"),
    ],
)
def test_a_y_that_does_not_fit_says_what_is_wrong(parameters, y, message, rows):
    with pytest.raises(ValueError, match=message):
        MultitaskFusion(epochs=1, **parameters).fit(rows[0], y)


def test_validation_targets_must_be_those_of_training(rows):
    X, y = rows
    model = MultitaskFusion(epochs=1)
    with pytest.raises(ValueError, match="validation rows, in 'emotion', have labels .*'bored'"):
        model.fit(X, y, validation=(X[:1], {"emotion": ["bored"]}))
    with pytest.raises(ValueError, match="validation rows have targets .'mood'"):
        model.fit(X, y, validation=(X[:1], {"mood": ["joy"]}))
    with pytest.raises(ValueError, match="columns in 'affect', expected 2"):
        model.fit(X, y, validation=(X[:1], {"affect": [[1.0, 2.0, 4.0]]}))


def test_concordance_of_one_row_has_no_gradient():
    """A batch may hold a single row of a corpus: concordance says nothing about it, and breaks nothing."""
    outputs = torch.zeros(1, 1, requires_grad=True)
    objective = ConcordanceLoss().build(1).learn(torch.tensor([[0.0], [2.0]]))
    objective.loss(outputs, torch.tensor([[2.0]]), batch_of(1)).backward()
    assert float(outputs.grad) == 0
