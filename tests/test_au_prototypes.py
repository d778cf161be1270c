"""Emotions from action units by the prototypes of the literature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from synthetic import show_faces

from featmer import Block, FeatureTable
from featmer.baselines import AUPrototypeClassifier
from featmer.labels import LABEL_SPACES

DU = LABEL_SPACES["du"].labels
OPENFACE = [f"AU{unit:02d}" for unit in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
PY_FEAT = [f"AU{unit:02d}" for unit in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)]


@parametrize_with_checks([AUPrototypeClassifier()])
def test_scikit_learn_conventions(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize(
    ("labels", "ceilings"),
    [
        (DU[:6], (0.954, 0.943, 0.953)),
        (LABEL_SPACES["c_expr"].labels, (0.891, 0.887, 0.890)),
        (DU, (0.669, 0.659, 0.667)),
    ],
    ids=["basic", "compound", "all"],
)
def test_ceilings(labels: tuple[str, ...], ceilings: tuple[float, ...]) -> None:
    for seed in range(3):
        shown, truth = show_faces(labels, 20_000, np.random.default_rng(seed))
        for tool, ceiling in zip((list(shown), OPENFACE, PY_FEAT), ceilings, strict=True):
            seen = shown[[unit for unit in tool if unit in shown]]
            model = AUPrototypeClassifier(class_weight="balanced").fit(seen, truth)
            assert model.learned_ == []
            assert model.score(seen, truth) == pytest.approx(ceiling, abs=0.01)


def test_a_missing_action_unit_is_as_if_it_were_not_measured() -> None:
    shown, truth = show_faces(DU, 500, np.random.default_rng(0))
    gone = shown.assign(AU11=np.nan, AU24=np.nan)
    full = AUPrototypeClassifier().fit(shown, truth).predict_proba(gone)
    dropped = shown.drop(columns=["AU11", "AU24"])
    np.testing.assert_allclose(full, AUPrototypeClassifier().fit(dropped, truth).predict_proba(dropped), atol=1e-12)
    as_absent = AUPrototypeClassifier().fit(shown, truth).predict_proba(gone.fillna(0.0))
    assert np.abs(full - as_absent).max() > 0.1


def test_a_face_that_is_not_seen_says_nothing() -> None:
    shown, truth = show_faces(["happy", "sad"], 300, np.random.default_rng(0))
    nothing = pd.DataFrame(np.nan, [0], shown.columns)
    for weight, prior in ((None, (truth == "happy").mean()), ("balanced", 0.5)):
        model = AUPrototypeClassifier(class_weight=weight).fit(shown, truth)
        assert model.predict_proba(nothing)[0, 0] == pytest.approx(prior)


def test_soft_values_lie_between_and_a_threshold_makes_them_hard() -> None:
    shown, truth = show_faces(["happy", "sad"], 300, np.random.default_rng(0))
    model = AUPrototypeClassifier(class_weight="balanced").fit(shown, truth)
    smile = pd.DataFrame(0.0, [0, 1, 2], shown.columns).assign(AU12=[0.0, 0.5, 1.0])
    odds = np.log(model.predict_proba(smile)[:, 0] / model.predict_proba(smile)[:, 1])
    assert odds[1] == pytest.approx((odds[0] + odds[2]) / 2)
    assert odds[0] < odds[1] < odds[2]
    intensities = 5 * shown
    hard = AUPrototypeClassifier(threshold=1.0, class_weight="balanced").fit(intensities, truth)
    np.testing.assert_array_equal(hard.predict_proba(intensities), model.predict_proba(shown))
    np.testing.assert_array_equal(hard.predict_proba(0.9 * smile), model.predict_proba(0 * smile))


def test_ekmans_words_and_those_of_the_table_are_the_same() -> None:
    shown, truth = show_faces(["happy", "sad", "angry"], 300, np.random.default_rng(0))
    words = {"happy": "joy", "sad": "sadness", "angry": "anger"}
    ekman = np.array([words[label] for label in truth])
    found = AUPrototypeClassifier().fit(shown, truth).predict(shown)
    assert [words[label] for label in found] == AUPrototypeClassifier().fit(shown, ekman).predict(shown).tolist()


def test_emfacs_knows_several_faces_of_surprise() -> None:
    units = ["AU01", "AU02", "AU05", "AU06", "AU12", "AU26", "AU27"]
    shown = pd.DataFrame([[1, 1, 1, 0, 0, 0, 1], [0, 0, 1, 0, 0, 1, 0], [0, 0, 0, 1, 1, 0, 0]], columns=units)
    model = AUPrototypeClassifier(table="emfacs").fit(shown, ["surprise", "surprise", "happiness"])
    assert len(model.rates_) == 6
    assert model.predict(shown).tolist() == ["surprise", "surprise", "happiness"]


def test_classes_without_prototype_are_learned() -> None:
    shown, truth = show_faces(["happy", "sad"], 400, np.random.default_rng(0))
    shown["AU34"] = (np.arange(400) % 2).astype(float)
    truth = np.where(shown["AU34"] > 0, "sulking", truth)
    model = AUPrototypeClassifier().fit(shown, truth)
    assert model.learned_ == ["sulking"]
    assert model.score(shown, truth) > 0.9


def test_only_action_units_count() -> None:
    shown, truth = show_faces(["happy", "sad"], 100, np.random.default_rng(0))
    segments = pd.DataFrame({"dialogue": range(100), "turn": 0})
    face = Block(shown.to_numpy(), [f"face.au.{unit}_max" for unit in shown])
    pose = Block(np.random.default_rng(1).normal(0, 20, (100, 1)), ["face.pose.yaw"])
    both = FeatureTable(segments, {"pose": pose, "face": face})
    model = AUPrototypeClassifier().fit(both, truth)
    assert model.action_units_ == list(shown)
    np.testing.assert_array_equal(
        model.predict_proba(both), AUPrototypeClassifier(["face"]).fit(both, truth).predict_proba(both)
    )
    with pytest.raises(ValueError, match=r"No feature of \['pose'\] is an action unit.*FaceCsv"):
        AUPrototypeClassifier(["pose"]).fit(both, truth)
    with pytest.raises(ValueError, match="Unknown table of prototypes 'dux'"):
        AUPrototypeClassifier(table="dux").fit(both, truth)


def test_saved_and_loaded_predicts_the_same(tmp_path: Path) -> None:
    shown, truth = show_faces(DU, 200, np.random.default_rng(0))
    model = AUPrototypeClassifier().fit(shown, truth)
    model.save(tmp_path / "model")
    loaded = AUPrototypeClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(shown), model.predict_proba(shown))
