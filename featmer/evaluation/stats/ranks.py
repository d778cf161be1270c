"""Several models on several data sets: ranks, the omnibus test, and which models differ (Demšar 2006)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from featmer.evaluation.stats.corrections import holm
from featmer.evaluation.stats.data_sets import check_data_sets, rank_models

Table = pd.DataFrame | ArrayLike


@dataclass(frozen=True)
class Friedman:
    """Whether any of several models is better than the others, over data sets.

    Attributes
    ----------
    mean_ranks : Series of n_models values
        Mean rank of each model; 1 is the best.
    n_sets : int
        Number of data sets.
    chi_square, chi_square_pvalue : float
        Friedman's statistic as in Demšar, which takes no account of ties, and its p-value.
    tied_chi_square, tied_chi_square_pvalue : float
        The same corrected for ties; equal where there are none.
    statistic, pvalue : float
        Iman and Davenport's F, which is less conservative, and its p-value: the one to report.
    kendall_w : float
        Size of the effect: 0 where data sets order the models at random, 1 where they all agree.

    Examples
    --------
    >>> found = friedman([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4], [0.8, 0.7, 0.75]])
    >>> found.mean_ranks.round(2).tolist(), round(found.chi_square, 3), round(found.pvalue, 3)
    ([1.0, 2.33, 2.67], 4.667, 0.049)
    """

    mean_ranks: pd.Series
    n_sets: int
    chi_square: float
    chi_square_pvalue: float
    tied_chi_square: float
    tied_chi_square_pvalue: float
    statistic: float
    pvalue: float
    kendall_w: float


def friedman(scores: Table | None = None, *, ranks: Table | None = None, higher_is_better: bool = True) -> Friedman:
    """Test whether models differ over several data sets.

    Parameters
    ----------
    scores : DataFrame or array-like of shape (n_sets, n_models), default=None
        A row a data set (never a seed or a fold: `data_set_scores` makes one row of these), a column a model.
    ranks : DataFrame or array-like of shape (n_sets, n_models), default=None
        Ranks within each data set, instead of scores; for ranks from a paper.
    higher_is_better : bool, default=True
        Direction of the scores.

    Returns
    -------
    Friedman
        Mean ranks, chi-square, and Iman and Davenport's F with its p-value.

    Raises
    ------
    ValueError
        If rows are seeds or folds of one data set, a score is missing, or there are fewer than two rows or columns.

    References
    ----------
    Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006.
    Iman and Davenport, "Approximations of the critical region of the Friedman statistic", Communications in
    Statistics 9, 1980.

    Examples
    --------
    >>> round(friedman(ranks=[[1, 2, 3], [1, 2, 3], [1, 3, 2], [2, 1, 3]]).statistic, 2)
    3.86
    """
    frame = _as_ranks(scores, ranks, higher_is_better)
    n_sets, n_models = frame.shape
    means = frame.mean()
    chi_square = float(
        12 * n_sets / (n_models * (n_models + 1)) * ((means**2).sum() - n_models * (n_models + 1) ** 2 / 4)
    )
    freedom = n_models - 1
    tied = _tie_corrected(frame, chi_square)
    rest = n_sets * freedom - chi_square
    statistic = (n_sets - 1) * chi_square / rest if rest > 0 else np.inf
    return Friedman(
        means,
        n_sets,
        chi_square,
        float(stats.chi2.sf(chi_square, freedom)),
        tied,
        float(stats.chi2.sf(tied, freedom)),
        float(statistic),
        float(stats.f.sf(statistic, freedom, freedom * (n_sets - 1))),
        chi_square / (n_sets * freedom),
    )


def nemenyi_cd(n_models: int, n_sets: int, alpha: float = 0.05) -> float:
    """Return the critical difference: how far apart two mean ranks must be to differ.

    Parameters
    ----------
    n_models : int
        Models compared, 2 or more.
    n_sets : int
        Data sets (never seeds or folds), 2 or more.
    alpha : float, default=0.05
        How often any pair of equal models may be called different.

    Returns
    -------
    float
        In ranks.

    Raises
    ------
    ValueError
        If a number is too small.

    References
    ----------
    Nemenyi, "Distribution-free multiple comparisons", PhD thesis, Princeton University 1963.

    Examples
    --------
    >>> round(nemenyi_cd(4, 14), 4)
    1.2536
    """
    if min(n_models, n_sets) < 2 or not 0 < alpha < 1:
        raise ValueError(
            f"Got {n_models} models, {n_sets} data sets and alpha {alpha}; expected two models and two data sets or "
            "more (N counts data sets, not seeds or folds), and alpha between 0 and 1."
        )
    return float(stats.studentized_range.ppf(1 - alpha, n_models, np.inf)) * _error(n_models, n_sets)


def nemenyi(scores: Table | None = None, *, ranks: Table | None = None, higher_is_better: bool = True) -> pd.DataFrame:
    """Return the p-value of each pair of models by Nemenyi's test on mean ranks.

    Its answer for two models depends on the other models; `wilcoxon_holm` is free of that, and mostly finds more.

    Parameters
    ----------
    scores, ranks, higher_is_better
        As for `friedman`.

    Returns
    -------
    DataFrame of shape (n_models, n_models)
        Symmetric, 1 on the diagonal; corrected for the number of pairs.

    Raises
    ------
    ValueError
        As for `friedman`.

    Examples
    --------
    >>> nemenyi([[0.9, 0.5], [0.8, 0.6], [0.7, 0.5], [0.9, 0.7]]).round(3).to_numpy().tolist()
    [[1.0, 0.046], [0.046, 1.0]]
    """
    frame = _as_ranks(scores, ranks, higher_is_better)
    means = frame.mean().to_numpy()
    steps = np.abs(means[:, None] - means) / _error(frame.shape[1], frame.shape[0])
    pvalues = stats.studentized_range.sf(steps, frame.shape[1], np.inf)
    return _symmetric(frame.columns, pvalues[np.triu_indices(len(means), 1)])


def wilcoxon_holm(scores: Table, higher_is_better: bool = True) -> pd.DataFrame:
    """Return the p-value of each pair of models by Wilcoxon's signed-rank test, Holm-corrected.

    Equal scores count half to either side. Five data sets or fewer cannot make any pair differ at .05.

    Parameters
    ----------
    scores, higher_is_better
        As for `friedman`.

    Returns
    -------
    DataFrame of shape (n_models, n_models)
        Symmetric, 1 on the diagonal.

    Raises
    ------
    ValueError
        As for `friedman`.

    References
    ----------
    Benavoli, Corani, Mangili, "Should we really use post-hoc tests based on mean-ranks?", JMLR 17, 2016.

    Examples
    --------
    >>> scores = [[0.9, 0.5], [0.8, 0.6], [0.7, 0.55], [0.9, 0.64], [0.8, 0.7], [0.7, 0.65]]
    >>> wilcoxon_holm(scores).to_numpy().tolist()
    [[1.0, 0.03125], [0.03125, 1.0]]
    """
    frame = check_data_sets(scores)
    pairs = combinations(frame.to_numpy(float).T, 2)
    return _symmetric(frame.columns, holm([_wilcoxon(one, other) for one, other in pairs]))


def cliques(mean_ranks: pd.Series, pvalues: pd.DataFrame, alpha: float = 0.05) -> list[list[Any]]:
    """Return the groups of neighbours in rank of which no two models differ; the bars of a critical-difference diagram.

    Parameters
    ----------
    mean_ranks : Series of n_models values
        Mean rank of each model, as `friedman` gives them.
    pvalues : DataFrame of shape (n_models, n_models)
        Of each pair, as `nemenyi` or `wilcoxon_holm` give them.
    alpha : float, default=0.05
        Models differ below it.

    Returns
    -------
    list of list
        Names, best first; two models or more each, none within another; a model may be in several.

    Examples
    --------
    >>> ranks = pd.Series({"a": 1.0, "b": 2.0, "c": 3.0})
    >>> pvalues = pd.DataFrame([[1, 0.2, 0.01], [0.2, 1, 0.3], [0.01, 0.3, 1]], list("abc"), list("abc"))
    >>> cliques(ranks, pvalues)
    [['a', 'b'], ['b', 'c']]
    """
    names = list(mean_ranks.sort_values(kind="stable").index)
    same = pvalues.loc[names, names].to_numpy() >= alpha
    found: list[list[Any]] = []
    end = 0
    for start in range(len(names)):
        stop = max(stop for stop in range(start + 1, len(names) + 1) if same[start:stop, start:stop].all())
        if stop > max(end, start + 1):
            found.append(names[start:stop])
        end = max(end, stop)
    return found


def _as_ranks(scores: Table | None, ranks: Table | None, higher_is_better: bool) -> pd.DataFrame:
    if scores is not None and ranks is None:
        return rank_models(scores, higher_is_better)
    if ranks is not None and scores is None:
        return check_data_sets(ranks)
    raise ValueError("Give either scores or ranks.")


def _error(n_models: int, n_sets: int) -> float:
    """Return the standard error of a mean rank, by which the studentised range measures."""
    return float(np.sqrt(n_models * (n_models + 1) / (12 * n_sets)))


def _tie_corrected(ranks: pd.DataFrame, chi_square: float) -> float:
    """Divide by the share of the ranks' variance that ties have left; without any, nothing differs."""
    n_sets, n_models = ranks.shape
    counts = [np.unique(row, return_counts=True)[1] for row in ranks.to_numpy(float)]
    tied = sum(float((count**3 - count).sum()) for count in counts)
    left = 1 - tied / (n_sets * (n_models**3 - n_models))
    return chi_square / left if left > 0 else 0.0


def _wilcoxon(first: NDArray, second: NDArray) -> float:
    if (first == second).all():
        return 1.0
    return float(stats.wilcoxon(first, second, zero_method="zsplit").pvalue)


def _symmetric(names: pd.Index, pvalues: NDArray) -> pd.DataFrame:
    """Return a matrix with the p-values of pairs, in the order of combinations, on both sides of a diagonal of 1."""
    matrix = np.eye(len(names))
    rows, columns = np.triu_indices(len(names), 1)
    matrix[rows, columns] = matrix[columns, rows] = pvalues
    return pd.DataFrame(matrix, names, names)
