"""From losses to changed weights: the plan, the schedule, AdamW, and an error that says why it cannot go on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

GRADIENT_NORM = 1.0
WARM_UP = 0.05  # share of all steps


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stopped and what to do."""


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes
    ----------
    lr : float
        Highest learning rate; it warms up over the first steps and falls off as a cosine.
    weight_decay : float
        AdamW's decay of the weights; parameters with the attribute ``no_weight_decay`` are spared.
    epochs : int
        Most passes over the rows.
    batch_size : int
        Rows a batch, about: dialogues stay whole.
    patience : int
        Epochs without a better validation loss before stopping.
    seed : int
        Of everything random.
    accumulate : int
        Batches whose gradients are summed up before the weights change.
    half : bool or None
        Whether to compute in bfloat16; None does so on a GPU that has it.
    progress : bool
        Whether to show a bar.
    """

    lr: float
    weight_decay: float
    epochs: int
    batch_size: int
    patience: int
    seed: int
    accumulate: int = 1
    half: bool | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)!r}.")
        if self.lr <= 0 or self.weight_decay < 0:
            raise ValueError(
                f"lr must be above 0 and weight_decay 0 or more, got {self.lr!r} and {self.weight_decay!r}."
            )


class Stepper:
    """AdamW along its schedule: from losses to changed weights, or to an error that says why not.

    Parameters
    ----------
    parameters : iterable of Parameter
        What is trained.
    plan : Plan
        How to train.
    n_batches : int
        Batches an epoch.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], plan: Plan, n_batches: int) -> None:
        self.epoch = 0
        self.steps = 0
        self._added: dict[int, Tensor] = {}
        self._plan = plan
        self._n_steps = plan.epochs * math.ceil(n_batches / plan.accumulate)
        decayed: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for weights in parameters:
            decayed[not getattr(weights, "no_weight_decay", False)].append(weights)
        self._parameters = [*decayed[True], *decayed[False]]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": own, "weight_decay": plan.weight_decay if decay else 0.0}
                for decay, own in decayed.items()
                if own
            ],
            lr=plan.lr,
            fused=self._parameters[0].device.type in ("cpu", "cuda"),
        )

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        return self._plan.lr * _share_of_lr(self.steps, self._n_steps)

    def add(self, loss: Tensor, batch: int) -> None:
        """Add the gradient of a loss to those that the next step will follow.

        Parameters
        ----------
        loss : Tensor, shape ()
            Its share in the step's loss.
        batch : int
            Number of the batch, for the message.
        """
        self._added[batch] = loss.detach()
        loss.backward()

    def step(self) -> float:
        """Change the weights along the gradients added since the last step.

        Returns
        -------
        float
            The step's loss: the sum of those added.

        Raises
        ------
        TrainingError
            If a loss or the gradient is not finite; the weights are as they were.
        """
        norm = nn.utils.clip_grad_norm_(self._parameters, GRADIENT_NORM)
        *losses, norm = torch.stack([*self._added.values(), norm]).tolist()  # a GPU is waited for once a step
        for batch, number in zip([*self._added, max(self._added)], [*losses, norm], strict=True):
            if not math.isfinite(number):
                raise TrainingError(
                    f"The loss or its gradient is {number:g} in epoch {self.epoch}, batch {batch}, at a learning rate "
                    f"of {self.lr:.2g}; expected finite numbers. Lower lr, or look for targets of extreme size."
                )
        for group in self._optimizer.param_groups:
            group["lr"] = self.lr
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._added.clear()
        self.steps += 1
        return sum(losses)

    def state(self) -> dict[str, Tensor]:
        """Return what the optimiser remembers, as flat tensors."""
        remembered: dict[int, dict[str, Tensor]] = self._optimizer.state_dict()["state"]
        return {f"{number}.{name}": value for number, own in remembered.items() for name, value in own.items()}

    def restore(self, state: dict[str, Tensor], steps: int) -> None:
        """Go on from what `state` returned.

        Parameters
        ----------
        state : dict of str to Tensor
            What the optimiser remembered.
        steps : int
            Steps done then.
        """
        remembered: dict[int, dict[str, Any]] = {}
        for key, value in state.items():
            number, name = key.split(".")
            remembered.setdefault(int(number), {})[name] = value
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": remembered})
        self.steps = steps


def _share_of_lr(step: int, n_steps: int) -> float:
    """Rise in a line, then fall as a cosine to nothing."""
    warm_up = max(1, round(WARM_UP * n_steps))
    if step < warm_up:
        return (step + 1) / warm_up
    done = min(1.0, (step - warm_up) / max(1, n_steps - warm_up))
    return 0.5 * (1 + math.cos(math.pi * done))
