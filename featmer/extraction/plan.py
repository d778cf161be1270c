"""Where the input of every extractor is in every row, and the key under which its outcome is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cache as memoize
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from featmer.extractors.base import Absence, Extractor
from featmer.extractors.models import file_sha256


@dataclass(frozen=True)
class Task:
    """One extractor on one row: where its input is, and the key of its outcome, or why there is no input."""

    row: int
    extractor: Extractor
    file: str = ""
    start: float | None = None
    end: float | None = None
    text: str = ""
    key: str = ""
    absence: Absence | None = None


def plan_tasks(
    segments: pd.DataFrame, identities: dict[Extractor, dict[str, Any]], root: Path, fingerprint: str
) -> list[Task]:
    """Find the input of every extractor in every row; extractor by extractor, rows in order."""
    stamp = memoize(partial(_stamp, fingerprint=fingerprint))
    records = segments.to_dict("records")
    tasks = []
    for extractor, identity in identities.items():
        spelt = json.dumps(identity, sort_keys=True)
        for row, record in enumerate(records):
            task = _locate(Task(row, extractor), record, root)
            if task.absence is None:
                content = task.text or stamp(Path(task.file))
                key = hashlib.sha256(json.dumps([spelt, content, task.start, task.end]).encode()).hexdigest()
                task = replace(task, key=key)
            tasks.append(task)
    return tasks


def _locate(task: Task, record: dict[Hashable, Any], root: Path) -> Task:
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
