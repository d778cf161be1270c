"""What learning a new task costs the older ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def forgetting(scores: ArrayLike) -> float:
    """Return how much the scores of older tasks fell while newer ones were learnt.

    Parameters
    ----------
    scores : array-like of shape (n_stages, n_tasks)
        Row i holds the scores after the i-th task was learnt; larger is better. There are as many stages as tasks, or
        more, if training went on after the last.

    Returns
    -------
    float
        Mean over the tasks, the last one left out, of the best score before the last stage less the score after it.
        Below 0 if the older tasks gained.

    Raises
    ------
    ValueError
        If there are fewer than two tasks, or fewer stages than tasks.

    References
    ----------
    Chaudhry, Dokania, Ajanthan, Torr: Riemannian walk for incremental learning: Understanding forgetting and
    intransigence. ECCV, 2018.

    Examples
    --------
    >>> forgetting([[0.9, 0.3], [0.7, 0.8]])
    0.2
    """
    table = np.asarray(scores, dtype=float)
    if table.ndim != 2 or not 2 <= table.shape[1] <= table.shape[0]:
        raise ValueError(f"scores must be (n_stages, n_tasks) with n_stages >= n_tasks >= 2, got {table.shape}.")
    n_tasks = table.shape[1]
    fallen = [table[task:-1, task].max() - table[-1, task] for task in range(n_tasks - 1)]
    return round(float(np.mean(fallen)), 12)
