"""Mamba and Broad Mamba: what they may see, what they must not, and what they are there to learn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from synthetic import distant_cue, make_table, segment_moods

from featmer import FusionClassifier
from featmer.collate import collate
from featmer.nn import Answers, BroadMamba, Mamba, SelectiveSSM, Transformer
from featmer.nn.broad import ProbabilityGuided
from featmer.training.steps import Plan, Stepper

HEADS = [Mamba, BroadMamba]


def batch_of(table):
    batch = collate(table)
    return dataclasses.replace(batch, features={name: values.double() for name, values in batch.features.items()})


def built(head, in_features, n_outputs=3):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return head.build(in_features, n_outputs).double().eval()


@pytest.fixture
def noise():
    values = np.random.default_rng(0).standard_normal((11, 4))
    return make_table(np.repeat([0, 1], [5, 6]), audio=values, text=values[:, ::-1].copy())


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize(("context", "seen"), [("past", [1, 1, 1, 0, 0]), ("both", [1, 1, 1, 1, 1])])
def test_a_turn_sees_only_what_its_context_allows(kind, context, seen, noise):
    batch = batch_of(noise)
    audio = batch.features["audio"].requires_grad_()
    built(kind(hidden=8, context=context), {"audio": 4, "text": 4})(batch)[2].sum().backward()
    assert audio.grad.any(dim=1).int().tolist() == [*seen, *[0] * 6]


@pytest.mark.parametrize("kind", HEADS)
def test_the_past_is_unmoved_by_the_future(kind, noise):
    head, batch = built(kind(hidden=8, context="past", layers=2), {"audio": 4, "text": 4}), batch_of(noise)
    audio = batch.features["audio"].clone()
    audio[3:5] += 10
    changed = head(dataclasses.replace(batch, features={**batch.features, "audio": audio}))
    torch.testing.assert_close(changed[:3], head(batch)[:3], rtol=0, atol=1e-12)
    assert not torch.allclose(changed[3:5], head(batch)[3:5])


def test_padding_a_block_changes_nothing_both_ways():
    torch.manual_seed(0)
    block, tokens = SelectiveSSM(8, states=4).double(), torch.randn(2, 7, 8, dtype=torch.float64)
    real = torch.ones(2, 7, dtype=torch.bool)
    alone = block(tokens, real)
    padded = block(torch.nn.functional.pad(tokens, (0, 0, 0, 20), value=3.0), torch.nn.functional.pad(real, (0, 20)))
    torch.testing.assert_close(padded[:, :7], alone, rtol=0, atol=1e-12)


def test_a_block_reads_from_its_end_as_from_its_start():
    torch.manual_seed(0)
    block, tokens = SelectiveSSM(8, states=4).double(), torch.randn(1, 9, 8, dtype=torch.float64)
    real = torch.ones(1, 9, dtype=torch.bool)
    forwards = block(tokens, real)
    block.ways = torch.nn.ModuleList(reversed(block.ways))
    torch.testing.assert_close(block(tokens.flip(1), real).flip(1), forwards)


def test_steps_begin_in_their_range_and_decay_spares_what_remembers():
    torch.manual_seed(0)
    way = SelectiveSSM(32).ways[0]
    steps = torch.nn.functional.softplus(way.step.bias)
    assert (steps > 0.9e-3).all()
    assert (steps < 0.11).all()
    torch.testing.assert_close(way.A_log.exp()[5], torch.arange(1.0, 17))
    stepper = Stepper(way.parameters(), Plan(lr=0.1, weight_decay=1.0, epochs=9, batch_size=1, patience=1, seed=0), 1)
    before = {name: weights.detach().clone() for name, weights in way.named_parameters()}
    stepper.add(sum(0 * weights.sum() for weights in way.parameters()), 1)
    stepper.step()
    still = {name for name, weights in way.named_parameters() if torch.equal(weights, before[name])}
    assert still == {"A_log", "D"}


def test_speakers_and_places_make_a_difference():
    same = np.ones((6, 4))
    batch = batch_of(make_table(np.zeros(6, int), audio=same))
    outputs = built(Mamba(hidden=8), {"audio": 4})(batch)
    assert len(torch.unique(outputs.detach().round(decimals=9), dim=0)) == 6
    crowded = dataclasses.replace(batch, speaker=batch.speaker + 500)
    assert built(Mamba(hidden=8), {"audio": 4})(crowded).isfinite().all()


def test_unknown_context_is_named():
    with pytest.raises(ValueError, match="did you mean 'past'"):
        Mamba(context="pst").build({"audio": 4}, 2)


# what each mechanism is there for


def weighted_f1(model, train, test):
    predicted = model.fit(*train).predict(test[0])
    return f1_score(test[1], predicted, average="weighted")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_cue_anywhere_in_a_stretch_fixes_its_mood(seed):
    train, test = segment_moods(seed), segment_moods(seed + 100, n_dialogues=60)

    def score(head, **params):
        model = FusionClassifier(head, lr=5e-3, epochs=25, batch_size=256, validation_share=0, random_state=seed)
        return weighted_f1(model.set_params(head__hidden=32, head__dropout=0.0, **params), train, test)

    both, past, alone = score("mamba"), score("mamba", head__context="past"), score("concat")
    assert both >= past + 0.2
    assert past >= alone + 0.1
    assert both >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "context", "epochs"),
    [(Mamba, "past", 30), (Mamba, "both", 30), (Transformer, "past", 12), (Transformer, "both", 24)],
)
def test_a_cue_two_hundred_turns_ago_is_remembered(kind, context, epochs):
    """A graph limited to a window does not reach it; see test_graph.py."""
    train, (table, labels) = distant_cue(0, 128), distant_cue(1, 64)
    head = kind(hidden=16, dropout=0.0, context=context)
    model = FusionClassifier(head, lr=1e-2, epochs=epochs, batch_size=1600, validation_share=0, random_state=0)
    last = table.segments["turn"].to_numpy() == 200
    assert (model.fit(*train).predict(table) == labels)[last].mean() > 0.95


# probability-guided fusion


def test_weights_follow_how_sure_each_modality_is():
    fuse = ProbabilityGuided(2, hidden=3, n_outputs=3, sharpness=8.0)
    with torch.no_grad():
        for answer in fuse.answer:
            answer.weight.copy_(torch.eye(3))
            answer.bias.zero_()
    views = torch.tensor([[[4.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 4.0, 0.0]]])
    present = torch.tensor([[True, True], [True, False]])
    fused, weights, answers = fuse(views, present)
    sure = answers.softmax(-1).amax(-1).T
    torch.testing.assert_close(weights[0], (8 * sure[0]).softmax(0))
    assert weights[0, 0] > 0.9
    assert weights[1].tolist() == [1, 0]
    torch.testing.assert_close(fused, (weights[..., None] * views).sum(1))
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    assert fuse(views[:1] * 0, nothing)[1].tolist() == [[0.5, 0.5]]
    fuse.sharpness = 0.0
    assert fuse(views[:1], present[:1])[1].tolist() == [[0.5, 0.5]]


def test_modalities_are_held_to_the_objective_in_training_only(noise):
    head, batch = built(BroadMamba(hidden=8, side_weight=0.25), {"audio": 4, "text": 4}), batch_of(noise)
    assert isinstance(head(batch), torch.Tensor)
    answers = head.train()(batch)
    assert isinstance(answers, Answers)
    assert answers.side.shape == (2, 11, 3)
    assert answers.side_weight == 0.25


def three_views(seed, n_rows, *, noise=None):
    """Return rows that each of three modalities shows clearly or not at all, one of them perhaps noise, and labels."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (n_rows,), generator=draw)
    clear = torch.rand(n_rows, 3, 1, generator=draw) < 0.6
    views = torch.randn(n_rows, 3, 8, generator=draw) + 4 * clear * torch.eye(4, 8)[labels][:, None]
    if noise is not None:
        views[:, noise] = torch.randn(n_rows, 8, generator=draw)
    return views, torch.ones(n_rows, 3, dtype=torch.bool), labels


def fusion_trained(sharpness, seed):
    """Return fusion and output, trained as the head trains them."""
    torch.manual_seed(seed)
    fuse, output = ProbabilityGuided(3, hidden=8, n_outputs=4, sharpness=sharpness), torch.nn.Linear(8, 4)
    optimizer = torch.optim.Adam([*fuse.parameters(), *output.parameters()], lr=0.05)
    views, present, labels = three_views(seed, 500)
    for _ in range(100):
        fused, _, answers = fuse(views, present)
        side = torch.stack([torch.nn.functional.cross_entropy(answer, labels) for answer in answers]).mean()
        loss = torch.nn.functional.cross_entropy(output(fused), labels) + 0.5 * side
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return fuse, output


@torch.no_grad()
def test_a_modality_turned_noise_is_heard_less():
    accuracy, of_noise = {0.0: [], 3.0: []}, []
    for seed in range(6):
        views, present, labels = three_views(seed + 100, 2000, noise=0)
        for sharpness, found in accuracy.items():
            with torch.enable_grad():
                fuse, output = fusion_trained(sharpness, seed)
            fused, weights, _ = fuse(views, present)
            found.append(float((output(fused).argmax(1) == labels).float().mean()))
        of_noise.append(float(weights[:, 0].mean()))
    assert np.mean(accuracy[3.0]) >= np.mean(accuracy[0.0]) + 0.005
    assert np.mean(of_noise) < 0.3
