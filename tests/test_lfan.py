"""Leader-follower attentive fusion: who sees whom, when, and how a clip is decided by its frames."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from synthetic import crossed_signs, make_table

from featmer import FusionClassifier
from featmer.collate import collate
from featmer.decisions import decide_clips
from featmer.estimators import frame_outputs
from featmer.nn import LFAN, Answers
from featmer.nn.lfan import AcrossModalities

WIDTHS = {"face": 4, "audio": 3, "text": 5}


def sequences(lengths, seed=0, **counts):
    """Return a table of sequences; a modality has as many times the frames of `lengths` as told, or is a vector."""
    rng = np.random.default_rng(seed)
    blocks = {
        name: [rng.standard_normal((n * counts.get(name, 1), width)) for n in lengths]
        if counts.get(name, 1)
        else rng.standard_normal((len(lengths), width))
        for name, width in WIDTHS.items()
    }
    return make_table(np.arange(len(lengths)), **blocks)


def build(table, names=tuple(WIDTHS), **parameters):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = LFAN(hidden=16, **parameters)
        sequences = [name for name in names if table.blocks[name].is_sequence]
        return head.build({name: WIDTHS[name] for name in names}, 3, sequences).eval()


def seen_by(head, table, row, step):
    """Return, for each modality, which frames of a row the output of a step depends on."""
    batch = collate(table)
    features = {name: values.clone().requires_grad_() for name, values in batch.features.items()}
    outputs, _ = head.frame_outputs(dataclasses.replace(batch, features=features))
    outputs[row, step].sum().backward()
    return {name: values.grad[row].reshape(-1, WIDTHS[name]).any(-1).tolist() for name, values in features.items()}


@pytest.mark.parametrize("step", [0, 3, 7])
def test_no_step_sees_a_later_one(step):
    table = sequences([8, 5])
    seen = seen_by(build(table), table, row=0, step=step)
    assert set(map(tuple, seen.values())) == {(True,) * (step + 1) + (False,) * (7 - step)}


def test_convolutions_look_far_back():
    table = sequences([140])
    assert seen_by(build(table), table, row=0, step=139)["face"] == [False] * 19 + [True] * 121


def test_modalities_of_other_rates_hold_until_their_next_frame():
    table = sequences([3, 2], face=2, text=0)
    head = build(table)
    assert seen_by(head, table, row=0, step=3) == {
        "face": [True] * 4 + [False] * 2,
        "audio": [True, True, False],
        "text": [True],
    }
    assert [len(outputs) for outputs in collate_outputs(head, table)] == [6, 4]


def collate_outputs(head, table):
    outputs, real = head.frame_outputs(collate(table))
    return [own[there] for own, there in zip(outputs, real, strict=True)]


def test_attention_does_not_care_for_the_order_of_modalities():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        attend = AcrossModalities(4, 16, width=8, heads=2)
        steps, present = torch.randn(20, 4, 16), torch.rand(20, 4) > 0.3
    before = attend(steps, present)
    order = [2, 0, 3, 1]
    attend.query_key_value = torch.nn.ModuleList(attend.query_key_value[i] for i in order)
    torch.testing.assert_close(attend(steps[:, order], present[:, order]), before[:, order])
    assert not before[~present].any()


def test_the_head_does_not_care_for_the_order_of_the_followers():
    table = sequences([4, 6])
    head, order = build(table), [0, 2, 1]
    other = build(table, ("face", "text", "audio"))
    columns = np.concatenate([np.arange(8) + 8 * i for i in order])
    for name in ("convolutions", "norms"):
        setattr(other, name, torch.nn.ModuleList(getattr(head, name)[i] for i in order))
    other.across.query_key_value = torch.nn.ModuleList(head.across.query_key_value[i] for i in order)
    with torch.no_grad():
        other.follow[0].weight.copy_(head.follow[0].weight[columns][:, columns])
        other.follow[0].bias.copy_(head.follow[0].bias[columns])
        other.output.weight.copy_(head.output.weight[:, [*range(16), *(16 + columns)]])
        other.output.bias.copy_(head.output.bias)
    torch.testing.assert_close(other(collate(table)), head(collate(table)))


def test_who_leads_speaks_for_itself():
    """With nothing from the followers, only the leader is heard."""
    table = sequences([4])
    for leader in ("first", "audio"):
        head = build(table, leader=leader)
        torch.nn.init.zeros_(head.follow[2].weight)
        seen = seen_by(head, table, row=0, step=3)
        assert [name for name, frames in seen.items() if any(frames)] == ["face" if leader == "first" else leader]
    with pytest.raises(ValueError, match="Unknown leading modality 'fase', did you mean 'face'"):
        build(table, leader="fase")
    with pytest.raises(ValueError, match="heads must divide half of hidden, got hidden=16 and heads=3"):
        build(table, heads=3)


def test_modalities_look_at_each_other_and_at_nothing_that_is_missing():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        attend, steps = AcrossModalities(3, 16, width=8, heads=2), torch.randn(1, 3, 16)
    present = torch.tensor([[True, True, False]])
    for number, heard in ((0, True), (1, True), (2, False)):
        changed = steps.clone()
        changed[:, number] += 1
        difference = (attend(changed, present) - attend(steps, present))[0].abs().amax(1) > 1e-6
        assert difference.tolist() == [heard, heard, False]
    alone = attend(steps, torch.tensor([[True, False, False]]))[0, 0]
    value = attend.query_key_value[0](steps[0, 0])[16:]
    torch.testing.assert_close(alone, 2 * value)  # what it sees is itself, and its own value is added


def test_what_no_modality_tells_alone():
    train, test = crossed_signs(0, n_rows=600), crossed_signs(1, n_rows=600)
    model = FusionClassifier(LFAN(hidden=16, dropout=0.0), epochs=20, lr=0.01, random_state=0)
    assert model.fit(*train).score(*test) > 0.85


def changes(seed, n_rows=400, n_frames=12):
    """Return clips in which two marks appear, and which of the two came first: every single frame is as likely."""
    rng = np.random.default_rng(seed)
    first = rng.integers(2, size=n_rows)
    face = 0.1 * rng.standard_normal((n_rows, n_frames, 2))
    places = np.sort([rng.choice(n_frames, 2, replace=False) for _ in range(n_rows)], axis=1)
    face[np.arange(n_rows), places[:, 0], first] += 1
    face[np.arange(n_rows), places[:, 1], 1 - first] += 1
    return make_table(np.arange(n_rows), face=list(face)), first


def test_the_order_of_frames_tells():
    table, labels = changes(0)
    model = FusionClassifier(LFAN(hidden=16, dropout=0.0), epochs=20, lr=0.01, random_state=0).fit(table, labels)
    test, truth = changes(1)
    assert model.score(test, truth) > 0.9
    still = FusionClassifier("concat", epochs=20, lr=0.01, random_state=0).fit(table, labels)
    assert still.score(test, truth) < 0.6


def test_in_training_every_step_is_held_to_the_target():
    table = sequences([50, 3])
    head = build(table, dropout=0.0)
    whole = head(collate(table))
    answers = head.train()(collate(table))
    assert isinstance(answers, Answers)
    torch.testing.assert_close(answers.outputs, whole)
    assert answers.side.shape == (32, 2, 3)
    outputs = [own.detach() for own in collate_outputs(head, table)]
    for row, own in enumerate(outputs):
        places = np.floor((np.arange(32) + 0.5) / 32 * len(own)).astype(int)
        torch.testing.assert_close(answers.side[:, row], own[places])
    assert set(np.floor((np.arange(32) + 0.5) / 32 * 3)) == {0, 1, 2}


def test_a_batch_in_which_no_row_has_a_frame():
    table = sequences([3, 2])
    batch = collate(table)
    none = {"face": batch.features["face"][:, :0]}, {"face": batch.frames["face"][:, :0]}
    gone = dataclasses.replace(
        batch,
        features=batch.features | none[0],
        frames=batch.frames | none[1],
        present=batch.present | {"face": torch.zeros(2, dtype=torch.bool)},
    )
    assert build(table)(gone).isfinite().all()


# from frames to clips


@pytest.fixture(scope="module")
def fitted():
    table, labels = changes(0, n_rows=60)
    return FusionClassifier(LFAN(hidden=16), epochs=2, random_state=0).fit(table, labels), table


def test_a_row_is_the_mean_of_its_frames(fitted):
    model, table = fitted
    frames = frame_outputs(model, table)
    np.testing.assert_allclose(
        softmax([own.mean(axis=0) for own in frames], axis=1), model.predict_proba(table), atol=1e-9
    )
    clips = np.repeat(np.arange(len(table)), [len(own) for own in frames])
    np.testing.assert_array_equal(decide_clips(np.concatenate(frames), clips)[1], model.predict(table))
    order = np.random.default_rng(0).permutation(len(table))
    for own, again in zip(frame_outputs(model, table[order]), order, strict=True):
        np.testing.assert_allclose(own, frames[again], atol=1e-9)


def test_heads_that_know_no_frames_say_so(fitted):
    model = FusionClassifier(epochs=1).fit(fitted[1], np.arange(60) % 2)
    with pytest.raises(ValueError, match="'concat' answers for whole rows.*'lfan'"):
        frame_outputs(model, fitted[1])


def test_rules_differ_where_one_frame_is_very_sure():
    sure_once = np.array([[0.0, 6.0], [2.0, 0.0], [2.0, 0.0]])
    assert decide_clips(sure_once, [7, 7, 7])[1].tolist() == [1]
    assert softmax(sure_once, axis=1).mean(0).argmax() == 0
    assert decide_clips(sure_once, [7, 7, 7], rule="probabilities")[1].tolist() == [0]
    votes = np.log([[0.6, 0.4], [0.6, 0.4], [0.01, 0.99]])
    assert decide_clips(votes, [7, 7, 7], rule="probabilities")[1].tolist() == [1]
    assert decide_clips(votes, [7, 7, 7], rule="vote")[1].tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["logits", "probabilities", "vote"]))
def test_no_rule_depends_on_the_order_of_frames_or_on_other_clips(seed, rule):
    rng = np.random.default_rng(seed)
    outputs, clips = rng.integers(-2, 3, (30, 3)).astype(float), rng.integers(5, size=30)
    names, decided = decide_clips(outputs, clips, rule=rule)
    order = rng.permutation(30)
    np.testing.assert_array_equal(decide_clips(outputs[order], clips[order], rule=rule)[1], decided)
    alone = [decide_clips(outputs[clips == name], clips[clips == name], rule=rule)[1].item() for name in names]
    assert alone == decided.tolist()


def test_a_tie_of_votes_goes_to_the_likelier_then_to_the_first():
    tie = np.log([[0.9, 0.05, 0.05], [0.1, 0.5, 0.4]])
    assert decide_clips(tie, ["a", "a"], rule="vote")[1].tolist() == [0]
    assert decide_clips(tie[:, [1, 0, 2]], ["a", "a"], rule="vote")[1].tolist() == [1]
    even = np.log([[0.2, 0.6, 0.2], [0.2, 0.2, 0.6]])
    assert [decide_clips(even[list(order)], ["a", "a"], rule="vote")[1].item() for order in ((0, 1), (1, 0))] == [1, 1]
    most_probable = np.log([[0.5, 0.01, 0.49], [0.01, 0.5, 0.49], [0.5, 0.01, 0.49], [0.01, 0.5, 0.49]])
    assert decide_clips(most_probable, ["a"] * 4, rule="vote")[1].tolist() == [0]  # nobody voted for the third


def test_what_cannot_be_decided_is_refused():
    with pytest.raises(ValueError, match="Unknown rule 'votes', did you mean 'vote'"):
        decide_clips([[0.0, 1.0]], ["a"], rule="votes")
    with pytest.raises(ValueError, match=r"scores of shape \(1, 2\) and clips of shape \(2,\)"):
        decide_clips([[0.0, 1.0]], ["a", "b"])
    with pytest.raises(ValueError, match="missing or infinite"):
        decide_clips([[np.nan, 1.0]], ["a"])
