"""Calls in a process of their own: native code that crashes or hangs there is noticed, and this process lives on."""

from __future__ import annotations

import atexit
import faulthandler
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import cloudpickle

# A process that nobody has asked for anything for so long gives its memory back.
_IDLE_SECONDS = 300.0
_START = (
    "import pickle, sys; sys.path[:], sys.argv[:] = pickle.load(sys.stdin.buffer); "
    "from featmer._isolation import _serve; _serve()"
)


class ProcessDied(RuntimeError):
    """The process of an isolated call ended before it answered.

    Parameters
    ----------
    how : str
        Name of the signal that ended it, "SIGSEGV", or its exit status.

    Examples
    --------
    >>> ProcessDied("SIGKILL").from_outside
    True
    """

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how

    @property
    def from_outside(self) -> bool:
        """Whether somebody else ended it, as the kernel does when memory runs out."""
        return self.how in ("SIGKILL", "SIGTERM")


class TookTooLong(RuntimeError):
    """An isolated call did not end in time."""


def isolated(function: Callable[..., Any], *arguments: Any, timeout: float | None = None) -> Any:
    """Call a function in another process of this machine, which is kept for further calls.

    Parameters
    ----------
    function : callable
        What is called; it and its arguments are sent by cloudpickle, so that classes of a notebook work.
    *arguments : object
        Its arguments.
    timeout : float or None, default=None
        Seconds it may take; None is for ever.

    Returns
    -------
    object
        What it returned.

    Raises
    ------
    ProcessDied
        If the process crashed or was killed.
    TookTooLong
        If the time was up; the process is gone then.
    RuntimeError
        If the function raised, with what it said.

    Examples
    --------
    >>> isolated(divmod, 7, 2)
    (3, 1)
    """
    companion = _find_companion()
    _busy[os.getpid()].add(companion)
    _share_processors(list(_busy[os.getpid()]))
    try:
        answer, fault = companion.ask((Path.cwd(), function, arguments, timeout), timeout)
    except BaseException:
        # Also when we are interrupted: nobody waits for what it still computes.
        companion.stop()
        raise
    finally:
        _busy[os.getpid()].discard(companion)
    _idle[os.getpid()].append(companion)
    if fault is not None:
        raise RuntimeError(fault)
    return answer


class _Companion:
    """A process that answers one call after another; it ends by itself when we are gone."""

    def __init__(self) -> None:
        self.processor: int | None = None
        # One thread of each library: the calls are side by side already.
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        command = [sys.executable, "-c", _START]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._questions = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._send((sys.path, sys.argv))

    def _send(self, what: Any) -> None:
        pickle.dump(what, self._questions)
        self._questions.flush()

    def ask(self, call: tuple[Any, ...], timeout: float | None) -> tuple[Any, str | None]:
        """Return the answer, or what went wrong."""
        message = cloudpickle.dumps(call)
        began = time.monotonic()
        try:
            self._send(message)
            return pickle.loads(pickle.load(self._answers))
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            status = self._process.wait()
            # Its own watch ends it with status 1, and never early; signals and other statuses are crashes.
            if timeout is not None and status == 1 and time.monotonic() - began >= timeout:
                raise TookTooLong(f"more than {timeout:g} s") from error
            raise ProcessDied(signal.Signals(-status).name if status < 0 else f"exit status {status}") from error

    def keep_to(self, processor: int) -> None:
        """Stay on one processor, with all threads there are and will be."""
        self.processor = processor
        with suppress(OSError):  # a thread, or the process, may have ended
            for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {processor})

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.kill()
        # Leaving the context closes the pipes and waits; what could not be sent is given up.
        with suppress(BrokenPipeError), self._process:
            pass


# By process: a fork must not talk to the companions of its parent.
_idle: dict[int, list[_Companion]] = defaultdict(list)
_busy: dict[int, set[_Companion]] = defaultdict(set)
_ending = threading.Event()


def _find_companion() -> _Companion:
    if _ending.is_set():
        raise RuntimeError("This process is ending; it asks nobody any more.")
    idle = _idle[os.getpid()]
    while idle:
        companion = idle.pop()
        if companion.lives:
            return companion
        companion.stop()
    return _Companion()


def _share_processors(busy: list[_Companion]) -> None:
    """Give each of as many companions as there are processors one of its own.

    A library's own threads hand work to each other; where another companion's thread is in the way, each time costs a
    wait. Two companions on two processors are a fifth faster so. Where fewer work, the system chooses as it likes.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    processors = sorted(os.sched_getaffinity(0))
    if 1 < len(processors) <= len(busy):
        taken = Counter(companion.processor for companion in busy)
        for companion in busy:
            if companion.processor not in processors:
                companion.keep_to(min(processors, key=lambda processor: taken[processor]))
                taken[companion.processor] += 1


@atexit.register
def _stop_companions() -> None:
    """Leave no process behind, not even one that works: after Ctrl-C nobody waits for it."""
    _ending.set()
    for companion in [*_idle.pop(os.getpid(), []), *_busy.pop(os.getpid(), [])]:
        companion.stop()


def _serve() -> None:
    """Answer calls until nobody asks any more: the life of a companion."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed must not get between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    with Path(os.devnull).open("w") as nowhere, suppress(EOFError, BrokenPipeError):
        while True:
            # This watch needs neither the GIL nor a cooperative library: it ends the process whatever it is doing.
            faulthandler.dump_traceback_later(_IDLE_SECONDS, exit=True, file=nowhere)
            message = pickle.load(sys.stdin.buffer)
            faulthandler.cancel_dump_traceback_later()
            pickle.dump(_answer(message, nowhere), answers)
            answers.flush()


def _answer(message: bytes, nowhere: IO[str]) -> bytes:
    try:
        folder, function, arguments, timeout = pickle.loads(message)
        os.chdir(folder)  # relative paths mean what they mean to the one who asks, now
        if timeout is not None:
            faulthandler.dump_traceback_later(timeout, exit=True, file=nowhere)
        return cloudpickle.dumps((function(*arguments), None))
    except Exception as error:
        return pickle.dumps((None, f"{type(error).__name__}: {error}"))
