"""Runs of predictions, resampled and swapped by whole groups of rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from featmer.evaluation.metrics import Metric
from featmer.evaluation.outcomes import TRUE, Outcomes, labels_in
from featmer.groups import group_codes

RUN = ("fold", "seed")
_CELLS_AT_ONCE = 4_000_000  # of resamples by groups: 32 MB a copy, however many rows there are


@dataclass(frozen=True)
class Run:
    """One run's outcomes and the group number of each of its rows."""

    outcomes: Outcomes
    groups: NDArray


Runs = dict[Hashable, Run]


@dataclass(frozen=True)
class Pair:
    """Runs of two models over the same rows."""

    first: Runs
    second: Runs
    n_groups: int

    @classmethod
    def of(cls, first: pd.DataFrame, second: pd.DataFrame, by: str) -> Pair:
        """Pair two models' predictions, or raise ValueError where their rows differ."""
        first, second = (_in_order(frame) for frame in (first, second))
        _check_same_rows(first, second)
        groups = group_codes(first, by)
        both = pd.concat([first, second])
        classes = labels_in(both)
        return cls(split_runs(first, groups, classes), split_runs(second, groups, classes), int(groups.max()) + 1)

    def difference(self, metric: Metric) -> float:
        """Return the first model's mean score over its runs less the second's."""
        scores = [np.mean([metric.score(run.outcomes) for run in runs.values()]) for runs in (self.first, self.second)]
        return float(scores[0] - scores[1])

    def resampled(self, metric: Metric, n_resamples: int, random_state: int) -> NDArray[np.float64]:
        """Return the difference on resamples of whole groups, without those that cannot be scored."""
        one, other = resampled_scores(metric, (self.first, self.second), self.n_groups, n_resamples, random_state)
        return (one - other)[~np.isnan(one - other)]

    def swapped(self, metric: Metric, n_resamples: int, random_state: int) -> NDArray[np.float64]:
        """Return the difference after the answers of random groups have changed sides."""
        rng = np.random.default_rng(random_state)
        parts = []
        for size in _portions(n_resamples, self.n_groups):
            swaps = rng.integers(2, size=(size, self.n_groups))
            runs = ((run, self.second[key]) for key, run in self.first.items())
            parts.append(_mean_of_known([_swapped_run(metric, *pair, swaps) for pair in runs]))
        return np.concatenate(parts)


def _in_order(predictions: pd.DataFrame) -> pd.DataFrame:
    keys = [column for column in (*RUN, "corpus", "dialogue", "turn", "row") if column in predictions]
    return predictions.sort_values(keys, ignore_index=True)


def _check_same_rows(first: pd.DataFrame, second: pd.DataFrame) -> None:
    true = [column for column in first.columns if column.startswith(TRUE)]
    keys = [column for column in (*RUN, "row", "dialogue", "turn", "target", *true) if column in first]
    if len(first) != len(second) or not (first[keys] == second[keys]).all(axis=None):
        raise ValueError(
            f"The two models' predictions are of different rows ({len(first)} and {len(second)}); "
            f"expected the same {', '.join(keys)}. Keep the folds and seeds that both have."
        )


def split_runs(predictions: pd.DataFrame, groups: NDArray, classes: ArrayLike = ()) -> Runs:
    """Divide predictions by seed; the folds of a seed are one test set."""
    frame = predictions.reset_index(drop=True)
    parts = frame.groupby("seed").indices if "seed" in frame else {(): np.arange(len(frame))}
    return {key: Run(Outcomes.of_frame(frame.iloc[rows], classes), groups[rows]) for key, rows in parts.items()}


def resampled_scores(
    metric: Metric, models: Sequence[Runs], n_groups: int, n_resamples: int, random_state: int
) -> NDArray[np.float64]:
    """Return scores of the same resamples of whole groups, means over runs: (n_models, n_resamples)."""
    rng = np.random.default_rng(random_state)
    parts = [np.empty((len(models), 0))]
    for size in _portions(n_resamples, n_groups):
        weights = _draw(rng, size, n_groups)
        scores = [_mean_of_known([_resampled(metric, run, weights) for run in runs.values()]) for runs in models]
        parts.append(np.stack(scores))
    return np.concatenate(parts, axis=1)


def _portions(n_resamples: int, n_groups: int) -> Iterator[int]:
    """Yield numbers of resamples that fit into memory at once."""
    most = max(1, _CELLS_AT_ONCE // n_groups)
    for done in range(0, n_resamples, most):
        yield min(most, n_resamples - done)


def _draw(rng: np.random.Generator, n_resamples: int, n_groups: int) -> NDArray[np.float64]:
    """Draw how often each group is in each resample: (n_resamples, n_groups)."""
    drawn = rng.integers(n_groups, size=(n_resamples, n_groups))
    places = drawn + n_groups * np.arange(n_resamples)[:, None]
    counts = np.bincount(places.ravel(), minlength=n_resamples * n_groups)
    return counts.reshape(n_resamples, n_groups).astype(float)


def _mean_of_known(scores: list[NDArray]) -> NDArray[np.float64]:
    """Return the mean over runs; a resample may have missed a fold altogether, which is then left out."""
    stacked = np.stack(scores)
    known = ~np.isnan(stacked)
    count = known.sum(axis=0)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _resampled(metric: Metric, run: Run, weights: NDArray) -> NDArray[np.float64]:
    if metric.summary is not None:
        sums = metric.summary.sums(run.outcomes, run.groups, weights.shape[1])
        return metric.summary.finish(np.tensordot(weights, sums, axes=1))
    rows = np.arange(len(run.groups))
    drawn = (np.repeat(rows, row_weights) for row_weights in weights.astype(int)[:, run.groups])
    return np.array([metric.score(run.outcomes.take(sample)) if len(sample) else np.nan for sample in drawn])


def _swapped_run(metric: Metric, first: Run, second: Run, swaps: NDArray[np.int64]) -> NDArray[np.float64]:
    if metric.summary is not None:
        one, other = (metric.summary.sums(run.outcomes, run.groups, swaps.shape[1]) for run in (first, second))
        moved = np.tensordot(swaps.astype(float), other - one, axes=1)
        return metric.summary.finish(one.sum(axis=0) + moved) - metric.summary.finish(other.sum(axis=0) - moved)
    both, n_rows = first.outcomes.beside(second.outcomes), len(first.groups)
    rows = np.arange(n_rows)
    return np.array(
        [
            metric.score(both.take(rows + n_rows * swap)) - metric.score(both.take(rows + n_rows * (1 - swap)))
            for swap in swaps[:, first.groups]
        ]
    )
