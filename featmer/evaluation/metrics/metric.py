"""What a metric is: a function with a name and a direction, and where it can be, a function of sums over rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from featmer.evaluation.outcomes import Outcomes

Needs = Literal["labels", "probabilities", "values", "label", "indicators", "indicator_probabilities", "distributions"]
KINDS: dict[str, tuple[str, ...]] = {
    "labels": ("labels",),
    "probabilities": ("labels",),
    "values": ("values",),
    "label": ("labels", "indicators"),
    "indicators": ("indicators",),
    "indicator_probabilities": ("indicators",),
    "distributions": ("distributions",),
}


@dataclass(frozen=True)
class Summary:
    """How a metric follows from sums over rows.

    Parameters
    ----------
    sums : callable
        ``sums(outcomes, groups, n_groups)`` gives an array of shape (n_groups, ...): the sums of each group of rows.
    finish : callable
        ``finish(sums)`` gives the score of sums of shape (..., *shape); NaN where they hold no row.

    Examples
    --------
    >>> outcomes = Outcomes.of_labels(["joy", "joy"], ["joy", "fear"])
    >>> from featmer.evaluation import METRICS
    >>> summary = METRICS["accuracy"].summary
    >>> summary.finish(summary.sums(outcomes, np.array([0, 1]), 2)).tolist()
    [1.0, 0.0]
    """

    sums: Callable[[Outcomes, NDArray, int], NDArray]
    finish: Callable[[NDArray], NDArray]


@dataclass(frozen=True)
class Metric:
    """
    A score with its name, its direction and what it is computed from.

    Parameters
    ----------
    name : str
        As in results, ``"f1_weighted"``.
    label : str
        For people, ``"weighted F1"``.
    function : callable
        ``function(y_true, y_pred) -> float``, or ``function(y_true, probabilities, classes) -> float``
        for a metric that needs probabilities.
    needs : str, default="labels"
        What it compares: "labels", one a row; "probabilities" of these; "values"; a single "label", held by rows of one
        label or of several; "indicators", any number of labels a row as a matrix of 0 and 1;
        "indicator_probabilities" of these; or "distributions", a share for each label. From "indicators" on the
        function gets matrices of shape (n_rows, n_labels).
    higher_is_better : bool, default=True
        The direction.
    summary : Summary or None, default=None
        The metric as a function of sums, where it is one; without it a bootstrap calls ``function`` again and again.

    Examples
    --------
    >>> from sklearn.metrics import matthews_corrcoef
    >>> metric = Metric("mcc", "Matthews correlation", matthews_corrcoef)
    >>> metric.score(Outcomes.of_labels(["joy", "fear"], ["joy", "fear"]))
    1.0
    """

    name: str
    label: str
    function: Callable[..., float]
    needs: Needs = "labels"
    higher_is_better: bool = True
    summary: Summary | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of target that it fits."""
        return KINDS[self.needs]

    @property
    def wants_probabilities(self) -> bool:
        """Whether decisions alone are not enough."""
        return self.needs in ("probabilities", "indicator_probabilities")

    def gain(self, value: Any) -> Any:
        """Return a value, or a series of them, such that more is better: an error with its sign turned."""
        return value if self.higher_is_better else -value

    def score(self, outcomes: Outcomes) -> float:
        """Return the metric of the given outcomes."""
        if self.needs == "label" and self.summary is not None:
            return score_by_sums(self.summary.sums, self.summary.finish, outcomes)
        if self.needs == "indicator_probabilities":
            return float(self.function(outcomes.target, outcomes.known_probabilities()))
        if self.needs == "probabilities":
            return float(self.function(outcomes.target, outcomes.known_probabilities(), outcomes.classes))
        return float(self.function(outcomes.target, outcomes.prediction))


def score_by_sums(add: Callable, finish: Callable, outcomes: Outcomes) -> float:
    """Return the score of all rows by the two halves of a `Summary`.

    Examples
    --------
    >>> from featmer.evaluation import _sums
    >>> score_by_sums(_sums.confusion, _sums.accuracy, Outcomes.of_labels(["joy", "joy"], ["joy", "fear"]))
    0.5
    """
    return float(finish(add(outcomes, np.zeros(len(outcomes.target), dtype=int), 1))[0])
