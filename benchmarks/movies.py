"""Compare step-wise fully connected layers with a windowed LSTM on films, each film held out once.

    python benchmarks/movies.py --seeds 2 --cache featmer-output/movies

The films are made up: what viewers feel moves slowly, and seven grades of it are to be told from three modalities of
which audio shows it best, flow less and rgb least. Every film has its own offset in every feature. Scores of all
held-out films together, mean over seeds: as they are, and after each film, the held-out one too, was scaled to its own
range ("transductive"), which is what the paper did. Which of the two heads wins is a finding about these films and no
more. With a cache, runs that are done are read from there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import LeaveOneGroupOut

from featmer import Block, FeatureTable, FusionClassifier, evaluate
from featmer.baselines import LinearClassifier
from featmer.nn import Head, Stepwise, Transformer, WindowedLSTM
from featmer.transductive import scale_transductively

NOISE = {"rgb": 6.0, "flow": 3.0, "audio": 1.0}
N_GRADES, MEMORY = 7, 0.97


def make_movies(
    seed: int, n_movies: int = 6, n_steps: int = 200, *, width: int = 16, offset: float = 3.0
) -> FeatureTable:
    """Return films as dialogues whose turns are steps, with the column ``arousal`` of grades 1 to 7.

    Behind the grades is a value that keeps .97 of itself from step to step, of mean 0 and deviation 1 in every film. A
    feature answers to it by a soft threshold of its own, plus the noise of its modality, plus the offset of its film.
    """
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((n_steps, n_movies)) * (1 - MEMORY**2) ** 0.5
    felt = np.empty((n_steps, n_movies))
    felt[0] = rng.standard_normal(n_movies)
    for step in range(1, n_steps):
        felt[step] = MEMORY * felt[step - 1] + shocks[step]
    felt = ((felt - felt.mean(0)) / felt.std(0)).T.ravel()
    movie = np.repeat(np.arange(n_movies), n_steps)
    shown = np.tanh(2 * (felt[:, None] - np.linspace(-1.5, 1.5, width)))
    blocks = {}
    for modality, noise in NOISE.items():
        offsets = offset * rng.standard_normal((n_movies, width))
        values = shown + noise * rng.standard_normal(shown.shape) + offsets[movie]
        blocks[modality] = Block(values, [f"{modality}.{i}" for i in range(width)])
    grades = pd.qcut(felt, N_GRADES, labels=False) + 1
    segments = pd.DataFrame({"dialogue": movie, "turn": np.tile(np.arange(n_steps), n_movies), "arousal": grades})
    return FeatureTable(segments, blocks)


def make_models(epochs: int) -> dict[str, FusionClassifier | LinearClassifier]:
    """Return what is compared; evaluate() adds the majority."""

    def fusion(head: Head, modalities: list[str] | None = None) -> FusionClassifier:
        return FusionClassifier(head, modalities=modalities, lr=3e-3, epochs=epochs, patience=15)

    return {
        "linear": LinearClassifier(),
        **{f"stepwise, {modality}": fusion(Stepwise(), [modality]) for modality in NOISE},
        "stepwise": fusion(Stepwise()),
        "stepwise, non-linear": fusion(Stepwise(nonlinear=True)),
        "windowed": fusion(WindowedLSTM()),
        "attend_affect": fusion(Transformer(hidden=8, layers=6, heads=8, context="none")),
    }


def scores(table: FeatureTable, models: dict, seed: int, cache: Path | None = None) -> pd.DataFrame:
    """Return accuracy, accuracy within one grade and seconds of a fit, a row a model."""
    metrics = ["accuracy", "accuracy_within:1"]
    results = evaluate(
        models,
        table,
        target="arousal",
        splitter=LeaveOneGroupOut(),
        metrics=metrics,
        seeds=[seed],
        n_bootstrap=0,
        cache=cache,
        progress=False,
    )
    failed = results[results["error"] != ""]
    assert failed.empty, failed[["model", "error"]]
    test = results[(results["part"] == "test") & results["fold"].isna()]
    seconds = results[results["fold"].notna()].groupby("model")["fit_seconds"].mean()
    return test.pivot_table("value", "model", "metric")[metrics].assign(fit_seconds=seconds)


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--movies", type=int, default=6)
    parser.add_argument("--steps", type=int, default=200, help="steps of a film")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    models = make_models(arguments.epochs)
    found = []
    for seed in range(arguments.seeds):
        table = make_movies(seed, arguments.movies, arguments.steps)
        for scaling, films in {"training films": table, "transductive": scale_transductively(table)}.items():
            found.append(scores(films, models, seed, arguments.cache).assign(scaling=scaling, seed=seed).reset_index())
    every = pd.concat(found, ignore_index=True)
    print("mean over seeds:", every.drop(columns="seed").groupby(["scaling", "model"]).mean().round(3), sep="\n")
    print("accuracy by seed:", every.pivot_table("accuracy", ["scaling", "model"], "seed").round(3), sep="\n")


if __name__ == "__main__":
    main()
