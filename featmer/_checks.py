"""The makers of error messages: what was got, what was expected, what to do."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class MissingExtra(ImportError):
    """An optional package is not installed; the message names the pip command."""


def closest(name: object, choices: Iterable[object]) -> str | None:
    """Return the choice most like ``name``, or None when none is near.

    Parameters
    ----------
    name : object
        What was given.
    choices : iterable of object
        What is known.

    Returns
    -------
    str or None
        The closest match, compared without case.

    Examples
    --------
    >>> closest("suprise", ["anger", "surprise"])
    'surprise'
    """
    by_lower = {str(choice).lower(): str(choice) for choice in choices}
    hits = difflib.get_close_matches(str(name).lower(), by_lower, 1)
    return by_lower[hits[0]] if hits else None


def check_name(name: object, choices: Iterable[str], kind: str) -> None:
    """Raise unless ``name`` is one of ``choices``.

    Parameters
    ----------
    name : object
        What was given.
    choices : iterable of str
        What is known.
    kind : str
        What the name names, for the message: "head", "corpus".

    Raises
    ------
    ValueError
        With the choices and the closest match.

    Examples
    --------
    >>> check_name("concat", ["concat", "gated"], "head")
    >>> check_name("gatd", ["concat", "gated"], "head")
    Traceback (most recent call last):
    ValueError: Unknown head 'gatd', did you mean 'gated'? Choose from ['concat', 'gated'].
    """
    choices = sorted(choices)
    if name not in choices:
        hint = closest(name, choices)
        question = f", did you mean {hint!r}?" if hint else "."
        raise ValueError(f"Unknown {kind} {name!r}{question} Choose from {choices}.")


def require(package: str, extra: str) -> ModuleType:
    """Import an optional package or say how to install it.

    Parameters
    ----------
    package : str
        Name of the module to import.
    extra : str
        The extra of featmer that brings it.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingExtra
        If the package is not installed.

    Examples
    --------
    >>> require("json", "demo").__name__
    'json'
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.split(".")[0]:
            raise
        raise MissingExtra(
            f"This needs the package {package!r}, which is not installed: pip install 'featmer[{extra}]'"
        ) from error
