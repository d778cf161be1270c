"""How far confidence can be trusted, as it comes and put right, on the official parts of MELD (text) and GoEmotions.

    python benchmarks/calibration.py --data ../shared/data
    python benchmarks/calibration.py --prepared embeddings --seeds 5       # of embeddings kept by an earlier run

Models are trained on the training part (early stopping and thresholds on training dialogues held out), calibrated on
the validation part and scored on the test part. Of MELD, where a row has one label: calibration error in bins of equal
width and of equal mass and of every class, Brier score, AUROC of right against wrong answers, area under the curve of
risk over coverage, with 95 % intervals by dialogue, and p of the calibration error against the model as it is (whole
dialogues resampled, Holm-corrected); what words said on the validation and on the test part were worth; how many
rows are answered, and how many of those rightly, at the coverage asked for. Of GoEmotions, where a row has several:
the mean over labels of their calibration errors, log loss and macro F1. The model "confidence" is that of
`SelectiveClassifier`, which learns from the validation part how likely an answer is right. Seeds are pooled. Errors of
resamples are biased upwards, so that small calibration errors may lie below their interval.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from featmer import BoostedClassifier, FeatureTable, FusionClassifier, SentenceEmbedding, extract
from featmer.baselines import LinearClassifier
from featmer.calibration import CONFIDENCE_WORDS, METHODS, CalibratedClassifier, SelectiveClassifier
from featmer.corpora import load_goemotions, load_meld
from featmer.evaluation.calibration import ece_per_label
from featmer.evaluation.confidence import confidence_report
from featmer.evaluation.metrics import find_metric, multilabel_f1_macro
from featmer.evaluation.outcomes import Outcomes
from featmer.evaluation.stats import cluster_bootstrap, holm, interval, paired_bootstrap

SCORES = ("ece", "ece_mass", "ece_classwise", "brier_top", "auroc", "aurc", "accuracy")
COVERAGES = (0.9, 0.7, 0.5, 0.3)
AS_IT_IS = "as it is"

Part = tuple[FeatureTable, Any]


def embed(name: str, options: argparse.Namespace) -> FeatureTable:
    """Return a corpus with the embeddings of its texts, as they were prepared or made now, and then prepared."""
    path = options.prepared and options.prepared / f"{name}.parquet"
    if path and path.exists():
        return FeatureTable.load(path)
    load, folder = {"meld": (load_meld, "MELD"), "goemotions": (load_goemotions, "GoEmotions")}[name]
    table, _ = extract(load(options.data / folder), [SentenceEmbedding()], cache=options.cache, progress=False)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        table.save(path)
    return table


def parts_of(table: FeatureTable, columns: Any) -> dict[str, Part]:
    """Return the official parts with their targets."""
    rows = {part: np.flatnonzero(table.segments["split"] == part) for part in ("train", "valid", "test")}
    return {part: (table[own], table.segments.loc[own, columns].reset_index(drop=True)) for part, own in rows.items()}


def fitted(models: dict[str, Any], train: Part, seeds: int) -> Iterator[tuple[str, int, Any]]:
    """Fit each model, once a seed unless it knows no chance."""
    for name, model in models.items():
        for seed in range(seeds if "random_state" in model.get_params() else 1):
            chance = {"random_state": seed} if "random_state" in model.get_params() else {}
            yield name, seed, FrozenEstimator(clone(model).set_params(**chance).fit(*train))


# one label a row


def answers(model: Any, test: Part, seed: int) -> pd.DataFrame:
    """Return predictions as the metrics want them."""
    probabilities = model.predict_proba(test[0])
    shares = pd.DataFrame(probabilities, columns=[f"p.{label}" for label in model.classes_])
    rows = test[0].segments[["dialogue", "turn"]].reset_index(drop=True)
    said = model.classes_[probabilities.argmax(axis=1)]
    return pd.concat([rows.assign(seed=seed, fold=0, target=test[1], prediction=said), shares], axis=1)


def one_label(options: argparse.Namespace) -> None:
    """Print what confidence in emotions of MELD is worth."""
    parts = parts_of(embed("meld", options), "emotion")
    network = {"epochs": 30, "patience": 4, "batch_size": 256, "device": options.device}
    models = {
        "linear": LinearClassifier(C=0.01),
        "boosted": BoostedClassifier(),
        "concat": FusionClassifier("concat", **network),
        "recurrent": FusionClassifier("recurrent", **network),
    }
    said: dict[tuple[str, str], list[pd.DataFrame]] = {}
    selected: dict[str, list[SelectiveClassifier]] = {}
    for name, seed, frozen in fitted(models, parts["train"], options.seeds):
        ways = {AS_IT_IS: frozen}
        for method in METHODS:
            ways[method] = CalibratedClassifier(frozen, method).fit(*parts["train"], validation=parts["valid"])
        for way, model in ways.items():
            said.setdefault((name, way), []).append(answers(model, parts["test"], seed))
        selective = SelectiveClassifier(frozen).fit(*parts["train"], validation=parts["valid"])
        selected.setdefault(name, []).append(selective)
    predictions = {key: pd.concat(frames, ignore_index=True) for key, frames in said.items()}
    print(f"\nMELD: {', '.join(f'{len(part[1])} {name}' for name, part in parts.items())}")
    print(score_labels(predictions).to_string())
    print("\nconfidence heads", score_heads(selected, parts["test"]).to_string(), sep="\n")
    print("\nwords: promised, and shares of right answers", score_words(selected, parts["test"]).to_string(), sep="\n")
    print("\nabstention", score_coverage(selected, parts["test"]).to_string(), sep="\n", flush=True)


def score_labels(predictions: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Return every score with its interval, and p of the calibration error against the model as it is."""
    table = pd.DataFrame(index=pd.MultiIndex.from_tuples(predictions, names=["model", "probabilities"]))
    for metric in SCORES:
        table[metric] = [with_interval(metric, rows) for rows in predictions.values()]
    compared = [key for key in predictions if key[1] != AS_IT_IS]
    found = [paired_bootstrap("ece", predictions[key], predictions[key[0], AS_IT_IS]).pvalue for key in compared]
    table["p ece"] = pd.Series(dict(zip(compared, holm(found).round(4), strict=True)))
    return table


def with_interval(metric: str, rows: pd.DataFrame) -> str:
    """Return the mean over seeds and its interval."""
    mean = np.mean([find_metric(metric).score(Outcomes.of_frame(run)) for _, run in rows.groupby("seed")])
    return show(mean, *interval(cluster_bootstrap(metric, rows, n_resamples=500)))


def show(value: float, low: float, high: float) -> str:
    """Return a score with its interval in words."""
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def score_heads(selected: dict[str, list[SelectiveClassifier]], test: Part) -> pd.DataFrame:
    """Return how good the confidence of the heads is."""
    table = {}
    for name, models in selected.items():
        right, sure = (np.concatenate(each) for each in zip(*(outcomes(model, test) for model in models), strict=True))
        dialogues = np.tile(test[0].segments["dialogue"], len(models))
        both = [
            confidence_report(right, sure, groups=dialogues, strategy=strategy, n_resamples=500)
            for strategy in ("width", "mass")
        ]
        table[name] = {score: show(*both[0].loc[score]) for score in both[0].index}
        table[name]["ece_mass"] = show(*both[1].loc["ece"])
    return pd.DataFrame(table).T


def outcomes(model: SelectiveClassifier, test: Part) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which answers are right, and the confidence in them."""
    right = model.estimator_.predict(test[0]) == test[1].to_numpy()
    return right, model.predict_confidence(test[0])


def score_words(selected: dict[str, list[SelectiveClassifier]], test: Part) -> pd.DataFrame:
    """Return what each word was worth on the validation part, which chose it, and on the test part; seeds pooled."""
    rows = []
    for name, models in selected.items():
        report = pd.concat([model.word_report() for model in models])
        words = np.concatenate([model.confidence_in_words(test[0]) for model in models])
        right = np.concatenate([outcomes(model, test)[0] for model in models])
        for word, promised in CONFIDENCE_WORDS.items():
            seen, own = report[report.index == word], right[words == word]
            if len(seen):
                valid = np.average(seen["accuracy"], weights=seen["n_rows"])
                rows.append((name, word, promised, valid, own.mean() if len(own) else np.nan, len(own) / len(words)))
    columns = ["model", "word", "promised", "valid", "test", "share of test rows"]
    return pd.DataFrame(rows, columns=columns).set_index(["model", "word"]).round(3)


def score_coverage(selected: dict[str, list[SelectiveClassifier]], test: Part) -> pd.DataFrame:
    """Return how many rows are answered, and the share of right answers, at every coverage asked for."""
    table = {}
    for name, models in selected.items():
        for coverage in (1.0, *COVERAGES):
            given = [model.set_params(coverage=coverage).predict(test[0]) for model in models]
            kept = np.concatenate([each != model.rejected for each, model in zip(given, models, strict=True)])
            right = np.concatenate([each == test[1].to_numpy() for each in given])
            table[name, f"{coverage:g}"] = {"answered": kept.mean(), "right of these": right[kept].mean()}
    return pd.DataFrame(table).T.rename_axis(["model", "coverage asked for"]).round(3)


# several labels a row


def several_labels(options: argparse.Namespace) -> None:
    """Print what the probabilities of the emotions of GoEmotions are worth."""
    table = embed("goemotions", options)
    labels = [name for name in table.segments if name.startswith("labels.")]
    parts = parts_of(table, labels)
    network = {"epochs": 20, "patience": 3, "batch_size": 512, "lr": 2e-3, "device": options.device}
    models = {
        "bce": FusionClassifier("concat", **network),
        "asymmetric": FusionClassifier("concat", objective="asymmetric", **network),
    }
    rows = []
    y = parts["test"][1].to_numpy(int)
    for name, seed, frozen in fitted(models, parts["train"], options.seeds):
        ways: dict[str, Any] = {AS_IT_IS: frozen}
        for method in METHODS:
            ways[method] = CalibratedClassifier(frozen, method).fit(*parts["train"], validation=parts["valid"])
        for way, model in ways.items():
            p = np.clip(model.predict_proba(parts["test"][0]), 1e-6, 1 - 1e-6)
            errors = [ece_per_label(y, p, labels, n_bins=15, strategy=each).mean() for each in ("width", "mass")]
            loss = -np.where(y, np.log(p), np.log1p(-p)).mean()
            f1 = multilabel_f1_macro(y, model.predict(parts["test"][0]))
            rows.append((name, way, seed, *errors, loss, f1))
    columns = ["model", "probabilities", "seed", "ece, width", "ece, mass", "log loss", "macro F1"]
    groups = pd.DataFrame(rows, columns=columns).drop(columns="seed").groupby(columns[:2], sort=False)
    means, deviations = groups.mean().round(4).astype(str), groups.std().fillna(0).round(4).astype(str)
    print(f"\nGoEmotions: {', '.join(f'{len(part[1])} {name}' for name, part in parts.items())}")
    print((means + " ± " + deviations).to_string(), flush=True)


def main() -> None:
    """Print the tables of both corpora."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", nargs="+", choices=["meld", "goemotions"], default=["meld", "goemotions"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("featmer-output/cache"))
    parser.add_argument("--prepared", type=Path, help="folder to take embeddings from, and to keep them in")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--device", help="where networks are trained, such as cuda")
    options = parser.parse_args()
    for corpus in options.corpus:
        {"meld": one_label, "goemotions": several_labels}[corpus](options)


if __name__ == "__main__":
    main()
