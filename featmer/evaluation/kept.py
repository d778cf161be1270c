"""Runs on disk: each is done once, whoever asks for it, and one that is running, failed or left can be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from featmer._saving import write_whole

Outcome = tuple[pd.DataFrame, pd.DataFrame]


def once(path: Path, perform: Callable[[], Outcome]) -> Outcome:
    """Return what was kept of a run, or perform and keep it.

    Parameters
    ----------
    path : Path
        File of the scores; predictions, lock and reason of a failure lie beside it.
    perform : callable
        Returns scores and predictions. Empty predictions are a failure: of these only the reason is kept, and the
        next call tries again.

    Returns
    -------
    scores, predictions : DataFrame
        As performed. Of several processes that ask at once, one performs and the others wait for what it keeps. The
        lock falls with the process that holds it, so a killed run is simply performed again.

    Examples
    --------
    >>> import tempfile
    >>> def perform():
    ...     print("performed")
    ...     return pd.DataFrame({"value": [1.0]}), pd.DataFrame({"prediction": ["joy"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "run.parquet")
    ...     _ = once(path, perform), once(path, perform)
    ...     state_of(path)
    performed
    ('done', '')
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(_beside(path, ".lock")):
        if path.exists():
            return pd.read_parquet(path), pd.read_parquet(_beside(path, ".predictions.parquet"))
        scores, predictions = perform()
        _beside(path, ".pruned").unlink(missing_ok=True)
        if predictions.empty:
            write_whole(_beside(path, ".failed"), scores["error"].iloc[0].encode())
        else:
            write_whole(_beside(path, ".predictions.parquet"), predictions.to_parquet())
            write_whole(path, scores.to_parquet())
            _beside(path, ".failed").unlink(missing_ok=True)
    return scores, predictions


def set_aside(path: Path, reason: str) -> None:
    """Keep why a run was pruned, until somebody asks for it after all.

    Parameters
    ----------
    path : Path
        As for :func:`once`.
    reason : str
        Why.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     set_aside(Path(folder, "run.parquet"), "pruned: behind")
    ...     state_of(Path(folder, "run.parquet"))
    ('pruned', 'pruned: behind')
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(_beside(path, ".pruned"), reason.encode())


def state_of(path: Path) -> tuple[str, str]:
    """Say how far a run is.

    Parameters
    ----------
    path : Path
        As for :func:`once`.

    Returns
    -------
    state : {"done", "running", "failed", "pruned", "left"}
        A run that was killed is left.
    reason : str
        Of a failure, or why it was pruned; else empty.

    Examples
    --------
    >>> state_of(Path("no/such/run.parquet"))
    ('left', '')
    """
    lock = _beside(path, ".lock")
    if path.exists():
        return "done", ""
    if lock.exists() and _is_held(lock):
        return "running", ""
    for state in ("failed", "pruned"):
        if (told := _beside(path, f".{state}")).exists():
            return state, told.read_text(encoding="utf-8")
    return "left", ""


def _is_held(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def _beside(path: Path, suffix: str) -> Path:
    return path.with_suffix(suffix)
