"""Cross-modal attention: what looks at what, in how much memory, and the answers that need it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from synthetic import make_table, named_value

from featmer import FusionClassifier
from featmer.collate import collate
from featmer.nn import Concat, CrossModal, cross_modal
from featmer.nn.cross_modal import CrossModalTransformer
from featmer.nn.encoders import Frames


def sequences(lengths, width=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((length, width)) for length in lengths]


@pytest.fixture
def batch():
    audio, face = sequences((4, 2, 5)), sequences((7, 1, 3), seed=1)
    batch = collate(make_table(np.arange(3), audio=audio, face=[face[0], None, face[2]], text=np.ones((3, 2))))
    return dataclasses.replace(batch, features={name: values.double() for name, values in batch.features.items()})


def built(**params):
    widths = {"audio": 3, "face": 3, "text": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CrossModal(hidden=8, heads=2, **params).build(widths, 3, ("audio", "face")).double().eval()


def random_frames(n_rows, n_frames, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return Frames(torch.randn(n_rows, n_frames, 8, generator=draw), torch.ones(n_rows, n_frames, dtype=torch.bool))


def test_frames_look_at_all_frames_of_the_other_modality_and_at_no_padding():
    frames, others = random_frames(2, 4), random_frames(2, 6, seed=1)
    others.real[0, 4:] = False
    values = others.values.requires_grad_()
    CrossModalTransformer(8, layers=2, heads=2, dropout=0.0)(frames, others).square().sum().backward()
    assert values.grad.any(dim=2).tolist() == [[True] * 4 + [False] * 2, [True] * 6]


def test_the_order_of_frames_matters_by_their_place_only(batch):
    head, audio = built(), batch.features["audio"]
    turned = audio.clone()
    turned[0, :4] = audio[0, :4].flip(0)
    turned_round = dataclasses.replace(batch, features={**batch.features, "audio": turned})
    assert not torch.allclose(head(turned_round)[0], head(batch)[0])
    with torch.no_grad():
        head.place.project.weight.zero_()
    torch.testing.assert_close(head(turned_round), head(batch), rtol=0, atol=1e-12)


def test_a_missing_modality_shows_nothing_and_sees_nothing(batch):
    head = built()
    with torch.no_grad():
        before = head(batch)
        for look in head.at_others[1]:  # how the face looks at others matters only where there is one
            look.norm.weight.mul_(3.0)
    changed = (head(batch) != before).any(dim=1)
    assert changed.tolist() == [True, False, True]


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_much_is_computed_twice_rather_than_remembered(dropout, monkeypatch):
    frames, others = random_frames(6, 5), random_frames(6, 40, seed=1)
    torch.manual_seed(0)
    look = CrossModalTransformer(8, layers=2, heads=2, dropout=dropout)

    def looked():
        look.zero_grad()
        kept = []
        remember = torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x)
        with torch.random.fork_rng(), remember:
            torch.manual_seed(1)
            changed = look(frames, others)
        changed.square().sum().backward()
        return changed.detach(), [weights.grad.clone() for weights in look.parameters()], len(kept)

    plain, gradients, many_kept = looked()
    monkeypatch.setattr(cross_modal, "MANY", 100)  # two rows at a time
    again, same_gradients, few_kept = looked()
    assert few_kept < many_kept / 3
    assert torch.allclose(again, plain, atol=1e-6) == (dropout == 0)  # other entries are dropped
    if not dropout:
        torch.testing.assert_close(same_gradients, gradients)
    twice, gradients_of_both, _ = looked()
    assert torch.equal(twice, again)
    assert all(map(torch.equal, gradients_of_both, same_gradients))


def test_a_named_frame_of_another_modality_is_found():
    train, test = named_value(0), named_value(100)

    def score(head):
        model = FusionClassifier(head, lr=3e-3, epochs=40, validation_share=0, random_state=0)
        return model.fit(*train).score(*test)

    assert score(CrossModal(hidden=32, dropout=0.0)) > score(Concat(hidden=32, dropout=0.0)) + 0.2
