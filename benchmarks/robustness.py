"""Show what is left of the scores of every head and of boosted trees with modalities missing, MELD_feats and RAVDESS.

    python benchmarks/robustness.py --data ../shared/data
    python benchmarks/robustness.py --data ../shared/data --corpora meld_feats --heads concat transformer --seeds 1

Each is trained on rows as they are and with features missing: heads by self-distillation, boosted trees on two copies.
At test every modality of every row goes by itself with a chance of 0 to 1; prints the first metric at the rates and the
area under the curve, and what training for it adds to the area, over seeds; with ``--page`` also writes the page with
the curves. Finished runs are kept: ask again for more heads.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from featmer import BoostedClassifier, FeatureTable, FusionClassifier, OpenSmile, evaluate, extract
from featmer.baselines import AugmentedClassifier
from featmer.corpora import load_meld_feats, load_meld_feats_features, load_ravdess, load_ravdess_au
from featmer.evaluation import BySpeaker
from featmer.evaluation.splits import make_splits
from featmer.missing import Missing
from featmer.nn import HEADS, SelfDistilled
from featmer.report import write_page
from featmer.report.variants import areas_of, curves_of

BOOSTED = "boosted"
CONDITION = "modalities missing"


def meld_feats(data: Path, cache: Path) -> tuple[FeatureTable, dict[str, Any]]:
    """Return the table and how it is evaluated."""
    root = data / "MELD_feats"
    segments = load_meld_feats(root)
    arrays = {"text": "text_roberta_base", "audio": "audio_wav2vec2"}
    blocks = {name: load_meld_feats_features(root, segments, array) for name, array in arrays.items()}
    return FeatureTable(segments, blocks), {"splitter": "by_dialogue", "metrics": ["f1_weighted", "uar"]}


def ravdess(data: Path, cache: Path) -> tuple[FeatureTable, dict[str, Any]]:
    """Return the table and how it is evaluated."""
    root = data / "RAVDESS"
    segments = load_ravdess(root)
    table, _ = extract(segments, [OpenSmile()], cache=cache / "cache", progress=False)
    blocks = {**table.blocks, "face": load_ravdess_au(root, segments)}
    return FeatureTable(table.segments, blocks), {"splitter": BySpeaker(n_splits=4), "metrics": ["uar", "f1_macro"]}


CORPORA = {"meld_feats": meld_feats, "ravdess": ravdess}


def models_of(names: list[str], epochs: int) -> dict[str, Any]:
    """Return every model twice, trained on whole rows and with features missing."""
    models: dict[str, Any] = {}
    for name in names:
        if name == BOOSTED:
            boosted = BoostedClassifier(n_jobs=1)
            models |= {name: boosted, f"{name}, augmented": AugmentedClassifier(boosted, copies=2)}
        else:
            for label, head in {name: HEADS[name](), f"{name}, distilled": SelfDistilled(name, how="rmm")}.items():
                models[label] = FusionClassifier(head, epochs=epochs)
    return models


def main() -> None:
    """Print a table a corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("featmer-output/robustness"), help="cache and pages")
    parser.add_argument("--corpora", nargs="+", default=[*CORPORA], choices=CORPORA)
    names = [*HEADS, BOOSTED]
    parser.add_argument("--heads", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rates", nargs="+", type=float, default=[number / 10 for number in range(11)])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--folds", type=int, help="only so many folds")
    parser.add_argument("--n-jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    for corpus in arguments.corpora:
        table, protocol = CORPORA[corpus](arguments.data, arguments.output)
        if arguments.folds:
            protocol["splitter"] = first_folds(protocol["splitter"], table, arguments.folds)
        results, predictions = evaluate(
            models_of(arguments.heads, arguments.epochs),
            table,
            **protocol,
            conditions={CONDITION: Missing().at(arguments.rates)},
            seeds=range(arguments.seeds),
            n_jobs=arguments.n_jobs,
            n_bootstrap=0,
            cache=arguments.output / "runs",
            return_predictions=True,
        )
        curves = curves_of(results, protocol["metrics"][0])
        shown = curves.pivot_table(index="model", columns="rate", values="value", sort=False)
        shown["area"] = areas_of(curves)[CONDITION]
        print(f"{corpus}: {protocol['metrics'][0]} of test rows by share of modalities missing")
        print(shown.round(3).to_string())
        print(summary(results, protocol["metrics"][0], arguments.heads).round(3).to_string(), flush=True)
        if arguments.page:
            print(write_page(results, predictions, arguments.output / corpus, title=f"{corpus}, robustness"))


def summary(results: pd.DataFrame, metric: str, names: list[str]) -> pd.DataFrame:
    """Return clean score and areas of every model, plain and trained for what goes missing, as means over seeds."""
    by_seed = [curves_of(own, metric) for _, own in results.groupby("seed")]
    areas = pd.DataFrame([areas_of(curves)[CONDITION] for curves in by_seed])
    clean = pd.DataFrame([curves[curves["rate"] == 0].set_index("model")["value"] for curves in by_seed]).mean()
    rows = {}
    for name in names:
        trained = next(model for model in areas if model.startswith(f"{name}, "))
        gains = areas[trained] - areas[name]
        rows[name] = [clean[name], clean[trained], areas[name].mean(), areas[trained].mean(), gains.mean(), gains.std()]
    columns = ["clean", "clean, trained for it", "area", "area, trained for it", "gain", "deviation"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).sort_values("area, trained for it", ascending=False)


def first_folds(splitter: Any, table: FeatureTable, count: int) -> list[tuple[Any, ...]]:
    """Return the row numbers of the first folds."""
    labels = pd.Series(table.segments["emotion"])
    return [tuple(split) for split in make_splits(splitter, table.segments, labels)[:count]]


if __name__ == "__main__":
    main()
