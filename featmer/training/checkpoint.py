"""Training that goes on where it was killed; hides what makes up its state, and the file that holds it."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from featmer._saving import replaced_file
from featmer.training.steps import Stepper


class Best:
    """The weights of the best epoch so far; of several targets, if wanted, those of each one's own.

    Parameters
    ----------
    *modules : Module
        Whose weights.
    each : sequence of str, default=()
        The targets whose own best epochs are kept too.
    """

    def __init__(self, *modules: nn.Module, each: Sequence[str] = ()) -> None:
        self._modules = modules
        self.losses = dict.fromkeys(("", *each), math.inf)
        self.epochs = dict.fromkeys(("", *each), 0)
        self.states: dict[str, list[dict[str, Tensor]]] = {}

    @property
    def epoch(self) -> int:
        """The last epoch that was the best of anything."""
        return max(self.epochs.values())

    def offer(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Keep the weights where a loss is the lowest so far.

        Parameters
        ----------
        epoch : int
            Number of the epoch.
        losses : mapping of str to float
            Its validation losses, that of each target by name; their sum decides for all.
        """
        losses = {**losses, "": sum(losses.values())}
        better = [name for name, lowest in self.losses.items() if losses.get(name, math.inf) < lowest]
        states = [copy.deepcopy(module.state_dict()) for module in self._modules] if better else []
        for name in better:
            self.epochs[name], self.losses[name], self.states[name] = epoch, losses[name], states

    def restore(self) -> None:
        """Put the weights of the best epoch back."""
        for module, state in zip(self._modules, self.states.get("", ()), strict=False):
            module.load_state_dict(state)


class Progress:
    """All that decides how training goes on: weights, optimiser, best epoch, random generators, history.

    Parameters
    ----------
    modules : sequence of Module
        Head and objective.
    best : Best
        Keeps the weights of their best epoch.
    stepper : Stepper
        The optimiser.
    seed : int
        Of the order of batches.
    device : torch.device
        Where the work is done.
    """

    def __init__(self, modules: list[nn.Module], best: Best, stepper: Stepper, seed: int, device: torch.device) -> None:
        self.modules = modules
        self.best = best
        self.stepper = stepper
        self.rng = np.random.default_rng(seed)
        self.history: list[dict[str, float]] = []
        self._device = device

    def tensors(self) -> dict[str, Tensor]:
        """Return the state's tensors under flat names."""
        state = {"random.cpu": torch.get_rng_state(), **_named("optimizer", self.stepper.state())}
        if self._device.type == "cuda":
            state["random.cuda"] = torch.cuda.get_rng_state(self._device)
        for number, module in enumerate(self.modules):
            state |= _named(f"weights.{number}", module.state_dict())
        for name, states in self.best.states.items():
            for number, weights in enumerate(states):
                state |= _named(f"best.{name}.{number}", weights)
        return {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}

    def facts(self) -> dict[str, Any]:
        """Return the state's numbers, as JSON knows them."""
        return {
            "history": self.history,
            "steps": self.stepper.steps,
            "best": [self.best.epochs, self.best.losses],
            "rng": self.rng.bit_generator.state,
        }

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Go back to a state.

        Parameters
        ----------
        tensors, facts : dict
            What `tensors` and `facts` returned.
        """
        for number, module in enumerate(self.modules):
            module.load_state_dict(_under(f"weights.{number}", tensors))
        self.best.epochs, self.best.losses = facts["best"]
        self.best.states = {
            name: [_under(f"best.{name}.{number}", tensors) for number in range(len(self.modules))]
            for name, epoch in self.best.epochs.items()
            if epoch
        }
        self.stepper.restore(_under("optimizer", tensors), facts["steps"])
        self.rng.bit_generator.state = facts["rng"]
        self.history = facts["history"]
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], self._device)


class Checkpoint:
    """A file that training is kept in after each epoch, and removed when it ends.

    The file's name is a digest of data and settings, so any number of fits can share a folder, and a fit only ever goes
    on from its own file.

    Parameters
    ----------
    folder : path
        Where the file lies; made if needed.
    identity : iterable of object
        What makes the fit the one it is: tensors and whatever has a telling `repr`.

    Examples
    --------
    >>> first, again = (Checkpoint("runs", [torch.ones(2), "concat", 0.01]) for _ in range(2))
    >>> first.path == again.path
    True
    """

    def __init__(self, folder: str | Path, identity: Iterable[object]) -> None:
        digest = hashlib.sha256()
        for part in identity:
            if isinstance(part, Tensor):
                digest.update(part.detach().cpu().numpy().tobytes())
            else:
                digest.update(repr(part).encode())
        self.path = Path(folder) / f"{digest.hexdigest()[:24]}.safetensors"

    def save(self, progress: Progress) -> None:
        """Keep a state, in one step.

        Parameters
        ----------
        progress : Progress
            The state.
        """
        with replaced_file(self.path) as file:
            save_file(progress.tensors(), file, metadata={"facts": json.dumps(progress.facts())})

    def resume(self, progress: Progress) -> None:
        """Go back to the state that was kept, if there is one.

        Parameters
        ----------
        progress : Progress
            A fresh state, changed in place.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        if not self.path.is_file():
            return
        try:
            with safe_open(self.path, framework="pt") as file:
                facts = json.loads(file.metadata()["facts"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            progress.restore(tensors, facts)
        except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
            raise ValueError(
                f"The checkpoint {self.path} is damaged ({error}): delete it and fit again from the start."
            ) from error

    def remove(self) -> None:
        """Remove the file: training has ended."""
        self.path.unlink(missing_ok=True)


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
