"""Calls side by side, in worker processes or on whatever joblib's configured backend offers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from joblib import Parallel


def side_by_side(calls: Iterable[Any], n_jobs: int, *, ordered: bool = True) -> Iterator[Any]:
    """Make calls in workers and yield what they return, each as soon as it may be.

    Parameters
    ----------
    calls : iterable of joblib.delayed calls
        One goes to a worker at a time: of a batch, all would be lost when the run is killed.
    n_jobs : int
        Workers; -1 for one a processor.
    ordered : bool, default=True
        Whether results come in the order of the calls, or as they are finished.

    Yields
    ------
    object
        What a call returned.

    Examples
    --------
    >>> from joblib import delayed
    >>> list(side_by_side((delayed(abs)(number) for number in (-1, 2)), n_jobs=1))
    [1, 2]
    """
    workers = Parallel(n_jobs=n_jobs, return_as="generator" if ordered else "generator_unordered", batch_size=1)
    with warnings.catch_warnings():
        # A worker that has just loaded a large library looks to joblib like one that leaks memory: it is replaced
        # between two calls, which does no harm. Where warnings are errors, this one would kill joblib's own thread.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        yield from workers(calls)
