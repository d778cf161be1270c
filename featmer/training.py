"""The one training loop: seeded, scheduled, stopped early on validation dialogues, best weights kept."""

from __future__ import annotations

import copy
import logging
import math
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from featmer.collate import TensorTable
from featmer.objectives import Objective

logger = logging.getLogger(__name__)

GRADIENT_NORM = 1.0
WARM_UP = 0.05  # share of all steps
_ONE_AT_A_TIME = threading.RLock()


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stopped and what to do."""


@dataclass(frozen=True)
class Examples:
    """Rows with their targets.

    Attributes
    ----------
    tensors : TensorTable
        The rows.
    targets : Tensor, shape (n_rows,) or (n_rows, n_outputs)
        Class numbers or values, on the device of the rows.
    """

    tensors: TensorTable
    targets: Tensor


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes
    ----------
    lr : float
        Highest learning rate; it warms up over the first steps and falls off as a cosine.
    weight_decay : float
        AdamW's decay of the weights.
    epochs : int
        Most passes over the rows.
    batch_size : int
        Rows a batch, about: dialogues stay whole.
    patience : int
        Epochs without a better validation loss before stopping.
    seed : int
        Of everything random.
    progress : bool
        Whether to show a bar.
    """

    lr: float
    weight_decay: float
    epochs: int
    batch_size: int
    patience: int
    seed: int
    progress: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)!r}.")
        if self.lr <= 0 or self.weight_decay < 0:
            raise ValueError(
                f"lr must be above 0 and weight_decay 0 or more, got {self.lr!r} and {self.weight_decay!r}."
            )


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Make torch repeatable inside and leave no trace outside.

    The global generators and the number of threads are put back. One thread is used
    on the CPU, where sums would otherwise depend on how many there are. Python threads
    wait for each other here, as all share torch's generators.

    Parameters
    ----------
    seed : int
        Seed inside.
    device : torch.device
        Where the work is done.

    Examples
    --------
    >>> before = torch.get_rng_state()
    >>> with seeded(0, torch.device("cpu")):
    ...     noise = torch.rand(3)
    >>> bool((torch.get_rng_state() == before).all())
    True
    """
    devices = [device] if device.type == "cuda" else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices):
        threads = torch.get_num_threads()
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def train(
    module: nn.Module, objective: Objective, examples: Examples, validation: Examples | None, plan: Plan
) -> list[dict[str, float]]:
    """Train a module in place and leave it with its best weights.

    Parameters
    ----------
    module : Module
        Maps a batch to outputs.
    objective : Objective
        Compares outputs and targets; its own parameters, if any, are trained too.
    examples : Examples
        Rows to train on.
    validation : Examples or None
        Rows to watch, never trained on. The weights of the best epoch on them are
        kept; without them, the weights of the last epoch.
    plan : Plan
        How to train.

    Returns
    -------
    list of dict
        An entry an epoch: ``epoch, lr, loss`` and ``validation_loss`` if watched.

    Raises
    ------
    TrainingError
        If the loss is no longer a number.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> from featmer.nn import Concat
    >>> from featmer.objectives import MeanSquaredError
    >>> segments = pd.DataFrame({"dialogue": range(8), "turn": 0})
    >>> table = FeatureTable(segments, {"text": Block(np.arange(8.0)[:, None], ["text.length"])})
    >>> targets = torch.arange(8.0)[:, None]
    >>> plan = Plan(lr=0.01, weight_decay=0.0, epochs=30, batch_size=8, patience=5, seed=0)
    >>> objective = MeanSquaredError().build(1).learn(targets)
    >>> with seeded(plan.seed, torch.device("cpu")):
    ...     module = Concat().build({"text": 1}, 1)
    ...     history = train(module, objective, Examples(TensorTable(table), targets), None, plan)
    >>> history[-1]["loss"] < history[0]["loss"]
    True
    """
    rng = np.random.default_rng(plan.seed)
    n_batches = len(examples.tensors.dialogue_batches(plan.batch_size))
    stepper = _Stepper([*module.parameters(), *objective.parameters()], plan, n_batches)
    best = _Best(module, objective)
    history: list[dict[str, float]] = []
    bar = tqdm(range(1, plan.epochs + 1), desc="training", unit="epoch", disable=not plan.progress)
    for epoch in bar:
        stepper.epoch = epoch
        entry = {"epoch": epoch, "lr": stepper.lr}
        entry["loss"] = _mean_loss(module, objective, examples, plan.batch_size, rng, stepper)
        if validation is not None:
            entry["validation_loss"] = _mean_loss(module, objective, validation, plan.batch_size)
            best.offer(epoch, entry["validation_loss"])
        history.append(entry)
        bar.set_postfix({name: f"{value:.3g}" for name, value in entry.items() if "loss" in name})
        if validation is not None and epoch - best.epoch >= plan.patience:
            break
    best.restore()
    logger.info("trained %d epochs, kept epoch %d", len(history), best.epoch or len(history))
    return history


def predict(module: nn.Module, tensors: TensorTable, batch_size: int) -> Tensor:
    """Return the outputs for all rows, in the order of the table.

    Parameters
    ----------
    module : Module
        Maps a batch to outputs.
    tensors : TensorTable
        The rows.
    batch_size : int
        Rows a batch, about.

    Returns
    -------
    Tensor, shape (n_rows, n_outputs)
        Outputs, computed in the precision of the rows.
    """
    module = copy.deepcopy(module).to(tensors.dtype).eval()
    batches = tensors.dialogue_batches(batch_size)
    with torch.no_grad():
        outputs = torch.cat([module(tensors.batch(rows)) for rows in batches])
    ordered = torch.empty_like(outputs)
    ordered[torch.cat(batches).to(outputs.device)] = outputs
    return ordered


class _Best:
    """The weights of the best epoch so far."""

    def __init__(self, *modules: nn.Module) -> None:
        self._modules = modules
        self._states: list[dict[str, Tensor]] = []
        self._loss = math.inf
        self.epoch = 0

    def offer(self, epoch: int, loss: float) -> None:
        if loss < self._loss:
            self.epoch, self._loss = epoch, loss
            self._states = [copy.deepcopy(module.state_dict()) for module in self._modules]

    def restore(self) -> None:
        for module, state in zip(self._modules, self._states, strict=False):
            module.load_state_dict(state)


class _Stepper:
    """AdamW along its schedule: from a loss to changed weights, or to an error that says why not."""

    def __init__(self, parameters: list[nn.Parameter], plan: Plan, n_batches: int) -> None:
        self.epoch = 0
        self._parameters = parameters
        n_steps = plan.epochs * n_batches
        self._optimizer = torch.optim.AdamW(parameters, lr=plan.lr, weight_decay=plan.weight_decay)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, lambda step: _share_of_lr(step, n_steps))

    @property
    def lr(self) -> float:
        return float(self._schedule.get_last_lr()[0])

    def step(self, loss: Tensor, batch: int) -> None:
        self._optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._parameters, GRADIENT_NORM)
        if not torch.isfinite(loss + norm):
            raise TrainingError(
                f"The loss is {loss.item():g} (gradient norm {norm.item():g}) in epoch {self.epoch}, batch {batch}, "
                f"at a learning rate of {self.lr:.2g}; expected finite numbers. Lower lr, or look for targets of "
                "extreme size."
            )
        self._optimizer.step()
        self._schedule.step()


def _share_of_lr(step: int, n_steps: int) -> float:
    """Rise in a line, then fall as a cosine to nothing."""
    warm_up = max(1, round(WARM_UP * n_steps))
    if step < warm_up:
        return (step + 1) / warm_up
    done = min(1.0, (step - warm_up) / max(1, n_steps - warm_up))
    return 0.5 * (1 + math.cos(math.pi * done))


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """Half precision on the GPUs that have bfloat16, full precision elsewhere."""
    half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)


def _mean_loss(
    module: nn.Module,
    objective: Objective,
    examples: Examples,
    batch_size: int,
    rng: np.random.Generator | None = None,
    stepper: _Stepper | None = None,
) -> float:
    """Go through all rows once, learning where there is a stepper; return the mean loss a row."""
    module.train(stepper is not None)
    total = 0.0
    for number, rows in enumerate(examples.tensors.dialogue_batches(batch_size, rng), start=1):
        with torch.set_grad_enabled(stepper is not None):
            loss = _loss(module, objective, examples, rows)
        if stepper is not None:
            stepper.step(loss, number)
        total += loss.item() * len(rows)
    return total / examples.tensors.n_rows


def _loss(module: nn.Module, objective: Objective, examples: Examples, rows: Tensor) -> Tensor:
    """Return the loss of the given rows."""
    batch = examples.tensors.batch(rows)
    with _precision(examples.tensors.device):
        outputs = module(batch)
    return objective.loss(outputs.float(), examples.targets[rows.to(examples.targets.device)], batch)
