"""Time the selective scan against plain loops over time and against mambapy's parallel scan, forward and backward.

    pip install mambapy
    python benchmarks/scan.py

Prints milliseconds, the best of turns taken one after another in one run, ratios, and memory kept for backward; then
how both grow with length. Three sides besides ours: the loop as the Mamba paper's code writes it, which takes each step
out by its index; the same loop with time taken apart once; and mambapy, where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor

from featmer.nn.scan import selective_scan

SHAPES = [(8, 1024, 64, 8), (8, 32, 64, 8), (4, 110, 256, 16), (1, 4096, 64, 8)]
LENGTHS = [512, 1024, 2048, 4096, 8192, 16384]

Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def indexed_loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """Step through time by index."""
    decays, inflows = expanded(u, delta, A, B)
    state = u.new_zeros(u.shape[0], *A.shape)
    outputs = []
    for t in range(u.shape[1]):
        state = decays[:, t] * state + inflows[:, t]
        outputs.append((state * C[:, t, None]).sum(-1))
    return torch.stack(outputs, dim=1)


def unbound_loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """Step through time taken apart once, which spares backward a full-size zero a step."""
    decays, inflows = expanded(u, delta, A, B)
    state = u.new_zeros(u.shape[0], *A.shape)
    states = []
    for decay, inflow in zip(decays.unbind(1), inflows.unbind(1), strict=True):
        state = decay * state + inflow
        states.append(state)
    return (torch.stack(states, dim=1) @ C[..., None]).squeeze(-1)


def mambapy_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """Let mambapy combine all steps in a tree."""
    from mambapy.pscan import pscan

    return (pscan(*expanded(u, delta, A, B)) @ C[..., None]).squeeze(-1)


def expanded(u: Tensor, delta: Tensor, A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Return decay and inflow of every step, (n_sequences, length, channels, states)."""
    return (delta[..., None] * A).exp(), (delta * u)[..., None] * B[:, :, None]


def make_inputs(n_sequences: int, length: int, channels: int, states: int, device: str) -> list[Tensor]:
    """Return numbers like those of a Mamba layer."""
    torch.manual_seed(0)
    over_time = (n_sequences, length)
    inputs = [
        torch.randn(*over_time, channels),
        0.1 * torch.rand(*over_time, channels),
        -torch.arange(1.0, states + 1).repeat(channels, 1),
        torch.randn(*over_time, states),
        torch.randn(*over_time, states),
    ]
    return [values.to(device).requires_grad_() for values in inputs]


def forward_backward(scan: Scan, inputs: list[Tensor]) -> list[Tensor]:
    """Return output and gradients."""
    y = scan(*inputs)
    return [y, *torch.autograd.grad(y.square().sum(), inputs)]


def kept_megabytes(scan: Scan, inputs: list[Tensor]) -> float:
    """Return the size of the tensors that wait for backward, each storage once."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = scan(*inputs)
    del y
    return sum(storages.values()) / 2**20


def best_times(sides: dict[str, Scan], inputs: list[Tensor], repeats: int) -> dict[str, float]:
    """Return the shortest time of each side in milliseconds, sides taking turns."""
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(repeats):
        for name, scan in sides.items():
            begin = time.perf_counter()
            forward_backward(scan, inputs)
            if inputs[0].is_cuda:
                torch.cuda.synchronize()
            best[name] = min(best[name], 1e3 * (time.perf_counter() - begin))
    return best


def main() -> None:
    """Print times, ratios and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sides: dict[str, Scan] = {"ours": selective_scan, "indexed loop": indexed_loop, "unbound loop": unbound_loop}
    if importlib.util.find_spec("mambapy"):
        sides["mambapy"] = mambapy_scan
    rows, kept = {}, {}
    for shape in SHAPES:
        inputs = make_inputs(*shape, arguments.device)
        rows[shape] = best_times(sides, inputs, arguments.repeats)
        kept[shape] = {name: kept_megabytes(scan, inputs) for name, scan in sides.items()}
    times = pd.DataFrame(rows).T
    print("milliseconds, forward and backward:", times.round(1), sep="\n")
    print("times as long as ours:", times.div(times["ours"], axis=0).round(2), sep="\n")
    print("megabytes kept for backward:", pd.DataFrame(kept).T.round(1), sep="\n")
    growth = []
    for length in LENGTHS:
        inputs = make_inputs(2, length, 64, 8, arguments.device)
        spent = best_times({"ours": selective_scan}, inputs, arguments.repeats)["ours"]
        growth.append((length, 1e3 * spent / length, 2**10 * kept_megabytes(selective_scan, inputs) / length))
    columns = ["length", "microseconds a step", "kilobytes a step"]
    print("ours, 2 x length x 64 x 8:", pd.DataFrame(growth, columns=columns).round(2).to_string(index=False), sep="\n")


if __name__ == "__main__":
    main()
