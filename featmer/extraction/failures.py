"""What is missing and why: the failures row by row, and their census."""

from __future__ import annotations

import logging
import re

import pandas as pd

from featmer.extraction.plan import Task
from featmer.extractors.base import Absence, Outcome

logger = logging.getLogger(__name__)

FAILURE_COLUMNS = ("row", "dialogue", "turn", "file", "modality", "extractor", "severity", "reason", "advice")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")


def list_failures(segments: pd.DataFrame, plan: list[Task], outcomes: list[Outcome]) -> pd.DataFrame:
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


def census(failures: pd.DataFrame) -> pd.DataFrame:
    """Count the failures by reason.

    Reasons that differ in their numbers only are one reason, told with the smallest and the largest number.

    Parameters
    ----------
    failures : DataFrame
        As `featmer.extract` returns them.

    Returns
    -------
    DataFrame
        A row a reason, the most frequent first: rows, modality, severity, reason, advice, and a file as an example.

    Examples
    --------
    >>> reasons = ["too short: 0.10 s", "no text", "too short: 0.31 s"]
    >>> failures = pd.DataFrame({"row": [0, 1, 2], "file": "a.wav", "modality": "audio", "severity": "missing"})
    >>> census(failures.assign(reason=reasons, advice="look"))[["rows", "reason"]].to_dict("records")
    [{'rows': 2, 'reason': 'too short: 0.10 to 0.31 s'}, {'rows': 1, 'reason': 'no text'}]
    """
    alike = failures.assign(kind=failures["reason"].str.replace(_NUMBER, "#", regex=True))
    groups = alike.groupby(["modality", "severity", "kind"], sort=False)
    counts = groups.agg(
        rows=("row", "nunique"),
        reason=("reason", lambda reasons: _merge(list(reasons))),
        advice=("advice", "first"),
        file=("file", "first"),
    )
    columns = ["rows", "modality", "severity", "reason", "advice", "file"]
    return counts.reset_index().sort_values("rows", ascending=False, kind="stable", ignore_index=True)[columns]


def _merge(reasons: list[str]) -> str:
    """Write reasons that differ in numbers as one."""
    positions = zip(*(_NUMBER.findall(reason) for reason in reasons), strict=True)
    extremes = [(min(numbers, key=float), max(numbers, key=float)) for numbers in positions]
    spans = iter(low if low == high else f"{low} to {high}" for low, high in extremes)
    return _NUMBER.sub(lambda _: next(spans), reasons[0])


def report(failures: pd.DataFrame, n_rows: int) -> None:
    """Log the census."""
    if failures.empty:
        logger.info("Extracted %d rows; nothing is missing.", n_rows)
        return
    told = [f"{each.rows} x {each.modality} {each.severity}: {each.reason}" for each in census(failures).itertuples()]
    logger.warning("Extracted %d rows, %d with faults; %s.", n_rows, failures["row"].nunique(), "; ".join(told))
