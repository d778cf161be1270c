"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step, so that neither a reader nor a killed run ever leaves half of it.

    Parameters
    ----------
    path : Path
        The file; its folder is made where it is missing.
    content : bytes
        All of it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "new", "note.txt"), b"done")
    ...     Path(folder, "new", "note.txt").read_text()
    'done'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
