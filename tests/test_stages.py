"""Training in stages and on from earlier weights; face, scene and voice as streams of their own (Omni-Emotion)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import recall_score
from synthetic import planted_streams

from featmer import Block, FeatureTable, FusionClassifier, FusionRegressor
from featmer.collate import TensorTable
from featmer.nn import HEADS, Concat, Encoders, Transformer
from featmer.objectives import CrossEntropy
from featmer.training import Examples, Plan, seeded, train

STREAMS = ("face", "scene", "audio")
OMNI = ["encoders.audio", "encoders.face", "all"]


def omni(stages=OMNI, **params):
    head = Transformer(hidden=16, dropout=0.0)
    options = {"lr": 5e-3, "epochs": 3, "validation_share": 0, "random_state": 0, **params}
    return FusionClassifier(head, stages=stages, **options)


def encoder_of(name):
    """Return the beginning of the names of a modality's encoder's weights."""
    return f"encoders.project.{STREAMS.index(name)}."


def changed(model, other):
    """Return the names of the weights that differ, to the bit."""
    before, after = (dict(each.module_[1].named_parameters()) for each in (model, other))
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.fixture(scope="module")
def streams():
    return planted_streams(0)


def without(table, modality):
    """Return the table with all rows of a modality missing."""
    block = table.blocks[modality]
    return FeatureTable(
        table.segments, {**table.blocks, modality: Block(np.full(block.values.shape, np.nan), block.names)}
    )


def test_each_stage_leaves_what_it_may_not_change_as_it_is_to_the_bit(streams):
    one, two, three = (omni(OMNI[:n]).fit(*streams) for n in (1, 2, 3))
    assert {name[: len(encoder_of("face"))] for name in changed(one, two)} == {encoder_of("face")}
    everything = {name for name, _ in two.module_[1].named_parameters()}
    assert changed(two, three) == everything - {"over_turns.bias.table"}  # dialogues are of one turn
    untouched = omni(["output"]).fit(*streams)
    moved = {name for name in changed(one, untouched) if not name.startswith("output")}
    assert {name[: len(encoder_of("audio"))] for name in moved} == {encoder_of("audio")}


def test_the_history_tells_stages_apart(streams):
    model = omni([["encoders.audio", "output"], "all"]).fit(*streams)
    assert [(entry["stage"], entry["epoch"]) for entry in model.history_] == [(s, e) for s in (1, 2) for e in (1, 2, 3)]
    assert [entry["lr"] for entry in model.history_[:3]] == [entry["lr"] for entry in model.history_[3:]]


def test_a_stage_of_everything_is_plain_training(streams):
    plain, staged = omni(None).fit(*streams), omni(["all"]).fit(*streams)
    assert not changed(plain, staged)
    assert "stage" not in plain.history_[0]


@pytest.mark.parametrize("name", sorted(HEADS))
def test_every_head_names_its_parts(name):
    head = HEADS[name]().set_params(hidden=8).build({"audio": 3, "face": 2}, 2, ("face",))
    parts = head.parts()
    encodes = any(isinstance(module, Encoders) for module in head.modules())
    assert ({"encoders.audio", "encoders.face"} <= set(parts)) == encodes
    for part in parts:
        head.learn_only(part)
        assert any(weights.requires_grad for weights in head.parameters())
        assert all(weights.requires_grad for weights in head.parameters()) == (part == "all")


def test_stages_are_kept_by_checkpoints_and_saved(streams, tmp_path):
    plain = omni().fit(*streams)
    kept = clone(plain).set_params(checkpoint=tmp_path / "unfinished").fit(*streams)
    assert not changed(plain, kept)
    assert list((tmp_path / "unfinished").iterdir()) == []
    kept.save(tmp_path / "model")
    loaded = FusionClassifier.load(tmp_path / "model")
    assert loaded.stages == OMNI
    assert np.array_equal(loaded.predict_proba(streams[0]), plain.predict_proba(streams[0]))


def test_a_warm_start_goes_on_from_weights_scaling_and_classes(streams):
    table, labels = streams
    model = omni(None, warm_start=True).fit(table, labels)
    first = clone(model).fit(table, labels)
    few = labels < 2
    model.set_params(stages=["output"]).fit(table[few], labels[few])
    assert {name.split(".")[0] for name in changed(first, model)} == {"output"}
    assert torch.equal(model.module_[0].mean, first.module_[0].mean)
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert changed(model, model.set_params(warm_start=False).fit(table, labels)) == set()  # the same object
    assert model.history_[-1]["epoch"] == 3


def test_a_regressor_goes_on_in_the_units_of_its_first_values():
    X = np.linspace(-1, 1, 60)[:, None]
    model = FusionRegressor(Concat(hidden=8, dropout=0.0), epochs=150, lr=0.01, random_state=0, warm_start=True)
    model.fit(X, 100 * X[:, 0])
    scale = float(model.objective_.scale)
    model.set_params(epochs=1, lr=1e-5).fit(X, 0 * X[:, 0])
    assert float(model.objective_.scale) == scale
    assert model.score(X, 100 * X[:, 0]) > 0.9


def test_what_does_not_go_on_is_named(streams):
    table, labels = streams
    model = omni(None, warm_start=True, epochs=1).fit(table, labels)
    with pytest.raises(ValueError, match="rows to go on with have labels .*4.* that the training rows lack"):
        model.fit(table, labels + 1)
    with pytest.raises(ValueError, match="fitted on the modalities"):
        model.fit(table.select(["face"]), labels)
    with pytest.raises(ValueError, match=r"do not fit Transformer\(.*hidden=8.*warm_start=False"):
        model.set_params(head__hidden=8).fit(table, labels)
    with pytest.raises(ValueError, match="Unknown part of Transformer 'encoders.fac', did you mean 'encoders.face'"):
        omni(["encoders.fac"]).fit(table, labels)


# Omni-Emotion


def test_a_dropped_token_is_as_if_it_had_never_been(streams):
    """Trained with all faces missing, or without faces at all, the rest learns the same."""
    table, labels = streams
    targets, objective = torch.tensor(labels), CrossEntropy().build(4)
    plan = Plan(lr=5e-3, weight_decay=0.01, epochs=3, batch_size=128, patience=3, seed=0)
    outputs, initial = [], {}
    for given in (without(table, "face"), table.select(["scene", "audio"])):
        tensors = TensorTable(given)
        tensors.values = {name: values.nan_to_num() for name, values in tensors.values.items()}
        with seeded(0, torch.device("cpu")):
            head = Transformer(hidden=16, dropout=0.0).build(tensors.in_features, 4)
            own = {name: encoders for name, encoders in zip(given.modalities, head.encoders.project, strict=True)}
            rest = {name: child for name, child in head.named_children() if name != "encoders"}
            for name, child in {**own, **rest}.items():
                child.load_state_dict(initial.setdefault(name, {k: v.clone() for k, v in child.state_dict().items()}))
            with torch.no_grad():
                head.summary.copy_(initial.setdefault("summary", head.summary.clone()))
            train(head, objective, Examples(tensors, targets), None, plan)
            outputs.append(head.eval()(tensors.batch(torch.arange(200))).detach())
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_the_face_a_class_that_it_alone_shows_suffers_most(seed):
    test, labels = planted_streams(seed + 100)
    model = omni(epochs=8, random_state=seed).fit(*planted_streams(seed))
    whole = recall_score(labels, model.predict(test), average=None)
    assert whole.mean() > 0.8
    fall = whole - recall_score(labels, model.predict(without(test, "face")), average=None)
    assert fall.argmax() == 0
    assert fall[0] > 0.5
