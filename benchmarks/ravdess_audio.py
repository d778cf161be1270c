"""Compare extract() with opensmile called directly on RAVDESS, and how well each feature set tells emotions.

    python benchmarks/ravdess_audio.py --data ../shared/data

Prints, for each set, the largest difference of any value from opensmile's own on the same 960 files, and unweighted
average recall over four folds by actor: once with some training actors held out for early stopping (as
``experiments/run.py experiment=ravdess`` does), once with all of them to train on (scikit-learn's GroupKFold, where
the boosted model itself holds out some of their clips). Intervals of 95 % draw actors first, clips second.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import opensmile
import pandas as pd
import soundfile
from sklearn.model_selection import GroupKFold

from featmer import BoostedClassifier, FeatureTable, OpenSmile, evaluate, extract
from featmer.baselines import LinearClassifier
from featmer.corpora import load_ravdess
from featmer.evaluation.splits import BySpeaker

SETS = ("eGeMAPSv02", "ComParE_2016", "emobase")
MODELS = {"linear": LinearClassifier(), "boosted": BoostedClassifier()}


def largest_difference(values: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest absolute difference; infinite where one of the two is missing."""
    same = (values == expected) | (np.isnan(values) & np.isnan(expected))
    differences = np.where(same, 0.0, np.abs(values - expected))
    return float(np.nan_to_num(differences, nan=np.inf).max())


def compare(table: FeatureTable, feature_set: str) -> dict[str, float]:
    """Compare a table with what opensmile makes of each file itself, and of the samples that soundfile reads."""
    smile = opensmile.Smile(opensmile.FeatureSet[feature_set])
    paths = [Path(table.segments.attrs["root"]) / name for name in table.segments["audio"]]
    of_files = np.concatenate([smile.process_file(path).to_numpy() for path in paths])
    of_samples = np.concatenate([smile.process_signal(*soundfile.read(path)).to_numpy() for path in paths])
    values = table.blocks["audio"].values
    return {
        "from process_file": largest_difference(values, of_files),
        "from process_signal": largest_difference(values, of_samples),
    }


def recalls(table: FeatureTable, seeds: int) -> pd.DataFrame:
    """Return unweighted average recall of each model, over all folds and seeds, with its interval."""
    groups = table.segments["speaker"].to_numpy()
    everyone = [(train, [], test) for train, test in GroupKFold(4).split(groups, groups=groups)]
    folds = {"actors held out": BySpeaker(n_splits=4), "all training actors": everyone}
    rows = []
    for protocol, splitter in folds.items():
        results = evaluate(MODELS, table, splitter=splitter, metrics=["uar"], seeds=range(seeds), progress=False)
        test = results[(results["part"] == "test") & results["fold"].isna()]
        costs = results[results["fold"].notna()].groupby("model")["fit_seconds"].mean()
        scores = test.groupby("model")[["value", "low", "high"]].mean()
        rows.append(scores.assign(protocol=protocol, fit_seconds=costs))
    return pd.concat(rows).reset_index().set_index(["protocol", "model"]).round(3)


def main() -> None:
    """Print differences, times and recalls."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, default=Path("featmer-output"), help="where tables are kept")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--clips", type=int, help="use the first clips only")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    segments = load_ravdess(arguments.data / "RAVDESS").head(arguments.clips or 10**6)
    for feature_set in arguments.sets:
        start = time.perf_counter()
        table, failures = extract(
            segments, OpenSmile(feature_set), cache=arguments.folder / "ravdess-cache", progress=False
        )
        seconds = time.perf_counter() - start
        print(f"\n{feature_set}: {table.shape}, {len(failures)} failures, {seconds:.0f} s (0 s from the cache)")
        for reading, difference in compare(table, feature_set).items():
            print(f"largest difference {reading}: {difference:g}")
        print(recalls(table, arguments.seeds), flush=True)


if __name__ == "__main__":
    main()
