"""Calls side by side, in worker processes or on whatever joblib's configured backend offers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from joblib import Parallel, effective_n_jobs
from joblib.parallel import get_active_backend

# Results of backends that give them all at the end, Ray's among them, are asked for so many a worker at a time.
_CALLS_AT_A_TIME = 16


def side_by_side(
    calls: Iterable[Any], n_jobs: int | None, *, ordered: bool = True, prefer: str | None = None
) -> Iterator[Any]:
    """Make calls in workers and yield what they return, each as soon as it may be.

    Parameters
    ----------
    calls : iterable of joblib.delayed calls
        One goes to a worker at a time: of a batch, all would be lost when the run is killed.
    n_jobs : int or None
        Workers; -1 for one a processor; None for what ``joblib.parallel_config`` says, or else one.
    ordered : bool, default=True
        Whether results come in the order of the calls, or as they are finished.
    prefer : {"processes", "threads"} or None, default=None
        What to take where no backend is configured.

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
    streams = get_active_backend(prefer=prefer)[0].supports_return_generator
    how = ("generator" if ordered else "generator_unordered") if streams else "list"
    with warnings.catch_warnings():
        # A worker that has just loaded a large library looks to joblib like one that leaks memory: it is replaced
        # between two calls, which does no harm. Where warnings are errors, this one would kill joblib's own thread.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        # Whoever stops taking results, for a full disk perhaps, knows that calls are given up.
        warnings.filterwarnings("ignore", r"\d+ tasks (have been|which were)", UserWarning)
        workers = Parallel(n_jobs=n_jobs, prefer=prefer, return_as=how, batch_size=1)
        if streams:
            yield from workers(calls)
        else:
            yield from _in_parcels(workers, iter(calls))


def _in_parcels(workers: Parallel, calls: Iterator[Any]) -> Iterator[Any]:
    """Call with workers that give their results all at once."""
    with workers:
        size = _CALLS_AT_A_TIME * max(1, effective_n_jobs(workers.n_jobs))
        while parcel := list(islice(calls, size)):
            yield from workers(parcel)
