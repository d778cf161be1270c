"""The work of a plan, a reading of a clip at a time: in workers, whatever becomes of a worker."""

from __future__ import annotations

import logging
import math
import os
import platform
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from joblib import delayed, effective_n_jobs

from featmer._isolation import ProcessDied, TookTooLong, isolated
from featmer._parallel import side_by_side
from featmer.extraction.plan import Task
from featmer.extractors.base import Absence, Outcome, attempt

logger = logging.getLogger(__name__)

# Of fewer, hardly any are of the same length and go through a model together: 64 take a quarter longer.
_TEXTS_AT_A_TIME = 256


class Job(NamedTuple):
    """What a worker does at a time: one reading of a clip for all extractors that need it, or some texts.

    A plain tuple, so that Dask sends it with the call: what Dask scatters is lost with the worker that holds it.
    """

    keys: tuple[str, ...]
    describe: Callable[..., list[Outcome]]
    items: tuple[Any, ...]  # extractors, or texts: one a key
    arguments: tuple[Any, ...] = ()

    def do(self) -> list[Outcome]:
        """Describe the items; whatever is raised is an absence of each."""
        outcomes = attempt(self.describe, list(self.items), *self.arguments)
        return [outcomes] * len(self.keys) if isinstance(outcomes, Absence) else outcomes

    def parts(self) -> list[Job]:
        """Return a job an item."""
        return [self._replace(keys=(key,), items=(item,)) for key, item in zip(self.keys, self.items, strict=True)]


def make_jobs(pending: list[Task]) -> list[Job]:
    """Put together what is cheaper together, in the order in which it is best begun.

    Parameters
    ----------
    pending : list of Task
        Tasks that have an input.

    Returns
    -------
    list of Job
        Texts first, then clips, the longest first.
    """
    return _text_jobs(pending) + _clip_jobs(pending)


def finish(
    jobs: list[Job], n_jobs: int | None, timeout: float | None
) -> Generator[list[tuple[str, Outcome]], None, None]:
    """Do jobs in workers, and give what is finished as it comes.

    Parameters
    ----------
    jobs : list of Job
        The work.
    n_jobs : int or None
        Workers, as in joblib.
    timeout : float or None
        Seconds that a job may take; not watched in the process of the caller.

    Yields
    ------
    list of (str, Features or Absence)
        Keys and outcomes of a job.
    """
    # One worker is the caller's own process: nothing stands between a debugger and the extractor.
    home = _place() if effective_n_jobs(n_jobs) == 1 else None
    unfinished = {job.keys: job for job in jobs}
    while unfinished:
        n_before = len(unfinished)
        calls = (delayed(_do)(job, timeout, home) for job in list(unfinished.values()))
        try:
            for keys, outcomes in side_by_side(calls, n_jobs, ordered=False, prefer="threads"):
                del unfinished[keys]
                yield list(zip(keys, outcomes, strict=True))
        except Exception as error:
            # Whatever a backend raises when it has lost a worker. If nothing at all was finished, it is another fault.
            if len(unfinished) == n_before:
                raise
            logger.warning("Lost a worker (%s: %s); its work is given to another.", type(error).__name__, error)


def _place() -> tuple[str, int]:
    return platform.node(), os.getpid()


def _do(job: Job, timeout: float | None, home: tuple[str, int] | None) -> tuple[tuple[str, ...], list[Outcome]]:
    return job.keys, job.do() if home == _place() else _survive(job, timeout)


def _survive(job: Job, timeout: float | None) -> list[Outcome]:
    """Do a job in a process of its own; what ends that process twice, or takes too long, is an absence."""
    try:
        return _try_twice(job, timeout)
    except (ProcessDied, TookTooLong) as error:
        if len(job.keys) > 1:  # one of them is to blame: each for itself
            return [outcome for part in job.parts() for outcome in _survive(part, timeout)]
        return [_blame(error)]


def _try_twice(job: Job, timeout: float | None) -> list[Outcome]:
    try:
        return isolated(job.do, timeout=timeout)
    except ProcessDied as error:
        # Once may be an accident: the kernel ends processes for want of memory, whoever took it.
        logger.info("A process died (%s) over %s; once more.", error.how, job.arguments or "texts")
        return isolated(job.do, timeout=timeout)


def _blame(error: ProcessDied | TookTooLong) -> Absence:
    if isinstance(error, TookTooLong):
        advice = "play the file; if it is sound, give a longer timeout and retry_failed=True"
        return Absence(f"took {error}", advice)
    if error.from_outside:
        advice = "most likely memory ran out: take fewer workers; the row is tried again in the next run"
        return Absence(f"its process was killed ({error.how})", advice, lasting=False)
    return Absence(f"the decoder crashed ({error.how})", "play the file and repair or replace it, or retry_failed=True")


def _text_jobs(pending: list[Task]) -> list[Job]:
    """Put texts together, the shortest first: texts of like length are fast at a time."""
    tasks = sorted((task for task in pending if task.text), key=lambda task: (len(task.text), task.text))
    jobs = []
    for extractor, own in _grouped(tasks, lambda task: task.extractor).items():
        for first in range(0, len(own), _TEXTS_AT_A_TIME):
            part = own[first : first + _TEXTS_AT_A_TIME]
            keys = tuple(task.key for task in part)
            jobs.append(Job(keys, extractor.describe_texts, tuple(task.text for task in part)))
    return jobs


def _clip_jobs(pending: list[Task]) -> list[Job]:
    """Put the tasks that share a reading together; long clips first, so that no worker is left with one at the end."""

    def length(task: Task) -> tuple[float, int]:
        return (math.inf if task.end is None else task.end - (task.start or 0.0)), Path(task.file).stat().st_size

    def reading(task: Task) -> tuple[Any, ...]:
        # `describe_clip` is the family's: extractors of sound, or of pictures.
        return task.extractor.describe_clip, task.extractor.sampling, task.file, task.start, task.end

    tasks = sorted((task for task in pending if not task.text), key=length, reverse=True)
    return [
        Job(
            tuple(task.key for task in own),
            describe_clip,
            tuple(task.extractor for task in own),
            (Path(file), start, end),
        )
        for (describe_clip, _, file, start, end), own in _grouped(tasks, reading).items()
    ]


def _grouped(tasks: Iterable[Task], by: Callable[[Task], Any]) -> dict[Any, list[Task]]:
    groups: dict[Any, list[Task]] = defaultdict(list)
    for task in tasks:
        groups[by(task)].append(task)
    return groups
