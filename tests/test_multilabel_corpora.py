"""Any number of labels a row on real tweets and comments: references, correlations of labels, the hybrid loss."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from featmer import Block, FeatureTable, FusionClassifier
from featmer.corpora import load_goemotions, load_semeval2018
from featmer.labels import LABEL_SPACES
from featmer.objectives.hybrid import correlations

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "multilabel.py"))


@pytest.fixture(scope="module")
def tweets(shared_data):
    return load_semeval2018(shared_data("SemEval2018_Ec_Ar"))


@pytest.fixture(scope="module")
def embedded(tweets):
    """Return embeddings of n-grams, learnt on the training part, and labels, of training and test part."""
    texts, y = tweets["text"], tweets.filter(regex=r"^labels\.").astype(int)
    train = (tweets["split"] == "train").to_numpy()
    counts = TfidfVectorizer(**BENCHMARK["CHARACTERS"]).fit(texts[train]).transform(texts)
    values = TruncatedSVD(100, random_state=0).fit(counts[train]).transform(counts)
    return (values[train], y[train].reset_index(drop=True)), (values[~train], y[~train].to_numpy())


THRESHOLDS = ["the threshold is found", "and is that of the reference"]


@pytest.mark.parametrize("threshold", ["all", 0.29], ids=THRESHOLDS)
def test_the_linear_reference_on_arabic_tweets(threshold, tweets):
    scores = BENCHMARK["semeval_reference"](tweets, threshold)
    expected = {"jaccard": 0.486, "multilabel_f1_micro": 0.616, "multilabel_f1_macro": 0.452, "hamming_loss": 0.169}
    assert scores == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("threshold", ["all", 0.42], ids=THRESHOLDS)
def test_the_linear_reference_with_balanced_classes(threshold, tweets):
    scores = BENCHMARK["semeval_reference"](tweets, threshold, class_weight="balanced")
    expected = {"jaccard": 0.483, "multilabel_f1_micro": 0.613, "multilabel_f1_macro": 0.490, "hamming_loss": 0.180}
    assert scores == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("min_df", [1, 2], ids=["all n-grams", "n-grams of two comments"])
def test_the_linear_reference_on_english_comments(min_df, shared_data):
    comments = load_goemotions(shared_data("GoEmotions"))
    scores = BENCHMARK["goemotions_reference"](comments, min_df=min_df)
    assert scores["multilabel_f1_macro"] == pytest.approx(0.451, abs=0.01)
    assert scores["multilabel_f1_micro"] == pytest.approx(0.525, abs=0.01)
    each = BENCHMARK["goemotions_reference"](comments, "class", min_df)["multilabel_f1_macro"]
    assert each == pytest.approx(0.450, abs=0.01) if min_df == 2 else each >= 0.450


def test_which_emotions_go_together(tweets):
    y = tweets[tweets["split"] == "train"].filter(regex=r"^labels\.")
    together = correlations(torch.tensor(y.to_numpy(float)))
    names = [name.removeprefix("labels.") for name in y]
    known = {("joy", "love"): 0.59, ("joy", "optimism"): 0.57, ("anger", "disgust"): 0.52, ("joy", "anger"): -0.45}
    for (first, second), value in known.items():
        assert together[names.index(first), names.index(second)] == pytest.approx(value, abs=0.005)


@pytest.mark.slow
def test_the_hybrid_loss_costs_no_macro_f1_against_plain_cross_entropy(embedded, capsys):
    (X, y), (test, truth) = embedded
    gains = []
    for seed in range(5):
        train, watched = train_test_split(np.arange(len(X)), test_size=0.15, random_state=seed)
        scores = []
        for objective in ("hybrid", "multilabel"):
            model = FusionClassifier(
                objective=objective, epochs=25, patience=5, batch_size=256, lr=3e-3, random_state=seed
            )
            model.fit(X[train], y.iloc[train], validation=(X[watched], y.iloc[watched]))
            scores.append(f1_score(truth, model.predict(test), average="macro", zero_division=0))
        gains.append(scores[0] - scores[1])
    with capsys.disabled():
        sys.stdout.write(
            f"\nhybrid over plain, macro F1 of five seeds: {np.round(gains, 3)}, mean {np.mean(gains):.4f}\n"
        )
    assert np.mean(gains) >= -0.005


def test_the_benchmark_takes_prepared_embeddings_and_runs_that_are_done(tmp_path, monkeypatch, capsys):
    """Without model, corpus or network; 500 comments of which embedding and text tell the labels."""
    rng, labels = np.random.default_rng(0), LABEL_SPACES["goemotions"].labels
    codes = rng.integers(len(labels), size=500)
    segments = pd.DataFrame({"dialogue": np.arange(500), "turn": 0, "text": [f"so {labels[code]}" for code in codes]})
    segments["split"] = np.repeat(["train", "valid", "test"], [300, 100, 100])
    segments[[f"labels.{label}" for label in labels]] = np.eye(len(labels), dtype=int)[codes]
    names = [f"text.{number}" for number in range(16)]
    words = rng.normal(size=(len(labels), 16))
    FeatureTable(segments, {"text": Block(words[codes], names)}).save(tmp_path / "goemotions-43410.parquet")
    places = pd.DataFrame({"dialogue": labels, "turn": 0})
    FeatureTable(places, {"text": Block(words, names)}).save(tmp_path / "goemotions-labels.parquet")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    cache = ["--data", "nowhere", "--cache", str(tmp_path / "cache"), "--prepared", str(tmp_path)]
    arguments = ["", "--corpus", "goemotions", "--models", "bce", "linear", "--device", "cpu", *cache]

    def table(*more: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [*arguments, *more])
        BENCHMARK["main"]()
        lines = capsys.readouterr().out.splitlines()
        return [" ".join(line.split()) for line in lines if line.startswith(("bce", "linear ", "hybrid"))]

    first = table("--seeds", "2", "--n-jobs", "2")
    monkeypatch.setattr(FusionClassifier, "fit", lambda *_: pytest.fail("a run that was done was done again"))
    assert table("--seeds", "2") == first
    macro_f1 = {line.split()[0]: float(line.split()[1]) for line in first[:2]}  # the first of three tables
    assert set(macro_f1) == {"bce", "linear"}
    assert macro_f1["linear"] > 0.9
