"""What makes a run that run: digests of its configuration, the versions it ran on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

PACKAGES = ("featmer", "numpy", "pandas", "scikit-learn", "torch", "lightgbm")


def digest(estimator: Any) -> str:
    """Return a fingerprint of an estimator's class and parameters: 16 hexadecimal digits.

    Parameters
    ----------
    estimator : estimator, or anything made of parameters, dicts, lists, arrays and functions
        What to describe; fitted attributes do not count.

    Returns
    -------
    str
        The first 16 digits of a SHA-256; the same in every process.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> digest(Ridge(alpha=1.0)) == digest(Ridge()), digest(Ridge(alpha=2.0)) == digest(Ridge())
    (True, False)
    """
    text = json.dumps(_describe(estimator), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def versions() -> str:
    """Return the versions of Python and of the packages that decide scores, as short JSON.

    Returns
    -------
    str
        Packages that are not installed are left out.

    Examples
    --------
    >>> "numpy" in json.loads(versions())
    True
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return json.dumps(found)


def name_of(splitter: Any) -> str:
    """Return a splitter's name for the results.

    Examples
    --------
    >>> name_of("by_speaker"), name_of([([0], [1])])
    ('by_speaker', 'given rows')
    """
    if isinstance(splitter, str):
        return splitter
    return repr(splitter) if hasattr(splitter, "split") else "given rows"


def _describe(thing: Any) -> Any:
    """Return what JSON can hold of a parameter; equal for equal parameters, also in another process."""
    if isinstance(thing, BaseEstimator) or hasattr(thing, "get_params") and not isinstance(thing, type):
        return {"class": _path(type(thing)), "parameters": _describe(thing.get_params(deep=False))}
    if isinstance(thing, Mapping):
        return {str(key): _describe(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [_describe(value) for value in thing]
    if isinstance(thing, np.generic):
        return _describe(thing.item())
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    if hasattr(thing, "__qualname__"):
        return _path(thing)
    return {"class": _path(type(thing)), "content": joblib.hash(thing)}


def _path(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def content_of(segments: pd.DataFrame) -> str:
    """Return a fingerprint of a frame's columns and cells.

    Examples
    --------
    >>> content_of(pd.DataFrame({"turn": [0]})) == content_of(pd.DataFrame({"turn": [1]}))
    False
    """
    cells = pd.util.hash_pandas_object(segments.astype(str), index=False).to_numpy()
    return hashlib.sha256(repr(list(segments.columns)).encode() + cells.tobytes()).hexdigest()[:16]
