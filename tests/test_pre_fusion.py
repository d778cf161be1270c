"""Fusion before the main encoder: what its weights do, and what queries look at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import make_table

from featmer.collate import collate
from featmer.nn import PreFusion
from featmer.nn.encoders import Frames
from featmer.nn.pre_fusion import AttentionFusion, QueryFusion


@pytest.fixture
def frames():
    """Two modalities of 4 frames and of 1; the second is missing in row 2, frame 3 of the first in row 0."""
    draw = torch.Generator().manual_seed(0)
    face, audio = (torch.randn(3, n, 8, generator=draw) for n in (4, 1))
    real = torch.ones(3, 4, dtype=torch.bool), torch.tensor([[True], [True], [False]])
    real[0][0, 3] = False
    return [Frames(values * own[..., None], own) for values, own in zip((face, audio), real, strict=True)]


def attention_fusion(normalize="none"):
    torch.manual_seed(0)
    return AttentionFusion(2, hidden=8, normalize=normalize)


def test_weights_of_one_and_zero_leave_the_first_modality_alone(frames):
    fuse = attention_fusion()
    with torch.no_grad():
        fuse.weigh[1].weight.zero_()
        fuse.weigh[1].bias.copy_(torch.tensor([1.0, 0.0]))
    fused, alpha = fuse(frames)
    assert alpha.tolist() == [[1.0, 0.0]] * 3
    mean = torch.stack([frames[0].values[0, :3].mean(0), *frames[0].values[1:].mean(1)])
    assert torch.equal(fused, fuse.project[0](frames[0].values.sum(1) / torch.tensor([[3.0], [4.0], [4.0]])))
    torch.testing.assert_close(fused, mean @ fuse.project[0].weight.T)


def test_weights_are_two_linear_maps_of_all_modalities(frames):
    fuse = attention_fusion()
    fused, alpha = fuse(frames)
    means = [frames[0].values.sum(1) / frames[0].real.sum(1, keepdim=True), frames[1].values[:, 0]]
    z = [project(mean) for project, mean in zip(fuse.project, means, strict=True)]
    torch.testing.assert_close(alpha, fuse.weigh[1](fuse.weigh[0](torch.cat(z, dim=1))))
    torch.testing.assert_close(fused, alpha[:, :1] * z[0] + alpha[:, 1:] * z[1])
    assert not torch.allclose(alpha.sum(1), torch.ones(3))


@pytest.mark.parametrize("normalize", ["none", "softmax"])
def test_modalities_in_another_order_have_their_weights_in_that_order(normalize, frames):
    fuse, turned = attention_fusion(normalize), attention_fusion(normalize)
    with torch.no_grad():
        for number in (0, 1):
            turned.project[number].weight.copy_(fuse.project[1 - number].weight)
        turned.weigh[0].weight.copy_(fuse.weigh[0].weight.roll(8, 1))
        turned.weigh[1].weight.copy_(fuse.weigh[1].weight.flip(0))
        turned.weigh[1].bias.copy_(fuse.weigh[1].bias.flip(0))
    (fused, alpha), (same, flipped) = fuse(frames), turned(frames[::-1])
    torch.testing.assert_close(flipped, alpha.flip(1))
    torch.testing.assert_close(same, fused)


def test_a_missing_modality_has_no_share(frames):
    fused, alpha = attention_fusion("softmax")(frames)
    torch.testing.assert_close(alpha.sum(1), torch.ones(3))
    assert alpha[2].tolist() == [1.0, 0.0]
    nothing = [Frames(values * 0, real & False) for values, real in frames]
    fused, alpha = attention_fusion("softmax")(nothing)
    torch.testing.assert_close(alpha.sum(1), torch.ones(3))
    assert not fused.any()


def test_queries_see_every_frame_and_no_padding(frames):
    torch.manual_seed(0)
    fuse = QueryFusion(2, hidden=8, n_queries=3, heads=2)
    values = [each.values.requires_grad_() for each in frames]
    fused = fuse(frames)
    assert fused.shape == (3, 3, 8)
    fused[0, 0].square().sum().backward()
    assert values[0].grad.any(dim=2).tolist() == [[True, True, True, False], [False] * 4, [False] * 4]
    assert values[1].grad.any(dim=2).tolist() == [[True], [False], [False]]


@pytest.mark.parametrize("fusion", ["attention", "query"])
@pytest.mark.parametrize("normalize", ["none", "softmax"])
def test_either_fusion_learns_and_leaves_nothing_unused(fusion, normalize):
    rng = np.random.default_rng(0)
    face = [None if i == 2 else rng.standard_normal((1 + i % 3, 4)) for i in range(6)]
    batch = collate(make_table(np.array([0, 0, 0, 1, 1, 2]), audio=rng.standard_normal((6, 5)), face=face))
    torch.manual_seed(0)
    head = PreFusion(hidden=8, heads=2, dropout=0.0, fusion=fusion, normalize=normalize)
    head.build({"audio": 5, "face": 4}, 2, ("face",))(batch).square().sum().backward()
    assert [name for name, weights in head.named_parameters() if weights.grad is None or not weights.grad.any()] == []


def test_unknown_choices_are_named():
    with pytest.raises(ValueError, match="did you mean 'query'"):
        PreFusion(fusion="querry").build({"text": 3}, 2)
    with pytest.raises(ValueError, match="did you mean 'softmax'"):
        PreFusion(normalize="sotfmax").build({"text": 3}, 2)
    with pytest.raises(ValueError, match="did you mean 'none'"):
        PreFusion(context="nome").build({"text": 3}, 2)
