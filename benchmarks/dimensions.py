"""Numbers to estimate: concordance or squares, together or one by one, with and without the graph of labels.

    python benchmarks/dimensions.py --data ../shared/data              # five seeds
    python benchmarks/dimensions.py --corpus mosi                      # a minute

EmoBank (English sentences; valence, arousal, dominance; official parts) and CMU-MOSI (monologues; sentiment, which
the multi-task models learn together with its polarity; the parts of Poria et al., of whose test part a copy may hold
but some), all from the same MiniLM embedding of the text. Prints concordance, Pearson's correlation and mean absolute
error on the test part, means over the dimensions, and of polarity macro F1; over seeds, with their deviation. Networks
stop early on the validation part, or on training monologues held out; the graph's share of neighbours and width are
chosen there too, by concordance. Its nodes are embeddings of the labels' words, as in the paper, or vectors at right
angles. Differences are tested by a paired bootstrap over dialogues (EmoBank: sentences), all seeds together; a model is
not inferior where the whole interval lies above -0.05.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyRegressor

from featmer import (
    BoostedClassifier,
    BoostedRegressor,
    FeatureTable,
    FusionClassifier,
    FusionRegressor,
    MultitaskFusion,
    SentenceEmbedding,
    extract,
)
from featmer.baselines import LinearClassifier, LinearRegressor, MajorityClassifier
from featmer.corpora import load_emobank, load_mosi
from featmer.evaluation.metrics import ccc, f1_macro, mae, pearson
from featmer.evaluation.splits import hold_out
from featmer.evaluation.stats import paired_bootstrap
from featmer.nn import Concat
from featmer.objectives import LabelGraph

METRICS = {"concordance": ccc, "correlation": pearson, "absolute error": mae}
CATEGORY = "polarity"
MARGIN = 0.05
PAIRS = [
    ("single, concordance", "single, squares"),
    ("multi-task, concordance", "single, concordance"),
    ("label graph", "multi-task, concordance"),
    ("label graph, no words", "multi-task, concordance"),
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


CORPORA = {"emobank": emobank, "mosi": mosi}


def singles(number: Callable[[int], Any], category: Callable[[int], Any], early: bool) -> Say:
    """Return what fits a model a target."""

    def say(train: Part, valid: Part, X: FeatureTable, seed: int) -> pd.DataFrame:
        said = {}
        for name in train[1]:
            model = category(seed) if name == CATEGORY else number(seed)
            more = {"validation": known(valid, name)} if early else {}
            said[name] = model.fit(*known(train, name), **more).predict(X)
        return pd.DataFrame(said)

    return say


def known(part: Part, name: str) -> tuple[FeatureTable, pd.Series]:
    """Return the rows that have a target, and the target."""
    rows = np.flatnonzero(part[1][name].notna())
    return part[0][rows], part[1][name].iloc[rows]


def together(names: list[str], kind: str) -> Say:
    """Return what fits one model of all targets."""

    def say(train: Part, valid: Part, X: FeatureTable, seed: int) -> pd.DataFrame:
        model = MultitaskFusion(objective=dict.fromkeys(names, kind), random_state=seed, **NETWORK)
        return model.fit(*train, validation=valid).predict(X)

    return say


def graph(names: list[str], embeddings: np.ndarray | None) -> Say:
    """Return what fits one model of all targets by a graph, chosen by concordance on the validation rows."""

    def say(train: Part, valid: Part, X: FeatureTable, seed: int) -> pd.DataFrame:
        tried = []
        for neighbours, hidden in product((0.2, 0.5), (32, 128)):
            objective = LabelGraph(embeddings=embeddings, neighbours=neighbours, hidden=hidden)
            model = MultitaskFusion(objective=objective, random_state=seed, **NETWORK)
            tried.append(model.fit(*train, validation=valid))
        return max(tried, key=lambda model: score(valid[1], model.predict(valid[0]), names)[0]).predict(X)

    return say


def embed_words(targets: pd.DataFrame, cache: Path) -> np.ndarray:
    """Return an embedding a node of the graph: of a number its name, of a category each of its labels."""
    words = [
        word for name in targets for word in (sorted(targets[name].dropna().unique()) if name == CATEGORY else [name])
    ]
    segments = pd.DataFrame({"dialogue": words, "turn": 0, "text": words})
    return extract(segments, SentenceEmbedding(), cache=cache, progress=False)[0].blocks["text"].values


def systems(names: list[str], words: np.ndarray) -> dict[str, tuple[Say, bool]]:
    """Return what is compared, and whether it depends on the seed."""

    def network(kind: str) -> Say:
        return singles(
            lambda seed: FusionRegressor(objective=kind, random_state=seed, **NETWORK),
            lambda seed: FusionClassifier(random_state=seed, **NETWORK),
            early=True,
        )

    return {
        "mean": (singles(lambda _: DummyRegressor(), lambda _: MajorityClassifier(), early=False), False),
        "linear": (singles(lambda _: LinearRegressor(), lambda _: LinearClassifier(), early=False), False),
        "boosted": (
            singles(
                lambda seed: BoostedRegressor(random_state=seed),
                lambda seed: BoostedClassifier(random_state=seed),
                early=True,
            ),
            False,
        ),
        "single, squares": (network("mse"), True),
        "single, concordance": (network("ccc"), True),
        "multi-task, squares": (together(names, "mse"), True),
        "multi-task, concordance": (together(names, "ccc"), True),
        "label graph": (graph(names, words), True),
        "label graph, no words": (graph(names, None), True),
    }


def score(truth: pd.DataFrame, said: pd.DataFrame, names: list[str]) -> list[float]:
    """Return the mean of each metric over the numbers, and macro F1 of the category, if there is one."""
    scores = [float(np.mean([metric(truth[name], said[name]) for name in names])) for metric in METRICS.values()]
    if CATEGORY not in said:
        return scores
    rows = truth[CATEGORY].notna().to_numpy()
    return [*scores, f1_macro(truth[CATEGORY][rows].to_numpy(), said[CATEGORY][rows].to_numpy())]


def long(test: Part, said: pd.DataFrame, seed: int, names: list[str]) -> pd.DataFrame:
    """Return predictions as the tests want them: a run for each target, as means over runs are tested."""
    rows = test[0].segments[["dialogue", "turn"]].reset_index(drop=True)
    frames = [rows.assign(seed=f"{name} {seed}", target=test[1][name], prediction=said[name]) for name in names]
    return pd.concat(frames, ignore_index=True).dropna(subset="target").infer_objects()


def run(parts: dict[str, Part], names: list[str], words: np.ndarray, seeds: int) -> Iterator[pd.DataFrame]:
    """Give the scores, then the tests."""
    rows, answers = [], {}
    for model, (say, random) in systems(names, words).items():
        answers[model] = []
        for seed in range(seeds):
            if not seed or random:
                said = say(parts["train"], parts["valid"], parts["test"][0], seed)
            answers[model].append(said)
            rows.append((model, *score(parts["test"][1], said, names)))
        print(f"  {model} done", flush=True)
    tested = {"ccc": names, "f1_macro": [CATEGORY]} if CATEGORY in said else {"ccc": names}
    groups = pd.DataFrame(rows, columns=["model", *METRICS, "macro F1"][: len(rows[0])]).groupby("model", sort=False)
    yield groups.mean().round(3).astype(str) + " ± " + groups.std().fillna(0).round(3).astype(str)
    tests = []
    for metric, targets in tested.items():
        predictions = {
            model: pd.concat([long(parts["test"], said, seed, targets) for seed, said in enumerate(each)])
            for model, each in answers.items()
        }
        for first, second in PAIRS:
            result = paired_bootstrap(metric, predictions[first], predictions[second], n_resamples=2000)
            row = (metric, f"{first} - {second}", result.difference, result.low, result.high, result.pvalue)
            tests.append((*row, result.low > -MARGIN))
    yield pd.DataFrame(tests, columns=["metric", "models", "difference", "low", "high", "p", "not inferior"]).round(4)


def main() -> None:
    """Print both corpora's scores and tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("featmer-output/cache"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--corpus", nargs="+", choices=sorted(CORPORA), default=list(CORPORA))
    arguments = parser.parse_args()
    for name in arguments.corpus:
        parts, names = CORPORA[name](arguments.data, arguments.cache)
        print(f"\n{name}: {', '.join(f'{len(part[0])} {key}' for key, part in parts.items())}", flush=True)
        words = embed_words(parts["train"][1], arguments.cache)
        for table in run(parts, names, words, arguments.seeds):
            print(table.to_string(), flush=True)


if __name__ == "__main__":
    main()
