"""Any number of labels a row: thresholds of FusionClassifier, on which rows they are chosen, and what they change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from synthetic import rare_labels

from featmer import FusionClassifier
from featmer.decisions import indicate_labels, tune_thresholds

LABELS = ["joy", "anger", "fear"]
QUICK = {"epochs": 15, "lr": 0.02, "random_state": 0}


@pytest.fixture(scope="module")
def rows():
    table, y = rare_labels(0)
    return table, pd.DataFrame(y, columns=LABELS)


@pytest.fixture(scope="module")
def watched():
    table, y = rare_labels(1)
    return table, pd.DataFrame(y, columns=LABELS)


@pytest.mark.parametrize("per", ["all", "class"])
def test_thresholds_are_the_best_of_the_validation_rows(per, rows, watched):
    model = FusionClassifier(thresholds=per, **QUICK).fit(*rows, validation=watched)
    probabilities = model.predict_proba(watched[0])
    np.testing.assert_array_equal(model.thresholds_, tune_thresholds(watched[1], probabilities, per=per))
    assert (len(set(model.thresholds_)) == 1) == (per == "all")
    np.testing.assert_array_equal(model.predict(watched[0]), indicate_labels(probabilities, model.thresholds_))


def test_rare_labels_gain_by_thresholds_on_rows_that_no_choice_saw(rows):
    table, y = rare_labels(2)
    scores = {
        chosen: f1_score(
            y, FusionClassifier(thresholds=chosen, **QUICK).fit(*rows).predict(table), average="macro", zero_division=0
        )
        for chosen in (0.5, "all", "class")
    }
    assert min(scores["all"], scores["class"]) > scores[0.5] + 0.05


class TrainedOn:
    """A curriculum that takes everything and remembers what there was to take."""

    def rows(self, segments, y, epoch):
        self.dialogues = set(segments["dialogue"])
        return np.ones(len(segments), bool)


def test_thresholds_come_from_the_dialogues_held_out_not_from_those_trained_on(rows):
    table, y = rows
    trained_on = TrainedOn()
    model = FusionClassifier(curriculum=trained_on, **QUICK).fit(table, y)
    held_out = ~table.segments["dialogue"].isin(trained_on.dialogues).to_numpy()
    assert held_out.mean() == pytest.approx(0.15)
    chosen = [tune_thresholds(y[part], model.predict_proba(table[part])) for part in (held_out, ~held_out)]
    assert model.thresholds_.tolist() == chosen[0].tolist() != chosen[1].tolist()


def test_without_validation_rows_or_with_a_number_nothing_is_chosen(rows):
    table, y = rows
    assert FusionClassifier(validation_share=0, **QUICK).fit(table, y).thresholds_.tolist() == [0.5] * 3
    assert FusionClassifier(thresholds=0.3, **QUICK).fit(table, y).thresholds_.tolist() == [0.3] * 3


def test_test_rows_choose_nothing(rows, watched):
    model = FusionClassifier(**QUICK).fit(*rows)
    before = model.thresholds_.copy()
    model.predict(watched[0])
    model.score(*watched)
    np.testing.assert_array_equal(model.thresholds_, before)


def test_sets_of_labels_hold_what_predict_marks(rows):
    table, y = rows
    model = FusionClassifier(thresholds="class", **QUICK).fit(table, y)
    marks = model.predict(table).astype(bool)
    assert model.predict_set(table) == [set(np.array(LABELS)[row]) for row in marks]
    one = FusionClassifier(**QUICK).fit(table, np.where(y["joy"], "joy", "anger"))
    assert not hasattr(one, "thresholds_")
    assert one.predict_set(table) == [{label} for label in one.predict(table)]
    shares = np.array([[0.5, 0.4, 0.1], [0.1, 0.1, 0.8]])[y["joy"]]
    soft = FusionClassifier(epochs=60, lr=0.02, random_state=0).fit(table, shares)
    assert {frozenset(labels) for labels in soft.predict_set(table)} >= {frozenset({0, 1}), frozenset({2})}


def test_thresholds_are_saved_and_loaded(rows, tmp_path):
    model = FusionClassifier(thresholds="class", **QUICK).fit(*rows)
    model.save(tmp_path / "model")
    loaded = FusionClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.thresholds_, model.thresholds_)
    np.testing.assert_array_equal(loaded.predict(rows[0]), model.predict(rows[0]))


@pytest.mark.parametrize(("given", "message"), [("clas", "did you mean 'class'"), (1.5, "no probability")])
def test_thresholds_that_are_none_are_refused(given, message, rows):
    with pytest.raises(ValueError, match=message):
        FusionClassifier(thresholds=given).fit(*rows)
