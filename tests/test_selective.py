"""Confidence in answers: calibrated, in words that keep their promise, and a coverage that is kept on other rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import Block, FeatureTable, FusionClassifier, evaluate
from featmer.baselines import LinearClassifier
from featmer.calibration import CONFIDENCE_WORDS, CalibratedClassifier, SelectiveClassifier
from featmer.calibration.words import learn_words, say
from featmer.evaluation import confidence_report, risk_coverage

LABELS = np.array(["anger", "joy", "neutral"])
PROMISES = np.array([*CONFIDENCE_WORDS.values(), 1.0 + 1e-9])


@parametrize_with_checks(
    [
        SelectiveClassifier(LogisticRegression()),
        SelectiveClassifier(LinearClassifier(), features=True, loss="brier"),
    ]
)
def test_scikit_learn(estimator, check):
    check(estimator)


class Boastful(ClassifierMixin, BaseEstimator):
    """Takes X, but for a last column, as logits, and trusts them three times as much as it should."""

    def fit(self, X, y):
        self.classes_ = LABELS
        return self

    def predict_proba(self, X):
        return softmax(3 * np.asarray(X)[:, :3], axis=1)

    def predict(self, X):
        return LABELS[self.predict_proba(X).argmax(axis=1)]


def rows(seed, n_rows=3000):
    """Return logits, a column of noise or trouble, and labels that mean the logits where there is no trouble."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((n_rows, 3))
    trouble = rng.random(n_rows) < 0.3
    meant = np.where(trouble[:, None], 1 / 3, softmax(logits, axis=1))
    labels = LABELS[(rng.random((n_rows, 1)) > meant.cumsum(axis=1)[:, :-1]).sum(axis=1)]
    return np.column_stack([logits, trouble]), labels


def fitted(**options):
    X, y = rows(0)
    return SelectiveClassifier(Boastful(), **options).fit(X[:20], y[:20], (X, y))


@pytest.mark.parametrize("loss", ["log", "brier"])
def test_confidence_is_the_accuracy(loss):
    X, y = rows(1)
    model = fitted(loss=loss)
    correct = model.predict(X) == y
    boasted, learned = (
        confidence_report(correct, sure, n_resamples=0)["value"]
        for sure in (model.predict_proba(X).max(axis=1), model.predict_confidence(X))
    )
    assert learned["ece"] < 0.04 < 0.2 < boasted["ece"]
    assert learned["brier"] < boasted["brier"] - 0.05
    assert learned["auroc"] > 0.6


@pytest.mark.parametrize("loss", ["log", "brier"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_the_best_confidence_is_the_share_of_right_answers(loss, share):
    X = np.tile([1.0, 0.0, 0.0, 0.0], (2000, 1))
    y = np.where(np.arange(2000) < 2000 * share, "anger", "joy")
    model = SelectiveClassifier(Boastful(), loss=loss).fit(X, y, (X, y))
    assert model.predict_confidence(X[:1]).item() == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_the_losses_and_the_reward_of_emocaliber_are_proper(share):
    from featmer.calibration.selective import LOSSES

    sure = np.arange(1, 1000) / 1000
    odds = np.log(sure / (1 - sure))
    expected = {
        name: share * loss(odds, np.ones(999))[0] + (1 - share) * loss(odds, np.zeros(999))[0]
        for name, loss in LOSSES.items()
    }
    reward = 1 + share - 2 * expected["log"]  # 1 + i + 2 (i ln c + (1 - i) ln(1 - c)), on average
    for best in (reward.argmax(), *(values.argmin() for values in expected.values())):
        assert sure[best] == pytest.approx(share, abs=0.005)


def test_the_slopes_of_the_losses_are_theirs():
    from featmer.calibration.selective import LOSSES

    odds, step = np.linspace(-4, 4, 50), 1e-6
    for loss in LOSSES.values():
        for correct in (np.zeros(50), np.ones(50)):
            rise = (loss(odds + step, correct)[0] - loss(odds - step, correct)[0]) / (2 * step)
            np.testing.assert_allclose(loss(odds, correct)[1], rise, atol=1e-8)


def test_features_tell_what_probabilities_hide():
    X, y = rows(2)
    reports = [
        confidence_report(model.predict(X) == y, model.predict_confidence(X), n_resamples=0)["value"]
        for model in (fitted(), fitted(features=True))
    ]
    assert reports[1]["auroc"] > reports[0]["auroc"] + 0.03
    assert reports[1]["aurc"] < reports[0]["aurc"] - 0.02


@pytest.mark.parametrize("coverage", [0.3, 0.7, 0.9])
def test_the_coverage_asked_for_is_kept_on_other_rows_and_lowers_the_risk(coverage):
    X, y = rows(3)
    model = fitted(coverage=coverage)
    answers = model.predict(X)
    given = answers != "rejected"
    assert given.mean() == pytest.approx(coverage, abs=0.04)
    assert (answers[given] == y[given]).mean() > (fitted().predict(X) == y).mean() + 0.01
    assert model.predict_confidence(X)[given].min() > model.predict_confidence(X)[~given].max()


def test_the_coverage_is_met_exactly_on_validation_rows_and_can_be_changed_later():
    model, X = fitted(), rows(0)[0]
    assert (model.predict(X) != "rejected").all()
    for coverage in (0.25, 0.5, 0.9):
        answers = model.set_params(coverage=coverage).predict(X)
        assert (answers != "rejected").mean() == pytest.approx(coverage, abs=1e-3)
    curve = risk_coverage(model.validation_correct_, model.validation_confidence_)
    assert curve["risk"].iloc[len(curve) // 4] < curve["risk"].iloc[-1]


def test_numbers_as_labels_have_a_marker_of_their_own():
    X = np.random.default_rng(0).standard_normal((200, 2))
    y = (X[:, 0] > 0).astype(int)
    model = SelectiveClassifier(LogisticRegression(), coverage=0.5, rejected=-1, random_state=0).fit(X, y)
    assert set(model.predict(X)) == {-1, 0, 1}
    with pytest.raises(ValueError, match="rejected=1 is a label too"):
        SelectiveClassifier(LogisticRegression(), rejected=1).fit(X, y)


def test_words_keep_their_promise_on_validation_rows_and_nearly_on_others():
    model = fitted(features=True)
    report = model.word_report()
    places = [list(CONFIDENCE_WORDS).index(word) for word in report.index]
    assert len(places) >= 3
    assert places == sorted(places)
    for place, accuracy in zip(places, report["accuracy"], strict=True):
        assert PROMISES[place] - 1e-9 <= accuracy < PROMISES[place + 1]
    assert report["n_rows"].sum() == 3000
    X, y = rows(5)
    words, correct = model.confidence_in_words(X), model.predict(X) == y
    for word, row in report.iterrows():
        assert correct[words == word].mean() == pytest.approx(row["accuracy"], abs=0.06)
    said = say(model.words_, model.validation_confidence_)
    assert {word: n_rows for word, n_rows in zip(*np.unique(said, return_counts=True), strict=True)} == (
        report["n_rows"].to_dict()
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n_rows=st.integers(1, 300), levels=st.integers(1, 40))
def test_words_keep_their_promise_whatever_the_rows(seed, n_rows, levels):
    rng = np.random.default_rng(seed)
    confidence = rng.integers(0, levels + 1, n_rows) / levels
    correct = rng.random(n_rows) < rng.random(n_rows) ** rng.uniform(0.1, 5)
    words = learn_words(correct, confidence)
    said = say(words, confidence)
    assert words["n_rows"].sum() == n_rows
    for word, accuracy, count in zip(words["word"], words["accuracy"], words["n_rows"], strict=True):
        mine = said == word
        assert mine.sum() == count
        assert correct[mine].mean() == pytest.approx(accuracy)
        place = list(CONFIDENCE_WORDS).index(word)
        assert PROMISES[place] - 1e-6 <= accuracy <= PROMISES[place + 1] + 1e-6
    assert (np.diff(words["low"]) > 0).all()


def test_a_model_that_is_never_sure_is_never_called_so():
    confidence = np.linspace(0.5, 1, 400)
    words = learn_words(np.random.default_rng(0).random(400) < 0.3, confidence)
    assert set(say(words, confidence)) == {"unsure"}


def dialogues(n_dialogues=40, n_turns=5, seed=0):
    """Return a table in which some dialogues are hard throughout."""
    rng = np.random.default_rng(seed)
    dialogue = np.repeat(np.arange(n_dialogues), n_turns)
    y = np.where(rng.random(len(dialogue)) < 0.5, "joy", "fear")
    noise = np.where(dialogue % 2, 2.0, 0.3) * rng.standard_normal(len(dialogue))
    segments = pd.DataFrame({"dialogue": dialogue, "turn": np.tile(np.arange(n_turns), n_dialogues), "emotion": y})
    return FeatureTable(segments, {"text": Block(((y == "joy") + noise)[:, None], ["text.mood"])}), y


def test_it_learns_from_whole_dialogues_held_out_and_from_none_twice():
    table, y = dialogues()
    model = SelectiveClassifier(LinearClassifier(), validation_share=0.4, random_state=0).fit(table, y)
    assert len(model.validation_correct_) == 80
    # A row's own dialogue has no part in its confidence: with other answers there, it stays.
    held, rest = table[:100], table[100:]
    one = SelectiveClassifier(LinearClassifier()).fit(rest, y[100:], (held, y[:100]))
    changed = y[:100].copy()
    changed[:5] = np.where(changed[:5] == "joy", "fear", "joy")
    other = SelectiveClassifier(LinearClassifier()).fit(rest, y[100:], (held, changed))
    assert (one.validation_correct_[:5] != other.validation_correct_[:5]).all()
    np.testing.assert_array_equal(one.validation_confidence_[:5], other.validation_confidence_[:5])
    assert not np.array_equal(one.validation_confidence_[5:], other.validation_confidence_[5:])


@pytest.mark.parametrize(
    "inner",
    [CalibratedClassifier(LinearClassifier(), random_state=0), FusionClassifier("gated", epochs=3, random_state=0)],
    ids=lambda inner: type(inner).__name__,
)
def test_saved_and_loaded_it_says_the_same(inner, tiny_table, tmp_path):
    labels = tiny_table.segments["emotion"].to_numpy(object)
    model = SelectiveClassifier(inner, coverage=0.8, random_state=0, features=True).fit(tiny_table, labels)
    model.save(tmp_path / "model")
    loaded = SelectiveClassifier.load(tmp_path / "model")
    for method in ("predict", "predict_proba", "predict_confidence", "confidence_in_words"):
        np.testing.assert_array_equal(getattr(loaded, method)(tiny_table), getattr(model, method)(tiny_table))
    pd.testing.assert_frame_equal(loaded.word_report(), model.word_report())
    with pytest.raises(ValueError, match=r"SelectiveClassifier\.load"):
        CalibratedClassifier.load(tmp_path / "model")


def test_it_works_in_cross_validation_and_in_evaluate(tiny_table):
    labels, groups = tiny_table.segments["emotion"].to_numpy(object), tiny_table.segments["dialogue"]
    model = SelectiveClassifier(LinearClassifier(), random_state=0)
    assert cross_val_score(model, tiny_table, labels, groups=groups, cv=GroupKFold(3)).mean() > 0.7
    models = {"plain": LinearClassifier(), "calibrated": CalibratedClassifier(LinearClassifier()), "selective": model}
    results = evaluate(models, tiny_table, metrics=["accuracy", "ece", "brier"], n_bootstrap=0, progress=False)
    assert not results["error"].any()
    assert set(results["model"]) == {*models, "majority"}


def test_all_right_or_all_wrong_is_no_error_and_no_certainty():
    X = np.tile(np.eye(3), (10, 1))
    X = np.column_stack([X, np.zeros(30)])
    for right in (True, False):
        y = LABELS[(X.argmax(axis=1) + (0 if right else 1)) % 3]
        model = SelectiveClassifier(Boastful(), coverage=0.5).fit(X, y, (X, y))
        confidence = model.predict_confidence(X)
        assert (np.abs(confidence - right) < 0.2).all()
        assert (np.abs(confidence - right) > 0.01).all()
        assert set(model.confidence_in_words(X)) == {"very sure" if right else "unsure"}


def test_several_labels_are_refused():
    X = np.random.default_rng(0).standard_normal((40, 2))
    from sklearn.neighbors import KNeighborsClassifier

    with pytest.raises(ValueError, match="one label a row, but y holds indicators"):
        SelectiveClassifier(KNeighborsClassifier()).fit(X, (X > 0).astype(int))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"coverage": 0.0}, "above 0"), ({"coverage": 1.2}, "up to 1"), ({"loss": "hinge"}, "loss of confidence 'hinge'")],
)
def test_what_does_not_fit_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        fitted(**options).predict(rows(0)[0])
