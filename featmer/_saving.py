"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
