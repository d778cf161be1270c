"""How well values follow a dialogue's own course, apart from how well they tell dialogues apart."""

from __future__ import annotations

import pandas as pd

from featmer.evaluation import _sums as sums
from featmer.evaluation.outcomes import Outcomes
from featmer.groups import group_codes

LONG = 10
"""Turns from which on a dialogue has a course of its own; the concordance of fewer is mostly chance."""


def ccc_within_dialogues(predictions: pd.DataFrame, min_turns: int = LONG) -> pd.Series:
    """Return each model's mean concordance within single dialogues.

    Pooled concordance rewards a model that tells calm dialogues from lively ones; this one asks whether it follows the
    ups and downs of each. Dialogues of which every turn has the same true value have none and are left out.

    Parameters
    ----------
    predictions : DataFrame
        Of one part, with values as targets, as `featmer.evaluate` returns them.
    min_turns : int, default=10
        Dialogues of fewer turns are left out.

    Returns
    -------
    Series
        By model: the mean over long dialogues, and over seeds. Empty where no dialogue is long enough.

    References
    ----------
    Weninger, Ringeval, Marchi, Schuller, "Discriminatively trained recurrent neural networks for continuous dimensional
    emotion recognition from audio", IJCAI 2016, with concordance of single sequences and of all together.

    Examples
    --------
    >>> course = {"dialogue": ["a"] * 3 + ["b"] * 3, "turn": [0, 1, 2] * 2, "target": [0.1, 0.2, 0.3, 0.7, 0.8, 0.9]}
    >>> level = pd.DataFrame({**course, "model": "knows the level only", "fold": 0, "seed": 0})
    >>> level = level.assign(prediction=[0.2] * 3 + [0.8] * 3)
    >>> ccc_within_dialogues(level, min_turns=3).item()
    0.0
    """
    scores = []
    for (model, _, _), rows in predictions.groupby(["model", "seed", "fold"], sort=False):
        groups = group_codes(rows)
        n_groups = int(groups.max()) + 1
        of_dialogues = sums.moments(Outcomes.of_frame(rows), groups, n_groups)
        n_turns, varies = of_dialogues[:, 0], rows["target"].groupby(groups).nunique().to_numpy() > 1
        found = sums.ccc(of_dialogues)[(n_turns >= min_turns) & varies]
        scores.append(pd.DataFrame({"model": model, "ccc": found}))
    return pd.concat(scores).groupby("model", sort=False)["ccc"].mean() if scores else pd.Series(dtype=float)
