"""M2FNet: its fusion attention, what a missing modality may change, and what reading the dialogue is worth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from synthetic import make_table, segment_moods

from featmer import BoostedClassifier, FusionClassifier
from featmer.collate import collate
from featmer.nn import M2FNet
from featmer.nn.m2fnet import FusionAttention

WIDTHS = {"audio": 4, "text": 3, "face": 2}


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    table = make_table(np.repeat([0, 1], [5, 6]), **{name: rng.standard_normal((11, n)) for name, n in WIDTHS.items()})
    batch = collate(table)
    return dataclasses.replace(batch, features={name: values.double() for name, values in batch.features.items()})


def built(widths, **params):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return M2FNet(hidden=8, heads=2, **params).build(widths, 3).double().eval()


def without(batch, *names, rows=slice(None)):
    """Return the batch without some modalities in some rows."""
    present = {name: there.clone() for name, there in batch.present.items()}
    for name in names:
        present[name][rows] = False
    return dataclasses.replace(batch, present=present)


def fusion_inputs():
    torch.manual_seed(0)
    main, *others = torch.randn(3, 2, 5, 8)
    return main, others, torch.zeros(5, 5)


@pytest.mark.parametrize("values", ["main", "other"])
def test_fusion_attention_is_the_sum_that_it_says_it_is(values):
    main, others, bias = fusion_inputs()
    fuse, there = FusionAttention(2, 8, heads=1, values=values), torch.ones(2, 5, dtype=torch.bool)
    wanted = 0
    for look, mix, other in zip(fuse.look, fuse.mix, others, strict=True):
        (q, k, v), (bq, bk, bv) = look.query_key_value.weight.chunk(3), look.query_key_value.bias.chunk(3)
        weights = ((main @ q.T + bq) @ (other @ k.T + bk).transpose(1, 2) / 8**0.5).softmax(-1)
        seen = look.after(weights @ ((main if values == "main" else other) @ v.T + bv))
        wanted = wanted + mix(torch.cat([seen.relu(), main.relu()], dim=-1)).relu()
    torch.testing.assert_close(fuse(main, others, [there, there], [bias, bias]), wanted)


def test_an_absent_modality_leaves_fusion_attention_to_the_others():
    main, others, bias = fusion_inputs()
    fuse = FusionAttention(2, 8, heads=2, values="main")
    here, gone = torch.ones(2, 5, dtype=torch.bool), torch.zeros(2, 5, dtype=torch.bool)
    assert torch.equal(fuse(main, others, [gone, gone], [bias, bias]), main)
    one = FusionAttention(1, 8, heads=2, values="main")
    one.look[0], one.mix[0] = fuse.look[1], fuse.mix[1]
    assert torch.equal(fuse(main, others, [gone, here], [bias, bias]), one(main, others[1:], [here], [bias]))


def test_with_all_others_absent_only_the_path_of_the_main_modality_is_left(batch):
    both, alone = built({"audio": 4, "text": 3}), built({"text": 3})
    alone.encoders.project[0].load_state_dict(both.encoders.project[1].state_dict())
    alone.read[0].load_state_dict(both.read[1].state_dict())
    with torch.no_grad():  # of the perceptron, the part that reads the main modality
        alone.output[0].weight.copy_(both.output[0].weight[:, :8])
    for layer in (0, 3):
        alone.output[layer].bias = both.output[layer].bias
    alone.output[3].weight = both.output[3].weight
    torch.testing.assert_close(both(without(batch, "audio")), alone(batch))
    assert not torch.allclose(both(batch), alone(batch))


def test_text_is_the_main_modality_and_else_the_first():
    assert [built(widths).main for widths in (WIDTHS, {"face": 2, "audio": 4}, {"text": 3})] == [1, 0, 0]
    assert len(built({"text": 3}).fuse) == 0
    assert len(built(WIDTHS, fusions=2).fuse) == 2


def test_a_turn_without_a_modality_is_not_looked_at_in_it(batch):
    head, gone = built({"audio": 4}), without(batch, "audio", rows=2)
    audio = batch.features["audio"].clone().requires_grad_()
    head(dataclasses.replace(gone, features={"audio": audio}))[[0, 1, 3, 4]].square().sum().backward()
    assert audio.grad.any(dim=1).tolist() == [True, True, False, True, True, *[False] * 6]


@pytest.mark.parametrize(("context", "seen"), [("past", [1, 1, 1, 0, 0]), ("both", [1, 1, 1, 1, 1])])
def test_a_turn_sees_only_what_its_context_allows(context, seen, batch):
    for names in ((), ("text",)):
        audio = batch.features["audio"].clone().requires_grad_()
        given = dataclasses.replace(without(batch, *names), features={**batch.features, "audio": audio})
        built(WIDTHS, context=context, fusions=2)(given)[2].square().sum().backward()
        assert audio.grad.any(dim=1).int().tolist() == [*seen, *[0] * 6]


def test_dialogues_in_another_order_come_out_in_that_order(batch):
    head, order = built(WIDTHS), torch.tensor([*range(5, 11), *range(5)])
    moved = dataclasses.replace(
        batch,
        features={name: values[order] for name, values in batch.features.items()},
        present={name: there[order] for name, there in batch.present.items()},
        dialogue=1 - batch.dialogue[order],
        turn=batch.turn[order],
        speaker=batch.speaker[order],
    )
    torch.testing.assert_close(head(moved), head(batch)[order], rtol=0, atol=1e-12)


def test_unknown_choices_are_named():
    with pytest.raises(ValueError, match="did you mean 'other'"):
        built(WIDTHS, values="others")
    with pytest.raises(ValueError, match="Choose from \\['both', 'past'\\]"):
        built(WIDTHS, context="none")


def two_streams(seed, n_dialogues):
    """Return `segment_moods` with its cues in text and the borders of its stretches in audio."""
    table, moods = segment_moods(seed, n_dialogues)
    values = table.blocks["text"].values
    return make_table(table.segments["dialogue"].to_numpy(), text=values[:, :-1], audio=values[:, -1:]), moods


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_reads_moods_that_no_turn_shows_by_itself(seed):
    train, test = two_streams(seed, 200), two_streams(seed + 100, 60)
    head = M2FNet(hidden=32, dropout=0.0)
    model = FusionClassifier(head, lr=5e-3, epochs=10, batch_size=256, validation_share=0, random_state=seed)
    scores = [
        f1_score(test[1], each.fit(*train).predict(test[0]), average="weighted")
        for each in (model, BoostedClassifier(random_state=seed))
    ]
    assert scores[0] >= scores[1] + 0.05
