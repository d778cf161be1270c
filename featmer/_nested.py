"""Estimators in the folder of another one: written and read without pickle."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from featmer._saving import read_skops

_FILE = "estimator.skops"


def save_estimator(estimator: Any, path: Path) -> str:
    """Write a fitted estimator to a folder: one of featmer in its own way, one of scikit-learn by skops.

    Parameters
    ----------
    estimator : estimator
        Of featmer, or of parts of scikit-learn alone.
    path : Path
        The folder to make.

    Returns
    -------
    str
        What `load_estimator` is to be told.

    Raises
    ------
    ValueError
        If the estimator is of types that could not be read back.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.linear_model import LinearRegression
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     name = save_estimator(LinearRegression().fit([[0], [1]], [0, 2]), Path(folder, "model"))
    ...     load_estimator(Path(folder, "model"), name).coef_.round(6).tolist()
    [2.0]
    """
    kind = type(estimator)
    if hasattr(estimator, "save"):
        estimator.save(path)
        return f"{kind.__module__}.{kind.__qualname__}"
    import skops.io

    path.mkdir(parents=True)
    skops.io.dump(estimator, path / _FILE)
    read_skops(path / _FILE)
    return ""


def load_estimator(path: Path, name: str) -> Any:
    """Read what `save_estimator` wrote; only classes of featmer and scikit-learn are ever made.

    Parameters
    ----------
    path : Path
        The folder.
    name : str
        What `save_estimator` returned.

    Returns
    -------
    estimator
        Fitted, with equal outputs.

    Raises
    ------
    ValueError
        If the folder or the name is of something else.
    """
    if not name:
        return read_skops(path / _FILE)
    module, _, class_name = name.rpartition(".")
    kind = getattr(importlib.import_module(module), class_name, None) if module.startswith("featmer.") else None
    if not (isinstance(kind, type) and hasattr(kind, "load")):
        raise ValueError(f"{path} is said to hold a {name!r}; expected an estimator of featmer. Fit and save again.")
    return kind.load(path)
