"""Features that all but tell the target by themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln

from featmer.table import FeatureTable

_ERROR = 0.02  # of what chance would get wrong
_CHANCE = 1e-6  # that any feature of noise is taken for one that tells
_ROWS_LOOKED_AT = 2000
_FEATURES_AT_ONCE = 256
_FEWEST_ROWS = 20


def telling_features(table: FeatureTable, train: NDArray[np.int64], target: pd.Series) -> list[str]:
    """Find features that tell the target, in at most two thousand training rows.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        The features; of sequences, means over frames.
    train : ndarray of int
        The rows to look at.
    target : Series of n_rows labels or values
        What is to be told.

    Returns
    -------
    list of str
        Names of the features.

    Examples
    --------
    >>> from featmer.table import Block
    >>> block = Block(np.arange(40.0)[:, None] % 2, ["text.exclamation"])
    >>> table = FeatureTable(pd.DataFrame({"dialogue": range(40), "turn": 0}), {"text": block})
    >>> telling_features(table, np.arange(40), pd.Series(["joy", "fear"] * 20))
    ['text.exclamation']
    """
    rows = train[target.iloc[train].notna().to_numpy()]
    rows = rows[:: max(1, -(-len(rows) // _ROWS_LOOKED_AT))]
    known = target.iloc[rows]
    values = pd.api.types.is_float_dtype(target.dtype)
    codes = known.rank().to_numpy() if values else pd.factorize(known)[0]
    found: list[str] = []
    for block in table.blocks.values():
        here = ~block.missing[rows]
        if here.sum() < _FEWEST_ROWS or not (values or _can_tell(codes[here], table.shape[1])):
            continue
        flat = (block[rows[here]].pool(["mean"]) if block.is_sequence else block[rows[here]]).frames
        for start in range(0, flat.shape[1], _FEATURES_AT_ONCE):
            part = flat[:, start : start + _FEATURES_AT_ONCE]
            tell = _ranks_alike(part, codes[here]) if values else _neighbours_alike(part, codes[here])
            found += [block.names[start + place] for place in np.flatnonzero(tell)]
    return found


def _can_tell(codes: NDArray, n_features: int) -> bool:
    """Tell whether sorted labels would be a surprise: two rows of one label and fifty of another often look sorted."""
    counts = np.unique(codes, return_counts=True)[1]
    orders = gammaln(len(codes) + 1) - gammaln(counts + 1).sum()  # ways to put the labels in a row
    return bool(orders > np.log(n_features / _CHANCE) + gammaln(len(counts) + 1))


def _neighbours_alike(features: NDArray, codes: NDArray) -> NDArray[np.bool_]:
    """Tell whether rows next to each other in a feature nearly always have the same label.

    Equal values are in random order, or a constant would seem to sort the labels.
    """
    shuffled = np.random.default_rng(0).permutation(len(codes))
    order = shuffled[np.argsort(features[shuffled], axis=0, kind="stable")]
    wrong = (codes[order[1:]] != codes[order[:-1]]).mean(axis=0)
    chance = 1 - ((np.bincount(codes) / len(codes)) ** 2).sum()
    n_steps = (len(np.unique(codes)) - 1) / (len(codes) - 1)  # one label must end for the next to begin
    return (wrong - n_steps < _ERROR * chance) & ~np.isnan(features).any(axis=0)


def _ranks_alike(features: NDArray, ranks: NDArray) -> NDArray[np.bool_]:
    """Tell whether a feature orders the rows as a value does, or the other way round."""
    ordered = pd.DataFrame(features).rank().to_numpy()
    ordered, centred = ordered - ordered.mean(axis=0), ranks - ranks.mean()
    size = np.sqrt((ordered**2).sum(axis=0) * (centred**2).sum())
    correlation = np.divide(centred @ ordered, size, out=np.zeros(ordered.shape[1]), where=size > 0)
    return np.abs(correlation) > 1 - _ERROR / 2
