"""P-values of many tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(pvalues: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values for their number by Holm's step-down method.

    Parameters
    ----------
    pvalues : array-like of shape (n_tests,)
        NaN is no test: it stays NaN and is not counted.

    Returns
    -------
    ndarray of shape (n_tests,)
        The corrected p-values.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(pvalues, dtype=float)
    order = np.argsort(given)[: int((~np.isnan(given)).sum())]
    steps = given[order] * np.arange(len(order), 0, -1)
    corrected = np.full(len(given), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
