"""The training loop and the objectives: what they compute, where they stop, what they leave alone."""

from __future__ import annotations

import copy
import random

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from featmer import Block, FeatureTable
from featmer.collate import Batch, TensorTable
from featmer.nn import Answers, Concat
from featmer.objectives import OBJECTIVES, ConcordanceLoss, CrossEntropy, MeanSquaredError, Objective, SeveralObjectives
from featmer.training import Checkpoint, Examples, Plan, TrainingError, predict, seeded, train
from featmer.training.steps import Stepper

NO_BATCH = Batch({}, {}, {}, *(torch.zeros(0, dtype=torch.long),) * 3)
PLAN = Plan(lr=0.01, weight_decay=0.0, epochs=40, batch_size=16, patience=5, seed=0)


def make_examples(seed, n_rows=48, noise=0.1):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n_rows, 3))
    targets = values[:, :1] * 2 + noise * rng.standard_normal((n_rows, 1))
    segments = pd.DataFrame({"dialogue": np.arange(n_rows) // 3, "turn": np.arange(n_rows) % 3})
    tensors = TensorTable(FeatureTable(segments, {"audio": Block(values, [f"audio.{i}" for i in range(3)])}))
    return Examples(tensors, torch.tensor(targets, dtype=torch.float32))


def fit(plan=PLAN, examples=None, validation=None, objective=None, dropout=0.3, **options):
    examples = examples or make_examples(0)
    with seeded(plan.seed, torch.device("cpu")):
        module = Concat(hidden=16, dropout=dropout).build({"audio": 3}, 1)
        objective = (objective or MeanSquaredError()).build(1).learn(examples.targets)
        history = train(module, objective, examples, validation, plan, **options)
    return module, history


def weights_of(module):
    return torch.cat([weights.flatten() for weights in module.parameters()])


def with_plan(**changes):
    return Plan(**{**PLAN.__dict__, **changes})


def test_the_loss_falls_and_the_history_tells_of_it():
    _, history = fit()
    assert [entry["epoch"] for entry in history] == list(range(1, 41))
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert set(history[0]) == {"epoch", "lr", "loss"}


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    rates = [entry["lr"] for entry in fit()[1]]
    assert rates[0] < max(rates) == pytest.approx(0.01, rel=0.05)
    assert rates[-1] < 0.001
    assert all(later <= earlier for earlier, later in zip(rates[3:], rates[4:], strict=False))


def test_training_stops_when_validation_gets_no_better_and_keeps_the_best_weights():
    validation = make_examples(1)
    validation = Examples(validation.tensors, -validation.targets)  # the better the fit, the worse the loss
    plan = with_plan(epochs=100, patience=3)
    module, history = fit(plan, validation=validation)
    losses = [entry["validation_loss"] for entry in history]
    best = int(np.argmin(losses)) + 1
    assert len(history) == best + 3
    stopped_there, _ = fit(with_plan(epochs=100, patience=1), validation=validation)
    if best == 1:
        torch.testing.assert_close(weights_of(module), weights_of(stopped_there))


def test_validation_rows_are_never_trained_on():
    near, far = make_examples(1), make_examples(2)
    far = Examples(far.tensors, far.targets + 100)
    plan = with_plan(epochs=1)
    assert torch.equal(weights_of(fit(plan, validation=near)[0]), weights_of(fit(plan, validation=far)[0]))


def test_a_loss_that_is_no_number_stops_with_place_and_advice():
    with pytest.raises(TrainingError, match=r"epoch \d+, batch \d+, at a learning rate of .*Lower lr"):
        fit(with_plan(lr=1e30))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    assert torch.equal(weights_of(fit()[0]), weights_of(fit()[0]))
    assert not torch.equal(weights_of(fit()[0]), weights_of(fit(with_plan(seed=1))[0]))


def test_nothing_global_is_touched():
    threads = torch.get_num_threads()
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    fit()
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_the_number_of_threads_does_not_change_the_result():
    threads = torch.get_num_threads()
    try:
        results = []
        for n in (1, 2):
            torch.set_num_threads(n)
            results.append(weights_of(fit(with_plan(epochs=5))[0]))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_predictions_do_not_depend_on_the_batch_size(batch_size):
    module, _ = fit(with_plan(epochs=3))
    weights = copy.deepcopy(module.state_dict())
    tensors = make_examples(3).tensors
    torch.testing.assert_close(predict(module, tensors, batch_size), predict(module, tensors, 16), rtol=0, atol=1e-6)
    assert all(torch.equal(weights[name], values) for name, values in module.state_dict().items())


def test_a_bar_is_shown_only_when_asked_for(capsys):
    fit(with_plan(epochs=2))
    assert capsys.readouterr().err == ""
    fit(with_plan(epochs=2, progress=True))
    assert "training: 100%" in capsys.readouterr().err


def test_cross_entropy_is_the_mean_negative_log_probability():
    outputs, targets = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), torch.tensor([0, 2])
    objective = CrossEntropy().build(3).learn(targets)
    wanted = -np.log(objective.decode(outputs).numpy()[[0, 1], [0, 2]]).mean()
    assert float(objective.loss(outputs, targets, NO_BATCH)) == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(objective.decode(outputs).sum(1), 1, rtol=1e-6)


def test_balanced_classes_count_alike():
    targets = torch.tensor([0, 0, 0, 1])
    outputs = torch.tensor([[0.0, 1.0]]).expand(4, 2)
    objective = CrossEntropy(class_weight="balanced").build(2).learn(targets)
    probabilities = objective.decode(outputs).numpy()[0]
    assert float(objective.loss(outputs, targets, NO_BATCH)) == pytest.approx(-np.log(probabilities).mean(), rel=1e-6)
    with pytest.raises(ValueError, match="did you mean 'balanced'"):
        CrossEntropy(class_weight="balance").build(2)


def numbers(draw_from):
    return arrays(np.float64, (12, 2), elements=st.floats(-draw_from, draw_from, width=16))


@settings(max_examples=50, deadline=None)
@given(predicted=numbers(5), wanted=numbers(100))
def test_concordance_loss_is_one_minus_the_coefficient_of_lin(predicted, wanted):
    wanted += np.arange(12)[:, None]
    objective = ConcordanceLoss().double().build(2).double().learn(torch.tensor(wanted))
    outputs = torch.tensor(predicted)
    values = objective.decode(outputs).numpy()
    covariance = ((values - values.mean(0)) * (wanted - wanted.mean(0))).mean(0)
    spread = values.var(0) + wanted.var(0) + (values.mean(0) - wanted.mean(0)) ** 2
    expected = 1 - (2 * covariance / spread).mean()
    assert float(objective.loss(outputs, torch.tensor(wanted), NO_BATCH)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["mse", "ccc"])
def test_values_are_learnt_at_scale_and_given_back_in_their_units(name):
    targets = torch.tensor([[1000.0, 5.0], [3000.0, 5.0]])
    objective = OBJECTIVES[name]().build(2).learn(targets)
    outputs = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    assert torch.equal(objective.decode(outputs), targets)
    if name == "mse":
        assert float(objective.loss(outputs, targets, NO_BATCH)) == 0


def test_every_objective_is_registered():
    public = {made for made in _subclasses(Objective) if not made.__name__.startswith("_")}
    ours = {made for made in public if made.__module__.startswith("featmer.objectives.")}
    assert ours - {SeveralObjectives} == set(OBJECTIVES.values())  # which holds those of the registry


def _subclasses(made):
    return {below for child in made.__subclasses__() for below in {child, *_subclasses(child)}}


class Killed(Exception):
    """Stands for the end of the process."""


class DyingCheckpoint(Checkpoint):
    """Ends training after some epochs."""

    epochs = 7

    def save(self, progress):
        super().save(progress)
        if len(progress.history) == self.epochs:
            raise Killed


@pytest.mark.parametrize("epochs", [1, 7, 11])
def test_training_that_was_killed_ends_as_if_it_had_not_been(tmp_path, monkeypatch, epochs):
    monkeypatch.setattr(DyingCheckpoint, "epochs", epochs)
    validation = make_examples(1)
    whole, expected = fit(validation=validation)
    with pytest.raises(Killed):
        fit(validation=validation, checkpoint=DyingCheckpoint(tmp_path, ["a"]))
    assert len(list(tmp_path.iterdir())) == 1
    resumed, history = fit(validation=validation, checkpoint=Checkpoint(tmp_path, ["a"]))
    assert history == expected
    torch.testing.assert_close(weights_of(resumed), weights_of(whole), rtol=0, atol=0)
    assert list(tmp_path.iterdir()) == []


def test_a_fit_goes_on_from_its_own_checkpoint_only(tmp_path):
    with pytest.raises(Killed):
        fit(checkpoint=DyingCheckpoint(tmp_path, ["a", torch.ones(2)]))
    _, expected = fit()
    other = Checkpoint(tmp_path, ["a", torch.zeros(2)])
    assert other.path not in tmp_path.iterdir()
    assert fit(checkpoint=other)[1] == expected


def test_a_damaged_checkpoint_is_told_from_a_good_one(tmp_path):
    checkpoint = DyingCheckpoint(tmp_path, ["a"])
    with pytest.raises(Killed):
        fit(checkpoint=checkpoint)
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged.*delete it"):
        fit(checkpoint=Checkpoint(tmp_path, ["a"]))


def test_batches_put_together_learn_as_one_large_batch():
    one, _ = fit(with_plan(batch_size=48, epochs=5), dropout=0.0)
    together, _ = fit(with_plan(batch_size=12, accumulate=4, epochs=5), dropout=0.0)
    apart, _ = fit(with_plan(batch_size=12, epochs=5), dropout=0.0)
    torch.testing.assert_close(weights_of(together), weights_of(one), rtol=0, atol=1e-5)
    assert (weights_of(one) - weights_of(apart)).abs().max() > 1e-2


def test_a_curriculum_chooses_what_is_learnt_from():
    examples = make_examples(0)
    easy = examples.tensors.dialogue < 4
    spoilt = Examples(examples.tensors, torch.where(torch.tensor(easy)[:, None], examples.targets, torch.nan))
    _, history = fit(with_plan(epochs=3), spoilt, objective=FixedScale(), curriculum=lambda epoch: easy)
    assert np.isfinite([entry["loss"] for entry in history]).all()
    with pytest.raises(TrainingError, match="epoch 2"):
        fit(with_plan(epochs=3), spoilt, objective=FixedScale(), curriculum=lambda epoch: easy | (epoch > 1))


class FixedScale(MeanSquaredError):
    """Learns no scale, which unknown targets would spoil."""

    def learn(self, targets):
        return super().learn(torch.nan_to_num(targets))


def test_weights_can_be_spared_from_decay():
    def shrink(spared):
        weights = torch.nn.Parameter(torch.ones(3))
        weights.no_weight_decay = spared
        stepper = Stepper([weights], with_plan(weight_decay=1.0, epochs=1), n_batches=1)
        stepper.add(0 * weights.sum(), 1)
        stepper.step()
        return weights.detach()

    assert (shrink(True) == 1).all()
    assert (shrink(False) < 1).all()


def test_side_answers_and_penalties_are_learnt_from_in_training_only():
    class Aided(Concat):
        def forward(self, batch):
            outputs = super().forward(batch)
            return (
                Answers(outputs, torch.stack([outputs, outputs]), 0.5, outputs.new_tensor(3.0))
                if self.training
                else outputs
            )

    examples = make_examples(0)

    def first_losses(head):
        with seeded(0, torch.device("cpu")):
            module = head(hidden=8, dropout=0.0).build({"audio": 3}, 1)
            objective = MeanSquaredError().build(1).learn(examples.targets)
            return train(module, objective, examples, examples, with_plan(epochs=1, batch_size=48))[0]

    plain, aided = first_losses(Concat), first_losses(Aided)
    assert aided["loss"] == pytest.approx(1.5 * plain["loss"] + 3.0, rel=1e-5)
    assert aided["validation_loss"] < 3
