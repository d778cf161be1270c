"""Composite attention: every set of modalities is read by itself, as it would be were there no others."""

from __future__ import annotations

import pytest
import torch

from featmer import FusionClassifier
from featmer.nn import HEADS, CompositeAttention, SelfDistilled
from featmer.training import seeded

MODALITY = torch.tensor([0, 0, 0, 1, 1, 2])
SETS = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


@pytest.fixture
def attention():
    with seeded(0, torch.device("cpu")):
        return CompositeAttention(3, hidden=8, heads=2).double()


@pytest.fixture
def tokens():
    return torch.randn(4, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def of_sets(attention, tokens, real):
    """Return what the tokens see in each set, before the sets are joined."""
    seen = {}
    hooks = [
        after.register_forward_hook(lambda _, given, __, members=members: seen.update({members: given[0]}))
        for members, after in zip(attention.sets, attention.after_set, strict=True)
    ]
    attention(tokens, real, MODALITY)
    for hook in hooks:
        hook.remove()
    return seen


def test_there_is_a_set_for_each_choice_of_modalities(attention):
    assert attention.sets == SETS
    assert len(CompositeAttention(4, hidden=8, heads=2).sets) == 15


def test_a_set_is_softmax_attention_among_its_own_tokens(attention, tokens):
    seen = of_sets(attention, tokens, torch.ones(4, 6, dtype=torch.bool))
    query, key, value = attention.query_key_value(tokens).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    for members, found in seen.items():
        own = torch.isin(MODALITY, torch.tensor(members))
        weights = (query[:, :, own] @ key[:, :, own].mT / 2.0).softmax(-1)
        expected = (weights @ value[:, :, own]).transpose(1, 2).flatten(2)
        torch.testing.assert_close(found[:, own], expected)


def test_what_is_missing_changes_nothing_in_the_sets_without_it(attention, tokens):
    there = torch.ones(4, 6, dtype=torch.bool)
    whole, less = of_sets(attention, tokens, there), of_sets(attention, tokens, there & (MODALITY != 1))
    for members in SETS:
        kept = torch.isin(MODALITY, torch.tensor([each for each in members if each != 1]))
        same = torch.allclose(whole[members][:, kept], less[members][:, kept])
        assert same == (1 not in members or members == (1,)), members
    alone = {members: less[members] for members in ((0, 2), (0, 1, 2))}
    kept = torch.isin(MODALITY, torch.tensor([0, 2]))
    torch.testing.assert_close(alone[0, 2][:, kept], alone[0, 1, 2][:, kept])


def test_the_preset_is_this_network_trained_with_frames_missing(tiny_table):
    labels = tiny_table.segments["emotion"]
    model = FusionClassifier(SelfDistilled("cider"), epochs=2, random_state=0).fit(tiny_table, labels)
    assert isinstance(model.module_[1].inner, HEADS["cider"])
    assert model.predict_proba(tiny_table).shape == (len(tiny_table), len(model.classes_))
