"""Compare every pre-training with none, by the same models on the same rows, with 1 %, 10 % and 100 % of the labels.

    python benchmarks/pretraining.py --data ../shared/data --corpora ravdess demo

Four folds by actor (RAVDESS: voice and action units) or dialogue (demo corpus: voice, face, text). In each fold the
pre-training sees the features of all training rows, without labels, but for supervised ones, which see what the models
see: a share of the labels, at least one a class. Prints unweighted average recall of all folds' answers together,
mean over seeds, beside the difference to no pre-training and that difference's standard deviation over seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.utils import get_tags

from featmer import (
    BoostedClassifier,
    FaceLandmarks,
    FeatureTable,
    FusionClassifier,
    OpenSmile,
    SentenceEmbedding,
    evaluate,
    extract,
)
from featmer.baselines import LinearClassifier
from featmer.corpora import load_ravdess, load_ravdess_au
from featmer.demo import make_corpus
from featmer.pretraining import PRETRAINING

SHARES = (0.01, 0.1, 1.0)
MODELS = {"linear": LinearClassifier(), "boosted": BoostedClassifier(), "concat": FusionClassifier("concat")}


def ravdess(data: Path, folder: Path) -> tuple[FeatureTable, str]:
    """Return voice and action units of RAVDESS, and the column that folds go by."""
    segments = load_ravdess(data / "RAVDESS")
    table, _ = extract(segments, OpenSmile(), cache=folder / "ravdess-cache", progress=False)
    face = load_ravdess_au(data / "RAVDESS", segments=segments)
    return FeatureTable(table.segments, {**table.blocks, "face": face}), "speaker"


def demo(data: Path, folder: Path) -> tuple[FeatureTable, str]:
    """Return voice, face and text of the demo corpus, and the column that folds go by."""
    segments = make_corpus(folder / "demo", random_state=0)
    extractors = [OpenSmile(), FaceLandmarks(), SentenceEmbedding()]
    table, _ = extract(segments, extractors, cache=folder / "demo-cache", progress=False)
    return table[table.segments["emotion"].notna().to_numpy()], "dialogue"


CORPORA = {"ravdess": ravdess, "demo": demo}


def draw(labels: np.ndarray, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return a share of the rows, class by class, at least one of each."""
    order = np.random.default_rng(seed).permutation(rows)
    chosen = [own[: max(1, round(share * len(own)))] for own in (order[labels[order] == c] for c in set(labels[rows]))]
    return np.sort(np.concatenate(chosen))


def embedded(table: FeatureTable, labels: np.ndarray, train: np.ndarray, seed: int) -> Iterator[tuple]:
    """Yield what each pre-training makes of a table: its name, rows that have labels, share of labels, table."""
    for share in SHARES:
        yield "none", draw(labels, train, share, seed), share, table
    for name, kind in PRETRAINING.items():
        supervised, fitted = get_tags(kind()).target_tags.required, None
        for share in SHARES:
            rows = draw(labels, train, share, seed)
            if supervised or fitted is None:
                seen = rows if supervised else train
                fitted = kind(random_state=seed).fit(table[seen], labels[seen]).transform(table)
            yield name, rows, share, fitted


def answers(table: FeatureTable, by: str, seed: int, models: dict[str, Any]) -> pd.DataFrame:
    """Return every model's answers for all folds."""
    labels, groups = table.segments["emotion"].to_numpy(object), table.segments[by].to_numpy(object)
    found = []
    for train, test in GroupKFold(4).split(groups, groups=groups):
        for name, rows, share, made in embedded(table, labels, train, seed):
            asked = evaluate(
                models,
                made,
                splitter=[(rows, [], test)],
                metrics=["uar"],
                seeds=[seed],
                n_bootstrap=0,
                return_predictions=True,
                progress=False,
            )[1]
            if name != "none":
                asked = asked[asked["model"] != "majority"]
            found.append(asked.assign(pretraining=name, share=share))
    return pd.concat(found, ignore_index=True)


def summary(answers: pd.DataFrame) -> pd.DataFrame:
    """Return recall and its difference to no pre-training, a row a model and pre-training."""
    keys = ["model", "pretraining", "seed"]
    each = answers.groupby([*keys, "share"]).apply(
        lambda own: balanced_accuracy_score(own["target"], own["prediction"])
    )
    recall = each.rename("uar").reset_index().pivot_table("uar", index=keys, columns="share")
    plain = recall.xs("none", level="pretraining").reindex(recall.index.droplevel("pretraining"))
    gain = recall - plain.to_numpy()
    parts = {"uar": recall, "gain": gain}
    means = {name: part.groupby(["model", "pretraining"]).mean() for name, part in parts.items()}
    deviation = gain.groupby(["model", "pretraining"]).std()
    return pd.concat({**means, "gain's deviation": deviation}, axis=1).round(3)


def main() -> None:
    """Print a table a corpus, again after every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, default=Path("featmer-output"), help="where media and caches are kept")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    arguments = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", None)
    models = {name: MODELS[name] for name in arguments.models}
    for corpus in arguments.corpora:
        table, by = CORPORA[corpus](arguments.data, arguments.folder)
        parts = []
        for seed in range(arguments.seeds):
            parts.append(answers(table, by, seed, models))
            print(f"\n{corpus}: {table.shape}, four folds by {by}, {seed + 1} seeds")
            print(summary(pd.concat(parts)), flush=True)


if __name__ == "__main__":
    main()
