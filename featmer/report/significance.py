"""Which models differ: letters for the table, scores of single dialogues for the critical-difference diagram."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from string import ascii_lowercase

import numpy as np
import pandas as pd

from featmer.evaluation.metrics import Metric
from featmer.evaluation.stats import cliques, holm
from featmer.groups import group_codes
from featmer.report.answers import goodness
from featmer.report.ranking import difference_pvalue

_ALPHA = 0.05


def letters(metric: Metric, runs: pd.DataFrame, predictions: pd.DataFrame, models: Sequence[str]) -> dict[str, str]:
    """Give models that do not differ a letter in common.

    Every pair is tested by swapping answers, Holm-corrected for the number of pairs.

    Parameters
    ----------
    metric : Metric
        What is compared.
    runs : DataFrame
        Results of that metric and of one part, single folds.
    predictions : DataFrame
        Of the same part.
    models : sequence of str
        Best first.

    Returns
    -------
    dict of str to str
        One or several letters a model: "a" for the best, "ab" for one that differs neither from "a" nor from "b".

    Examples
    --------
    >>> from featmer.evaluation.metrics import METRICS
    >>> runs = pd.DataFrame({"model": ["x", "y"], "fold": 0, "seed": 0, "value": [1.0, 0.5]})
    >>> rows = pd.DataFrame({"dialogue": range(20), "turn": 0, "fold": 0, "seed": 0, "target": ["joy", "fear"] * 10})
    >>> both = pd.concat([rows.assign(model="x", prediction=rows.target), rows.assign(model="y", prediction="joy")])
    >>> letters(METRICS["accuracy"], runs, both, ["x", "y"])
    {'x': 'a', 'y': 'b'}
    """
    answers = {str(name): rows for name, rows in predictions.groupby("model")}
    pairs = list(combinations(models, 2))
    n_resamples = max(5000, 40 * len(pairs))  # the smallest p-value must survive the correction
    found = holm([difference_pvalue(metric, runs, answers, *pair, n_resamples) for pair in pairs])
    pvalues = pd.DataFrame(np.eye(len(models)), list(models), list(models))
    for (one, other), p in zip(pairs, np.nan_to_num(found, nan=1.0), strict=True):
        pvalues.loc[one, other] = pvalues.loc[other, one] = p
    places = pd.Series(np.arange(len(models), dtype=float), list(models))
    groups = [list(map(str, group)) for group in cliques(places, pvalues, _ALPHA)]
    alone = [[model] for model in models if not any(model in group for group in groups)]
    said = dict.fromkeys(models, "")
    for number, group in enumerate(sorted(groups + alone, key=lambda group: places[group[0]])):
        for model in group:
            said[model] += _letter(number)
    return said


def unit_scores(predictions: pd.DataFrame, models: Sequence[str], unit: str = "dialogue") -> pd.DataFrame:
    """Score every dialogue or speaker of the test part, for ranks within each.

    Parameters
    ----------
    predictions : DataFrame
        Of one part.
    models : sequence of str
        Columns of the result.
    unit : {"dialogue", "speaker"}, default="dialogue"
        What is scored.

    Returns
    -------
    DataFrame of shape (n_units, n_models)
        The mean of `featmer.report.answers.goodness` over rows and seeds: of labels the share of right answers.

    Examples
    --------
    >>> rows = pd.DataFrame({"dialogue": [1, 1, 2], "target": ["joy", "joy", "sad"]})
    >>> both = pd.concat([rows.assign(model="x", prediction=rows.target), rows.assign(model="y", prediction="sad")])
    >>> unit_scores(both, ["x", "y"]).to_numpy().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    rows = predictions[predictions["model"].isin(list(models))]
    scored = rows.assign(good=goodness(rows), unit=group_codes(rows, unit))
    return scored.pivot_table(index="unit", columns="model", values="good").dropna()[list(models)]


def _letter(number: int) -> str:
    return ascii_lowercase[number] if number < len(ascii_lowercase) else f"({number + 1})"
