"""Experts, balanced modalities and reallocated attention: what they keep, and what they are there for."""

from __future__ import annotations

import pytest
import torch
from synthetic import BENCHMARK, make_conflict
from torch import nn

from featmer.collate import collate
from featmer.nn import Answers, Experts, Head, Transformer, reallocate
from featmer.nn.experts import ModalityExperts, load_balance, modality_bias

fitted, scores, EVENLY = (BENCHMARK[name] for name in ("fitted", "conflict_scores", "EVENLY"))


# reallocation


@pytest.fixture
def attention():
    """Rows of attention to five tokens: one of no modality, two, one and one of three."""
    draw = torch.Generator().manual_seed(0)
    weights = torch.rand(4, 2, 3, 5, generator=draw, dtype=torch.float64)
    weights[0, ..., 3] = 0  # a missing modality
    return weights / weights.sum(-1, keepdim=True)


GROUPS = torch.tensor([-1, 0, 0, 1, 2])


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_reallocation_keeps_sums_and_ratios(attention, strength):
    moved = reallocate(attention, GROUPS, strength)
    torch.testing.assert_close(moved.sum(-1), attention.sum(-1), rtol=0, atol=1e-12)
    torch.testing.assert_close(moved[..., 1] / moved[..., 2], attention[..., 1] / attention[..., 2])
    assert torch.equal(moved[..., 0], attention[..., 0])
    assert (moved >= 0).all()
    assert not moved[0, ..., 3].any()


def test_reallocation_goes_from_nothing_to_equal_shares(attention):
    assert torch.equal(reallocate(attention, GROUPS, 0.0), attention)
    even = reallocate(attention, GROUPS, 1.0)
    held = torch.stack([even[..., 1] + even[..., 2], even[..., 3], even[..., 4]], dim=-1)
    torch.testing.assert_close(held[1:], held[1:].mean(-1, keepdim=True).expand(-1, -1, -1, 3))
    torch.testing.assert_close(held[0, ..., 0], held[0, ..., 2])
    half = reallocate(attention, GROUPS, 0.5)
    torch.testing.assert_close(half, (attention + even) / 2)


def test_reallocation_leaves_rows_below_the_threshold():
    rows = torch.tensor([[0.6, 0.4], [0.9, 0.1]])
    moved = reallocate(rows, torch.tensor([0, 1]), 1.0, threshold=0.7)
    torch.testing.assert_close(moved, torch.tensor([[0.6, 0.4], [0.5, 0.5]]))


def test_reallocation_of_nothing_is_nothing():
    assert reallocate(torch.zeros(2, 3), torch.tensor([0, 1, 1]), 1.0).tolist() == [[0.0] * 3] * 2
    with pytest.raises(ValueError, match="between 0 and 1, got 2"):
        reallocate(torch.ones(1, 2), torch.tensor([0, 1]), 2)


@pytest.mark.parametrize("kind", [Transformer, Experts])
def test_heads_reallocate_where_they_are_used_only(kind):
    table, _ = make_conflict(0, 6)
    batch, widths = collate(table), {"audio": 16, "video": 16}
    torch.manual_seed(0)
    head = kind(hidden=16, dropout=0.0, reallocation=0.0).build(widths, 3)
    trained = head.train()(batch)
    plain = head.eval()(batch)
    head.set_params(reallocation=1.0)
    evened = head(batch)
    assert not torch.allclose(plain, evened)
    again = head.train()(batch)
    for answers in (trained, again):
        torch.testing.assert_close(answers.outputs if isinstance(answers, Answers) else answers, plain)
    head.set_params(reallocation=1e-12)  # the explicit way to the same attention
    torch.testing.assert_close(head.eval()(batch), plain, rtol=1e-5, atol=1e-6)


# experts and their penalties


def test_experts_are_the_sums_they_say_they_are():
    torch.manual_seed(0)
    experts, views = ModalityExperts(2, hidden=6, experts=3, rank=4), torch.randn(5, 2, 6)
    changed, gates = experts(views)
    for modality in range(2):
        x = views[:, modality]
        z = (x @ experts.narrow[modality]).relu()
        g = (x @ experts.gate[modality]).softmax(1)
        wanted = sum(g[:, [e]] * (z @ experts.widen[modality, e]) for e in range(3)).relu()
        torch.testing.assert_close(changed[:, modality], wanted)
        torch.testing.assert_close(gates[:, modality], g)


def test_the_bias_of_modalities_is_zero_only_at_equal_means():
    draw = torch.Generator().manual_seed(0)
    present = torch.ones(8, 3, dtype=torch.bool)
    for _ in range(20):
        weights = torch.rand(8, 3, generator=draw, dtype=torch.float64).softmax(1)
        assert modality_bias(weights, present) > 0
        every_turn = torch.cat([weights, weights.roll(1, 1), weights.roll(2, 1)])
        assert modality_bias(every_turn, present.repeat(3, 1)).abs() < 1e-12


def test_a_missing_modality_is_no_bias():
    present = torch.tensor([[True, False], [True, True]])
    assert modality_bias(torch.tensor([[1.0, 0.0], [0.5, 0.5]]), present) == 0
    assert modality_bias(torch.tensor([[1.0, 0.0], [0.8, 0.2]]), present) > 0
    assert modality_bias(torch.tensor([[0.5, 0.5]]), torch.zeros(1, 2, dtype=torch.bool)) == 0


def test_load_balance_grows_with_the_crowd():
    even, crowded = torch.eye(4).repeat(3, 1), torch.eye(4)[torch.zeros(12, dtype=torch.long)]
    assert load_balance(even) == 1
    assert load_balance(crowded) == 4
    assert load_balance(torch.cat([even, crowded]), torch.arange(24) < 12) == 1
    assert load_balance(crowded, torch.zeros(12, dtype=torch.bool)) == 0


def test_training_gets_side_answers_and_penalties():
    table, _ = make_conflict(0, 6)
    head = Experts(hidden=16, side_weight=0.25).build({"audio": 16, "video": 16}, 3)
    answers = head.train()(collate(table))
    assert answers.side.shape == (2, 6, 3)
    assert answers.side_weight == 0.25
    assert answers.penalty > 0
    assert head.set_params(modality_balance=0.0, expert_balance=0.0)(collate(table)).penalty == 0
    assert isinstance(head.eval()(collate(table)), torch.Tensor)


# what it is there for


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_experts_tell_better_which_modality_to_believe(seed):
    """Trained on rows that favour audio, they believe video more often where only video is right."""
    told = BENCHMARK["conflict"](seed)
    for name in ("balanced", "free"):
        assert told[f"{name} - concat, gap"] <= 0
        assert told[f"{name} - concat, consistent"] >= -0.01
    assert told["audio weight, balanced"] == pytest.approx(0.5, abs=0.05)
    assert told["audio weight, free"] > 0.53


class TokenAttention(Head):
    """Attend to all frames of all modalities at once, as a language model attends to tokens."""

    def __init__(self, *, balance=0.0, reallocation=0.0, hidden=32):
        super().__init__()
        self.balance = balance
        self.reallocation = reallocation
        self.hidden = hidden

    def build(self, in_features, n_outputs, sequences=()):
        self.project = nn.ModuleList(nn.Linear(width, self.hidden) for width in in_features.values())
        self.score = nn.Linear(self.hidden, 1, bias=False)
        self.output = nn.Sequential(nn.Linear(self.hidden, self.hidden), nn.GELU(), nn.Linear(self.hidden, n_outputs))
        return self

    def forward(self, batch):
        tokens = [project(frames) for project, frames in zip(self.project, batch.features.values(), strict=True)]
        groups = torch.arange(len(tokens)).repeat_interleave(torch.tensor([each.shape[1] for each in tokens]))
        tokens = torch.cat(tokens, dim=1)
        attention = self.score(tokens).squeeze(-1).softmax(1)
        if not self.training:
            attention = reallocate(attention, groups, self.reallocation)
        outputs = self.output((attention[..., None] * tokens).sum(1))
        if not self.training:
            return outputs
        held = torch.stack([attention[:, groups == group].sum(1) for group in groups.unique()], dim=1)
        return Answers(outputs, penalty=self.balance * modality_bias(held, torch.ones_like(held, dtype=torch.bool)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_balance_closes_the_gap_where_tokens_drive_attention(seed):
    """Ten frames of audio for each of video, the same to be seen in both: the count, not the signal, favours audio."""
    sights = {"width": 8, "noise": 1.06, "faint": 0.6, "cue": 0.0, "frames": (20, 2)}
    train, test = make_conflict(seed, **sights), make_conflict(seed + 100, shares=EVENLY, **sights)
    free = fitted(TokenAttention(), seed, *train, epochs=15)
    before = scores(free, *test)
    free.module_[1].set_params(reallocation=0.5)
    reallocated = scores(free, *test)
    balanced = scores(fitted(TokenAttention(balance=1.0), seed, *train, epochs=15), *test)
    assert before["gap"] > 0.2
    assert balanced["gap"] < before["gap"] / 2
    assert reallocated["gap"] < before["gap"] - 0.05
    assert min(balanced["consistent"], reallocated["consistent"]) > before["consistent"] - 0.03
    assert before["audio-aligned"] > before["video-aligned"]
