"""Adaptive-margin triplets: gradients of the sound and of the literal formula, and neighbours that agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from synthetic import make_clusters

from featmer import FusionClassifier
from featmer.collate import TensorTable
from featmer.nn import Concat
from featmer.pretraining import TripletEmbedder, adaptive_margin_loss
from featmer.pretraining.triplet import AdaptiveMarginTriplet, choose_triplets


def slopes(near, far, orientation):
    """Return how the loss changes with the distances to the positive and to the negative."""
    distances = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (near, far, far)]
    return [float(slope) for slope in torch.autograd.grad(adaptive_margin_loss(*distances, orientation), distances)[:2]]


@pytest.mark.parametrize("orientation", ["similarity", "literal"])
def test_gradients_are_exact(orientation, tiny_table):
    generator = torch.Generator().manual_seed(0)
    distances = torch.rand(3, 20, dtype=torch.float64, generator=generator).mul(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda d: adaptive_margin_loss(*d, orientation), distances)
    batch = TensorTable(tiny_table.select(["audio"])).batch(torch.arange(6))
    labels = torch.arange(6) % 2
    objective = AdaptiveMarginTriplet(("audio",), orientation)

    def loss(outputs):
        with torch.random.fork_rng():
            torch.manual_seed(0)  # the same triplets each time
            return objective.loss(outputs, labels, batch)

    outputs = torch.randn(6, 1, 3, dtype=torch.float64, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(loss, outputs)


def test_the_literal_formula_pushes_positives_away_and_draws_negatives_in():
    near, far = slopes(0.3, 1.0, "literal")
    assert near < 0 < far
    assert slopes(0.3, 1.9, "literal")[1] > 250  # against 0.5 of a plain triplet


@pytest.mark.parametrize("distance", np.linspace(0.01, 1.99, 12))
def test_the_sound_one_never_does(distance):
    near, far = slopes(distance, distance, "similarity")
    assert far < 0 < near


def test_triplets_are_what_they_should_be():
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    seen = set()
    for _ in range(50):
        anchor, positive, negative = choose_triplets(labels)
        assert anchor.tolist() == [0, 1, 2, 3, 4]  # the last has no positive
        assert (labels[positive] == labels[anchor]).all()
        assert (positive != anchor).all()
        assert (labels[negative] != labels[anchor]).all()
        seen |= set(zip(anchor.tolist(), negative.tolist(), strict=True))
    assert len(seen) == 4 + 4 + 3 + 3 + 3


def test_embeddings_have_length_one_and_labels_are_needed(tiny_table):
    labels = tiny_table.segments["emotion"]
    embedded = TripletEmbedder(hidden=8, epochs=2, random_state=0).fit_transform(tiny_table, labels)
    voice = embedded.blocks["audio"]
    np.testing.assert_allclose(np.linalg.norm(voice.values[~voice.missing], axis=1), 1)
    with pytest.raises(ValueError, match="requires y to be passed"):
        TripletEmbedder().fit(tiny_table)
    with pytest.raises(ValueError, match="Unknown orientation 'litteral', did you mean 'literal'"):
        TripletEmbedder(orientation="litteral").fit(tiny_table, labels)


def test_labels_reach_it_through_a_fusion_model(tiny_table):
    labels = tiny_table.segments["emotion"].to_numpy(object)
    kind = TripletEmbedder(hidden=8, epochs=2, random_state=0)
    model = FusionClassifier(Concat(hidden=8), pretraining=kind, epochs=1, validation_share=0, random_state=0)
    alone = kind.fit(tiny_table, labels)
    model.fit(tiny_table, labels)
    np.testing.assert_array_equal(model.pretraining_.transform(tiny_table), alone.transform(tiny_table))


def agreement(train, labels, test, answers):
    """Return how often the 15 nearest neighbours tell the label."""
    return KNeighborsClassifier(15).fit(np.asarray(train), labels).score(np.asarray(test), answers)


@pytest.mark.slow
def test_neighbours_agree_more_and_after_the_literal_formula_less():
    raw, sound, literal = [], [], []
    for seed in (0, 1, 2):
        table, labels = make_clusters(seed, 2400)
        train, test, seen, answers = table[:1400], table[1400:], labels[:1400], labels[1400:]
        scaler = StandardScaler().fit(train)
        raw.append(agreement(scaler.transform(train), seen, scaler.transform(test), answers))
        for orientation, scores in (("similarity", sound), ("literal", literal)):
            model = TripletEmbedder(orientation=orientation, random_state=seed).fit(train, seen)
            scores.append(agreement(model.transform(train), seen, model.transform(test), answers))
    assert np.mean(sound) >= np.mean(raw) + 0.04
    assert np.mean(literal) <= np.mean(sound) - 0.2
