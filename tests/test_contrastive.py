"""Pairwise contrastive pre-training: what its loss is blind to, and that few labels go farther after it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from synthetic import make_views

from featmer import Block, FeatureTable
from featmer.collate import TensorTable
from featmer.pretraining import PairwiseContrastive, info_nce
from featmer.pretraining.contrastive import PairwiseLoss


@pytest.fixture
def views():
    return torch.randn(2, 50, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_swapping_reordering_and_rescaling_change_nothing(views):
    loss = info_nce(*views, 0.1)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    lengths = torch.linspace(0.1, 9, 50, dtype=torch.float64)[:, None]
    for same in (views.flip(0), views[:, order], views * lengths, views * 1e3):
        torch.testing.assert_close(info_nce(*same, 0.1), loss, rtol=0, atol=1e-6)


def test_equal_views_are_easy_and_random_ones_are_not(views):
    assert info_nce(views[0], views[0], 0.1) < 0.1
    assert info_nce(*views, 0.1) > math.log(50)
    torch.testing.assert_close(info_nce(*views, 1e6), torch.tensor(math.log(50), dtype=torch.float64))


def test_the_loss_is_the_mean_over_pairs_of_the_rows_that_have_both(tiny_table):
    tensors = TensorTable(tiny_table, dtype=torch.float64)
    batch = tensors.batch(torch.arange(tensors.n_rows))
    outputs = torch.randn(tensors.n_rows, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    objective = PairwiseLoss(tiny_table.modalities).build(8).double()
    projected = [projection(outputs[:, number]) for number, projection in enumerate(objective.projections)]
    present = [~torch.tensor(block.missing) for block in tiny_table.blocks.values()]
    expected = [
        info_nce(projected[one][present[one] & present[other]], projected[other][present[one] & present[other]], 0.2)
        for one in range(3)
        for other in range(3)
        if one != other
    ]
    torch.testing.assert_close(objective.loss(outputs, torch.zeros(1), batch), torch.stack(expected).mean())


def test_rows_without_a_pair_teach_nothing_and_break_nothing():
    values = np.arange(12.0)[:, None] + [[0.0, 1.0]]
    audio, face = values.copy(), values.copy()
    audio[::2], face[1::2] = np.nan, np.nan
    segments = make_views(0, 12)[0].segments
    blocks = {"audio": Block(audio, ["audio.a", "audio.b"]), "face": Block(face, ["face.a", "face.b"])}
    model = PairwiseContrastive(hidden=4, epochs=3, random_state=0).fit(FeatureTable(segments, blocks))
    assert [entry["loss"] for entry in model.history_] == [0, 0, 0]


def probe(train, labels, test, answers, n_labels):
    """Return the accuracy of a logistic regression that sees so many labels."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return model.fit(np.asarray(train)[:n_labels], labels[:n_labels]).score(np.asarray(test), answers)


LABELS = (60, 200, 2000)


def gains(seed, *, modalities=("audio", "face", "text"), shuffled=()):
    """Return what 2,000 rows without labels add to 60, 200 and 2,000 labels, with some modalities out of step."""
    table, labels = make_views(seed, 4000)
    table = table.select(modalities)
    train, test, seen, answers = table[:2000], table[2000:], labels[:2000], labels[2000:]
    rng = np.random.default_rng(seed)
    unpaired = {modality: train.blocks[modality][rng.permutation(2000)] for modality in shuffled}
    model = PairwiseContrastive(random_state=seed).fit(FeatureTable(train.segments, {**train.blocks, **unpaired}))
    after = (model.transform(train), seen, model.transform(test), answers)
    return [probe(*after, n_labels) - probe(train, seen, test, answers, n_labels) for n_labels in LABELS]


def mean_gains(**options):
    return np.mean([gains(seed, **options) for seed in (0, 1, 2)], axis=0)


@pytest.mark.slow
def test_sixty_labels_go_farther_and_two_thousand_as_far_and_pairs_are_why():
    """Acceptance (c) and (d).

    With one of three modalities out of step, the other two still teach each other: of the gain with 60 labels some
    half goes (.43, .47 or .69, as it is audio, face or text), of that with 200 all.
    """
    paired, unpaired = mean_gains(), mean_gains(shuffled=["audio"])
    assert paired[0] >= 0.08
    assert paired[2] >= -0.02
    assert unpaired[0] <= paired[0] - 0.02
    assert unpaired[1] <= paired[1] / 2


@pytest.mark.slow
def test_of_two_modalities_out_of_step_nothing_is_learned():
    """Acceptance (d), where one modality out of step leaves no pair."""
    paired, unpaired = (mean_gains(modalities=["audio", "face"], shuffled=shuffled) for shuffled in ([], ["audio"]))
    assert paired[0] >= 0.06
    assert unpaired[0] <= 0
