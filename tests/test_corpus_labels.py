"""Labels of several corpora in one space, up to a model that is trained on one and tested on another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from featmer import Block, FeatureTable, evaluate
from featmer.baselines import LinearClassifier
from featmer.evaluation import CrossCorpus
from featmer.labels import LabelSpace, map_corpus_labels


def test_each_corpus_has_its_own_words() -> None:
    segments = pd.DataFrame(
        {
            "corpus": ["meld", "ravdess", "meld", "ravdess", "ravdess", "meld"],
            "emotion": ["joy", "happy", "anger", "calm", "Angry ", None],
            "turn": range(6),
        },
        index=[0, 0, 1, 1, 2, 2],
    )
    mapped, losses = map_corpus_labels(segments, "ekman_neutral")
    assert mapped["emotion"].fillna("-").tolist() == ["joy", "joy", "anger", "-", "anger", "-"]
    assert list(mapped.index) == list(segments.index)
    assert losses[["corpus", "label", "rows_lost"]].to_numpy().tolist() == [["ravdess", "calm", 1]]
    assert segments["emotion"].iloc[1] == "happy"  # what was given is not changed


def test_a_corpus_of_ones_own() -> None:
    space = LabelSpace("mine", ("anger", "joy"), "categorical", "me")
    segments = pd.DataFrame({"corpus": ["films"], "mood": ["anger"]})
    mapped, _ = map_corpus_labels(segments, space, column="mood", sources={"films": space})
    assert mapped["mood"].tolist() == ["anger"]
    with pytest.raises(ValueError, match="No label space is known of corpus 'films'"):
        map_corpus_labels(segments, "ekman", column="mood")
    with pytest.raises(ValueError, match="become several"):
        map_corpus_labels(pd.DataFrame({"corpus": ["c_expr"], "emotion": ["sadly angry"]}), "ekman")
    with pytest.raises(ValueError, match="Unknown column of the segments 'corpus'"):
        map_corpus_labels(segments.drop(columns="corpus"), "ekman", column="mood")


def test_trained_on_one_corpus_and_tested_on_another() -> None:
    rng = np.random.default_rng(0)
    words = {"meld": ["joy", "anger", "neutral"], "ravdess": ["happy", "angry", "calm"]}
    frames, features = [], []
    for corpus, labels in words.items():
        codes = rng.integers(0, 3, 90)
        dialogue = np.arange(90) // 3
        frames.append(
            pd.DataFrame(
                {
                    "corpus": corpus,
                    "dialogue": dialogue,
                    "turn": np.arange(90) % 3,
                    "emotion": np.array(labels)[codes],
                }
            )
        )
        features.append(rng.standard_normal((90, 3)) + 4 * np.eye(3)[codes])
    segments, _ = map_corpus_labels(pd.concat(frames, ignore_index=True), "ekman_neutral")
    table = FeatureTable(segments, {"audio": Block(np.concatenate(features), [f"audio.{i}" for i in range(3)])})
    results = evaluate(
        {"linear": LinearClassifier()}, table, splitter=CrossCorpus("meld", "ravdess"), metrics=["uar"], progress=False
    )
    found = results[(results["model"] == "linear") & (results["part"] == "test")].iloc[0]
    calm = (segments["emotion"].isna()).sum()
    assert found["value"] > 0.9
    assert found["n_rows"] == 90 - calm
    assert found["protocol"].startswith("CrossCorpus(train='meld', test='ravdess'")
