"""How fast the bootstrap is, how often each test calls equal models different, how often intervals hold the truth.

    python benchmarks/stats.py                # all three, a minute or two on a core
    python benchmarks/stats.py rates --n 1000

The time is compared with a loop over scikit-learn's f1_score in the same run. Rates are shares of simulated comparisons
of two (or four) equally good models with p below .05; for tests of several pairs, of comparisons with any such pair.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from featmer.evaluation.metrics import f1_weighted
from featmer.evaluation.stats import (
    approximate_randomisation,
    cluster_bootstrap,
    corrected_t_test,
    count_discordant,
    five_by_two_cv_test,
    friedman,
    interval,
    mcnemar,
    nemenyi,
    paired_bootstrap,
    wilcoxon_holm,
)

N_ROWS, N_DIALOGUES, N_MODELS, N_RESAMPLES = 2610, 280, 10, 10_000  # the test part of MELD
LABELS = np.array(["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"])
SHARES = [0.13, 0.03, 0.02, 0.15, 0.48, 0.08, 0.11]


def speed(n_loops: int = 200) -> pd.Series:
    """Time a resample of weighted F1, by us and by a loop over scikit-learn."""
    rng = np.random.default_rng(0)
    dialogue = np.sort(rng.integers(N_DIALOGUES, size=N_ROWS))
    truth = rng.choice(LABELS, N_ROWS, p=SHARES)
    frames = [
        pd.DataFrame({"dialogue": dialogue, "target": truth, "prediction": answers(rng, truth)})
        for _ in range(N_MODELS)
    ]
    start = time.perf_counter()
    for frame in frames:
        cluster_bootstrap("f1_weighted", frame, n_resamples=N_RESAMPLES)
    ours = time.perf_counter() - start
    members = [np.flatnonzero(dialogue == group) for group in np.unique(dialogue)]
    start = time.perf_counter()
    for _ in range(n_loops):
        rows = np.concatenate([members[group] for group in rng.integers(len(members), size=len(members))])
        f1_score(truth[rows], frames[0]["prediction"].to_numpy()[rows], average="weighted")
    loop = (time.perf_counter() - start) / n_loops
    each = ours / N_MODELS / N_RESAMPLES
    return pd.Series(
        {"seconds, ten models": ours, "ms a resample": 1e3 * each, "loop": 1e3 * loop, "ratio": loop / each}
    )


def answers(rng: np.random.Generator, truth: NDArray, right: float | NDArray = 0.6) -> NDArray:
    """Return answers that are right with the given chance, guessed otherwise."""
    return np.where(rng.random(len(truth)) < right, truth, rng.choice(LABELS, len(truth)))


def equal_pair(rng: np.random.Generator, n_dialogues: int = 60, n_turns: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return answers of two equally good models, whose rows depend on each other within a dialogue."""
    dialogue = np.repeat(np.arange(n_dialogues), n_turns)
    rows = pd.DataFrame({"dialogue": dialogue, "turn": np.tile(np.arange(n_turns), n_dialogues)})
    rows["target"] = rng.choice(LABELS, len(rows), p=SHARES)
    ease = rng.normal(0.55, 0.15, n_dialogues)
    chances = [np.clip(ease + rng.normal(0, 0.15, n_dialogues), 0, 1)[dialogue] for _ in range(2)]
    first, second = (rows.assign(prediction=answers(rng, rows["target"].to_numpy(), right)) for right in chances)
    return first, second


def equal_scores(rng: np.random.Generator, n_sets: int = 20, n_models: int = 4) -> NDArray:
    """Return scores of equally good models on data sets of different difficulty."""
    return rng.normal(0.6, 0.1, (n_sets, 1)) + rng.normal(0, 0.03, (n_sets, n_models))


def equal_learners(rng: np.random.Generator, tested: NDArray[np.bool_]) -> NDArray:
    """Return the accuracies of two learners that see equally good features of the same rows: (2, n_runs).

    ``tested`` is of shape (n_runs, n_rows): the test rows of each run; all others are learned from, by their means.
    """
    label = rng.permutation(np.arange(tested.shape[1]) % 2)
    scores = []
    for _ in range(2):
        X = rng.standard_normal((len(label), 3)) + 0.5 * label[:, None]
        means = [(~tested & (label == one)) @ X / (~tested & (label == one)).sum(axis=1)[:, None] for one in (0, 1)]
        distances = [((X - mean[:, None]) ** 2).sum(axis=2) for mean in means]
        right = (distances[1] < distances[0]) == label
        scores.append((right & tested).sum(axis=1) / tested.sum(axis=1))
    return np.stack(scores)


def random_parts(rng: np.random.Generator, n_runs: int, n_rows: int, n_tested: int) -> NDArray[np.bool_]:
    """Draw test rows, run by run."""
    return rng.permuted(np.tile(np.arange(n_rows) < n_tested, (n_runs, 1)), axis=1)


def corrected_t(rng: np.random.Generator) -> float:
    """Return the p-value of fifteen random splits, a tenth tested."""
    return corrected_t_test(*equal_learners(rng, random_parts(rng, 15, 200, 20)), test_share=20 / 180).pvalue


def five_by_two(rng: np.random.Generator) -> float:
    """Return the p-value of five repetitions of two halves."""
    halves = random_parts(rng, 5, 200, 100)
    scores = equal_learners(rng, np.concatenate([halves, ~halves]))
    return five_by_two_cv_test(*scores.reshape(2, 2, 5).transpose(0, 2, 1)).pvalue


def by_rows(method: str, rng: np.random.Generator) -> float:
    """Return the p-value of McNemar's test on 400 rows that do not depend on each other."""
    truth = rng.choice(LABELS, 400, p=SHARES)
    rows = pd.DataFrame({"dialogue": np.arange(400), "turn": 0, "target": truth})
    first, second = (rows.assign(prediction=answers(rng, truth)) for _ in range(2))
    return mcnemar(*count_discordant(first, second), method).pvalue


TESTS: dict[str, Callable[[np.random.Generator], float]] = {
    "paired bootstrap": lambda rng: paired_bootstrap("f1_weighted", *equal_pair(rng)).pvalue,
    "approximate randomisation": lambda rng: approximate_randomisation("f1_weighted", *equal_pair(rng)).pvalue,
    "McNemar, exact": lambda rng: by_rows("exact", rng),
    "McNemar, mid-p": lambda rng: by_rows("mid-p", rng),
    "McNemar, corrected": lambda rng: by_rows("corrected", rng),
    "corrected resampled t": corrected_t,
    "5x2cv F": five_by_two,
    "Friedman, chi-square": lambda rng: friedman(equal_scores(rng)).chi_square_pvalue,
    "Friedman, Iman-Davenport": lambda rng: friedman(equal_scores(rng)).pvalue,
    "Nemenyi": lambda rng: nemenyi(equal_scores(rng)).min(axis=None),
    "Wilcoxon-Holm": lambda rng: wilcoxon_holm(equal_scores(rng)).min(axis=None),
}


def rates(n: int = 1000, seed: int = 0) -> pd.Series:
    """Return how often each test calls equal models different at .05."""
    found = {}
    for name, test in TESTS.items():
        rng = np.random.default_rng(seed)
        found[name] = np.mean([test(rng) < 0.05 for _ in range(n)])
    return pd.Series(found)


def coverage(n: int = 1000, seed: int = 0) -> pd.Series:
    """Return how often 95 % intervals of a model's weighted F1, and of a difference, hold the truth."""
    rng = np.random.default_rng(seed)
    many = equal_pair(rng, 40_000)[0]
    truth = f1_weighted(many["target"], many["prediction"])
    inside = np.zeros(2)
    for _ in range(n):
        first, second = equal_pair(rng)
        low, high = interval(cluster_bootstrap("f1_weighted", first))
        difference = paired_bootstrap("f1_weighted", first, second)
        inside += low <= truth <= high, difference.low <= 0 <= difference.high
    return pd.Series(inside / n, ["weighted F1", "difference"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["speed", "rates", "coverage"])
    parser.add_argument("--n", type=int, default=1000, help="simulated comparisons")
    arguments = parser.parse_args()
    parts = {"speed": speed, "rates": lambda: rates(arguments.n), "coverage": lambda: coverage(arguments.n)}
    for name in [arguments.part] if arguments.part else parts:
        print(f"{name}\n{parts[name]().round(4).to_string()}\n")
