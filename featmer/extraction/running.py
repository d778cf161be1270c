"""From segments to a table: the extractors chosen, what the cache knows, and what workers finish."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

import featmer
from featmer._checks import check_name
from featmer.cache import FeatureCache
from featmer.extraction.failures import list_failures, report
from featmer.extraction.jobs import finish, make_jobs
from featmer.extraction.plan import Task, plan_tasks
from featmer.extractors import EXTRACTORS
from featmer.extractors.base import Absence, Extractor, Outcome
from featmer.segments import check_segments
from featmer.table import Block, FeatureTable


def extract(
    segments: pd.DataFrame,
    extractors: Extractor | str | Sequence[Extractor | str],
    *,
    cache: str | Path | None = None,
    n_jobs: int | None = None,
    timeout: float | None = 3600.0,
    retry_failed: bool = False,
    root: str | Path | None = None,
    progress: bool = True,
    fingerprint: str = "content",
) -> tuple[FeatureTable, pd.DataFrame]:
    """Describe every segment by every extractor.

    A clip that cannot be described costs one row: its values are NaN with a reason, and it is a row of the failures.
    With a cache the run can be killed and started again; whatever was finished is not done twice, and the result is the
    same value for value, for any number of workers.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        A row an utterance, see `featmer.segments`.
    extractors : Extractor, str, or sequence of them
        Extractors or their names in ``EXTRACTORS``. Vectors of one modality are set side by side.
    cache : path or None, default=None
        Folder for finished work; None keeps nothing.
    n_jobs : int or None, default=None
        Worker processes; -1 is one a processor. None is 1 unless ``joblib.parallel_config`` says otherwise, whose
        backends (Dask, Ray) can carry the work to other machines.
    timeout : float or None, default=3600.0
        Seconds that a clip may take a worker; None is for ever. See the notes.
    retry_failed : bool, default=False
        Whether to try again what the cache knows as missing.
    root : path or None, default=None
        Folder that media paths are relative to; None takes ``segments.attrs["root"]``, or else the working folder.
    progress : bool, default=True
        Whether to show a bar on stderr.
    fingerprint : {"content", "stat"}, default="content"
        How a media file is known in the cache: by its bytes, or, faster, by its path, size and time of change.

    Returns
    -------
    table : FeatureTable
        The segments with a block a modality.
    failures : DataFrame
        A row for what is "missing" and for each "warning", with file, reason and advice.

    Raises
    ------
    SegmentsError
        If the segments break their schema.
    MissingExtra, MissingModelError
        If an extractor lacks a package or a model file; before any work.
    ValueError
        If a name is unknown, or the extractors of one modality do not fit together.
    CacheError
        If the cache cannot be written, is damaged or is gone; what was finished before is kept.

    Notes
    -----
    Two workers or more have a process each, wherever joblib runs them. A clip that crashes its process, or takes longer
    than ``timeout`` even in native code that never returns, costs that process and one row, and a new process goes on.
    With one worker all is done in the caller's own process, which then is as mortal as the decoders in it.

    What is said of the media lasts in the cache until ``retry_failed``: damaged, silent, too short, no face, a decoder
    that crashed twice, a timeout. What may be an accident is tried again by the next run: an unexpected exception, a
    process that was killed from outside (for lack of memory, say), a missing file or text.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": ["a", "a"], "turn": [0, 1], "text": ["so good", None]})
    >>> from featmer.extractors import TextExtractor
    >>> class Length(TextExtractor):
    ...     names = ("text.length",)
    ...
    ...     def describe(self, texts):
    ...         return [[len(text)] for text in texts]
    >>> table, failures = extract(segments, Length(), progress=False)
    >>> table.blocks["text"].values
    array([[ 7.],
           [nan]], dtype=float32)
    >>> failures[["row", "reason"]].to_dict("records")
    [{'row': 1, 'reason': 'no text'}]
    """
    check_name(fingerprint, ("content", "stat"), "fingerprint")
    chosen = _choose(extractors)
    identities = [extractor.identity() for extractor in chosen]
    _check_fit(chosen)
    segments = check_segments(segments)
    root = Path(root or segments.attrs.get("root", ".")).absolute()  # a worker may have another working folder
    plan = plan_tasks(segments, dict(zip(chosen, identities, strict=True)), root, fingerprint)
    with closing(FeatureCache(cache)) as store:
        outcomes = _work(plan, store, n_jobs, timeout, retry_failed, progress)
    table = FeatureTable(segments, _blocks(chosen, outcomes), provenance=_provenance(identities))
    failures = list_failures(segments, plan, outcomes)
    report(failures, len(segments))
    return table, failures


def _choose(extractors: Extractor | str | Sequence[Extractor | str]) -> list[Extractor]:
    """Return extractor objects for objects and names."""
    given = [extractors] if isinstance(extractors, str | Extractor) else list(extractors)
    chosen: list[Extractor] = []
    for each in given:
        if isinstance(each, str):
            check_name(each, EXTRACTORS, "extractor")
        elif not isinstance(each, Extractor):
            raise TypeError(f"Got {each!r} as an extractor, expected an object like OpenSmile() or one of its names.")
        chosen.append(EXTRACTORS[each]() if isinstance(each, str) else each)
    return chosen


def _check_fit(chosen: list[Extractor]) -> None:
    """Raise if the extractors of one modality cannot make one block."""
    for modality in {extractor.modality for extractor in chosen}:
        alike = [extractor for extractor in chosen if extractor.modality == modality]
        names = Counter(name for extractor in alike for name in extractor.names)
        if len(alike) > 1 and any(extractor.is_sequence for extractor in alike):
            raise ValueError(f"{alike} all give {modality!r}: sequences cannot stand side by side; extract them apart.")
        if max(names.values(), default=1) > 1:
            raise ValueError(f"{alike} both give the feature {names.most_common(1)[0][0]!r}; leave one out.")


def _work(
    plan: list[Task],
    store: FeatureCache,
    n_jobs: int | None,
    timeout: float | None,
    retry_failed: bool,
    progress: bool,
) -> list[Outcome]:
    """Return the outcome of every task, from the cache or by doing it."""
    tasks = {task.key: task for task in plan if task.absence is None}
    known = store.known(tasks, absent=not retry_failed)
    pending = [task for key, task in tasks.items() if key not in known]
    accidents: dict[str, Outcome] = {}
    work = closing(finish(make_jobs(pending), n_jobs, timeout))
    with tqdm(total=len(tasks), initial=len(known), disable=not progress, mininterval=0.5) as bar, work as parcels:
        for finished in parcels:
            store.put((key, outcome) for key, outcome in finished if _is_lasting(outcome))
            accidents.update((key, outcome) for key, outcome in finished if not _is_lasting(outcome))
            bar.update(len(finished))
    return [task.absence or accidents.get(task.key) or store.get(task.key) for task in plan]


def _is_lasting(outcome: Outcome) -> bool:
    return not (isinstance(outcome, Absence) and not outcome.lasting)


def _blocks(chosen: list[Extractor], outcomes: list[Outcome]) -> dict[str, Block]:
    """Make a block a modality."""
    n_rows = len(outcomes) // max(1, len(chosen))
    blocks = defaultdict(list)
    for number, extractor in enumerate(chosen):
        own = outcomes[number * n_rows : (number + 1) * n_rows]
        blocks[extractor.modality].append(_block(extractor, own))
    return {modality: Block.hstack(parts) for modality, parts in blocks.items()}


def _block(extractor: Extractor, outcomes: list[Outcome]) -> Block:
    names = extractor.names
    reasons = [outcome.reason if isinstance(outcome, Absence) else "" for outcome in outcomes]
    quality = pd.DataFrame([outcome.quality for outcome in outcomes])
    found = [None if isinstance(outcome, Absence) else outcome for outcome in outcomes]
    kept = quality if len(quality.columns) else None
    if extractor.is_sequence:
        sequences = [np.empty((0, len(names)), np.float32) if each is None else each.values for each in found]
        times = [None if each is None else each.times for each in found]
        known = any(row is not None for row in times)  # words have no times
        return Block(sequences, names, times=times if known else None, reasons=reasons, quality=kept)
    values = np.full((len(outcomes), len(names)), np.nan, np.float32)
    for row, each in enumerate(found):
        if each is not None:
            values[row] = each.values
    return Block(values, names, reasons=reasons, quality=kept)


def _provenance(identities: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "featmer": featmer.__version__,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "extractors": identities,
    }
