"""Scene and person as one: what their fusion and their teacher must and must not do."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from synthetic import make_guided

from featmer import Block, FeatureTable
from featmer.collate import collate
from featmer.pretraining import ScenePerson
from featmer.pretraining.scene_person import (
    Distillation,
    MaskedFeatures,
    StreamFusion,
    averaged,
    cosine_distillation,
    profile_distillation,
)

MODALITIES = ["scene", "face"]


def small(**params):
    return ScenePerson(MODALITIES, hidden=8, epochs=2, random_state=0).set_params(**params)


@pytest.fixture(scope="module")
def guided():
    return make_guided(0, 40, width=6)[0]


@pytest.fixture
def vectors():
    draw = torch.Generator().manual_seed(0)
    return {name: torch.randn(7, 5, generator=draw, dtype=torch.float64) for name in ("student", "teacher", "texts")}


# the losses


def test_a_student_like_its_teacher_has_nothing_to_learn(vectors):
    """Acceptance (a): both losses are 0 there, and more elsewhere."""
    teacher, texts = vectors["teacher"], vectors["texts"]
    assert cosine_distillation(teacher, teacher).abs() < 1e-12
    assert profile_distillation(teacher, teacher, texts).abs() < 1e-12
    assert cosine_distillation(vectors["student"], teacher) > 0.1
    assert profile_distillation(vectors["student"], teacher, texts) > 0.1


@pytest.mark.parametrize("scaled", ["student", "teacher"])
def test_scales_do_not_matter(scaled, vectors):
    larger = vectors | {scaled: vectors[scaled] * torch.linspace(0.1, 30, 7, dtype=torch.float64)[:, None]}
    for loss, names in ((cosine_distillation, ("student", "teacher")), (profile_distillation, tuple(vectors))):
        expected = loss(*(vectors[name] for name in names))
        torch.testing.assert_close(loss(*(larger[name] for name in names)), expected, rtol=0, atol=1e-12)


def test_neither_the_order_nor_the_scale_of_texts_matters(vectors):
    expected = profile_distillation(**vectors)
    shuffled = vectors | {"texts": vectors["texts"][torch.tensor([3, 0, 6, 1, 5, 2, 4])]}
    torch.testing.assert_close(profile_distillation(**shuffled), expected, rtol=0, atol=1e-12)
    scaled = vectors | {"texts": 14.3 * vectors["texts"]}
    torch.testing.assert_close(profile_distillation(**scaled), expected, rtol=0, atol=1e-12)


def test_no_gradient_reaches_the_teacher(vectors):
    """Acceptance (b)."""
    leaves = {name: values.clone().requires_grad_() for name, values in vectors.items()}
    loss = cosine_distillation(leaves["student"], leaves["teacher"]) + profile_distillation(**leaves)
    loss.backward()
    assert leaves["student"].grad.any()
    assert leaves["teacher"].grad is None
    assert leaves["texts"].grad is None


def test_rows_without_a_guide_are_left_out(vectors):
    torch.manual_seed(0)
    objective = Distillation(n_teacher=5).build(5).double()
    outputs, guides = vectors["student"][:, None], torch.stack([vectors["teacher"], vectors["texts"]], dim=1)
    guides[4:, 0] = torch.nan
    guides[2:, 1] = torch.nan
    student = objective.lead(vectors["student"][:4])
    expected = cosine_distillation(student, vectors["teacher"][:4])
    torch.testing.assert_close(objective.loss(outputs, guides[:, :1], None), expected)
    expected = expected + profile_distillation(student, vectors["teacher"][:4], vectors["texts"][:2])
    torch.testing.assert_close(objective.loss(outputs, guides, None), expected)
    assert objective.loss(outputs, guides * torch.nan, None) == 0
    assert objective.loss(outputs, torch.zeros(7, 0, 0), None) == 0


# the fusion


@pytest.fixture
def batch(guided):
    """Return six rows of a vector and a sequence, both of which are missing somewhere."""
    scene, face = (guided.blocks[name].frames[:6].copy() for name in MODALITIES)
    scene[1:3] = np.nan
    frames = [None if row in (2, 3) else face[row] + np.arange(-1.0, 2.0)[:, None] for row in range(6)]
    names = {name: guided.blocks[name].names for name in MODALITIES}
    blocks = {"scene": Block(scene, names["scene"]), "face": Block(frames, names["face"])}
    return collate(FeatureTable(guided.segments[:6], blocks))


@pytest.fixture
def fusion():
    torch.manual_seed(0)
    return StreamFusion({"scene": 6, "face": 6}, hidden=8, dropout=0.0).eval()


def test_streams_are_added_after_one_normalisation(fusion, batch):
    views, present = fusion.encoders(averaged(batch))
    added = (fusion.norm(views) * present[..., None]).sum(1)
    torch.testing.assert_close(fusion(batch)[:, 0], torch.nn.functional.elu(fusion.mix(added)))
    assert present.tolist()[:4] == [[True, True], [False, True], [False, False], [True, False]]
    assert fusion(batch).isfinite().all()


def test_frames_are_averaged(guided, batch):
    means = averaged(batch)
    assert means.frames == {}
    expected = torch.tensor(guided.blocks["face"].frames[:2], dtype=torch.float32)
    torch.testing.assert_close(means.features["face"][:2], expected)
    assert not means.features["face"][2].any()


def test_hidden_features_are_what_is_rebuilt_and_not_what_is_shown(fusion, batch, monkeypatch):
    module, seen = MaskedFeatures(fusion, 0.5), []
    hook = fusion.register_forward_pre_hook(lambda module, given: seen.append(given[0].features))

    def error(shift, rows):
        moved = {name: values + shift * rows(batch, name) for name, values in averaged(batch).features.items()}
        torch.manual_seed(1)
        return module(dataclasses.replace(batch, features=moved, frames={}))

    plain = error(0.0, lambda batch, name: 0)
    hidden = {name: (own == 0) & batch.present[name][:, None] for name, own in seen[0].items()}
    assert [own.sum(1).tolist() for own in hidden.values()] == [[3, 0, 0, 3, 3, 3], [3, 3, 0, 0, 3, 3]]
    moved = error(9.0, lambda batch, name: hidden[name])
    assert torch.equal(moved.outputs, plain.outputs)
    assert moved.penalty > plain.penalty + 10
    hook.remove()


def test_every_part_gets_a_gradient(fusion, batch):
    module = MaskedFeatures(fusion.train(), 0.5)
    objective = Distillation(n_teacher=5).build(8)
    answers = module(batch)
    (answers.penalty + objective.loss(answers.outputs, torch.randn(6, 2, 5), batch)).backward()
    for part in (module, objective):
        assert [name for name, weights in part.named_parameters() if weights.grad is None] == []


# the estimator


def test_guides_are_needed_in_fit_only(guided):
    model = small(teacher="teacher", texts="texts").fit(guided)
    embedded = model.transform(guided.select(MODALITIES))
    assert embedded.modalities == ("fused",)
    assert embedded.shape == (40, 8)
    np.testing.assert_array_equal(model.transform(guided), embedded)
    free = small(modalities=None, teacher="teacher", texts="texts").fit(guided)
    np.testing.assert_array_equal(free.transform(guided), embedded)


def test_each_guide_changes_what_is_learned(guided):
    embedded = [
        np.asarray(small(**params).fit(guided).transform(guided))
        for params in ({}, {"teacher": "teacher"}, {"teacher": "teacher", "texts": "texts"})
    ]
    assert not np.allclose(embedded[0], embedded[1])
    assert not np.allclose(embedded[1], embedded[2])


def test_scene_and_person_may_change_places(guided):
    """The fusion is the same for both, so swapping streams and their weights changes nothing."""
    model = small().fit(guided)
    streams = model.module_[1].eval()
    swapped = StreamFusion({"face": 6, "scene": 6}, hidden=8, dropout=0.0).eval()
    swapped.encoders.project = streams.encoders.project[::-1]
    swapped.norm, swapped.mix = streams.norm, streams.mix
    batch = collate(guided)
    torch.testing.assert_close(swapped(batch), streams(batch))


def test_it_says_what_is_wrong_with_guides(guided):
    with pytest.raises(ValueError, match="texts='texts' are compared with a teacher's vectors"):
        small(texts="texts").fit(guided)
    with pytest.raises(ValueError, match="did you mean 'teacher'"):
        small(teacher="teachr").fit(guided)
    narrow = Block(guided.blocks["texts"].frames[:, :3], ["a", "b", "c"])
    with pytest.raises(ValueError, match="has 16 features and the texts 'texts' have 3; expected vectors of one space"):
        small(teacher="teacher", texts="texts").fit(FeatureTable(guided.segments, guided.blocks | {"texts": narrow}))
    with pytest.raises(ValueError, match="below 1, got 1.5"):
        small(mask_ratio=1.5).fit(guided)


# what it is there for

VARIANTS = {
    "untrained": {"lr": 1e-12, "epochs": 1},
    "masked": {},
    "sim": {"teacher": "teacher", "mask_ratio": 0.0},
    "masked and sim": {"teacher": "teacher"},
    "all": {"teacher": "teacher", "texts": "texts"},
}


def terms(seed):
    """Return what a linear probe with 80 labels of eight classes reaches after 2,000 rows without labels."""
    table, labels = make_guided(seed)
    found = {}
    for name, params in VARIANTS.items():
        model = ScenePerson(MODALITIES, epochs=20, random_state=seed).set_params(**params).fit(table[:2000])
        values = np.asarray(model.transform(table.select(MODALITIES)))
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        found[name] = probe.fit(values[:80], labels[:80]).score(values[2000:], labels[2000:])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_few_labels_are_enough_and_the_terms_do_not_add_up(seed):
    """Acceptance (c)."""
    found = terms(seed)
    assert found["masked"] >= found["untrained"] + 0.2, found
    assert found["all"] >= found["untrained"] + 0.2, found
    for name in ("sim", "masked and sim", "all"):
        assert found[name] >= found["masked"] - 0.03, found
