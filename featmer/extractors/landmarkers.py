"""Open MediaPipe's landmarkers; hides its noise on stderr and its trouble at the end of the process."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any


def open_landmarker(kind: Any, options: Any) -> Any:
    """Open one of MediaPipe's landmarkers.

    Parameters
    ----------
    kind : type
        A class of ``mediapipe.tasks.python.vision``: FaceLandmarker, PoseLandmarker.
    options : object
        Its options.

    Returns
    -------
    landmarker
        To be kept: it takes a tenth of a second to open.
    """
    with _quiet_stderr():
        landmarker = kind.create_from_options(options)
    # It ends with the process: MediaPipe closes it in a thread, which has ended before, and would print a traceback.
    atexit.register(setattr, landmarker, "_handle", None)
    return landmarker


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what native code writes to stderr: MediaPipe logs its start there and heeds no variable that forbids it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
