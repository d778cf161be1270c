"""Every head: shapes, gradients, missing modalities, and what must not matter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from featmer import Block, FeatureTable
from featmer.collate import TensorTable, collate
from featmer.nn import HEADS, Answers, Head, SelfDistilled, Standardise, Transformer

N_OUTPUTS = 3
every_head = pytest.mark.parametrize("name", sorted(HEADS))


def make_table(lengths=(3, 1, 4), *, seed=0):
    """Return dialogues with an audio vector and a face sequence, either of which is missing in some rows."""
    rng = np.random.default_rng(seed)
    dialogues = np.repeat(np.arange(len(lengths)), lengths)
    n_rows = len(dialogues)
    segments = pd.DataFrame(
        {"dialogue": dialogues, "turn": np.arange(n_rows), "speaker": np.resize(["Joey", "Ross", "Ross"], n_rows)}
    )
    audio = rng.standard_normal((n_rows, 5))
    audio[1::4] = np.nan
    face = [None if i % 4 in (1, 2) else rng.standard_normal((1 + i % 3, 4)) for i in range(n_rows)]
    blocks = {
        "audio": Block(audio, [f"audio.{i}" for i in range(5)]),
        "face": Block(face, [f"face.{i}" for i in range(4)]),
    }
    return FeatureTable(segments, blocks)


def make_head(name, tensors, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = HEADS[name]().set_params(hidden=16)
        return head.build(tensors.in_features, N_OUTPUTS, tensors.sequences).to(tensors.dtype).eval()


@pytest.fixture
def tensors():
    return TensorTable(make_table(), dtype=torch.float64)


@pytest.fixture
def batch(tensors):
    return tensors.batch(torch.arange(tensors.n_rows))


@every_head
def test_a_row_becomes_a_vector_also_without_any_modality(name, tensors, batch):
    outputs = make_head(name, tensors)(batch)
    assert not (batch.present["audio"] | batch.present["face"]).all()
    assert outputs.shape == (tensors.n_rows, N_OUTPUTS)
    assert outputs.isfinite().all()


@every_head
def test_every_parameter_gets_a_gradient(name, tensors, batch):
    head = make_head(name, tensors).set_params(dropout=0.0)
    head.build(tensors.in_features, N_OUTPUTS, tensors.sequences).double().train()
    answers = head(batch)
    if isinstance(answers, Answers):
        answers = torch.cat([answers.outputs, *answers.side]).square().sum() + answers.penalty
    answers.square().sum().backward()
    without = [
        key for key, weights in head.named_parameters() if weights.grad is None or weights.grad.abs().max() < 1e-9
    ]
    assert without == []


@every_head
@pytest.mark.parametrize("modality", ["audio", "face"])
def test_one_modality_alone_works(name, modality):
    tensors = TensorTable(make_table().select([modality]))
    assert make_head(name, tensors)(tensors.batch(torch.arange(8))).isfinite().all()


@every_head
def test_what_stands_in_a_missing_row_does_not_matter(name, tensors, batch):
    head = make_head(name, tensors)
    audio = batch.features["audio"].clone()
    audio[~batch.present["audio"]] = 100.0
    changed = dataclasses.replace(batch, features={**batch.features, "audio": audio})
    torch.testing.assert_close(head(changed), head(batch))


@every_head
def test_the_order_of_rows_does_not_matter(name, tensors, batch):
    head = make_head(name, tensors)
    order = torch.tensor(np.random.default_rng(0).permutation(tensors.n_rows))
    torch.testing.assert_close(head(tensors.batch(order)), head(batch)[order], rtol=0, atol=1e-6)


@every_head
def test_a_dialogue_alone_or_among_others_is_the_same(name, tensors, batch):
    head = make_head(name, tensors)
    alone = [head(tensors.batch(torch.tensor(np.flatnonzero(tensors.dialogue == code)))) for code in range(3)]
    torch.testing.assert_close(torch.cat(alone), head(batch), rtol=0, atol=1e-6)


@every_head
def test_its_context_says_which_other_turns_matter(name, tensors, batch):
    head = make_head(name, tensors)
    audio = batch.features["audio"].clone().requires_grad_()
    outputs = head(dataclasses.replace(batch, features={**batch.features, "audio": audio}))
    matters = []
    for row in (4, 6):  # turns 0 and 2 of the last dialogue
        (gradient,) = torch.autograd.grad(outputs[row].square().sum(), audio, retain_graph=True)
        matters.append(gradient.abs().sum(1).gt(0)[4:].tolist())
    later, earlier = any(matters[0][1:]), any(matters[1][:2])
    assert (earlier, later) == (head.context != "none", head.context == "both")


@every_head
def test_a_batch_of_one_row_is_enough(name, tensors):
    assert make_head(name, tensors)(tensors.batch(torch.tensor([3]))).shape == (1, N_OUTPUTS)


@every_head
def test_padding_frames_does_not_matter(name, tensors, batch):
    head = make_head(name, tensors)
    longer = dataclasses.replace(
        batch,
        features={**batch.features, "face": torch.nn.functional.pad(batch.features["face"], (0, 0, 0, 7))},
        frames={"face": torch.nn.functional.pad(batch.frames["face"], (0, 7))},
    )
    torch.testing.assert_close(head(longer), head(batch), rtol=0, atol=1e-6)


@every_head
def test_no_gradient_crosses_the_border_of_a_dialogue(name, tensors, batch):
    audio = batch.features["audio"].clone().requires_grad_()
    outputs = make_head(name, tensors)(dataclasses.replace(batch, features={**batch.features, "audio": audio}))
    outputs[batch.dialogue == 2].square().sum().backward()
    assert audio.grad[batch.dialogue == 2].any()
    assert not audio.grad[batch.dialogue != 2].any()


@every_head
def test_it_can_learn_eight_rows_by_heart(name):
    table = make_table((2, 2, 2, 2))
    audio = np.random.default_rng(1).standard_normal((8, 5))
    table = FeatureTable(table.segments, {"audio": Block(audio, table.blocks["audio"].names)})
    tensors, targets = TensorTable(table), torch.arange(8) % N_OUTPUTS
    head, batch = make_head(name, tensors), collate(table)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(head(batch), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (head(batch).argmax(1) == targets).all()


@every_head
def test_the_same_seed_makes_the_same_weights(name, tensors, batch):
    first, second, other = (make_head(name, tensors, seed)(batch) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@every_head
def test_it_is_an_object_with_parameters_until_it_is_built(name, tensors):
    head = make_head(name, tensors)
    fresh = clone(head)
    assert fresh.get_params() == head.get_params()
    assert list(fresh.parameters()) == []
    assert "hidden=16" in repr(fresh)
    assert all(isinstance(value, int | float | str) for value in fresh.get_params().values())


@every_head
def test_scaled_features_reach_it_without_nan(name):
    segments = pd.DataFrame({"dialogue": [0, 0, 1], "turn": [0, 1, 0]})
    values = [[1.0, np.nan, 1e9], [3.0, 2.0, 1e9], [np.nan, np.nan, np.nan]]
    tensors = TensorTable(FeatureTable(segments, {"audio": Block(values, ["audio.a", "audio.b", "audio.c"])}))
    batch = Standardise(tensors.in_features).learn(tensors.values)(tensors.batch(torch.arange(3)))
    assert batch.features["audio"].tolist() == [[-1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert make_head(name, tensors)(batch).isfinite().all()


@every_head
def test_the_registry_knows_every_head(name):
    ours = {made for made in Head.__subclasses__() if made.__module__.startswith("featmer.nn")}
    assert set(HEADS.values()) == ours - {SelfDistilled}  # which is around one of them
    assert HEADS[name].__doc__.splitlines()[0].endswith(".")


@pytest.mark.parametrize(
    ("context", "seen"),
    [("past", [True, False, True, False]), ("both", [True, False, True, True]), ("none", [False, False, True, False])],
)
def test_transformer_looks_only_where_its_context_allows(context, seen, tensors, batch):
    head = Transformer(hidden=16, context=context).build(tensors.in_features, 1, tensors.sequences).double().eval()
    audio = batch.features["audio"].clone().requires_grad_()
    outputs = head(dataclasses.replace(batch, features={**batch.features, "audio": audio}))
    outputs[6].sum().backward()  # the third of four turns of dialogue 2, rows 4 to 7
    assert audio.grad.any(dim=1).tolist()[4:] == seen


def test_transformer_names_bad_parameters(tensors):
    with pytest.raises(ValueError, match="did you mean 'past'"):
        Transformer(context="pst").build(tensors.in_features, 1)
    with pytest.raises(ValueError, match="hidden=10 and heads=4"):
        Transformer(hidden=10).build(tensors.in_features, 1)
