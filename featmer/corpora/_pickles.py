"""The one place that opens a pickle, and only one of arrays and plain containers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

# What arrays are pickled with, by the names of NumPy 2; NumPy 1 says numpy.core.
_ARRAYS = {
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


def read_pickle(path: Path) -> Any:
    """Return what a pickle of arrays, numbers, texts, lists, tuples, sets and dicts holds.

    A pickle is a program: it may import and call anything. This one may make arrays and nothing else; whatever other
    name it asks for is refused before it is looked up.
    """
    try:
        with path.open("rb") as file:
            return _ArrayUnpickler(file).load()
    except _Refused as error:
        raise ValueError(
            f"{path} asks for {error}; expected arrays and plain containers only. "
            "It may do anything when it is loaded: do not open it with pickle, get it from its authors again."
        ) from error
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, ImportError) as error:
        raise ValueError(f"{path} is no pickle that can be read, or not whole: {error}.") from error


class _Refused(Exception):
    """A name that is not admitted."""


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that knows how to make arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few things admitted."""
        if (module, name) == ("_codecs", "encode"):
            return _bytes_of
        known = module.replace("numpy.core.", "numpy._core.")
        if (known, name) not in _ARRAYS:
            raise _Refused(f"{module}.{name}")
        return _scalar if name == "scalar" else super().find_class(known, name)

    def persistent_load(self, pid: Any) -> Any:
        """Refuse what lies outside the file."""
        raise _Refused(f"something outside the file, {pid!r}")


def _bytes_of(text: str, encoding: str) -> bytes:
    """Return bytes that were pickled as text, which is always done in Latin-1."""
    if encoding != "latin1":
        raise _Refused(f"an encoding {encoding!r}")
    return text.encode("latin1")


def _scalar(dtype: np.dtype, content: bytes) -> Any:
    """Return one number of an array."""
    if dtype.hasobject:
        raise _Refused("an object in an array's scalar")
    return np.frombuffer(content, dtype)[0]
