"""The hybrid compressor: its gate, what is frozen, and what is not forgotten."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from synthetic import make_task

from featmer import FeatureTable, FusionClassifier
from featmer.collate import collate
from featmer.evaluation import forgetting
from featmer.nn import Compressor, HybridCompressor

PRESENT = torch.tensor([[True, True, True], [True, False, True], [False, False, False]])


def general_model(seed, table, labels, **params):
    head = Compressor(hidden=32, dropout=0.0, route="general", **params)
    model = FusionClassifier(head, lr=3e-3, epochs=15, validation_share=0, random_state=seed, warm_start=True)
    return model.fit(table, labels)


@pytest.mark.parametrize(("gate", "n_gates"), [("sample", 1), ("token", 4)])
@pytest.mark.parametrize("normalize", ["softmax", "none"])
def test_gates_weigh_the_two_experts(gate, n_gates, normalize):
    torch.manual_seed(0)
    compress = HybridCompressor(8, n_tokens=4, heads=2, gate=gate, normalize=normalize)
    tokens = torch.randn(3, 3, 8) * PRESENT[..., None]
    compressed, gates = compress(tokens, PRESENT)
    assert compressed.shape == (3, 4, 8)
    assert gates.shape == (3, n_gates, 2)
    assert compressed.isfinite().all()
    emotion, general = (compress(tokens, PRESENT, route)[0] for route in ("emotion", "general"))
    torch.testing.assert_close(compressed, gates[..., :1] * emotion + gates[..., 1:] * general)
    assert torch.allclose(gates.sum(-1), torch.ones(3, n_gates)) == (normalize == "softmax")


def test_what_stands_in_a_missing_token_does_not_matter():
    torch.manual_seed(0)
    compress, tokens = HybridCompressor(8, heads=2), torch.randn(3, 3, 8)
    changed = tokens.clone()
    changed[1, 1] = 100.0
    torch.testing.assert_close(compress(changed, PRESENT)[0][1], compress(tokens, PRESENT)[0][1])


@pytest.mark.parametrize("route", ["general", "emotion"])
def test_one_expert_can_work_alone(route):
    compress = HybridCompressor(8, heads=2)
    _, gates = compress(torch.randn(3, 3, 8), PRESENT, route)
    assert gates.tolist() == [[[0.0, 1.0] if route == "general" else [1.0, 0.0]]] * 3


def test_gradients_flow_only_to_what_is_not_frozen():
    table, labels = make_task(0, 20, emotional=True)
    head = Compressor(hidden=8, heads=2).build({"scene": 12, "face": 12}, 4).learn_only("emotion", "gate")
    torch.nn.functional.cross_entropy(head(collate(table)), torch.tensor(labels)).backward()
    moved = {
        name.rsplit(".", name.count(".") - 1)[0] for name, each in head.named_parameters() if each.grad is not None
    }
    assert moved == {"compress.emotion", "compress.look", "compress.weigh"}


def test_balance_is_a_penalty_in_training():
    table, _ = make_task(0, 20, emotional=True)
    head = Compressor(hidden=8, heads=2, balance=0.5).build({"scene": 12, "face": 12}, 4)
    assert 0.5 <= head(collate(table)).penalty <= 1.0
    assert isinstance(head.eval()(collate(table)), torch.Tensor)


def test_bad_parameters_are_named():
    with pytest.raises(ValueError, match="did you mean 'sample'"):
        HybridCompressor(8, gate="sampel")
    with pytest.raises(ValueError, match="did you mean 'softmax'"):
        HybridCompressor(8, normalize="sotfmax")
    head = Compressor(hidden=8).build({"face": 3}, 2)
    with pytest.raises(ValueError, match="did you mean 'emotion'"):
        head.learn_only("emotoin")
    with pytest.raises(ValueError, match="did you mean 'general'"):
        HybridCompressor(8)(torch.zeros(3, 3, 8), PRESENT, route="generl")


def test_forgetting_is_the_mean_fall_of_older_tasks():
    assert forgetting([[0.9, 0.1, 0.2], [0.8, 0.7, 0.2], [0.95, 0.5, 0.6]]) == pytest.approx((-0.05 + 0.2) / 2)
    with pytest.raises(ValueError, match=r"n_stages >= n_tasks >= 2, got \(1, 2\)"):
        forgetting([[0.9, 0.1]])


def test_the_frozen_general_route_stays_as_it_was_to_the_bit():
    general, other = make_task(0, 300, emotional=False), make_task(1, 300, emotional=True)
    model = general_model(0, *general)
    before = model.predict_proba(general[0])
    model.set_params(head__route="gate", stages=[["emotion", "gate"]], epochs=3).fit(*other)
    assert not np.allclose(model.predict_proba(general[0]), before)
    model.module_[1].set_params(route="general")
    assert np.array_equal(model.predict_proba(general[0]), before)


@torch.no_grad()
def emotion_gates(model, table):
    scaling, head = model.module_
    views, present = head.eval().encoders(scaling(collate(table)))
    return head.compress(views, present)[1][..., 0].mean(1).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2])
def test_emotions_are_learnt_without_forgetting(seed):
    """The same sights get other labels in the second task; a cue tells the tasks apart."""
    tasks = [make_task(seed + 10 * number, 1500, emotional=bool(number)) for number in (0, 1)]
    tests = [make_task(seed + 50 + 10 * number, 1500, emotional=bool(number)) for number in (0, 1)]
    few = [make_task(seed + 20 + 10 * number, 200, emotional=bool(number)) for number in (0, 1)]

    def scores(model):
        return [model.score(*each) for each in tests]

    shared = general_model(seed, *tasks[0])
    course = [scores(shared)]
    assert forgetting([*course, scores(shared.fit(*tasks[1]))]) > 0.1

    hybrid = general_model(seed, *tasks[0])
    hybrid.set_params(head__route="emotion", stages=["emotion"]).fit(*tasks[1])
    both = FeatureTable.concat([table for table, _ in few])
    hybrid.set_params(head__route="gate", stages=["gate"], epochs=40, batch_size=16)
    hybrid.fit(both, np.concatenate([labels for _, labels in few]))
    after = scores(hybrid)
    assert forgetting([*course, after]) <= 0.02
    assert after[1] > 0.95
    gates = [emotion_gates(hybrid, table) for table, _ in tests]
    assert roc_auc_score(np.repeat([0, 1], 1500), np.concatenate(gates)) > 0.9
