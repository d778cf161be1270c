"""How many dialogues would show a difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from featmer.evaluation.metrics import Metric, find_metric
from featmer.evaluation.stats._runs import Pair
from featmer.evaluation.stats.resampling import N_RESAMPLES


@dataclass(frozen=True)
class Power:
    """What a test set of this kind can show.

    Attributes
    ----------
    difference : float
        The difference in question.
    standard_error : float
        Of the difference on the dialogues (or speakers) at hand.
    n_groups : int
        Dialogues (or speakers) at hand.
    n_needed : float
        How many of them would show the difference; infinite where it is 0.
    detectable : float
        The smallest difference that those at hand would show.
    alpha, power : float
        Two-sided level of the test, and the chance wanted.

    Examples
    --------
    >>> power = Power(0.02, 0.01, 100, 196.2, 0.028, 0.05, 0.8)
    >>> round(power.at(100), 2), round(power.at(400), 2)
    (0.52, 0.98)
    """

    difference: float
    standard_error: float
    n_groups: int
    n_needed: float
    detectable: float
    alpha: float
    power: float

    def at(self, n_groups: int) -> float:
        """Return the chance that ``n_groups`` dialogues show the difference."""
        error = self.standard_error * np.sqrt(self.n_groups / n_groups)
        steps, limit = self.difference / error, stats.norm.isf(self.alpha / 2)
        return float(stats.norm.sf(limit - steps) + stats.norm.sf(limit + steps))


def power_analysis(
    metric: str | Metric,
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    difference: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    by: str = "dialogue",
    n_resamples: int = N_RESAMPLES,
    random_state: int = 0,
) -> Power:
    """Return how many dialogues would show a difference, and what the ones at hand could show.

    The bootstrap tells how much the difference varies with the dialogues drawn; its error falls with the root of their
    number, and the test of the difference is taken to be normal. Ask for the difference that would matter: a power
    computed for the difference that was found says no more than its p-value.

    Parameters
    ----------
    metric : str or Metric
        What to compute.
    first, second : DataFrame
        Predictions of two models for the same rows: of a pilot, or of a validation part.
    difference : float, default=None
        The difference that should be found; None takes the one of these predictions.
    alpha : float, default=0.05
        Two-sided level of the test.
    power : float, default=0.8
        The chance to find it.
    by, n_resamples, random_state
        As for `cluster_bootstrap`.

    Returns
    -------
    Power
        With ``n_needed``, ``detectable``, and ``at(n_groups)`` for any number of dialogues.

    Raises
    ------
    ValueError
        If the two are not of the same rows, or alpha or power is no share.

    References
    ----------
    Hoenig and Heisey, "The abuse of power", The American Statistician 55, 2001.
    Card et al., "With little power comes great responsibility", EMNLP 2020.

    Examples
    --------
    >>> rows = pd.DataFrame({"dialogue": range(40), "turn": 0, "target": ["joy", "fear"] * 20, "prediction": "joy"})
    >>> better = rows.assign(prediction=rows.target.where(rows.dialogue % 4 == 1, "joy"))
    >>> result = power_analysis("accuracy", better, rows, difference=0.1)
    >>> result.n_groups, 140 < result.n_needed < 155
    (40, True)
    """
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"Got alpha {alpha} and power {power}, expected shares between 0 and 1.")
    metric, pair = find_metric(metric), Pair.of(first, second, by)
    sought = pair.difference(metric) if difference is None else difference
    error = float(pair.resampled(metric, n_resamples, random_state).std(ddof=1))
    detectable = float(stats.norm.isf(alpha / 2) - stats.norm.isf(power)) * error
    needed = pair.n_groups * (detectable / sought) ** 2 if sought else np.inf
    return Power(sought, error, pair.n_groups, float(needed), detectable, alpha, power)
