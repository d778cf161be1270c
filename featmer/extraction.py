"""From segments to a feature table; hides reading once for all extractors, workers, the cache and failures."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import platform
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache as memoize
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import delayed
from tqdm import tqdm

import featmer
from featmer._checks import check_name
from featmer._parallel import side_by_side
from featmer.cache import FeatureCache
from featmer.extractors import EXTRACTORS
from featmer.extractors.base import Absence, Extractor, Outcome
from featmer.extractors.models import file_sha256
from featmer.segments import check_segments
from featmer.table import Block, FeatureTable

logger = logging.getLogger(__name__)

FAILURE_COLUMNS = ("row", "dialogue", "turn", "file", "modality", "extractor", "severity", "reason", "advice")
_TEXTS_AT_A_TIME = 256


def extract(
    segments: pd.DataFrame,
    extractors: Extractor | str | Sequence[Extractor | str],
    *,
    cache: str | Path | None = None,
    n_jobs: int = 1,
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
    n_jobs : int, default=1
        Worker processes, as in joblib, whose backends (``joblib.parallel_config``) can carry the work elsewhere.
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
    RuntimeError
        If a worker process dies; finished work is in the cache.

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
    root = Path(root or segments.attrs.get("root", "."))
    plan = _plan(segments, dict(zip(chosen, identities, strict=True)), root, fingerprint)
    with closing(FeatureCache(cache)) as store:
        outcomes = _work(plan, store, n_jobs, progress)
    table = FeatureTable(segments, _blocks(chosen, outcomes), provenance=_provenance(identities))
    failures = _list_failures(segments, plan, outcomes)
    _report(failures, len(segments))
    return table, failures


@dataclass(frozen=True)
class _Task:
    """One extractor on one row: where its input is, and the key of its outcome, or why there is no input."""

    row: int
    extractor: Extractor
    file: str = ""
    start: float | None = None
    end: float | None = None
    text: str = ""
    key: str = ""
    absence: Absence | None = None


class _Job(NamedTuple):
    """What is sent to a worker at a time: one reading of a clip for all extractors that need it, or some texts."""

    keys: tuple[str, ...]
    describe: Callable[..., list[Outcome]]
    arguments: tuple[Any, ...]


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


def _plan(
    segments: pd.DataFrame, identities: dict[Extractor, dict[str, Any]], root: Path, fingerprint: str
) -> list[_Task]:
    """Find the input of every extractor in every row; extractor by extractor, rows in order."""
    stamp = memoize(partial(_stamp, fingerprint=fingerprint))
    records = segments.to_dict("records")
    tasks = []
    for extractor, identity in identities.items():
        spelt = json.dumps(identity, sort_keys=True)
        for row, record in enumerate(records):
            task = _locate(_Task(row, extractor), record, root)
            if task.absence is None:
                content = task.text or stamp(Path(task.file))
                key = hashlib.sha256(json.dumps([spelt, content, task.start, task.end]).encode()).hexdigest()
                task = replace(task, key=key)
            tasks.append(task)
    return tasks


def _locate(task: _Task, record: dict[Hashable, Any], root: Path) -> _Task:
    """Fill in a row's text, or its file and times; or say why there is none."""
    column = task.extractor.column
    # The sound of a video is read from the video unless there is a file of its own.
    columns = ("audio", "video") if column == "audio" else (column,)
    given = next((record[name] for name in columns if _is_filled(record.get(name))), None)
    if given is None:
        reason = "no text" if column == "text" else f"no {column} named in the segments"
        return replace(task, absence=Absence(reason, f"fill the column {column!r}, or leave out its extractors"))
    if column == "text":
        return replace(task, text=given)
    path = root / given
    if not path.is_file():
        absence = Absence("missing file", f"check the column {column!r} and the corpus root {root}")
        return replace(task, file=str(path), absence=absence)
    start, end = (None if pd.isna(time) else float(time) for time in (record.get("start"), record.get("end")))
    return replace(task, file=str(path), start=start, end=end)


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _stamp(path: Path, fingerprint: str) -> str:
    """Return what a file is known by in the cache."""
    if fingerprint == "content":
        return file_sha256(path)
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"


def _work(plan: list[_Task], store: FeatureCache, n_jobs: int, progress: bool) -> list[Outcome]:
    """Return the outcome of every task, from the cache or by doing it."""
    tasks = {task.key: task for task in plan if task.absence is None}
    known = store.known(tasks)
    pending = [task for key, task in tasks.items() if key not in known]
    accidents: dict[str, Outcome] = {}
    with tqdm(total=len(tasks), initial=len(known), disable=not progress, mininterval=0.5) as bar:
        for finished in _finish(_text_jobs(pending) + _clip_jobs(pending), n_jobs):
            store.put((key, outcome) for key, outcome in finished if _is_lasting(outcome))
            accidents.update((key, outcome) for key, outcome in finished if not _is_lasting(outcome))
            bar.update(len(finished))
    return [task.absence or accidents.get(task.key) or store.get(task.key) for task in plan]


def _is_lasting(outcome: Outcome) -> bool:
    return not (isinstance(outcome, Absence) and not outcome.lasting)


def _finish(jobs: list[_Job], n_jobs: int) -> Iterator[list[tuple[str, Outcome]]]:
    """Do jobs in workers, and give what is finished as it comes."""
    if not jobs:
        return
    try:
        yield from side_by_side((delayed(_do)(job) for job in jobs), n_jobs, ordered=False)
    except BrokenProcessPool as error:
        raise RuntimeError(
            "A worker process died, most likely in the decoder of a damaged file or for lack of memory. With a cache, "
            "finished work is kept: run again, with n_jobs=1 to see at which file it dies, and take that file out."
        ) from error


def _do(job: _Job) -> list[tuple[str, Outcome]]:
    return list(zip(job.keys, job.describe(*job.arguments), strict=True))


def _text_jobs(pending: list[_Task]) -> list[_Job]:
    """Put texts together, the shortest first: texts of like length are fast at a time."""
    tasks = sorted((task for task in pending if task.text), key=lambda task: (len(task.text), task.text))
    jobs = []
    for extractor, own in _grouped(tasks, lambda task: task.extractor).items():
        for first in range(0, len(own), _TEXTS_AT_A_TIME):
            part = own[first : first + _TEXTS_AT_A_TIME]
            keys = tuple(task.key for task in part)
            jobs.append(_Job(keys, extractor.describe_texts, ([task.text for task in part],)))
    return jobs


def _clip_jobs(pending: list[_Task]) -> list[_Job]:
    """Put the tasks that share a reading together; long clips first, so that no worker is left with one at the end."""

    def length(task: _Task) -> tuple[float, int]:
        return (math.inf if task.end is None else task.end - (task.start or 0.0)), Path(task.file).stat().st_size

    def reading(task: _Task) -> tuple[Any, ...]:
        # `describe_clip` is the family's: extractors of sound, or of pictures.
        return task.extractor.describe_clip, task.extractor.sampling, task.file, task.start, task.end

    tasks = sorted((task for task in pending if not task.text), key=length, reverse=True)
    return [
        _Job(
            tuple(task.key for task in own),
            describe_clip,
            (tuple(task.extractor for task in own), Path(file), start, end),
        )
        for (describe_clip, _, file, start, end), own in _grouped(tasks, reading).items()
    ]


def _grouped(tasks: Iterable[_Task], by: Callable[[_Task], Any]) -> dict[Any, list[_Task]]:
    groups: dict[Any, list[_Task]] = defaultdict(list)
    for task in tasks:
        groups[by(task)].append(task)
    return groups


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


def _list_failures(segments: pd.DataFrame, plan: list[_Task], outcomes: list[Outcome]) -> pd.DataFrame:
    """Make a row of every missing modality and of every warning."""
    rows = []
    for task, outcome in zip(plan, outcomes, strict=True):
        missing = isinstance(outcome, Absence)
        told = [(outcome.reason, outcome.advice)] if isinstance(outcome, Absence) else outcome.warnings
        for reason, advice in told:
            dialogue, turn = segments.loc[task.row, ["dialogue", "turn"]]
            name, severity = type(task.extractor).__name__, "missing" if missing else "warning"
            found = (task.row, dialogue, turn, task.file, task.extractor.modality, name, severity, reason, advice)
            rows.append(dict(zip(FAILURE_COLUMNS, found, strict=True)))
    failures = pd.DataFrame(rows, columns=list(FAILURE_COLUMNS))
    return failures.sort_values("row", kind="stable", ignore_index=True)


def _provenance(identities: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "featmer": featmer.__version__,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "extractors": identities,
    }


def _report(failures: pd.DataFrame, n_rows: int) -> None:
    """Log the number of failures by reason."""
    if failures.empty:
        logger.info("Extracted %d rows; nothing is missing.", n_rows)
        return
    counts = Counter(zip(failures["modality"], failures["severity"], failures["reason"], strict=True))
    told = [
        f"{count} x {modality} {severity}: {reason}" for (modality, severity, reason), count in counts.most_common()
    ]
    logger.warning("Extracted %d rows, %d with faults; %s.", n_rows, failures["row"].nunique(), "; ".join(told))
