"""Finished work on disk, one SQLite file; hides its layout, its transactions and what a damaged file looks like."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer.extractors.base import Absence, Features, Outcome

_SCHEMA = "CREATE TABLE IF NOT EXISTS outcomes (key TEXT PRIMARY KEY, facts TEXT, array BLOB, times BLOB) WITHOUT ROWID"


class CacheError(RuntimeError):
    """The cache file cannot be used; the message says what to do."""


class FeatureCache:
    """Keep outcomes of extraction by key; what `put` has returned from survives the death of the process.

    Parameters
    ----------
    folder : path or None, default=None
        Folder of the cache, made if needed; None keeps the outcomes in memory.

    Raises
    ------
    CacheError
        If the file is damaged or cannot be written.

    Examples
    --------
    >>> cache = FeatureCache()
    >>> cache.put([("a", Features(np.ones(2, np.float32))), ("b", Absence("silent", "listen to it"))])
    >>> sorted(cache.known(["a", "b", "c"]))
    ['a', 'b']
    >>> cache.get("b").reason
    'silent'
    >>> cache.close()
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.path = None if folder is None else Path(folder) / "features.sqlite"
        with self._explained():
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            # Another run with the same cache may be writing: wait for it for a minute.
            self._connection = sqlite3.connect(self.path or ":memory:", timeout=60)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # What is written outlives the process; only if the power fails may the last moments be missing.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(_SCHEMA)

    def known(self, keys: Iterable[str], *, absent: bool = True) -> set[str]:
        """Tell which keys have an outcome.

        Parameters
        ----------
        keys : iterable of str
            Keys to look up.
        absent : bool, default=True
            Whether an `Absence` counts.

        Returns
        -------
        set of str
            Those that are there.
        """
        query = "SELECT key FROM outcomes WHERE key = ? AND (? OR array IS NOT NULL)"
        with self._explained():
            return {key for key in keys if self._connection.execute(query, (key, absent)).fetchone()}

    def get(self, key: str) -> Outcome:
        """Return the outcome of a key.

        Parameters
        ----------
        key : str
            A key that is there.

        Returns
        -------
        Features or Absence
            The outcome, bit for bit as it was put.

        Raises
        ------
        KeyError
            If there is none.
        """
        with self._explained():
            query = "SELECT facts, array, times FROM outcomes WHERE key = ?"
            row = self._connection.execute(query, (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        facts, array, times = json.loads(row[0]), row[1], row[2]
        if array is None:
            return Absence(**facts)
        warnings = tuple((reason, advice) for reason, advice in facts["warnings"])
        return Features(_array(array), None if times is None else _array(times), facts["quality"], warnings)

    def put(self, outcomes: Iterable[tuple[str, Outcome]]) -> None:
        """Keep outcomes, all of them or none.

        Parameters
        ----------
        outcomes : iterable of (str, Features or Absence)
            Keys and outcomes.
        """
        rows = [_row(key, outcome) for key, outcome in outcomes]
        if self.path is not None and not self.path.exists():
            raise CacheError(f"The cache {self.path} was deleted or renamed during the run: put it back or run again.")
        with self._explained(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise CacheError(f"The cache {self.path} cannot be used ({error}): {_remedy(error)}") from error
        except OSError as error:
            raise CacheError(f"The cache {self.path} cannot be made ({error}): name a folder to write to.") from error
        except sqlite3.DatabaseError as error:
            raise CacheError(
                f"The cache {self.path} is damaged ({error}): delete this file and run again; its features are then "
                "computed anew."
            ) from error


def _remedy(error: sqlite3.OperationalError) -> str:
    """Say what to do about a file that is sound but cannot be used now."""
    kept = "run again; what was finished is kept."
    remedies = {
        sqlite3.SQLITE_FULL: f"the disk is full; make room and {kept}",
        sqlite3.SQLITE_IOERR: f"the disk is full or broken; make room or repair it, and {kept}",
        sqlite3.SQLITE_READONLY: f"writing is not permitted; give permission and {kept}",
        sqlite3.SQLITE_BUSY: f"another run holds it; wait for its end and {kept}",
    }
    primary = error.sqlite_errorcode & 0xFF  # the upper bits tell the circumstances
    return remedies.get(primary, f"check that its folder can be written to, and {kept}")


def _row(key: str, outcome: Outcome) -> tuple[str, str, bytes | None, bytes | None]:
    """Return an outcome as a row: JSON for words and numbers, .npy bytes for arrays."""
    if isinstance(outcome, Absence):
        facts: dict[str, Any] = {"reason": outcome.reason, "advice": outcome.advice, "quality": outcome.quality}
        return key, json.dumps(facts), None, None
    facts = {"quality": outcome.quality, "warnings": outcome.warnings}
    times = None if outcome.times is None else _bytes(outcome.times)
    return key, json.dumps(facts), _bytes(outcome.values), times


def _bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(content: bytes) -> NDArray[Any]:
    return np.load(io.BytesIO(content), allow_pickle=False)
