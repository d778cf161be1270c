"""Time an epoch of every head beside the whole fit of LightGBM and of the linear model, on a table as large as MELD.

    python benchmarks/heads.py
    python benchmarks/heads.py --only mamba graph boosted
    python benchmarks/heads.py --device cuda --batch-size 2048

Everything runs on one thread, and what counts are its seconds of CPU, which a busy machine changes little; on a GPU,
seconds of the clock. An epoch is what a fit of more epochs costs beyond a fit of one. Ratios are to an epoch of the
plain padded loop of `recurrent.py`, timed before and after all others, the shorter counting. The labels follow seven
features through noise: on labels of pure chance LightGBM would stop at once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from recurrent import BATCH, N_CLASSES, N_ROWS, fitted, make_table, plain_epochs
from threadpoolctl import threadpool_limits

from featmer import BoostedClassifier, FeatureTable
from featmer.baselines import LinearClassifier
from featmer.nn import HEADS

Clock = Callable[[], float]
Row = tuple[str, float, int | None]

WHOLE = {"boosted": BoostedClassifier(n_jobs=1, random_state=0), "linear": LinearClassifier()}


def seconds(work: Callable[[], object], clock: Clock = time.process_time) -> float:
    """Return the seconds that something takes, of CPU unless another clock is given."""
    start = clock()
    work()
    return clock() - start


def of_an_epoch(train: Callable[[int], object], epochs: int, clock: Clock) -> float:
    """Return the seconds of an epoch after the first, from training of one epoch and of more."""
    train(1)  # what is done once in a process is not counted
    first = seconds(lambda: train(1), clock)
    return (seconds(lambda: train(1 + epochs), clock) - first) / epochs


def cost(name: str, table: FeatureTable, labels: np.ndarray, epochs: int, clock: Clock, **given: Any) -> Row:
    """Return what was timed, its seconds, and the parameters."""
    if name in WHOLE:
        spent = seconds(lambda: WHOLE[name].fit(table, labels))
        return "fit", spent, getattr(WHOLE[name], "n_parameters_", None)
    made = []
    spent = of_an_epoch(lambda count: made.append(fitted(HEADS[name](), table, labels, count, **given)), epochs, clock)
    return "epoch", spent, made[0].n_parameters_


def main() -> None:
    """Print a row each, then all of them in order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[*HEADS, *WHOLE], choices=[*HEADS, *WHOLE], metavar="NAME")
    parser.add_argument("--epochs", type=int, default=2, help="epochs beyond the first")
    parser.add_argument("--device", default="cpu", help="of the heads and the plain loop; the others stay on the CPU")
    parser.add_argument("--batch-size", type=int, default=BATCH, help="rows a batch of the heads and the plain loop")
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    given = {name: getattr(arguments, name) for name in ("device", "batch_size", "compile")}
    clock = time.process_time if arguments.device == "cpu" else time.perf_counter
    torch.set_num_threads(1)
    table, _ = make_table()
    noise = np.random.default_rng(0).gumbel(size=(N_ROWS, N_CLASSES))
    labels = (table.blocks["text"].values[:, :N_CLASSES] + noise).argmax(1)
    plainly = partial(plain_epochs, table, labels, device=arguments.device, batch_size=arguments.batch_size)
    plain = [of_an_epoch(plainly, arguments.epochs, clock)]
    rows = {}
    with threadpool_limits(1):
        for name in arguments.only:
            rows[name] = cost(name, table, labels, arguments.epochs, clock, **given)
            print(f"{name}: {rows[name][1]:.2f} s", flush=True)
    plain.append(of_an_epoch(plainly, arguments.epochs, clock))
    print(f"plain loop: {plain[0]:.2f} s before, {plain[1]:.2f} s after")
    costs = pd.DataFrame.from_dict(rows, "index", columns=["of", "seconds", "parameters"]).sort_values("seconds")
    costs.insert(2, "ratio", costs["seconds"] / min(plain))
    print(costs.astype({"parameters": "Int64"}).round(2).to_string())


if __name__ == "__main__":
    main()
