"""What a run costs: learned weights, and memory where the system tells it."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np


def count_parameters(model: Any) -> float:
    """Return the number of learned weights, where a model tells it; those of a pipeline's steps add up."""
    if hasattr(model, "named_steps"):
        counts = [count_parameters(step) for step in model.named_steps.values()]
        return float(np.nansum(counts)) if np.isfinite(counts[-1]) else np.nan
    if hasattr(model, "n_parameters_"):
        return float(model.n_parameters_)
    if hasattr(model, "coef_"):
        return float(np.size(model.coef_) + np.size(model.intercept_))
    return np.nan


def seconds_per_epoch(model: Any) -> float:
    """Return the mean time of an epoch of training, where a model, or the last step of a pipeline, tells it."""
    return float(getattr(_learner(model), "seconds_per_epoch_", np.nan))


def learning_curve(model: Any) -> list[dict[str, float]]:
    """Return the numbers of each epoch of training, where a model, or the last step of a pipeline, has a history."""
    history = getattr(_learner(model), "history_", ())
    return [
        {str(name): float(value) for name, value in entry.items() if isinstance(value, Real)}
        for entry in history
        if isinstance(entry, Mapping)
    ]


def _learner(model: Any) -> Any:
    return model[-1] if hasattr(model, "named_steps") else model


def forget_peak_memory() -> None:
    """Ask Linux to measure this process's peak memory from now on."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process since it was last reset; NaN where the system is not Linux."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return np.nan
    sizes = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(sizes["VmHWM"].split()[0]) / 1024
