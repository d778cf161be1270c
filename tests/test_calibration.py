"""Calibrated probabilities: what each method promises, for one label and for several, on arrays and on tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import Block, FeatureTable, FusionClassifier, evaluate
from featmer.baselines import BoostedClassifier, LinearClassifier, MajorityClassifier
from featmer.calibration import METHODS, CalibratedClassifier
from featmer.evaluation.calibration import ece, ece_per_label

LABELS = np.array(["anger", "joy", "neutral", "sadness"])


@parametrize_with_checks(
    [CalibratedClassifier(LogisticRegression(), method) for method in METHODS]
    + [CalibratedClassifier(LinearClassifier()), CalibratedClassifier(KNeighborsClassifier())]
)
def test_scikit_learn(estimator, check):
    check(estimator)


class Given(ClassifierMixin, BaseEstimator):
    """Says what X says: X holds the log odds, or the logits, of its answers."""

    def __init__(self, several=False, factor=1.0):
        self.several = several
        self.factor = factor

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.arange(X.shape[1]) if self.several else LABELS[: X.shape[1]]
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        scores = self.factor * np.asarray(X)
        return expit(scores) if self.several else softmax(scores, axis=1)


def honest(seed, n_rows=6000, n_classes=4):
    """Return logits and labels drawn with the probabilities that these mean."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((n_rows, n_classes))
    cumulated = softmax(logits, axis=1).cumsum(axis=1)
    return logits, LABELS[(rng.random((n_rows, 1)) > cumulated[:, :-1]).sum(axis=1)]


def honest_sets(seed, n_rows=6000, n_labels=3):
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((n_rows, n_labels)) - 1
    return logits, (rng.random(logits.shape) < expit(logits)).astype(int)


def calibrated(method="temperature", seed=0, **options):
    X, y = honest(seed)
    return CalibratedClassifier(Given(**options), method).fit(X[:10], LABELS[[0, 1, 2, 3] * 2 + [0, 1]], (X, y))


def test_logits_times_three_have_temperature_three():
    X, y = honest(1)
    sure = Given(factor=3.0).fit(X, y)
    model = calibrated(factor=3.0)
    assert model.temperature_ == pytest.approx(3, rel=0.05)
    before, after = (ece(y, each.predict_proba(X), LABELS) for each in (sure, model))
    assert after < 0.2 * before
    np.testing.assert_array_equal(model.predict(X), LABELS[X.argmax(axis=1)])


def test_the_temperature_is_scikit_learns():
    X, y = honest(2)
    given = Given(factor=0.4).fit(X, y)
    theirs = CalibratedClassifierCV(FrozenEstimator(given), method="temperature").fit(X, y)
    ours = CalibratedClassifier(Given(factor=0.4)).fit(X[:80], y[:80], (X, y))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3)


def test_isotonic_is_scikit_learns():
    X, y = honest(3, n_rows=500)
    theirs = CalibratedClassifierCV(FrozenEstimator(Given(factor=2.0).fit(X, y)), method="isotonic").fit(X, y)
    ours = CalibratedClassifier(Given(factor=2.0), "isotonic").fit(X[:20], y[:20], (X, y))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=0.01)  # ours is never 0 or 1
    assert theirs.predict_proba(X).min() == 0 < ours.predict_proba(X).min()


def test_vector_scaling_undoes_what_a_temperature_cannot():
    rng = np.random.default_rng(4)
    X = 1.5 * rng.standard_normal((6000, 4))
    truth = softmax(np.log(softmax(X, axis=1)) * [0.5, 1.0, 1.5, 0.7] + [1.0, 0.0, -1.0, 0.0], axis=1)
    y = LABELS[(rng.random((6000, 1)) > truth.cumsum(axis=1)[:, :-1]).sum(axis=1)]
    vector, single = (
        CalibratedClassifier(Given(), method).fit(X[:20], LABELS[np.arange(20) % 4], (X, y))
        for method in ("vector", "temperature")
    )
    np.testing.assert_allclose(vector.map_["scale"], [0.5, 1.0, 1.5, 0.7], atol=0.08)
    losses = [
        log_loss(y, probabilities, labels=LABELS)
        for probabilities in (truth, vector.predict_proba(X), single.predict_proba(X))
    ]
    assert losses[1] == pytest.approx(losses[0], abs=0.003)
    assert losses[1] < losses[2] - 0.1


def test_a_few_right_answers_do_not_make_certainty():
    X = np.array([[2.0, 0.0], [0.0, 2.0]] * 10)
    y = np.array(["anger", "joy"] * 10)
    for method in ("temperature", "vector"):
        model = CalibratedClassifier(Given(), method).fit(X, y, (X, y))
        assert 0.88 < model.predict_proba(X).max() < 0.99


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_every_method_heals_other_rows(method, factor):
    X, y = honest(5)
    model = calibrated(method, factor=factor)
    before, after = (each.predict_proba(X) for each in (Given(factor=factor).fit(X, y), model))
    assert log_loss(y, after, labels=LABELS) < log_loss(y, before, labels=LABELS) - 0.03
    assert ece(y, after, LABELS) < 0.04 < ece(y, before, LABELS)
    np.testing.assert_allclose(after.sum(axis=1), 1)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    factor=st.floats(0.05, 20),
    n_rows=st.integers(5, 60),
    method=st.sampled_from(["temperature", "vector"]),
    several=st.booleans(),
)
def test_the_loss_on_validation_rows_never_rises_and_a_temperature_keeps_every_order(
    seed, factor, n_rows, method, several
):
    X, y = honest_sets(seed, n_rows) if several else honest(seed, n_rows)
    start = (X[:4], np.eye(3, dtype=int)[[0, 1, 2, 0]] if several else LABELS)
    model = CalibratedClassifier(Given(several, factor), method).fit(*start, (X, y))
    before, after = (each.predict_proba(X) for each in (model.estimator_, model))
    truth = y if several else y[:, None] == LABELS
    losses = []
    for probabilities in (before, after):
        known = np.clip(probabilities, 1e-12, 1 - 1e-12 if several else 1)
        losses.append(-np.where(truth, np.log(known), np.log1p(-known) if several else 0).sum(axis=1).mean())
    assert losses[1] <= losses[0] + 1e-9
    if method == "temperature":
        for one, other in zip(*((before.T, after.T) if several else (before, after)), strict=True):
            order = one.argsort(kind="stable")
            assert (np.diff(other[order]) >= -1e-12).all()


def test_each_of_several_labels_has_its_own_temperature():
    X, y = honest_sets(6)
    factors = np.array([3.0, 1.0, 0.3])
    model = CalibratedClassifier(Given(several=True)).fit(X[:20] * factors, y[:20], (X * factors, y))
    np.testing.assert_allclose(model.temperature_, factors, rtol=0.08)
    X, y = honest_sets(7)
    before, after = (
        ece_per_label(y, each.predict_proba(X * factors), model.classes_).mean() for each in (model.estimator_, model)
    )
    assert after < 0.4 * before
    np.testing.assert_array_equal(model.predict(X * factors), (X > 0).astype(int))


@pytest.mark.parametrize("method", ["vector", "isotonic"])
def test_several_labels_are_shifted_too(method):
    X, y = honest_sets(8)
    bent = 2 * X + [1.0, 0.0, -2.0]
    model = CalibratedClassifier(Given(several=True), method).fit(bent[:20], y[:20], (bent, y))
    X, y = honest_sets(9)
    assert ece_per_label(y, model.predict_proba(2 * X + [1.0, 0.0, -2.0]), model.classes_).max() < 0.035
    assert (model.predict_proba(X).sum(axis=1) > 1).any()


def test_a_class_that_the_validation_rows_never_show_keeps_its_place():
    X, y = honest(10)
    shown = y != "sadness"
    for method in METHODS:
        model = CalibratedClassifier(Given(), method).fit(X[:20], y[:20], (X[shown], y[shown]))
        probabilities = model.predict_proba(X)
        assert np.isfinite(probabilities).all()
        assert (probabilities[:, 3] > 0).all()


class Recording(GaussianNB):
    """Remembers the numbers of the rows that it was trained on and asked about: they are the first feature."""

    trained: list[float] = []
    asked: list[float] = []

    def fit(self, X, y):
        Recording.trained = np.asarray(X)[:, 0].tolist()
        return super().fit(np.asarray(X)[:, 1:], y)

    def predict_proba(self, X):
        Recording.asked = np.asarray(X)[:, 0].tolist()
        return super().predict_proba(np.asarray(X)[:, 1:])


def numbered_table(n_dialogues=30, n_turns=4, seed=0):
    rng = np.random.default_rng(seed)
    dialogue = np.repeat(np.arange(n_dialogues), n_turns)
    y = np.where(rng.random(len(dialogue)) < 0.5, "joy", "fear")
    values = np.column_stack([np.arange(len(dialogue)), (y == "joy") + rng.standard_normal(len(dialogue))])
    segments = pd.DataFrame({"dialogue": dialogue, "turn": np.tile(np.arange(n_turns), n_dialogues)})
    return FeatureTable(segments, {"text": Block(values, ["text.number", "text.mood"])}), y


def test_whole_dialogues_are_held_out():
    table, y = numbered_table()
    CalibratedClassifier(Recording(), validation_share=0.3, random_state=0).fit(table, y)
    trained, asked = ({int(row) // 4 for row in rows} for rows in (Recording.trained, Recording.asked))
    assert not trained & asked
    assert trained | asked == set(range(30))
    assert len(asked) == 9
    assert len(Recording.asked) == 36


def test_given_validation_rows_are_all_that_is_calibrated_on():
    table, y = numbered_table()
    CalibratedClassifier(Recording()).fit(table[:80], y[:80], validation=(table[80:], y[80:]))
    assert Recording.trained == list(range(80))
    assert Recording.asked == list(range(80, 120))


def test_a_label_of_one_dialogue_stays_in_training():
    table, y = numbered_table()
    y = y.astype(object)
    y[:4] = "awe"
    for seed in range(12):
        model = CalibratedClassifier(Recording(), validation_share=0.5, random_state=seed).fit(table, y)
        assert model.classes_.tolist() == ["awe", "fear", "joy"]
        assert set(range(4)) <= set(Recording.trained)


def test_seeds_choose_the_dialogues_and_nothing_global_is_touched():
    table, y = numbered_table()
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    models = [CalibratedClassifier(GaussianNB(), random_state=seed).fit(table, y) for seed in (0, 0, 1)]
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert models[0].temperature_ == models[1].temperature_ != models[2].temperature_


def test_it_works_in_cross_validation_and_searches(tiny_table):
    labels, groups = tiny_table.segments["emotion"].to_numpy(object), tiny_table.segments["dialogue"]
    model = CalibratedClassifier(LinearClassifier(), random_state=0)
    assert cross_val_score(model, tiny_table, labels, groups=groups, cv=GroupKFold(3)).mean() > 0.7
    grid = {"method": ["temperature", "vector"], "estimator__C": [0.01, 0.1]}
    search = GridSearchCV(model, grid, cv=GroupKFold(2)).fit(tiny_table, labels, groups=groups)
    assert search.best_estimator_.score(tiny_table, labels) > 0.7


@pytest.mark.parametrize(
    "inner",
    [
        LinearClassifier(),
        BoostedClassifier(n_estimators=5, random_state=0),
        MajorityClassifier(),
        FusionClassifier("gated", epochs=3, random_state=0),
        CalibratedClassifier(LinearClassifier(), random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_saved_and_loaded_it_says_the_same(inner, tiny_table, tmp_path):
    table = tiny_table.select(["text"])[~tiny_table.blocks["text"].missing]
    labels = table.segments["emotion"].to_numpy(object)
    for method in METHODS:
        model = CalibratedClassifier(inner, method, random_state=0).fit(table, labels)
        model.save(tmp_path / "model")
        loaded = CalibratedClassifier.load(tmp_path / "model")
        np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
        np.testing.assert_array_equal(loaded.predict(table), model.predict(table))
        assert repr(loaded) == repr(model)
        assert clone(loaded).fit(table, labels).predict(table).tolist() == model.predict(table).tolist()


def test_what_could_not_be_read_back_is_not_written(tmp_path):
    X, y = honest(0, 100)
    model = CalibratedClassifier(Given()).fit(X, y)
    with pytest.raises(ValueError, match="Given.*scikit-learn"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_only_classes_of_featmer_are_looked_for(tmp_path):
    from featmer._nested import load_estimator

    for name in ("os.system", "featmer.calibration.scaling.fit_vector", "featmerx.Model"):
        with pytest.raises(ValueError, match="expected an estimator of featmer"):
            load_estimator(tmp_path, name)


def test_a_fusion_model_of_several_labels_keeps_its_decisions(tiny_table, tmp_path):
    emotion = tiny_table.segments["emotion"]
    y = pd.DataFrame({"joy": emotion == "joy", "calm": emotion != "anger"}).astype(int)
    fusion = FusionClassifier("gated", epochs=15, lr=0.01, random_state=0)
    model = CalibratedClassifier(fusion, random_state=0).fit(tiny_table, y)
    assert model.classes_.tolist() == ["joy", "calm"]
    assert model.temperature_.shape == (2,)
    np.testing.assert_array_equal(model.predict(tiny_table), model.estimator_.predict(tiny_table))
    assert model.predict_set(tiny_table) == model.estimator_.predict_set(tiny_table)
    model.save(tmp_path / "model")
    loaded = CalibratedClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(tiny_table), model.predict_proba(tiny_table))


class Tuned(Given):
    """Has thresholds of its own."""

    thresholds_ = np.array([0.2, 0.5, 0.8])

    def predict(self, X):
        return (self.predict_proba(X) > self.thresholds_).astype(int)


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_tuned_thresholds_move_with_the_probabilities(method):
    X, y = honest_sets(11, 800)
    model = CalibratedClassifier(Tuned(several=True, factor=3.0), method).fit(X[:20], y[:20], (X, y))
    assert (np.abs(model.thresholds_ - Tuned.thresholds_) > 0.02).any()
    np.testing.assert_array_equal(model.predict(X), model.estimator_.predict(X))


def test_trees_that_give_a_list_of_pairs_are_understood():
    X, y = honest_sets(12, 400)
    forest = RandomForestClassifier(20, max_depth=4, random_state=0)
    model = CalibratedClassifier(forest, random_state=0).fit(X, y)
    assert model.predict_proba(X).shape == (400, 3)
    assert set(np.unique(model.predict(X))) == {0, 1}


def test_shares_are_calibrated_as_shares():
    X, _ = honest(13, 1000)
    shares = softmax(X, axis=1)
    model = CalibratedClassifier(Given(factor=2.0)).fit(X[:20], shares[:20], (X, shares))
    assert model.temperature_ == pytest.approx(2, rel=0.01)
    np.testing.assert_allclose(model.predict_proba(X), shares, atol=0.003)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (CalibratedClassifier(GaussianNB(), "temprature"), "did you mean 'temperature'"),
        (CalibratedClassifier(GaussianNB(), validation_share=1.0), "between 0 and 1"),
        (CalibratedClassifier(Perceptron()), "no predict_proba"),
    ],
)
def test_what_does_not_fit_is_named(model, message):
    X, y = honest(0, 50)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_one_dialogue_cannot_be_divided():
    table, y = numbered_table(n_dialogues=1)
    with pytest.raises(ValueError, match="single dialogue.*give validation"):
        CalibratedClassifier(GaussianNB()).fit(table, y)
    table, _ = numbered_table(n_dialogues=3)
    with pytest.raises(ValueError, match="too few dialogues"):
        CalibratedClassifier(GaussianNB()).fit(table, np.repeat(["a", "b", "c"], 4))


def test_evaluate_compares_calibrated_models_of_several_labels():
    rng = np.random.default_rng(0)
    feelings = (rng.random((400, 2)) < 0.4).astype(int)
    evidence = np.repeat(feelings + rng.standard_normal((400, 2)), 6, axis=1)  # six times the same
    segments = pd.DataFrame({"dialogue": np.arange(400) // 4, "turn": np.arange(400) % 4})
    segments[["labels.joy", "labels.awe"]] = feelings
    table = FeatureTable(segments, {"text": Block(evidence, [f"text.{i}" for i in range(12)])})
    naive = OneVsRestClassifier(GaussianNB())
    models = {"naive": naive, "calibrated": CalibratedClassifier(naive)}
    options = {"target": "labels.", "n_bootstrap": 20, "progress": False}
    results = evaluate(models, table, metrics=["multilabel_ece", "multilabel_f1_macro"], **options)
    assert not results["error"].any()
    pooled = results[results["fold"].isna() & (results["part"] == "test")].set_index(["metric", "model"])["value"]
    assert pooled["multilabel_ece", "calibrated"] < 0.5 * pooled["multilabel_ece", "naive"]
    assert pooled["multilabel_f1_macro", "calibrated"] == pytest.approx(
        pooled["multilabel_f1_macro", "naive"], abs=0.05
    )
