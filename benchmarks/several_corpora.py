"""Three corpora with three kinds of labels: one model of all, with and without teachers, against a model each.

    python benchmarks/several_corpora.py --data ../shared/data          # five seeds; about 70 s of a core each

MELD (an emotion a row; the first 500 of 1,038 training dialogues), GoEmotions (any of 28 labels; the first 6,000, 1,000
and 2,000 comments of its parts) and EmoBank (valence, arousal, dominance), official parts, text alone, all from the
same MiniLM embedding. "three" is the same network fitted to each corpus alone; "one" to all three at once, where the
loss of the 28 labels is their sum, as that of an emotion is over its classes ("labels averaged": their mean), and each
corpus keeps its best epoch ("shared epoch": the one best for all). "taught" follows the three too (weight .5; numbers
by squares, labels by the divergence of each). Prints test scores, means over seeds with their deviation, and paired
bootstraps over dialogues, all seeds together.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from featmer import FeatureTable, MultitaskFusion, SentenceEmbedding, extract
from featmer.corpora import load_emobank, load_goemotions, load_meld
from featmer.evaluation.metrics import find_metric
from featmer.evaluation.outcomes import Outcomes
from featmer.evaluation.stats import paired_bootstrap
from featmer.nn import Concat

PARTS = ("train", "valid", "test")
NETWORK = {"head": Concat(hidden=128), "lr": 2e-3, "batch_size": 256, "epochs": 25, "patience": 4}
TASKS = {"meld": "emotion", "goemotions": "labels", "emobank": "affect"}
METRICS = {
    "emotion": ("f1_weighted", "f1_macro"),
    "labels": ("multilabel_f1_macro", "mean_average_precision"),
    "affect": ("ccc", "pearson"),
}
DIMENSIONS = ["valence", "arousal", "dominance"]

Part = tuple[FeatureTable, pd.DataFrame]


def corpora(data: Path, cache: Path) -> dict[str, Part]:
    """Return train, valid and test rows of all corpora, one below another, and their targets with gaps."""
    meld, goemotions, emobank = (
        load_meld(data / "MELD"), load_goemotions(data / "GoEmotions"), load_emobank(data / "EmoBank")
    )  # fmt: skip
    dialogues = meld.loc[meld["split"] == "train", "dialogue"].unique()[:500]
    meld = meld[(meld["split"] != "train") | meld["dialogue"].isin(dialogues)]
    sizes = dict(zip(PARTS, (6000, 1000, 2000), strict=True))
    goemotions = pd.concat([goemotions[goemotions["split"] == part].head(sizes[part]) for part in PARTS])
    emobank = emobank.rename(columns={name: f"affect.{name}" for name in DIMENSIONS})
    tables = []
    for name, segments in zip(TASKS, (meld, goemotions, emobank), strict=True):
        table, _ = extract(segments.drop(columns="sentiment", errors="ignore"), SentenceEmbedding(), cache=cache)
        tables.append(FeatureTable(table.segments.assign(corpus=name), table.blocks))
    whole = FeatureTable.concat(tables)
    columns = [name for name in whole.segments if name.split(".")[0] in TASKS.values()]
    parts = {}
    for part in PARTS:
        rows = np.flatnonzero(whole.segments["split"] == part)
        parts[part] = (whole[rows], whole.segments.loc[rows, columns].reset_index(drop=True))
    return parts


def of_corpus(part: Part, corpus: str) -> Part:
    """Return the rows of a corpus with its target."""
    table, y = part
    rows = np.flatnonzero(table.segments["corpus"] == corpus)
    columns = [name for name in y if name.split(".")[0] == TASKS[corpus]]
    return table[rows], y.loc[rows, columns].reset_index(drop=True)


def systems(parts: dict[str, Part], seed: int) -> dict[str, dict[str, Any]]:
    """Fit all; return for each the model to ask about a corpus."""
    alone = {}
    for corpus in TASKS:
        train, valid = (of_corpus(parts[part], corpus) for part in ("train", "valid"))
        alone[corpus] = MultitaskFusion(random_state=seed, **NETWORK).fit(*train, validation=valid)
    teachers = {task: answers(alone[corpus], parts["train"][0], task) for corpus, task in TASKS.items()}
    summed = {"weights": {"labels": 28.0}}
    own = {"best_epoch": "by_task", **summed}
    ways: dict[str, tuple[dict[str, Any], Any]] = {
        "one, labels averaged": ({"best_epoch": "by_task"}, None),
        "one, shared epoch": (summed, None),
        "one": (own, None),
        "taught": (own, teachers),
    }
    models = {"three": alone}
    for name, (parameters, said) in ways.items():
        model = MultitaskFusion(random_state=seed, **NETWORK, **parameters)
        model.fit(*parts["train"], validation=parts["valid"], teachers=said)
        models[name] = dict.fromkeys(TASKS, model)
    return models


def answers(model: MultitaskFusion, X: FeatureTable, task: str) -> Any:
    """Return what a teacher says about its own corpus; it is silent about the others."""
    own = np.flatnonzero(X.segments["corpus"] == next(corpus for corpus in TASKS if TASKS[corpus] == task))
    said = model.predict(X[own]).to_numpy() if task == "affect" else model.predict_proba(X[own])[task]
    spread = np.full((len(X), said.shape[1]), np.nan)
    spread[own] = said
    return spread


def predictions(model: MultitaskFusion, part: Part, task: str, seed: int) -> pd.DataFrame:
    """Return predictions as tests and metrics want them; of numbers a run each, as means over runs are tested."""
    X, y = part
    rows = X.segments[["dialogue", "turn"]].reset_index(drop=True).assign(seed=seed)
    said = model.predict(X)
    if task == "emotion":
        return rows.assign(target=y[task], prediction=said[task])
    if task == "affect":
        each = [rows.assign(seed=f"{name} {seed}", target=y[name], prediction=said[name]) for name in y]
        return pd.concat(each, ignore_index=True)
    labels = model.classes_[task]
    given = {
        "t.": y.to_numpy(),
        "p.": model.predict_proba(X)[task],
        "d.": said[[f"labels.{label}" for label in labels]].to_numpy(),
    }
    frames = [pd.DataFrame(values, columns=[prefix + name for name in labels]) for prefix, values in given.items()]
    return pd.concat([rows, *frames], axis=1)


def main() -> None:
    """Print scores and tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("featmer-output/cache"))
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    arguments = parser.parse_args()
    parts = corpora(arguments.data, arguments.cache)
    for name, (table, _) in parts.items():
        print(name, table.segments["corpus"].value_counts().to_dict(), flush=True)
    frames: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for seed in arguments.seeds:
        for name, models in systems(parts, seed).items():
            for corpus, task in TASKS.items():
                said = predictions(models[corpus], of_corpus(parts["test"], corpus), task, seed)
                frames.setdefault((name, task), []).append(said)
        print(f"seed {seed} done", flush=True)
    print(table_of(frames).to_string(), flush=True)
    print(tests_of(frames).to_string())


def table_of(frames: dict[tuple[str, str], list[pd.DataFrame]]) -> pd.DataFrame:
    """Return means over seeds with their deviation."""
    rows = {}
    for (name, task), of_seeds in frames.items():
        for metric in METRICS[task]:
            scores = [score(metric, said) for said in of_seeds]
            rows.setdefault(name, {})[f"{task}: {metric}"] = f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}"
    return pd.DataFrame(rows).T


def score(metric: str, said: pd.DataFrame) -> float:
    """Return the mean score over runs."""
    found = find_metric(metric)
    return float(np.mean([found.score(Outcomes.of_frame(own)) for _, own in said.groupby("seed")]))


def tests_of(frames: dict[tuple[str, str], list[pd.DataFrame]]) -> pd.DataFrame:
    """Return paired bootstraps of the first metric of each corpus."""
    rows = []
    for task, (metric, _) in METRICS.items():
        for first, second in (("one", "three"), ("taught", "three"), ("taught", "one"), ("one", "one, shared epoch")):
            pair = [pd.concat(frames[name, task], ignore_index=True) for name in (first, second)]
            result = paired_bootstrap(metric, *pair, n_resamples=1000)
            rows.append((metric, f"{first} - {second}", result.difference, result.low, result.high, result.pvalue))
    return pd.DataFrame(rows, columns=["metric", "models", "difference", "low", "high", "p"]).round(4)


if __name__ == "__main__":
    main()
