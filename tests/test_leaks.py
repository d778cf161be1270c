"""Every leak is found with its evidence, and nothing is found where there is none."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from featmer import Block, FeatureTable, evaluate
from featmer.evaluation.leaks import Leak, find_leaks, warn_of_leaks
from featmer.evaluation.splits import Split, make_splits

PARTS = np.repeat(["train", "valid", "test"], [60, 20, 20])


def make(segments: dict | None = None, values: np.ndarray | None = None, seed: int = 0) -> FeatureTable:
    """Return a hundred rows that share nothing but what is given."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"dialogue": np.arange(100), "turn": 0, "split": PARTS, **(segments or {})})
    values = rng.standard_normal((100, 5)) if values is None else values
    return FeatureTable(frame, {"audio": Block(values, [f"audio.{i}" for i in range(values.shape[1])])})


def leaks(table: FeatureTable, target: object = None) -> list[Leak]:
    return find_leaks(table, make_splits("official", table.segments), target)


def labels(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).choice(["joy", "fear", "awe"], 100, p=[0.6, 0.3, 0.1])


def test_nothing_is_found_where_there_is_nothing() -> None:
    speakers = {"speaker": np.arange(100).astype(str), "text": [f"line {i}" for i in range(100)]}
    for seed in range(10):
        wide = np.random.default_rng(seed).standard_normal((100, 300))
        assert leaks(make(speakers, wide), labels(seed)) == []
        assert leaks(make(speakers, wide.round()), labels(seed)) == []
        assert leaks(make(speakers, wide), np.random.default_rng(seed + 99).random(100)) == []
        assert leaks(make(speakers, wide), np.where(np.arange(100) == seed, "rare", "common")) == []


def test_shared_dialogues_and_speakers() -> None:
    speaker = np.where(np.arange(100) % 2, "Ross", np.arange(100).astype(str))
    found = leaks(make({"dialogue": np.r_[0:60, 0:10, 70:90, 90:100], "speaker": speaker}))
    assert [(leak.kind, leak.parts, leak.n_found) for leak in found] == [
        ("dialogues", "train and valid", 10),
        ("speakers", "train and valid", 1),
        ("speakers", "train and test", 1),
        ("speakers", "valid and test", 1),
    ]
    assert found[2].evidence == ("1 of 11 speakers of test are in train too (Ross), who speak 50 % of its rows")


def test_the_same_name_in_two_corpora_is_no_leak() -> None:
    corpus = np.where(PARTS == "test", "x", "y")
    found = leaks(make({"corpus": corpus, "speaker": "Ross"}))
    assert {leak.parts for leak in found} == {"train and valid"}


def test_unknown_speakers_are_nobody() -> None:
    assert leaks(make({"speaker": pd.Series([None] * 100, dtype=object)})) == []


def test_neighbouring_segments_of_one_file() -> None:
    times = {"video": "film.mp4", "start": np.arange(100) * 3.0, "end": np.arange(100) * 3.0 + 2.5}
    found = leaks(make(times))
    assert [(leak.kind, leak.parts, leak.n_found) for leak in found] == [
        ("neighbours", "train and valid", 1),
        ("neighbours", "valid and test", 1),
    ]
    assert "film.mp4 from 180 s on" in found[0].evidence
    assert leaks(make({**times, "end": np.arange(100) * 3.0 + 1.0})) == []  # two seconds apart
    assert leaks(make({**times, "video": [f"{part}.mp4" for part in PARTS]})) == []
    by_corpus = make({**times, "corpus": PARTS})
    assert leaks(by_corpus) == []  # a file of that name in each corpus
    whole = leaks(make({"audio": np.where(np.arange(100) < 70, "a.wav", None)}))  # without times: the whole file
    assert [(leak.kind, leak.parts) for leak in whole] == [("neighbours", "train and valid")]


def test_a_validation_part_that_is_the_test_part() -> None:
    values = np.random.default_rng(0).standard_normal((100, 5))
    values[80:] = values[60:80]
    (found,) = leaks(make(values=values))
    assert (found.kind, found.parts, found.n_found) == ("copies", "valid and test", 20)
    assert found.evidence == "20 of 20 rows of valid are byte-identical to rows of test"
    assert leaks(make({"text": [f"line {i}" for i in range(100)]}, values)) == []  # the words differ
    values[85:] += 1e-12
    assert leaks(make(values=values)) == []  # a quarter are copies
    assert leaks(make(values=np.arange(100.0)[:, None] % 10)) == []  # what is often the same tells nothing
    assert leaks(make(values=np.full((100, 1), np.nan))) == []
    sequences = [np.full((2, 1), i % 80, float) for i in range(60)] + [
        np.full((2, 1), 100.0 + i % 20) for i in range(40)
    ]
    table = FeatureTable(make().segments, {"audio": Block(sequences, ["audio.0"])})
    assert [leak.kind for leak in leaks(table)] == ["copies"]


@pytest.mark.parametrize("leaking", ["code", "scattered", "noisy", "sequence"])
def test_a_feature_that_tells_the_label(leaking: str) -> None:
    target = labels()
    rng = np.random.default_rng(3)
    codes = pd.factorize(target)[0].astype(float)
    values = rng.standard_normal((100, 5))
    values[:, 2] = {
        "code": codes,
        "scattered": np.array([5.0, -3.0, 40.0])[codes.astype(int)],
        "noisy": codes + 0.1 * rng.random(100),
        "sequence": codes,
    }[leaking]
    table = make(values=values)
    if leaking == "sequence":
        frames = [np.repeat(row[None], 3, axis=0) for row in values]
        table = FeatureTable(table.segments, {"audio": Block(frames, [f"audio.{i}" for i in range(5)])})
    (found,) = leaks(table, target)
    assert (found.kind, found.parts, found.n_found) == ("feature", "train", 1)
    assert found.evidence == "1 feature all but tell the target alone: audio.2"
    known = pd.Series(target).where(np.arange(100) % 7 > 0)
    assert [leak.kind for leak in leaks(table, known)] == ["feature"]


def test_a_good_feature_is_no_leak() -> None:
    target = labels()
    codes = pd.factorize(target)[0]
    values = np.random.default_rng(0).standard_normal((100, 5)) * 0.6 + codes[:, None]
    assert leaks(make(values=values), target) == []
    assert leaks(make(values=np.zeros((100, 2))), target) == []


@pytest.mark.parametrize("turn", [1, -1])
def test_a_feature_that_tells_the_value(turn: int) -> None:
    target = np.random.default_rng(0).random(100)
    values = np.random.default_rng(1).standard_normal((100, 3))
    values[:, 1] = turn * np.exp(3 * target)
    values[5] = np.nan
    (found,) = leaks(make(values=values), target)
    assert found.evidence.endswith("audio.1")
    values[:, 1] += np.random.default_rng(2).standard_normal(100)
    assert leaks(make(values=values), target) == []


def test_test_labels_are_not_looked_at() -> None:
    values = np.random.default_rng(0).standard_normal((100, 3))
    target = labels()
    values[60:, 1] = pd.factorize(target)[0][60:]  # tells the label in valid and test rows only
    assert leaks(make(values=values), target) == []
    values[:60, 1], values[60:, 1] = pd.factorize(target)[0][:60], 0.5  # and in training rows only
    assert [leak.kind for leak in leaks(make(values=values), target)] == ["feature"]


def test_what_evaluate_says(caplog: pytest.LogCaptureFixture) -> None:
    table = make({"speaker": "Ross", "emotion": labels()})
    with caplog.at_level(logging.WARNING):
        evaluate({"majority": DummyClassifier()}, table, metrics=["uar"], progress=False)
    (record,) = caplog.records
    assert record.getMessage() == (
        "The split leaks (train and test of fold 0 and 4 more): 1 of 1 speakers of test are in train too (Ross), who "
        "speak 100 % of its rows. Scores are not of unknown speakers; for these, split by speaker."
    )


def test_empty_parts_are_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    table = make({"dialogue": "a", "speaker": "Ross"})
    warn_of_leaks(table, [Split(np.arange(50), np.array([], int), np.arange(50, 100))])
    assert "dialogues of test are in train" in caplog.text
    assert find_leaks(table, [Split(np.arange(50), np.array([], int), np.array([], int))], labels()) == []
