"""The one training loop: seeded, scheduled, stopped early on validation dialogues, best weights kept."""

from __future__ import annotations

import copy
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from featmer.collate import Batch, TensorTable
from featmer.nn import Answers
from featmer.objectives import Objective
from featmer.training.checkpoint import Best, Checkpoint, Progress
from featmer.training.steps import Plan, Stepper, TrainingError

logger = logging.getLogger(__name__)

_ONE_AT_A_TIME = threading.RLock()


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


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Make torch repeatable inside and leave no trace outside.

    The global generators, the number of threads and torch's choice of algorithms are put
    back. One thread is used on the CPU, where sums would otherwise depend on how many
    there are; on a GPU, algorithms that add in a fixed order, with torch's warning where
    there is none. Python threads wait for each other here, as all share torch's generators.

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
    gpus = [device] if device.type == "cuda" else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(gpus), ExitStack() as put_back:
        torch.manual_seed(seed)
        put_back.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        if gpus:
            put_back.enter_context(_in_fixed_order())
        yield


@contextmanager
def _in_fixed_order() -> Iterator[None]:
    """Let a GPU add in a fixed order, with torch's warning where it cannot."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may add in any order
    choices: Any = torch.utils.deterministic
    strict, fill = torch.get_deterministic_debug_mode(), choices.fill_uninitialized_memory
    torch.set_deterministic_debug_mode(max(strict, 1))
    choices.fill_uninitialized_memory = False  # it would cost a kernel for each new tensor
    try:
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels add in any order backwards unless all of torch is strict
            yield
    finally:
        torch.set_deterministic_debug_mode(strict)
        choices.fill_uninitialized_memory = fill


def train(
    module: nn.Module,
    objective: Objective,
    examples: Examples,
    validation: Examples | None,
    plan: Plan,
    *,
    curriculum: Callable[[int], NDArray[np.bool_]] | None = None,
    checkpoint: Checkpoint | None = None,
    best: Best | None = None,
) -> list[dict[str, float]]:
    """Train a module in place and leave it with its best weights.

    Parameters
    ----------
    module : Module
        Maps a batch to outputs. Parameters that need no gradient stay as they are.
    objective : Objective
        Compares outputs and targets; its own parameters, if any, are trained too.
    examples : Examples
        Rows to train on.
    validation : Examples or None
        Rows to watch, never trained on. The weights of the best epoch on them are
        kept; without them, the weights of the last epoch.
    plan : Plan
        How to train.
    curriculum : callable, optional
        From the number of an epoch, counted from 1, to a mask over the rows: those whose
        dialogues it learns from.
    checkpoint : Checkpoint, optional
        Where the state is kept after each epoch; training goes on from what is there,
        and ends as if it had never stopped.
    best : Best, optional
        Keeps the weights of the best epoch, of module and objective; training goes on while anything in it gets better.

    Returns
    -------
    list of dict
        An entry an epoch: ``epoch, lr, loss`` and ``validation_loss`` if watched, of several targets that of each too:
        ``validation_loss.valence``.

    Raises
    ------
    TrainingError
        If the loss is no longer a number, or the rows to watch have no target.

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
    n_batches = len(examples.tensors.dialogue_batches(plan.batch_size))
    learnt = [weights for part in (module, objective) for weights in part.parameters() if weights.requires_grad]
    stepper = Stepper(learnt, plan, n_batches)
    best = best or Best(module, objective)
    progress = Progress([module, objective], best, stepper, plan.seed, examples.tensors.device)
    if checkpoint is not None:
        checkpoint.resume(progress)
    with tqdm(total=plan.epochs, desc="training", unit="epoch", disable=not plan.progress) as bar:
        bar.update(len(progress.history))
        while (done := len(progress.history)) < plan.epochs:
            if validation is not None and done - best.epoch >= plan.patience:
                break
            stepper.epoch = done + 1
            rows = None if curriculum is None else curriculum(stepper.epoch)
            entry = {"epoch": stepper.epoch, "lr": stepper.lr}
            entry["loss"] = _learn(module, objective, examples, plan, progress, rows)
            if validation is not None:
                losses = _watch(module, objective, validation, plan)
                entry["validation_loss"] = sum(losses.values())
                entry |= {f"validation_loss.{name}": loss for name, loss in losses.items() if name}
                best.offer(stepper.epoch, losses)
            progress.history.append(entry)
            if checkpoint is not None:
                checkpoint.save(progress)
            bar.set_postfix({name: f"{value:.3g}" for name, value in entry.items() if "loss" in name})
            bar.update()
    best.restore()
    if checkpoint is not None:
        checkpoint.remove()
    logger.info("trained %d epochs, kept epoch %d", len(progress.history), best.epochs[""] or len(progress.history))
    return progress.history


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
    module = copy.deepcopy(module).to(tensors.device, tensors.dtype).eval()
    batches = tensors.dialogue_batches(batch_size)
    with torch.no_grad():
        outputs = torch.cat([module(tensors.batch(rows)) for rows in batches])
    ordered = torch.empty_like(outputs)
    ordered[torch.cat(batches)] = outputs
    return ordered


def _learn(
    module: nn.Module,
    objective: Objective,
    examples: Examples,
    plan: Plan,
    progress: Progress,
    rows: NDArray[np.bool_] | None,
) -> float:
    """Go through the rows once and learn from them; return the mean loss a row."""
    module.train()
    total, stepper = 0.0, progress.stepper
    batches = examples.tensors.dialogue_batches(plan.batch_size, progress.rng, rows)
    for first in range(0, len(batches), plan.accumulate):
        together = batches[first : first + plan.accumulate]
        n_rows = sum(map(len, together))
        for number, batch in enumerate(together, start=first + 1):
            loss = _loss(module, objective, examples, batch, plan.half)
            stepper.add(loss * (len(batch) / n_rows), number)
        total += stepper.step() * n_rows
    return total / sum(map(len, batches))


def _watch(module: nn.Module, objective: Objective, examples: Examples, plan: Plan) -> dict[str, float]:
    """Return the mean loss a row of each target, learning nothing."""
    module.eval()
    totals: dict[str, float] = {}
    n_rows: dict[str, int] = {}
    with torch.no_grad():
        for rows in examples.tensors.dialogue_batches(plan.batch_size):
            answers, targets, batch = _answers(module, examples, rows, plan.half)
            for name, (loss, n_known) in objective.parts(answers.outputs.float(), targets, batch).items():
                totals[name] = totals.get(name, 0.0) + loss.item() * n_known
                n_rows[name] = n_rows.get(name, 0) + n_known
    if not totals:
        raise TrainingError(
            "None of the rows to stop early on has a target: give validation rows that have, or train for all epochs "
            "with validation_share=0."
        )
    return {name: total / n_rows[name] for name, total in totals.items()}


def _loss(module: nn.Module, objective: Objective, examples: Examples, rows: Tensor, half: bool | None) -> Tensor:
    """Return the loss of the given rows."""
    answers, targets, batch = _answers(module, examples, rows, half)
    loss = objective.loss(answers.outputs.float(), targets, batch)
    if len(answers.side):
        side = torch.stack([objective.loss(outputs.float(), targets, batch) for outputs in answers.side])
        weight = answers.side_weight
        loss = loss + ((weight * side).mean() if isinstance(weight, Tensor) else weight * side.mean())
    return loss + answers.penalty.to(loss.device)


def _answers(module: nn.Module, examples: Examples, rows: Tensor, half: bool | None) -> tuple[Answers, Tensor, Batch]:
    """Return what the module says to the given rows, with their targets and the rows themselves."""
    batch = examples.tensors.batch(rows)
    with _precision(examples.tensors.device, half):
        answers = module(batch)
    if not isinstance(answers, Answers):
        answers = Answers(answers)
    return answers, examples.targets[rows], batch


def _precision(device: torch.device, half: bool | None) -> AbstractContextManager[object]:
    """Half precision where it is asked for or the GPU has bfloat16, full precision elsewhere."""
    if half is None:
        half = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)
