"""What a comparison of two models says."""

from __future__ import annotations

from dataclasses import dataclass

LEVEL = 0.95
"""Share of repetitions in which an interval holds the truth."""


@dataclass(frozen=True)
class Comparison:
    """A difference between two models, its interval and its p-value.

    Parameters
    ----------
    difference : float
        Score of the first model less that of the second.
    low, high : float
        95 % interval of the difference; NaN for a test that gives none.
    pvalue : float
        Two-sided.

    Examples
    --------
    >>> Comparison(0.02, -0.01, 0.05, 0.2).pvalue
    0.2
    """

    difference: float
    low: float
    high: float
    pvalue: float
