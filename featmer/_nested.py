"""Estimators in the folder of another one: written and read without pickle."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from featmer._saving import read_skops, replaced_folder

_FILE = "estimator.skops"
_FROZEN = "frozen "
_ABOUT = "wrapper.skops"


class NestingEstimator(BaseEstimator):
    """Base of estimators that fit others: each fitted part gets a folder of its own within theirs.

    A subclass says in ``nested`` which of its fitted attributes hold parts (an estimator, a list of them, or a dict of
    them by name), and the parameter that they are copies of. ``kept_types`` are its parameters' own classes of featmer.
    """

    nested: ClassVar[Mapping[str, str]] = {}
    kept_types: ClassVar[frozenset[str]] = frozenset()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator, with those that it fitted, to a folder, without pickle.

        Parameters
        ----------
        path : path-like
            The folder to make, or to replace if it holds such an estimator; it appears whole or not at all.

        Raises
        ------
        FileExistsError
            If the folder holds something else.
        ValueError
            If a part is neither of featmer nor of parts of scikit-learn alone, or a parameter could not be read back.
        """
        import skops.io

        check_is_fitted(self)
        state = dict(vars(self))
        with replaced_folder(path, _ABOUT) as folder:
            parts = {name: _save_parts(state.pop(name), folder / name) for name in self.nested}
            for parameter in self.nested.values():
                if state[parameter] is not None:
                    del state[parameter]
            about = {"class": type(self).__name__, "parts": parts, "state": state}
            skops.io.dump(about, folder / _ABOUT)
            read_skops(folder / _ABOUT, also=self.kept_types)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            The folder.

        Returns
        -------
        estimator
            Fitted, with equal outputs; the parameters that others were made of are unfitted copies of these.

        Raises
        ------
        ValueError
            If the folder holds something else, is damaged, or has types that are not to be trusted.
        """
        about = read_skops(Path(path, _ABOUT), also=cls.kept_types)
        try:
            found = about["class"]
            if found != cls.__name__:
                raise ValueError(f"{path} holds a {found}, not a {cls.__name__}: load it with {found}.load(path).")
            parts = {name: _load_parts(about["parts"][name], Path(path, name)) for name in cls.nested}
            made_of = {parameter: clone(_first(parts[name])) for name, parameter in cls.nested.items()}
            estimator = cls(**made_of)
            estimator.__dict__.update(about["state"], **parts)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(
                f"{path} is damaged, or was saved by another version of featmer ({error!r}). Fit and save again."
            ) from error
        return estimator


def _save_parts(parts: Any, folder: Path) -> dict[str, Any]:
    """Write an estimator, a list or a dict of them, each to a folder with its number; return how to read them."""
    form = "dict" if isinstance(parts, dict) else "list" if isinstance(parts, list) else "alone"
    named = parts if isinstance(parts, dict) else dict(enumerate(parts if isinstance(parts, list) else [parts]))
    kinds = [save_estimator(each, folder / str(number)) for number, each in enumerate(named.values())]
    return {"form": form, "names": list(named), "kinds": kinds}


def _load_parts(written: Mapping[str, Any], folder: Path) -> Any:
    """Read what `_save_parts` wrote."""
    parts = [load_estimator(folder / str(number), kind) for number, kind in enumerate(written["kinds"])]
    if written["form"] == "dict":
        return dict(zip(written["names"], parts, strict=True))
    return parts if written["form"] == "list" else parts[0]


def _first(parts: Any) -> Any:
    return next(iter(parts.values())) if isinstance(parts, dict) else parts[0] if isinstance(parts, list) else parts


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
    if isinstance(estimator, FrozenEstimator):
        return _FROZEN + save_estimator(estimator.estimator, path)
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
    if name.startswith(_FROZEN):
        return FrozenEstimator(load_estimator(path, name.removeprefix(_FROZEN)))
    if not name:
        return read_skops(path / _FILE)
    module, _, class_name = name.rpartition(".")
    kind = getattr(importlib.import_module(module), class_name, None) if module.startswith("featmer.") else None
    if not (isinstance(kind, type) and hasattr(kind, "load")):
        raise ValueError(f"{path} is said to hold a {name!r}; expected an estimator of featmer. Fit and save again.")
    return kind.load(path)
