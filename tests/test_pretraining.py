"""Pre-training: what every kind keeps, and that each learns what it is meant to."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import Block, BoostedClassifier, FeatureTable, FusionClassifier, FusionRegressor, evaluate
from featmer.baselines import LinearClassifier
from featmer.nn import Concat, Transformer
from featmer.pretraining import PRETRAINING, Pretraining

every_kind = pytest.mark.parametrize("name", sorted(PRETRAINING))


def make(name, **params):
    return PRETRAINING[name](hidden=4, epochs=2, random_state=0).set_params(**params)


@pytest.fixture(scope="module")
def mixed_table(tiny_table):
    """Return the tiny table with a sequence for its face."""
    rng = np.random.default_rng(0)
    face = tiny_table.blocks["face"]
    frames = [
        None if gone else row + 0.1 * rng.standard_normal((1 + i % 3, len(row)))
        for i, (row, gone) in enumerate(zip(face.values, face.missing, strict=True))
    ]
    quality = pd.DataFrame({"faces": np.arange(len(tiny_table))})
    blocks = {**tiny_table.blocks, "face": Block(frames, face.names, reasons=face.reasons, quality=quality)}
    return FeatureTable(tiny_table.segments, blocks, provenance=tiny_table.provenance)


@pytest.fixture(scope="module")
def fitted(mixed_table):
    labels = mixed_table.segments["emotion"]
    return {name: make(name).fit(mixed_table, labels) for name in PRETRAINING}


@parametrize_with_checks([make(name) for name in PRETRAINING])
def test_scikit_learn(estimator, check):
    check(estimator)


def test_the_registry_knows_every_kind():
    def kinds(base):
        return {base, *(kind for sub in base.__subclasses__() for kind in kinds(sub))}

    known = {kind for kind in kinds(Pretraining) if kind.__module__.startswith("featmer.")} - {Pretraining}
    assert set(PRETRAINING.values()) == known
    assert all(kind.name == name for name, kind in PRETRAINING.items())
    assert all(">>>" in kind.__doc__ and "References" in kind.__doc__ for kind in known)


@every_kind
def test_a_table_becomes_a_table_of_embeddings(name, fitted, mixed_table):
    embedded = fitted[name].transform(mixed_table)
    assert embedded.segments.equals(mixed_table.segments)
    assert embedded.provenance["made"] == mixed_table.provenance["made"]
    assert embedded.feature_names == fitted[name].get_feature_names_out().tolist()
    assert embedded.modalities == tuple(fitted[name].sources())
    for made, modalities in fitted[name].sources().items():
        block, parts = embedded.blocks[made], [mixed_table.blocks[modality] for modality in modalities]
        assert name in block.names[0]
        assert block.n_features == 4
        np.testing.assert_array_equal(block.missing, np.all([part.missing for part in parts], axis=0))
        assert not np.isnan(block.values[~block.missing]).any()
        if len(parts) == 1:
            assert block.reasons.tolist() == parts[0].reasons.tolist()
        if "face" in modalities:
            assert block.quality.equals(mixed_table.blocks["face"].quality)


@every_kind
def test_order_and_company_of_rows_do_not_matter(name, fitted, mixed_table):
    whole = np.asarray(fitted[name].transform(mixed_table))
    order = np.random.default_rng(0).permutation(len(mixed_table))
    np.testing.assert_allclose(np.asarray(fitted[name].transform(mixed_table[order])), whole[order], atol=1e-9)
    few = clone(fitted[name]).set_params(batch_size=3)
    few.__dict__.update({key: value for key, value in vars(fitted[name]).items() if key.endswith("_")})
    np.testing.assert_allclose(np.asarray(few.transform(mixed_table)), whole, atol=1e-9)


@every_kind
def test_same_seed_same_embeddings_and_nothing_global_touched(name, fitted, mixed_table):
    before = torch.get_rng_state()
    again = clone(fitted[name]).fit(mixed_table, mixed_table.segments["emotion"])
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(again.transform(mixed_table), fitted[name].transform(mixed_table))
    other = clone(again).set_params(random_state=1).fit(mixed_table, mixed_table.segments["emotion"])
    assert not np.allclose(other.transform(mixed_table), fitted[name].transform(mixed_table), equal_nan=True)


@every_kind
def test_saved_and_loaded_it_is_the_same(name, fitted, mixed_table, tmp_path):
    fitted[name].save(tmp_path / "embeddings")
    loaded = PRETRAINING[name].load(tmp_path / "embeddings")
    np.testing.assert_array_equal(loaded.transform(mixed_table), fitted[name].transform(mixed_table))
    assert repr(loaded) == repr(fitted[name])
    assert loaded.history_ == fitted[name].history_
    assert loaded.n_parameters_ == fitted[name].n_parameters_
    assert json.loads((tmp_path / "embeddings" / "parameters.json").read_text())["class"] == type(loaded).__name__


@every_kind
def test_other_modalities_and_kinds_of_block_are_named(name, fitted, mixed_table):
    with pytest.raises(ValueError, match=r"was fitted on the modalities .* but X has"):
        fitted[name].transform(mixed_table.select(["audio"]))
    flat = FeatureTable(mixed_table.segments, {**mixed_table.blocks, "face": mixed_table.blocks["face"].pool(["mean"])})
    with pytest.raises(ValueError, match="other features of 'face'"):
        fitted[name].transform(flat)
    with pytest.raises(NotFittedError):
        make(name).transform(mixed_table)
    with pytest.raises(ValueError, match="epochs must be 1 or more"):
        make(name, epochs=0).fit(mixed_table, mixed_table.segments["emotion"])


@every_kind
def test_what_stands_in_other_rows_never_reaches_a_row(name, fitted, mixed_table):
    """Each row is embedded by itself: what is fitted on training rows says nothing of the test rows."""
    alone = [np.asarray(fitted[name].transform(mixed_table[[row]])) for row in (0, 7, 50)]
    whole = np.asarray(fitted[name].transform(mixed_table))[[0, 7, 50]]
    np.testing.assert_allclose(np.concatenate(alone), whole, atol=1e-9)


FUSION = {"epochs": 3, "lr": 0.01, "random_state": 0}


@every_kind
def test_a_fusion_model_takes_it_by_name_and_as_an_object(name, tiny_table, tmp_path):
    labels = tiny_table.segments["emotion"]
    named = FusionClassifier(Concat(hidden=8), pretraining=name, **FUSION)
    named.set_params(pretraining__epochs=2, pretraining__hidden=4).fit(tiny_table, labels)
    given = FusionClassifier(Concat(hidden=8), pretraining=make(name, random_state=None), **FUSION)
    given.fit(tiny_table, labels)
    np.testing.assert_array_equal(given.predict_proba(tiny_table), named.predict_proba(tiny_table))
    assert given.pretraining.random_state is None
    assert not hasattr(given.pretraining, "module_"), "the object given was fitted, not a copy"
    assert given.n_parameters_ > given.pretraining_.n_parameters_
    given.save(tmp_path / "model")
    loaded = FusionClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(tiny_table), given.predict_proba(tiny_table))
    assert loaded.n_parameters_ == given.n_parameters_


@every_kind
def test_rows_held_out_are_embedded_and_never_learned_from(name, tiny_table):
    labels = tiny_table.segments["emotion"]
    held_out = tiny_table.segments["split"] == "valid"
    model = FusionClassifier(Concat(hidden=8), pretraining=make(name), **FUSION)
    model.fit(tiny_table[~held_out], labels[~held_out], validation=(tiny_table[held_out], labels[held_out]))
    alone = make(name).fit(tiny_table[~held_out], labels[~held_out])
    np.testing.assert_array_equal(model.pretraining_.transform(tiny_table), alone.transform(tiny_table))
    split_inside = clone(model).fit(tiny_table, labels)
    assert not np.allclose(split_inside.pretraining_.transform(tiny_table), alone.transform(tiny_table), equal_nan=True)
    for rows, own in (("all", split_inside), ("some", model)):
        assert "validation_loss" in own.history_[0], rows


@every_kind
def test_any_model_can_come_after_it(name, tiny_table):
    models = {
        "linear": make_pipeline(make(name), LinearClassifier(context=1)),
        "boosted": make_pipeline(make(name), BoostedClassifier()),
    }
    rows = np.arange(len(tiny_table))
    halves = [(rows[:60], [], rows[60:]), (rows[60:], [], rows[:60])]
    results = evaluate(models, tiny_table, splitter=halves, metrics=["uar"], seeds=[3], n_bootstrap=0, progress=False)
    assert (results["error"] == "").all()
    test = results[(results["part"] == "test") & results["fold"].isna()].set_index("model")["value"]
    assert test["linear"] > test["majority"] + 0.1


@every_kind
def test_its_parameters_can_be_searched(name, tiny_table):
    labels = tiny_table.segments["emotion"].to_numpy(object)
    model = FusionClassifier(Concat(hidden=8), pretraining=make(name), **FUSION)
    found = GridSearchCV(model, {"pretraining__epochs": [1, 2]}, cv=2, error_score="raise").fit(tiny_table, labels)
    assert found.best_estimator_.pretraining_.epochs in (1, 2)


def test_fitted_before_it_needs_no_labels_of_its_own(tiny_table):
    """All rows for the embeddings, a few with labels for the model: by hand, or frozen in a pipeline."""
    labels = tiny_table.segments["emotion"]
    embeddings = make("pairwise_contrastive").fit(tiny_table)
    by_hand = LinearClassifier().fit(embeddings.transform(tiny_table[:20]), labels[:20])
    frozen = make_pipeline(FrozenEstimator(embeddings), LinearClassifier()).fit(tiny_table[:20], labels[:20])
    np.testing.assert_array_equal(
        frozen.predict_proba(tiny_table), by_hand.predict_proba(embeddings.transform(tiny_table))
    )


def test_a_regressor_takes_it_too(tiny_table):
    valence = tiny_table.segments["valence"]
    model = FusionRegressor(Concat(hidden=8), pretraining=make("pairwise_contrastive"), **FUSION)
    assert model.fit(tiny_table, valence).predict(tiny_table).shape == (len(tiny_table),)


def test_what_is_no_pretraining_is_named(tiny_table):
    labels = tiny_table.segments["emotion"]
    with pytest.raises(ValueError, match="Unknown pretraining 'pairwise_contrast', did you mean 'pairwise_contrastive"):
        FusionClassifier(pretraining="pairwise_contrast").fit(tiny_table, labels)
    with pytest.raises(TypeError, match="pretraining must be one of"):
        FusionClassifier(pretraining=LinearClassifier()).fit(tiny_table, labels)


# guides, inside a fusion model

GUIDED = {"unified": {"captions": "told"}, "scene_person": {"teacher": "told", "texts": "told"}}
every_guide = pytest.mark.parametrize("name", sorted(GUIDED))


@pytest.fixture(scope="module")
def told_table(tiny_table):
    """Return the tiny table with what is told of two rows in three."""
    values = np.random.default_rng(1).standard_normal((len(tiny_table), 5))
    values[::3] = np.nan
    told = Block(values, [f"told.{i}" for i in range(5)])
    return FeatureTable(tiny_table.segments, {"told": told, **tiny_table.blocks})


def guided_model(name, **params):
    head = Transformer(hidden=8, heads=2, layers=1)
    return FusionClassifier(head, pretraining=make(name, **GUIDED[name]), **FUSION).set_params(**params)


@every_guide
def test_a_guide_reaches_the_pretraining_and_not_the_head(name, told_table, tiny_table, tmp_path):
    labels, held_out = told_table.segments["emotion"], told_table.segments["split"] == "valid"
    train, watched = told_table[~held_out], tiny_table[held_out]
    model = guided_model(name).fit(train, labels[~held_out], validation=(watched, labels[held_out]))
    assert tuple(model.modalities_) == tuple(model.pretraining_.modalities_) == tiny_table.modalities
    assert model.n_features_in_ == tiny_table.shape[1]
    alone = make(name, **GUIDED[name]).fit(train)
    np.testing.assert_array_equal(model.pretraining_.transform(tiny_table), alone.transform(tiny_table))
    unguided = make(name).fit(train.select(tiny_table.modalities))
    assert not np.allclose(alone.transform(tiny_table), unguided.transform(tiny_table), equal_nan=True)
    answers = model.predict_proba(tiny_table)
    spoilt = {**told_table.blocks, "told": Block(np.full((len(tiny_table), 1), 1e9), ["other"])}
    for same in (told_table, FeatureTable(told_table.segments, spoilt)):
        np.testing.assert_array_equal(model.predict_proba(same), answers)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(FusionClassifier.load(tmp_path / "model").predict_proba(tiny_table), answers)


@every_guide
def test_with_modalities_chosen_the_guide_is_found_all_the_same(name, told_table):
    labels = told_table.segments["emotion"]
    model = guided_model(name, modalities=["face", "audio"]).fit(told_table, labels)
    assert list(model.modalities_) == ["face", "audio"]
    chosen = told_table.select(["face", "audio", "told"])
    np.testing.assert_array_equal(
        model.predict_proba(told_table), guided_model(name).fit(chosen, labels).predict_proba(chosen)
    )
    for wrong in (model.set_params(modalities=["face", "told"]), make(name, modalities=["told"], **GUIDED[name])):
        with pytest.raises(
            ValueError, match=r"modalities names \['told'\], which .* can do without later: leave it out"
        ):
            wrong.fit(told_table, labels)


@every_guide
def test_a_guide_that_is_not_there_is_named(name, told_table, tiny_table):
    labels = told_table.segments["emotion"]
    with pytest.raises(ValueError, match="Unknown block to learn from 'told'"):
        guided_model(name).fit(tiny_table, labels)
    with pytest.raises(ValueError, match="FusionClassifier is to learn from the blocks .* give a FeatureTable"):
        guided_model(name).fit(np.asarray(told_table), labels)


@every_guide
def test_models_with_guides_are_compared_like_others(name, told_table):
    rows = np.arange(len(told_table))
    results = evaluate(
        {"guided": guided_model(name)}, told_table, splitter=[(rows[:60], rows[60:90], rows[90:])], progress=False
    )
    assert (results["error"] == "").all()


def test_a_pretraining_may_choose_fewer_modalities_than_there_are(tiny_table):
    labels = tiny_table.segments["emotion"]
    few = make("pairwise_contrastive", modalities=["face", "text"])
    model = FusionClassifier(Concat(hidden=8), pretraining=few, **FUSION).fit(tiny_table, labels)
    assert model.predict_proba(tiny_table).shape == (len(tiny_table), 3)
    own = tiny_table.select(["face", "text"])
    alone = FusionClassifier(Concat(hidden=8), pretraining=few, **FUSION).fit(own, labels)
    np.testing.assert_array_equal(model.predict_proba(tiny_table), alone.predict_proba(own))
