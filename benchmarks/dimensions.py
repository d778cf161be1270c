"""Numbers to estimate: concordance or squares, together or one by one, with and without the graph of labels.

    python benchmarks/dimensions.py --data ../shared/data              # five seeds

EmoBank (English sentences; valence, arousal, dominance; official parts) and CMU-MOSI (monologues; sentiment, which
the multi-task models learn together with its polarity; the parts of Poria et al., of whose test part a copy may hold
but some), all from the same MiniLM embedding of the text. Prints concordance, Pearson's correlation and mean absolute
error on the test part, means over the dimensions, and over seeds with their deviation. Networks stop early on the
validation part, or on training monologues held out; the graph's share of neighbours and width are chosen there too.
Differences in concordance are tested by a paired bootstrap over dialogues (EmoBank: sentences), all seeds together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from featmer import BoostedRegressor, FeatureTable, FusionRegressor, MultitaskFusion, SentenceEmbedding, extract
from featmer.baselines import LinearRegressor
from featmer.corpora import load_emobank, load_mosi
from featmer.evaluation.metrics import ccc, mae, pearson
from featmer.evaluation.splits import hold_out
from featmer.evaluation.stats import paired_bootstrap
from featmer.nn import Concat
from featmer.objectives import LabelGraph

METRICS = {"concordance": ccc, "correlation": pearson, "absolute error": mae}
PAIRS = [
    ("single, concordance", "single, squares"),
    ("multi-task, concordance", "single, concordance"),
    ("label graph", "multi-task, concordance"),
    ("label graph", "single, concordance"),
    ("multi-task, concordance", "linear"),
    ("multi-task, concordance", "boosted"),
]
NETWORK = {"head": Concat(hidden=128), "lr": 2e-3, "batch_size": 256, "epochs": 25, "patience": 4}

Part = tuple[FeatureTable, pd.DataFrame]
Say = Callable[[Part, Part, FeatureTable, int], pd.DataFrame]


def emobank(data: Path, cache: Path) -> tuple[dict[str, Part], list[str]]:
    """Return the parts, and the names of the numbers to estimate."""
    segments = load_emobank(data / "EmoBank")
    table, _ = extract(segments, SentenceEmbedding(), cache=cache)
    names = ["valence", "arousal", "dominance"]
    parts = {}
    for name in ("train", "valid", "test"):
        rows = np.flatnonzero(table.segments["split"] == name)
        parts[name] = (table[rows], table.segments.loc[rows, names].reset_index(drop=True))
    return parts, names


def mosi(data: Path, cache: Path) -> tuple[dict[str, Part], list[str]]:
    """Return the parts, validation monologues taken from training, and the name of the number to estimate."""
    segments = load_mosi(data / "MOSI")
    table, _ = extract(segments, SentenceEmbedding(), cache=cache)
    train, valid = hold_out(table.segments, np.flatnonzero(table.segments["split"] == "train"))
    rows = {"train": train, "valid": valid, "test": np.flatnonzero(table.segments["split"] == "test")}
    columns = ["sentiment", "polarity"]
    parts = {name: (table[own], table.segments.loc[own, columns].reset_index(drop=True)) for name, own in rows.items()}
    return parts, ["sentiment"]


def singles(names: list[str], make: Callable[[int], Any], early: bool) -> Say:
    """Return what fits a model a number."""

    def say(train: Part, valid: Part, X: FeatureTable, seed: int) -> pd.DataFrame:
        said = {}
        for name in names:
            more = {"validation": (valid[0], valid[1][name])} if early else {}
            said[name] = make(seed).fit(train[0], train[1][name], **more).predict(X)
        return pd.DataFrame(said)

    return say


def together(names: list[str], objective: dict[str, str]) -> Say:
    """Return what fits one model of all targets."""

    def say(train: Part, valid: Part, X: FeatureTable, seed: int) -> pd.DataFrame:
        model = MultitaskFusion(objective=objective, random_state=seed, **NETWORK)
        return model.fit(*train, validation=valid).predict(X)[names]

    return say


def graph(names: list[str]) -> Say:
    """Return what fits one model of all targets by a graph, chosen by concordance on the validation rows."""

    def say(train: Part, valid: Part, X: FeatureTable, seed: int) -> pd.DataFrame:
        tried = []
        for neighbours, hidden in product((0.2, 0.5), (32, 128)):
            objective = LabelGraph(neighbours=neighbours, hidden=hidden)
            model = MultitaskFusion(objective=objective, random_state=seed, **NETWORK)
            tried.append(model.fit(*train, validation=valid))
        return max(tried, key=lambda model: score(valid[1], model.predict(valid[0])[names])[0]).predict(X)[names]

    return say


def systems(names: list[str]) -> dict[str, tuple[Say, bool]]:
    """Return what is compared, and whether it depends on the seed."""
    squares = {"objective": "mse", **NETWORK}
    agreement = {"objective": "ccc", **NETWORK}
    return {
        "mean": (lambda train, _, X, __: pd.DataFrame([train[1][names].mean()] * len(X)), False),
        "linear": (singles(names, lambda seed: LinearRegressor(), early=False), False),
        "boosted": (singles(names, lambda seed: BoostedRegressor(random_state=seed), early=True), False),
        "single, squares": (singles(names, lambda seed: FusionRegressor(random_state=seed, **squares), True), True),
        "single, concordance": (
            singles(names, lambda seed: FusionRegressor(random_state=seed, **agreement), True),
            True,
        ),
        "multi-task, squares": (together(names, dict.fromkeys(names, "mse")), True),
        "multi-task, concordance": (together(names, dict.fromkeys(names, "ccc")), True),
        "label graph": (graph(names), True),
    }


def score(truth: pd.DataFrame, said: pd.DataFrame) -> list[float]:
    """Return the mean of each metric over the numbers."""
    return [np.mean([metric(truth[name], said[name]) for name in said]) for metric in METRICS.values()]


def long(test: Part, said: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return predictions as the tests want them: a run for each number, as means over runs are tested."""
    rows = test[0].segments[["dialogue", "turn"]].reset_index(drop=True)
    return pd.concat(
        [
            rows.assign(seed=f"{name} {seed}", target=test[1][name], prediction=np.asarray(said[name], float))
            for name in said
        ],
        ignore_index=True,
    )


def run(parts: dict[str, Part], names: list[str], seeds: int) -> Iterator[pd.DataFrame]:
    """Give the scores, then the tests."""
    rows, predictions = [], {}
    for model, (say, random) in systems(names).items():
        said = {}
        for seed in range(seeds):
            if not seed or random:
                answers = say(parts["train"], parts["valid"], parts["test"][0], seed)
            said[seed] = answers
            rows.append((model, *score(parts["test"][1], answers)))
        predictions[model] = pd.concat([long(parts["test"], answers, seed) for seed, answers in said.items()])
        print(f"  {model} done", flush=True)
    table = pd.DataFrame(rows, columns=["model", *METRICS])
    groups = table.groupby("model", sort=False)
    yield groups.mean().round(3).astype(str) + " ± " + groups.std().fillna(0).round(3).astype(str)
    tests = []
    for first, second in PAIRS:
        result = paired_bootstrap("ccc", predictions[first], predictions[second], n_resamples=2000)
        tests.append((f"{first} - {second}", result.difference, result.low, result.high, result.pvalue))
    yield pd.DataFrame(tests, columns=["concordance", "difference", "low", "high", "p"]).round(4)


def main() -> None:
    """Print both corpora's scores and tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("featmer-output/cache"))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    for name, load in {"EmoBank": emobank, "CMU-MOSI": mosi}.items():
        parts, names = load(arguments.data, arguments.cache)
        print(f"\n{name}: {', '.join(f'{len(part[0])} {key}' for key, part in parts.items())}", flush=True)
        for table in run(parts, names, arguments.seeds):
            print(table.to_string(), flush=True)


if __name__ == "__main__":
    main()
