"""Compare every pre-training with none, by the same models on the same rows, with 1 %, 10 % and 100 % of the labels.

    python benchmarks/pretraining.py --data ../shared/data --corpora ravdess demo
    python benchmarks/pretraining.py --corpora demo --pretrainings triplet unified --models linear --seeds 0

Four folds by actor (RAVDESS: voice and action units) or dialogue (demo corpus: voice, face, text). In each fold the
pre-training sees the features of all training rows, without labels, but for supervised ones, which see what the models
see: a share of the labels, at least one a class. The "described" ones learn from words about voice and face as well,
whose levels the training rows set. Embeddings and runs are kept in the folder: a comparison may be stopped, or made
piece by piece, and printed whole in the end; after a change of the source, name another folder. Prints unweighted
average recall of all folds' answers together, mean over seeds, beside the difference to no pre-training and that
difference's standard deviation over seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
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
from featmer.descriptions import Describer
from featmer.evaluation.identity import content_of, digest
from featmer.pretraining import PRETRAINING, Pretraining, ScenePerson, UnifiedMasked, with_texts

SHARES = (0.01, 0.1, 1.0)
MODELS = {
    "linear": LinearClassifier(),
    "boosted": BoostedClassifier(),
    "concat": FusionClassifier("concat", validation_share=0),  # of a row a class, none can be spared
}
WORDS = "description"
KINDS: dict[str, Pretraining] = {
    **{name: kind() for name, kind in PRETRAINING.items()},
    "unified, described": UnifiedMasked(captions=WORDS),
    "scene_person, described": ScenePerson(teacher=WORDS, texts=WORDS),
}


def ravdess(data: Path, folder: Path) -> tuple[FeatureTable, str, Describer]:
    """Return voice and action units of RAVDESS, the column that folds go by, and what puts a row in words."""
    segments = load_ravdess(data / "RAVDESS")
    table, _ = extract(segments, OpenSmile(), cache=folder / "ravdess-cache", progress=False)
    face = load_ravdess_au(data / "RAVDESS", segments=segments)
    describer = Describer(transcript=False, au_scale=5.0)  # OpenFace's intensities
    return FeatureTable(table.segments, {**table.blocks, "face": face}), "speaker", describer


def demo(data: Path, folder: Path) -> tuple[FeatureTable, str, Describer]:
    """Return voice, face and text of the demo corpus, the column that folds go by, and what puts a row in words."""
    segments = make_corpus(folder / "demo", random_state=0)
    extractors = [OpenSmile(), FaceLandmarks(), SentenceEmbedding()]
    table, _ = extract(segments, extractors, cache=folder / "demo-cache", progress=False)
    return table[table.segments["emotion"].notna().to_numpy()], "dialogue", Describer(transcript=False)


CORPORA = {"ravdess": ravdess, "demo": demo}


def draw(labels: np.ndarray, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return a share of the rows, class by class, at least one of each."""
    order = np.random.default_rng(seed).permutation(rows)
    chosen = [own[: max(1, round(share * len(own)))] for own in (order[labels[order] == c] for c in set(labels[rows]))]
    return np.sort(np.concatenate(chosen))


def kept(folder: Path, identity: list[Any], make: Callable[[], FeatureTable]) -> FeatureTable:
    """Return a table that was made before, or make and keep it."""
    path = folder / f"{digest(identity)}.parquet"
    if not path.exists():
        make().save(path)
    return FeatureTable.load(path)


def described(table: FeatureTable, describer: Describer, train: np.ndarray, folder: Path) -> FeatureTable:
    """Return the table with a block of the embeddings of what is said of each row."""

    def make() -> FeatureTable:
        return with_texts(table, clone(describer).fit(table[train]).transform(table), WORDS)

    return kept(folder, [table.digest(), describer, train.tolist()], make)


def embedded(table: FeatureTable, kind: Pretraining, rows: np.ndarray, folder: Path) -> FeatureTable:
    """Return what a pre-training on some rows makes of all; only one that is supervised sees labels of the rows."""
    supervised = get_tags(kind).target_tags.required
    labels = table.segments["emotion"].to_numpy(object)[rows] if supervised else None
    identity = [table.digest(), content_of(table.segments), kind, rows.tolist()]
    return kept(folder, identity, lambda: clone(kind).fit(table[rows], labels).transform(table))


def seen(
    table: FeatureTable, describer: Describer, kind: Pretraining | None, train: np.ndarray, seed: int, folder: Path
) -> Iterator[tuple[FeatureTable, dict[float, np.ndarray]]]:
    """Yield what models are to see: a table, and the rows that have labels by their share."""
    labels = table.segments["emotion"].to_numpy(object)
    drawn = {share: draw(labels, train, share, seed) for share in SHARES}
    if kind is None:
        yield table, drawn
        return
    kind = clone(kind).set_params(random_state=seed)
    if get_tags(kind).target_tags.required:
        for share, rows in drawn.items():
            yield embedded(table, kind, rows, folder), {share: rows}
        return
    whole = described(table, describer, train, folder) if WORDS in kind.get_params().values() else table
    yield embedded(whole, kind, train, folder), drawn


def answers(
    corpus: tuple[FeatureTable, str, Describer],
    kinds: Mapping[str, Pretraining | None],
    models: Mapping[str, Any],
    seed: int,
    folder: Path,
) -> pd.DataFrame:
    """Return every model's answers after every pre-training, for all folds."""
    table, by, describer = corpus
    groups = table.segments[by].to_numpy(object)
    found = []
    for fold, (train, test) in enumerate(GroupKFold(4).split(groups, groups=groups)):
        for name, kind in kinds.items():
            for made, drawn in seen(table, describer, kind, train, seed, folder / "tables"):
                asked = evaluate(
                    dict(models),
                    made,
                    splitter=[(rows, [], test) for rows in drawn.values()],
                    metrics=["uar"],
                    seeds=[seed],
                    n_bootstrap=0,
                    cache=folder / "runs",
                    return_predictions=True,
                    progress=False,
                )[1]
                asked["share"] = asked["fold"].map(dict(enumerate(drawn)))
                asked = asked[(asked["model"] != "majority") | (name == "none")]
                found.append(asked.assign(pretraining=name, fold=fold))
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
    parser.add_argument(
        "--folder", type=Path, default=Path("featmer-output/pretraining"), help="keeps all that is made"
    )
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=list(CORPORA))
    parser.add_argument("--pretrainings", nargs="+", choices=KINDS, default=list(KINDS), help="beside none")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", None)
    models = {name: MODELS[name] for name in arguments.models}
    kinds = {"none": None, **{name: KINDS[name] for name in arguments.pretrainings}}
    for name in arguments.corpora:
        corpus = CORPORA[name](arguments.data, arguments.folder)
        parts = []
        for done, seed in enumerate(arguments.seeds, start=1):
            parts.append(answers(corpus, kinds, models, seed, arguments.folder / name))
            print(f"\n{name}: {corpus[0].shape}, four folds by {corpus[1]}, {done} seeds")
            print(summary(pd.concat(parts)), flush=True)


if __name__ == "__main__":
    main()
