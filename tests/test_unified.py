"""One encoder for all modalities: what is hidden and rebuilt, and what descriptions add."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from synthetic import make_described

from featmer import Block, FeatureTable
from featmer.collate import collate
from featmer.descriptions import Describer
from featmer.extractors import TextExtractor
from featmer.pretraining import LeakageWarning, UnifiedMasked, with_texts
from featmer.pretraining.masking import Frames, Patches, choose_masked, masked_error
from featmer.pretraining.unified import DualPath, Rebuilding, UnifiedEncoder

MODALITIES = ["face", "audio"]


def small(**params):
    return UnifiedMasked(hidden=8, heads=2, epochs=2, random_state=0).set_params(**params)


@pytest.fixture(scope="module")
def described():
    return make_described(0, 40, 24)[0]


@pytest.fixture(scope="module")
def batch(described):
    """Return six rows of a sequence and a vector, both of which are missing somewhere."""
    audio = described.blocks["audio"].pool(["mean"]).frames[:6].copy()
    audio[2] = np.nan
    face = list(described.blocks["face"].values[:6])
    face[1] = face[2] = None
    names = described.blocks["audio"].names
    blocks = {"face": Block(face, described.blocks["face"].names), "audio": Block(audio, names)}
    return collate(FeatureTable(described.segments[:6], blocks))


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return UnifiedEncoder({"face": 16, "audio": 12}, ["face"], hidden=8, layers=1, heads=2, dropout=0.0)


# masking


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.6, 0.9])
def test_the_same_share_is_hidden_everywhere_and_never_all(ratio):
    real = torch.arange(12) < torch.tensor([[0], [1], [2], [5], [10], [12]])
    hidden = choose_masked(real, ratio)
    assert not (hidden & ~real).any()
    assert hidden.sum(1).tolist() == [int(ratio * n + 1e-6) for n in (0, 1, 2, 5, 10, 12)]
    assert ((real & ~hidden).sum(1) > 0).tolist() == [False] + [True] * 5


def test_what_is_hidden_differs_from_row_to_row():
    torch.manual_seed(0)
    hidden = choose_masked(torch.ones(500, 8, dtype=torch.bool), 0.5).float()
    assert (hidden.mean(0) - 0.5).abs().max() < 0.1


def test_only_hidden_values_count():
    torch.manual_seed(0)
    rebuilt, values = torch.randn(4, 5, 3), torch.randn(4, 5, 3)
    hidden = choose_masked(torch.ones(4, 5, dtype=torch.bool), 0.6)[..., None]
    changed = torch.where(hidden, values, values + 100)
    assert masked_error(rebuilt, changed, hidden) == masked_error(rebuilt, values, hidden)
    by_hand = np.mean([(rebuilt - values)[i, j].square().mean() for i, j in np.argwhere(hidden[..., 0].numpy())])
    torch.testing.assert_close(masked_error(rebuilt, values, hidden), torch.tensor(by_hand))
    assert masked_error(rebuilt, values, torch.zeros_like(hidden)) == 0


@pytest.mark.parametrize("n_features", [1, 3, 8, 9, 12, 88])
def test_a_vector_becomes_pieces_that_know_nothing_of_each_other(n_features):
    patches = Patches(n_features, hidden=4)
    tokens = patches(torch.randn(2, n_features, requires_grad=True))
    assert tokens.shape == (2, patches.count, 4)
    assert patches.count <= 8
    assert patches.decoder()(tokens).shape == (2, n_features)
    values = torch.randn(1, n_features, requires_grad=True)
    patches(values)[0, 0].sum().backward()
    first = patches.spread(torch.arange(patches.count)[None] == 0)
    assert torch.equal(values.grad != 0, first)


def test_frames_have_places_of_their_own():
    place = Frames(3, hidden=8).place(torch.zeros(1, 200, 8))
    assert place.shape == (200, 8)
    assert torch.pdist(place).min() > 0.01


# the encoder


def test_rebuilding_looks_at_hidden_targets_only(encoder, batch, monkeypatch):
    """Acceptance (a): targets that were not hidden may be anything."""
    module, tokens = Rebuilding(encoder, 0.6), encoder.tokens(batch)
    monkeypatch.setattr(encoder, "tokens", lambda batch: tokens)  # what goes in stays as it is
    torch.manual_seed(1)
    masked = [choose_masked(own.there, 0.6) for own in tokens]
    spread = dict(zip(MODALITIES, (p.spread(m) for p, m in zip(encoder.pieces, masked, strict=True)), strict=True))

    def error(shift, where):
        moved = {name: values + shift * where(spread[name]) for name, values in batch.features.items()}
        torch.manual_seed(1)
        return module(dataclasses.replace(batch, features=moved)).penalty

    assert error(100.0, torch.logical_not) == error(0.0, torch.logical_not) > 0
    assert error(100.0, torch.Tensor.bool) > 1000


def test_what_is_hidden_does_not_reach_the_encoder(encoder, batch):
    values = {name: own.clone().requires_grad_() for name, own in batch.features.items()}
    module = Rebuilding(encoder, 0.6)
    torch.manual_seed(1)
    tokens = encoder.tokens(dataclasses.replace(batch, features=values))
    masked = [choose_masked(own.there, 0.6) for own in tokens]
    shown = [
        dataclasses.replace(own, values=torch.where(gone[..., None], module.mask, own.values))
        for own, gone in zip(tokens, masked, strict=True)
    ]
    sum(own.values[0].square().sum() for own in encoder.attend(shown)).backward()
    for gone, own, pieces in zip(masked, values.values(), encoder.pieces, strict=True):
        spread = pieces.spread(gone).expand_as(own)[0]
        assert not own.grad[0][spread].any()
        assert own.grad[0][~spread].any()


def test_every_part_of_both_stages_gets_a_gradient(encoder, batch):
    first = Rebuilding(encoder, 0.6)
    answers = first(batch)
    (answers.penalty + answers.outputs.square().sum()).backward()
    objective = DualPath(tuple(MODALITIES), n_text=5).build(8)
    objective.loss(encoder(batch), torch.randn(6, 5), batch).backward()
    for part in (first, objective):
        assert [name for name, weights in part.named_parameters() if weights.grad is None] == []


def test_the_paths_of_the_second_stage_add_up(encoder, batch):
    told = torch.randn(6, 5)
    losses = []
    for paths in ("both", "fused", "unimodal"):
        torch.manual_seed(0)
        objective = DualPath(tuple(MODALITIES), paths, n_text=5).build(8)
        losses.append(objective.loss(encoder(batch), told, batch))
    torch.testing.assert_close(losses[0], losses[1] + losses[2])
    with pytest.raises(ValueError, match="did you mean 'fused'"):
        DualPath(tuple(MODALITIES), "fusd").build(8)


@pytest.mark.parametrize("absent", MODALITIES)
def test_a_modality_alone_has_its_embedding(absent, described):
    """Acceptance (b): where the other modality is absent, embeddings are there and the same as with it."""
    model = small(captions="description").fit(described)
    alone = next(name for name in MODALITIES if name != absent)
    gone = Block([None] * len(described), described.blocks[absent].names)
    whole, part = (
        model.transform(FeatureTable(described.segments, described.blocks | blocks)) for blocks in ({}, {absent: gone})
    )
    assert part.blocks[absent].missing.all()
    np.testing.assert_allclose(part.blocks[alone].values, whole.blocks[alone].values, atol=1e-9)
    np.testing.assert_allclose(part.blocks["fused"].values, part.blocks[alone].values, atol=1e-9)
    assert not np.allclose(whole.blocks["fused"].values, whole.blocks[alone].values)
    assert np.isfinite(part.blocks["fused"].values).all()


# the estimator


def test_descriptions_are_needed_in_fit_only(described):
    model = small(captions="description").fit(described)
    assert model.transform(described.select(MODALITIES)).modalities == ("fused", *MODALITIES)
    np.testing.assert_array_equal(model.transform(described), model.transform(described.select(MODALITIES)))
    assert list(model.modalities_) == MODALITIES
    stages = pd.DataFrame(model.history_)["stage"].tolist()
    assert stages == [1, 1, 2, 2]


def test_the_second_stage_sees_the_rows_that_have_a_description(described, monkeypatch):
    seen, loss = [], DualPath.loss

    def spy(self, outputs, targets, batch):
        seen.append(targets)
        return loss(self, outputs, targets, batch)

    monkeypatch.setattr(DualPath, "loss", spy)
    small(captions="description").fit(described)
    told = described.blocks["description"].frames[:24].astype(np.float32)
    assert sorted(map(tuple, torch.cat(seen).tolist())) == sorted(map(tuple, [*told.tolist(), *told.tolist()]))


def test_it_says_what_is_wrong_with_descriptions(described):
    with pytest.raises(ValueError, match="Unknown block to learn from 'descriptin', did you mean 'description'"):
        small(captions="descriptin").fit(described)
    with pytest.raises(ValueError, match="holds sequences, expected a vector a row"):
        small(captions="audio").fit(described)
    with pytest.raises(ValueError, match="tells of 1 rows"):
        small(captions="description").fit(described[23:])
    with pytest.raises(ValueError, match="give a FeatureTable that has them"):
        small(captions="description").fit(np.ones((4, 2)))
    with pytest.raises(ValueError, match="mask_ratio must be 0 or more and below 1, got 1"):
        small(mask_ratio=1).fit(described.select(MODALITIES))


# the text side


class Letters(TextExtractor):
    """Counts letters: a text becomes a vector that tells texts apart."""

    names = tuple(f"text.letters.{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")

    def describe(self, texts):
        return [[text.lower().count(name[-1]) for name in self.names] for text in texts]


@pytest.fixture(scope="module")
def faces():
    """Return rows with action units, text and labels; two have no face."""
    rng = np.random.default_rng(0)
    values = rng.random((60, 2))
    values[:2] = np.nan
    segments = pd.DataFrame(
        {"dialogue": "a", "turn": range(60), "text": "Well.", "emotion": rng.choice(["joy", "anger"], 60)}
    )
    blocks = {"face": Block(values, ["face.au.AU12_max", "face.au.AU04_max"]), "text": Block(values, Letters.names[:2])}
    return FeatureTable(segments, blocks)


def test_the_words_that_describe_features_become_descriptions(faces):
    texts = Describer(transcript=False).fit(faces).transform(faces)
    table = with_texts(faces, texts, extractor=Letters())
    assert table.modalities == ("face", "text", "description")
    assert table.blocks["description"].names[0] == "description.letters.a"
    assert table.segments.equals(faces.segments)
    expected = Letters().describe(texts.tolist())
    np.testing.assert_array_equal(table.blocks["description"].values, expected)
    model = small(captions="description").fit(table)
    assert model.transform(faces).modalities == ("fused", "face", "text")


def test_rows_without_a_text_are_missing(faces):
    texts = [None, "", float("nan"), *["some words"] * 57]
    block = with_texts(faces, texts, "told", extractor=Letters()).blocks["told"]
    assert np.flatnonzero(block.missing).tolist() == [0, 1, 2]
    assert set(block.reasons[:3]) == {"no text"}


def test_texts_built_with_labels_raise_a_warning(faces):
    labels = faces.segments["emotion"]
    with pytest.warns(LeakageWarning, match="100% of the texts hold their row's own 'emotion'"):
        with_texts(faces, "a person who shows " + labels.str.title(), extractor=Letters())
    with pytest.warns(LeakageWarning):
        with_texts(faces, labels.where(np.arange(60) > 2), extractor=Letters())


def test_texts_without_labels_raise_none(faces):
    told = Describer("cues").fit(faces)
    relabelled = FeatureTable(faces.segments.assign(emotion=faces.segments["emotion"].to_numpy()[::-1]), faces.blocks)
    assert told.transform(relabelled).tolist() == told.transform(faces).tolist()
    with_texts(faces, told.transform(faces), extractor=Letters())  # a warning would be an error here
    with_texts(faces, ["one of joy, anger"] * 60, extractor=Letters())
    with_texts(faces, np.where(np.arange(60) % 2, "What a joy!", "So much anger."), extractor=Letters())


@pytest.mark.slow
def test_sentences_of_the_demo_reach_the_second_stage(demo_extraction):
    table = demo_extraction[0]
    own = table.select(["audio", "face"])
    described = with_texts(own, Describer(transcript=False).fit_transform(own))
    assert described.blocks["description"].n_features == 384
    model = small(captions="description").fit(described)
    assert model.transform(own).shape == (len(own), 24)


# what it is there for


def probe(embedded, labels, n_labels=60):
    """Return the accuracy of a linear model on rows that nothing was learned from."""
    values = np.asarray(embedded)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    return model.fit(values[:n_labels], labels[:n_labels]).score(values[2000:], labels[2000:])


def stages(seed):
    """Return what a linear probe with 60 labels reaches after each stage; 2,000 rows, 400 of them described."""
    table, labels = make_described(seed)
    rows, own = table[:2000], table.select(MODALITIES)
    shuffled = np.concatenate([np.random.default_rng(seed).permutation(400), np.arange(400, 2000)])
    wrong = FeatureTable(rows.segments, rows.blocks | {"description": rows.blocks["description"][shuffled]})
    trained = {
        "untrained": (rows.select(MODALITIES), {"lr": 1e-12, "epochs": 1}),
        "masked": (rows.select(MODALITIES), {}),
        "described": (rows, {"captions": "description"}),
        "shuffled": (wrong, {"captions": "description"}),
    }
    found = {}
    for name, (train, params) in trained.items():
        model = UnifiedMasked(epochs=15, random_state=seed).set_params(**params).fit(train)
        found[name] = probe(model.transform(own), labels)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_descriptions_help_and_shuffled_ones_do_not(seed):
    """Acceptance (c) and (d)."""
    found = stages(seed)
    assert found["described"] >= found["untrained"] + 0.05, found
    assert found["described"] >= found["masked"], found
    gain, still = found["described"] - found["masked"], found["shuffled"] - found["masked"]
    assert still <= gain / 2, found  # the descriptions of other rows teach nothing of this one
