"""Boosted and linear classifiers on labels, indicator matrices and distributions, as FusionClassifier takes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, recall_score
from sklearn.preprocessing import StandardScaler
from synthetic import rare_labels

from featmer import FeatureTable, FusionClassifier
from featmer._estimator import hold_out_dialogues
from featmer.baselines import BoostedClassifier, LinearClassifier
from featmer.baselines.questions import ask
from featmer.decisions import indicate_labels, tune_thresholds

LABELS = ["joy", "anger", "fear"]
MODELS = [BoostedClassifier(n_estimators=60, random_state=0), LinearClassifier()]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def named_labels(seed, **sizes):
    table, y = rare_labels(seed, **sizes)
    return table, pd.DataFrame(y, columns=LABELS)


def shares_of(table, sharpness=0.8):
    weights = np.exp(sharpness * np.asarray(table))
    return pd.DataFrame(weights / weights.sum(1, keepdims=True), columns=LABELS)


@pytest.fixture(scope="module")
def rows():
    return named_labels(0)


@pytest.fixture(scope="module")
def watched():
    return named_labels(1)


@each_model
def test_an_indicator_matrix_asks_for_each_label(model, rows):
    table, y = rows
    fitted = clone(model).set_params(thresholds=0.5).fit(table, y)
    assert fitted.target_ == "indicators"
    assert fitted.classes_.tolist() == LABELS
    probabilities = fitted.predict_proba(table)
    assert probabilities.sum(1).max() > 1.2
    np.testing.assert_array_equal(fitted.predict(table), indicate_labels(probabilities, 0.5))
    assert fitted.predict_set(table) == [set(np.array(LABELS)[row > 0]) for row in fitted.predict(table)]
    for number, label in enumerate(LABELS):  # a label's probability does not depend on the other labels
        alone = clone(model).fit(table, np.where(y[label], "yes", "no")).predict_proba(table)[:, 1]
        assert np.corrcoef(alone, probabilities[:, number])[0, 1] > 0.95


@each_model
def test_distributions_are_learnt_by_their_shares(model, rows, watched):
    table, _ = rows
    shares = shares_of(table)
    fitted = clone(model).fit(table, shares)
    probabilities = fitted.predict_proba(watched[0])
    assert fitted.target_ == "distributions"
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert np.abs(probabilities - shares_of(watched[0])).to_numpy().mean() < 0.06
    hard = clone(model).fit(table, shares.idxmax(axis=1))
    said = hard.predict_proba(watched[0])[:, np.searchsorted(hard.classes_, LABELS)]
    assert np.abs(said - shares_of(watched[0])).to_numpy().mean() > 0.12
    sets = fitted.predict_set(watched[0])
    assert sets == [set(np.array(LABELS)[row > 1 / 3]) for row in probabilities]
    assert {len(each) for each in sets} >= {1, 2}
    assert set(fitted.predict(watched[0])) == set(LABELS)


def test_a_distribution_is_what_repeated_labels_are(rows):
    """Two raters each: a row with shares of a half is two rows, one a label."""
    table, _ = rows
    features = np.asarray(table)
    ratings = np.argsort(-features, axis=1)[:, :2]
    ratings[: len(table) // 2, 1] = ratings[: len(table) // 2, 0]  # whose two raters agree
    shares = np.stack([np.bincount(row, minlength=3) / 2 for row in ratings])
    soft = LinearClassifier(C=1.0).fit(features, shares).predict_proba(features)
    scaled = StandardScaler().fit_transform(np.c_[features, np.zeros(len(features))])
    twice, halves = np.repeat(scaled, 2, axis=0), np.full(2 * len(scaled), 0.5)
    by_hand = LogisticRegression(C=1.0, max_iter=1000).fit(twice, ratings.ravel(), halves)
    np.testing.assert_allclose(soft, by_hand.predict_proba(scaled), atol=1e-4)


def test_a_share_of_nothing_is_no_example():
    table, _ = named_labels(0, n_dialogues=2)
    fitted = FusionClassifier(epochs=1).fit(table, shares_of(table))
    known = fitted._known()
    shares = np.eye(3)[[0, 2, 1]] * 0.5 + np.eye(3)[0] * 0.5
    (question,) = ask(type(known)("distributions", known.classes, shares))
    assert question.rows.tolist() == [0, 1, 1, 2, 2]
    assert question.weights.tolist() == [1.0, 0.5, 0.5, 0.5, 0.5]


@each_model
@pytest.mark.parametrize("per", ["all", "class"])
def test_thresholds_are_the_best_of_the_validation_rows(per, model, rows, watched):
    fitted = clone(model).set_params(thresholds=per).fit(*rows, validation=watched)
    probabilities = fitted.predict_proba(watched[0])
    np.testing.assert_array_equal(fitted.thresholds_, tune_thresholds(watched[1], probabilities, per=per))
    assert (len(set(fitted.thresholds_)) == 1) == (per == "all")
    np.testing.assert_array_equal(fitted.predict(watched[0]), indicate_labels(probabilities, fitted.thresholds_))


@each_model
def test_rare_labels_gain_by_thresholds_on_rows_that_no_choice_saw(model, rows):
    table, y = named_labels(2)
    scores = {
        chosen: f1_score(y, clone(model).set_params(thresholds=chosen).fit(*rows).predict(table), average="macro")
        for chosen in (0.5, "all", "class")
    }
    assert min(scores["all"], scores["class"]) > scores[0.5] + 0.04


@each_model
def test_thresholds_come_from_held_out_dialogues(model, rows):
    """Labels drawn at random: on the rows trained on they would look as if they could be told."""
    table, _ = rows
    noise = (np.random.default_rng(0).random((len(table), 3)) < 0.2).astype(int)
    fitted = clone(model).fit(table, noise)
    assert fitted.thresholds_.tolist() != tune_thresholds(noise, fitted.predict_proba(table)).tolist()
    one_dialogue = FeatureTable(table.segments.assign(dialogue=0, turn=range(len(table))), table.blocks)
    assert clone(model).fit(one_dialogue, noise).thresholds_.tolist() == [0.5] * 3


def test_linear_thresholds_are_chosen_by_a_trial_without_the_held_out_dialogues(rows):
    table, y = rows
    train, held_out = hold_out_dialogues(table, 0.15, seed=0)
    trial = LinearClassifier().fit(table[train], y.iloc[train])
    expected = tune_thresholds(y.iloc[held_out], trial.predict_proba(table[held_out]), per="class")
    assert LinearClassifier(thresholds="class").fit(table, y).thresholds_.tolist() == expected.tolist()


@each_model
def test_balanced_weights_find_the_rare_among_several(model, rows):
    table, y = named_labels(2)
    recalls = {}
    for weight in (None, "balanced", {"fear": 9.0}):
        fitted = clone(model).set_params(thresholds=0.5, class_weight=weight).fit(*rows)
        recalls[str(weight)] = recall_score(y, fitted.predict(table), average=None)
    assert recalls["balanced"][2] > recalls["None"][2] + 0.1
    assert recalls[str({"fear": 9.0})][2] > recalls["None"][2] + 0.1
    np.testing.assert_allclose(recalls[str({"fear": 9.0})][:2], recalls["None"][:2])


def test_trees_tell_a_label_that_one_row_in_a_hundred_has():
    """Without a penalty on steps and on leaves of nearly equal answers it is .06."""
    precision = []
    for seed in (0, 2, 4):
        (X, y), (X_test, y_test) = with_a_rare_label(seed), with_a_rare_label(seed + 1)
        model = BoostedClassifier(n_estimators=100, learning_rate=0.2, random_state=0).fit(X, y)
        precision.append(average_precision_score(y_test["rare"], model.predict_proba(X_test)[:, 1]))
    assert np.mean(precision) > 0.1


def with_a_rare_label(seed, n_rows=8000):
    """Return rows of 40 features, of which three tell two labels."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 40))
    log_odds = X[:, :3] @ [2.0, 1.5, 1.0]
    common, rare = (log_odds + rng.logistic(size=n_rows) > threshold for threshold in (0, 8))
    return X, pd.DataFrame({"common": common, "rare": rare}).astype(int)


@each_model
def test_a_label_that_all_rows_or_none_have(model, rows):
    table, y = rows
    y = y.assign(anger=0, fear=1)
    probabilities = clone(model).fit(table, y).predict_proba(table)
    np.testing.assert_allclose(probabilities[:, 1:], np.tile([0.0, 1.0], (len(table), 1)), atol=1e-6)


@each_model
def test_a_class_without_a_share(model, rows):
    table, _ = rows
    shares = pd.DataFrame({"joy": 0.5, "anger": 0.5, "fear": 0.0}, index=range(len(table)))
    shares.loc[::3, ["joy", "anger"]] = [1.0, 0.0]
    fitted = clone(model).set_params(class_weight="balanced").fit(table, shares)
    probabilities = fitted.predict_proba(table)
    assert probabilities.shape == (len(table), 3)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert probabilities[:, 2].max() < 0.05


@each_model
@pytest.mark.parametrize("kind", ["indicators", "distributions"])
def test_saved_and_loaded(kind, model, rows, tmp_path):
    table, y = rows
    y = y.assign(fear=1) if kind == "indicators" else shares_of(table)
    fitted = clone(model).set_params(thresholds="class").fit(table, y)
    fitted.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    assert loaded.target_ == kind
    np.testing.assert_array_equal(loaded.predict_proba(table), fitted.predict_proba(table))
    np.testing.assert_array_equal(loaded.predict(table), fitted.predict(table))
    again = clone(model).fit(table, np.where(y["joy"] > 0.5, "joy", "anger"))
    assert not hasattr(fitted.fit(table, again.predict(table)), "thresholds_")


@pytest.mark.parametrize("model", [*MODELS, FusionClassifier(epochs=1)], ids=lambda model: type(model).__name__)
def test_errors_are_the_same_everywhere(model, rows, watched):
    table, y = rows
    with pytest.raises(ValueError, match="an indicator matrix of 0 and 1, or distributions.*regressor"):
        clone(model).fit(table, np.asarray(table))
    with pytest.raises(ValueError, match="validation rows have distributions.*training rows indicators"):
        clone(model).fit(table, y, validation=(watched[0], shares_of(watched[0])))
    with pytest.raises(ValueError, match="validation rows have targets for .*'fear', 'joy'"):
        clone(model).fit(table, y, validation=(watched[0], watched[1][["anger", "fear", "joy"]]))
    for given, message in (("clas", "did you mean 'class'"), (1.5, "no probability")):
        with pytest.raises(ValueError, match=message):
            clone(model).set_params(thresholds=given).fit(table, y)
