"""Heads, objectives and pre-training by name or as objects: made, written down and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone

from featmer._checks import check_name

Part = TypeVar("Part", bound=BaseEstimator)


def make_part(given: str | Part, choices: Mapping[str, type[Part]], base: type[Part]) -> Part:
    """Make a part of one's own from a name or an object.

    Parameters
    ----------
    given : str or object
        A name in ``choices``, or an object, which is copied and left as it is.
    choices : mapping of str to class
        The registry.
    base : type
        ``Head``, ``Objective`` or ``Pretraining``, what an object must be.

    Returns
    -------
    object
        Fresh, with parameters and without weights.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor such an object.

    Examples
    --------
    >>> from featmer.nn import HEADS
    >>> make_part("gated", HEADS, BaseEstimator)
    Gated()
    """
    kind = base.__name__.lower()
    if isinstance(given, str):
        check_name(given, choices, kind)
        return choices[given]()
    if not isinstance(given, base):
        raise TypeError(f"{kind} must be one of {sorted(choices)} or an object of such a class, got {given!r}.")
    return clone(given)


def write_part(given: Any, choices: Mapping[str, type[Part]], kind: str) -> str | dict[str, Any] | None:
    """Return a part as JSON can hold it: a name, or a name and parameters.

    Parameters
    ----------
    given : str, object, mapping or None
        A name in ``choices``, an object of a class there, several of these by name, or no part.
    choices : mapping of str to class
        The registry.
    kind : str
        "head", "objective" or "pretraining", for the message.

    Returns
    -------
    str, dict or None
        What :func:`read_part` takes.

    Raises
    ------
    ValueError
        If the object's class is not in the registry, so it could not be found again.

    Examples
    --------
    >>> from featmer.nn import HEADS, Gated
    >>> write_part(Gated(hidden=8), HEADS, "head")
    {'name': 'gated', 'params': {'dropout': 0.3, 'hidden': 8}}
    """
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        return {"each": {name: write_part(part, choices, kind) for name, part in given.items()}}
    name = next((name for name, made in choices.items() if type(given) is made), None)
    if name is None:
        raise ValueError(
            f"The {kind} {given!r} cannot be saved: its class is not one of {sorted(choices)}; add it there."
        )
    params = BaseEstimator.get_params(given, deep=False)
    inner = {key: write_part(part, choices, kind) for key, part in params.items() if isinstance(part, BaseEstimator)}
    return {"name": name, "params": {**params, **inner}}


def read_part(written: str | Mapping[str, Any] | None, choices: Mapping[str, type[Part]], kind: str) -> Any:
    """Return what :func:`write_part` was given.

    Parameters
    ----------
    written : str, mapping or None
        What it returned.
    choices : mapping of str to class
        The registry.
    kind : str
        "head", "objective" or "pretraining", for the message.

    Returns
    -------
    str, object or None
        A name, an object with parameters, several of these by name, or no part.

    Examples
    --------
    >>> from featmer.nn import HEADS
    >>> read_part({"name": "gated", "params": {"hidden": 8}}, HEADS, "head")
    Gated(hidden=8)
    """
    if written is None or isinstance(written, str):
        return written
    if "each" in written:
        return {name: read_part(part, choices, kind) for name, part in written["each"].items()}
    check_name(written["name"], choices, kind)
    params = written["params"]
    inner = {key: read_part(part, choices, kind) for key, part in params.items() if _is_part(part)}
    return choices[written["name"]](**{**params, **inner})


def _is_part(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"name", "params"}


def to_json(description: Mapping[str, Any]) -> str:
    """Write parameters as JSON, numpy's numbers and devices included.

    Parameters
    ----------
    description : mapping
        Parameters and fitted attributes.

    Returns
    -------
    str
        The text.

    Raises
    ------
    ValueError
        If a value has no place in JSON.

    Examples
    --------
    >>> to_json({"hidden": np.int64(64)})
    '{"hidden": 64}'
    """
    return json.dumps(description, default=_plain)


def from_json(path: Path, class_name: str) -> dict[str, Any]:
    """Read the description of a saved estimator.

    Parameters
    ----------
    path : Path
        The file.
    class_name : str
        The class that is to be loaded.

    Returns
    -------
    dict
        The description.

    Raises
    ------
    ValueError
        If there is no such file, or another class wrote it.
    """
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        found = description["class"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path.parent} holds no saved estimator ({error}); expected a folder that save() wrote."
        ) from error
    if found != class_name:
        raise ValueError(f"{path.parent} holds a {found}, not a {class_name}: load it with {found}.load(path).")
    return description


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, torch.device):
        return str(value)
    raise ValueError(f"{value!r} cannot be saved; use a number, a string or a list in its place.")
