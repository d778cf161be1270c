"""The same estimators on a GPU: as repeatable as on the CPU, with the same answers. Skipped where torch sees none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_heads import make_table
from test_scan import make_inputs, outputs_and_gradients, step_by_step

from featmer import FusionClassifier, FusionRegressor, MultitaskFusion
from featmer.nn import HEADS
from featmer.nn.scan import selective_scan
from featmer.pretraining import PRETRAINING

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
every_head = pytest.mark.parametrize("head", sorted(HEADS))
GIVEN = {"lr": 1e-2, "epochs": 4, "batch_size": 32, "validation_share": 0.25, "random_state": 0, "device": "cuda"}


@pytest.fixture(scope="module")
def table():
    return make_table(lengths=(3, 1, 4, 6) * 8)


@pytest.fixture(scope="module")
def labels(table):
    return np.resize(["angry", "calm", "sad"], len(table))


def predicted(model, table, **params):
    return model.set_params(**params).predict_proba(table)


@every_head
def test_the_same_seed_gives_the_same_answers_to_the_last_bit(head, table, labels):
    fits = [FusionClassifier(head, **GIVEN).fit(table, labels) for _ in range(2)]
    assert next(fits[0].module_.parameters()).device.type == "cuda"
    assert fits[0].history_ == fits[1].history_
    np.testing.assert_array_equal(*(predicted(fit, table) for fit in fits))


@every_head
def test_cpu_and_gpu_answer_alike(head, table, labels, tmp_path):
    fitted = FusionClassifier(head, **GIVEN, half=False).fit(table, labels)
    fitted.save(tmp_path / "model")
    elsewhere = FusionClassifier.load(tmp_path / "model").set_params(device="cpu")
    np.testing.assert_allclose(predicted(elsewhere, table), predicted(fitted, table), atol=1e-4)


@every_head
def test_half_precision_learns_as_full_precision_does(head, table, labels):
    same_draws = {name: 0.0 for name in HEADS[head]().get_params() if name == "dropout"}
    learner = HEADS[head]().set_params(**same_draws)
    losses = [
        FusionClassifier(learner, **GIVEN | {"lr": 1e-3}, half=half).fit(table, labels).history_[0]["loss"]
        for half in (True, False)
    ]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.filterwarnings("default")  # the compiler gives hints, and looks at gradients that are not there
@pytest.mark.parametrize("name", ["concat", "transformer", "recurrent", "mamba"])
def test_a_compiled_head_learns_alike(name, table, labels):
    head = HEADS[name]().set_params(hidden=16, dropout=0.0)  # what is dropped would differ
    fits = [
        FusionClassifier(head, **GIVEN | {"lr": 1e-3}, half=False, compile=each).fit(table, labels)
        for each in (False, True)
    ]
    losses = [[entry["validation_loss"] for entry in fit.history_] for fit in fits]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("name", sorted(PRETRAINING))
def test_every_pretraining_works(name, table, labels):
    embedded = (
        PRETRAINING[name]().set_params(device="cuda", epochs=2, random_state=0).fit(table, labels).transform(table)
    )
    assert np.isfinite(embedded).any()


@pytest.mark.parametrize("length", [1, 33, 1024, 5000])
def test_the_scan_equals_the_recurrence(length):
    inputs = [value.detach().cuda().requires_grad_() for value in make_inputs(3, length, 8, 4)]
    wanted, got = (outputs_and_gradients(function, inputs) for function in (step_by_step, selective_scan))
    for expected, found in zip(wanted, got, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_training_goes_on_from_a_checkpoint_to_the_same_bits(table, labels, tmp_path, monkeypatch):
    from featmer.training import Checkpoint

    whole = FusionClassifier("transformer", **GIVEN).fit(table, labels)
    save = Checkpoint.save

    def save_and_die(self, progress):
        save(self, progress)
        if len(progress.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        FusionClassifier("transformer", **GIVEN, checkpoint=tmp_path).fit(table, labels)
    monkeypatch.undo()
    resumed = FusionClassifier("transformer", **GIVEN, checkpoint=tmp_path).fit(table, labels)
    assert resumed.history_ == whole.history_
    np.testing.assert_array_equal(predicted(resumed, table), predicted(whole, table))


def test_numbers_and_several_targets_are_learnt(table, labels):
    values = np.linspace(-1, 1, len(table))
    assert np.isfinite(FusionRegressor("gated", **GIVEN).fit(table, values).predict(table)).all()
    y = {"emotion": labels, "valence": np.where(np.arange(len(table)) % 2, values, np.nan)}
    told = MultitaskFusion("gated", **GIVEN).fit(table, y).predict(table)
    assert len(told["emotion"]) == len(table)
    assert np.isfinite(told["valence"]).all()


def test_nothing_global_is_touched(table, labels):
    before = torch.cuda.get_rng_state(), torch.get_deterministic_debug_mode()
    FusionClassifier("concat", **GIVEN).fit(table, labels)
    assert torch.equal(torch.cuda.get_rng_state(), before[0])
    assert torch.get_deterministic_debug_mode() == before[1]
