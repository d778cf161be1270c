"""Every public estimator of the package, found by looking, so that a new one is watched from its first day."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import featmer

ABSTRACT = {"Pretraining"}


def public_estimators(asked: str) -> dict[str, type]:
    """Return the classes in the ``__all__`` of any room that have ``fit`` and the method asked for, by name."""
    rooms = [featmer]
    for info in pkgutil.walk_packages(featmer.__path__, "featmer."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            rooms.append(importlib.import_module(info.name))
    found = {}
    for room in rooms:
        for name in getattr(room, "__all__", ()):
            thing = getattr(room, name)
            if inspect.isclass(thing) and hasattr(thing, "fit") and hasattr(thing, asked) and name not in ABSTRACT:
                found[name] = thing
    return dict(sorted(found.items()))
