"""A child process that runs py-feat; hides its start, its pipes, its death, and that it may hang."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import struct
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from featmer._checks import MissingExtra
from featmer.extractors.models import MissingModelError
from featmer.extractors.pyfeat.child import MAGIC

_PROGRAM = Path(__file__).with_name("child.py")
_OPENING_SECONDS = 3600.0  # the first time, weights of some hundred megabytes are downloaded
_TOLD = 600  # characters of its last words


class FeatProcessError(RuntimeError):
    """The process that runs py-feat died, hung, or answered with something else; the next row starts another."""


class FeatProcess:
    """Run py-feat in a process of its own, which ends with this one.

    Parameters
    ----------
    python : str
        Interpreter of the environment where py-feat is installed.
    settings : dict
        What to open, see `featmer.extractors.pyfeat.child`.

    Attributes
    ----------
    hello : dict
        What was opened: py-feat's version, its columns and the hashes of its weights.

    Raises
    ------
    MissingExtra
        If there is no such interpreter, or py-feat cannot be imported there.
    MissingModelError
        If weights are neither here nor downloadable.
    FeatProcessError
        If py-feat cannot be opened for another reason.

    Examples
    --------
    >>> FeatProcess("/no/such/python", {})
    Traceback (most recent call last):
    featmer._checks.MissingExtra: PyFeat needs a Python interpreter ...
    """

    def __init__(self, python: str, settings: dict[str, Any]) -> None:
        self.python = python
        self._lock = threading.Lock()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        environment = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", **os.environ}
        # Its own folder must not be searched for modules: a name there could hide one of py-feat's.
        environment["PYTHONSAFEPATH"] = "1"
        command = [python, str(_PROGRAM), json.dumps(settings)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words, env=environment
            )
        except OSError as error:
            self._words.close()
            raise MissingExtra(f"PyFeat needs a Python interpreter, got {python!r} ({error}). {_ADVICE}") from error
        self._questions = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        try:
            self.hello = self._ask(b"", _OPENING_SECONDS)
            self._check(settings)
        except BaseException:
            self.close()
            raise

    def describe(self, image: NDArray[np.uint8], timeout: float) -> NDArray[np.float64]:
        """Find the faces of a picture.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3)
            RGB.
        timeout : float
            Seconds after which the process is taken for hung, and ended.

        Returns
        -------
        ndarray of shape (n_faces, n_columns)
            The columns of the settings; NaN where py-feat knows nothing.

        Raises
        ------
        FeatProcessError
            If the process died or hung, or py-feat raised an error.
        """
        with self._lock:
            answer = self._ask(struct.pack("<II", *image.shape[:2]) + image.tobytes(), timeout)
        if "error" in answer:
            raise FeatProcessError(f"py-feat raised {answer['error']}")
        return np.array(answer["faces"], np.float64)

    def is_alive(self) -> bool:
        """Tell whether the process can be asked."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for pipe in (self._questions, self._answers):
            with contextlib.suppress(OSError):  # what was not yet written is lost with the process
                pipe.close()
        self._process.wait()
        self._words.close()

    def _ask(self, question: bytes, timeout: float) -> dict[str, Any]:
        """Write a question and read the answer; a process that gives none in time is ended."""
        hung = threading.Event()

        def give_up() -> None:
            hung.set()
            self._process.kill()

        timer = threading.Timer(timeout, give_up)
        timer.daemon = True
        timer.start()
        try:
            with contextlib.suppress(OSError):  # it has died: the answer will say how
                self._questions.write(question)
                self._questions.flush()
            head = self._answers.read(8)
            if len(head) == 8 and head[:4] == MAGIC:
                content = self._answers.read(int.from_bytes(head[4:], "little"))
                if content:
                    return json.loads(content)
        finally:
            timer.cancel()
        raise FeatProcessError(f"py-feat's process {self._end(head, timeout if hung.is_set() else None)}")

    def _end(self, head: bytes, waited: float | None) -> str:
        """End the process after a bad answer; say what was bad."""
        if head and not waited:
            self._process.kill()
            told = f"answered with {head + self._answers.read(60)!r}"
        elif waited:
            told = f"gave no answer within {waited:g} s"
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):  # its end of the pipe is closed: it is about to go
                self._process.wait(10)
            self._process.kill()
            told = f"ended with code {self._process.wait()}"
        return f"{told}; its last words: {self._last_words()}"

    def _last_words(self) -> str:
        self._process.wait()
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - _TOLD))
        return self._words.read().decode(errors="replace").strip() or "none"

    def _check(self, settings: dict[str, Any]) -> None:
        """Raise if py-feat could not be opened."""
        if "error" not in self.hello:
            return
        told = self.hello["error"]
        if self.hello.get("missing") == "package":
            raise MissingExtra(f"PyFeat needs py-feat, which {self.python} cannot import ({told}). {_ADVICE}")
        if self.hello.get("missing") == "weights":
            raise MissingModelError(_weights_advice(settings, self.hello["wanted"], told))
        raise FeatProcessError(f"py-feat {settings['detector']} cannot be opened by {self.python}: {told}")


_ADVICE = (
    "Give it an environment of its own (python -m venv pyfeat; pyfeat/bin/pip install py-feat) and name its "
    "interpreter in the parameter python, or in the environment variable FEATMER_PYFEAT_PYTHON."
)


def _weights_advice(settings: dict[str, Any], wanted: list[str], told: str) -> str:
    """Say where weights that are missing come from, and where to put them."""
    repository, _, file = wanted[0].partition("/")
    folder = settings["weights"] or "a folder"
    return (
        f"py-feat {settings['detector']} lacks the weights {wanted[0]} ({told}). With a network, py-feat downloads "
        f"them from https://huggingface.co/py-feat/{repository} on first use. Without one, put {file} into "
        f"{folder}/{repository}/, name the folder in the parameter weights, and set HF_HUB_OFFLINE=1 to save the wait."
    )


_open: dict[tuple[int, str, str], FeatProcess] = {}
_opening = threading.Lock()


def feat_process(python: str, settings: dict[str, Any]) -> FeatProcess:
    """Return the process for these settings, one a worker; a new one if there is none or it has died.

    Parameters
    ----------
    python : str
        Interpreter.
    settings : dict
        What to open.

    Returns
    -------
    FeatProcess
        Ready to be asked.
    """
    # After a fork the pipes would be shared with the parent: each process has its own.
    key = (os.getpid(), python, json.dumps(settings))
    with _opening:
        known = _open.get(key)
        if known is not None and known.is_alive():
            return known
        if known is not None:
            known.close()
        _open[key] = FeatProcess(python, settings)
        return _open[key]


@atexit.register
def _close_all() -> None:
    for (pid, _, _), process in _open.items():
        if pid == os.getpid():
            process.close()
