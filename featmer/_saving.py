"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

# What skops and the archive that it writes raise at a file that is none, is cut off, or lacks something.
_BROKEN = (OSError, EOFError, LookupError, TypeError, ValueError, AttributeError, ImportError, BadZipFile, zlib.error)
_HARMLESS = {"numpy.dtype"}  # not in skops's own list of types to trust; scikit-learn's imputer holds one


@contextmanager
def replaced_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a name to write to, which takes the place of ``path`` at the end.

    Parameters
    ----------
    path : path-like
        The file to make or replace; its folder is made where it is missing.

    Yields
    ------
    Path
        A name beside ``path`` with the same ending; after an error it is removed and ``path`` is as before.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{os.getpid()}-{threading.get_ident()}.{target.name}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file in one step, so that neither a reader nor a killed run ever leaves half of it.

    Parameters
    ----------
    path : path-like
        The file; its folder is made where it is missing.
    content : bytes
        All of it.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/new/note.txt", b"done")
    ...     Path(folder, "new", "note.txt").read_text()
    'done'
    """
    with replaced_file(path) as file:
        file.write_bytes(content)


@contextmanager
def replaced_folder(path: str | os.PathLike[str], marker: str) -> Iterator[Path]:
    """Give an empty folder to fill, which takes the place of ``path`` at the end.

    Parameters
    ----------
    path : path-like
        The folder to make, or one made before to replace.
    marker : str
        A file that every such folder holds; a folder without it is not replaced.

    Yields
    ------
    Path
        The folder to write to; after an error it is removed and ``path`` is as before.

    Raises
    ------
    FileExistsError
        If ``path`` holds something else.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as root:
    ...     with replaced_folder(f"{root}/model", "about.json") as folder:
    ...         _ = (folder / "about.json").write_text("{}")
    ...     [file.name for file in Path(root, "model").iterdir()]
    ['about.json']
    """
    target = Path(path)
    if target.exists() and not (target / marker).is_file() and not _is_empty_folder(target):
        raise FileExistsError(f"{target} exists and holds no {marker}, so it is not replaced; choose another name.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        fresh, old = Path(scratch, "new"), Path(scratch, "old")
        fresh.mkdir()
        yield fresh
        if target.exists():
            target.replace(old)
        try:
            fresh.replace(target)
        except OSError:
            if old.exists():
                old.replace(target)
            raise


def read_skops(file: Path, own: str | None = None, also: frozenset[str] = frozenset()) -> Any:
    """Read what skops wrote, if it is of types that can be trusted.

    Parameters
    ----------
    file : Path
        The file, in the folder of an estimator.
    own : str, default=None
        Module and name of the class of featmer that it must hold; None for numbers, text and parts of scikit-learn
        alone.
    also : frozenset of str, default=frozenset()
        Further classes of featmer that it may hold.

    Returns
    -------
    object
        As it was when written.

    Raises
    ------
    ValueError
        If it holds other types, or is no such file, or a damaged one.
    """
    import skops.io

    expected = set() if own is None else {own}
    try:
        found = set(skops.io.get_untrusted_types(file=file)) - _HARMLESS
    except _BROKEN as error:
        raise _unreadable(file, error) from error
    if found - also != expected:
        only = own or "numbers, text and parts of scikit-learn"
        raise ValueError(f"{file} holds {sorted(found)}, expected only {only}; load it with the class that saved it.")
    try:
        return skops.io.load(file, trusted=[*expected, *also, *_HARMLESS])
    except _BROKEN as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{file.parent} holds no saved estimator in {file.name}, or a damaged one ({error!r}); expected a folder that "
        "save() wrote."
    )


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
