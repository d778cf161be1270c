"""The selective scan of Mamba: a linear recurrence whose decay depends on the input, with its exact gradient."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

logger = logging.getLogger(__name__)

BLOCK_NUMBERS = 2**18  # states computed at once: one megabyte a buffer, which stays in the processor's cache
WIDE = 4096  # numbers in one time step that keep one CPU thread busier than starting the step does
KERNEL_PACKAGE = "mamba_ssm"
KERNEL_TOLERANCE = 1e-4  # of the largest number; both sides are in single precision

Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None = None) -> Tensor:
    """Run a diagonal state-space model whose step, input and output vary in time.

    For each channel and state, from a state h of zero before the first step::

        h[t] = exp(delta[t] * A) * h[t - 1] + delta[t] * u[t] * B[t]
        y[t] = sum over states of C[t] * h[t], plus D * u[t]

    A step with ``delta`` zero leaves the state as it was, so sequences of different
    lengths are packed exactly by padding ``delta`` with zeros, before or after: no
    number crosses from one to another, and a padded sequence may be reversed whole.

    Time is cut into blocks that fit the cache; a block's states exist only while it is
    worked on, in ``backward`` again, so memory grows with length by the inputs and one
    state a block. Where a time step alone is too little work for the device, the steps
    of several chunks of a block are taken side by side: first from a state of zero, to
    learn what each chunk ends with, then from what the one before it ended with. Only
    products of decays are ever formed, all of them at most one; nothing is divided.

    Parameters
    ----------
    u : Tensor, shape (n_sequences, length, channels)
        The input.
    delta : Tensor, shape (n_sequences, length, channels)
        How far each step reaches, zero or more; zero at padding.
    A : Tensor, shape (channels, states)
        Decay rates, below zero.
    B : Tensor, shape (n_sequences, length, states)
        How the input enters each state.
    C : Tensor, shape (n_sequences, length, states)
        How each state enters the output.
    D : Tensor, shape (channels,), default=None
        How the input passes by the states; None lets nothing pass.

    Returns
    -------
    Tensor, shape (n_sequences, length, channels)
        The output, in the precision of A.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Gu, Dao: Mamba: Linear-time sequence modeling with selective state spaces.
    COLM, 2024.

    Examples
    --------
    >>> one = torch.ones(1, 3, 1)
    >>> halve = torch.full((1, 1), -math.log(2))
    >>> selective_scan(one, one, halve, one, one).flatten().tolist()
    [1.0, 1.5, 1.75]
    """
    _check_shapes(u, delta, A, B, C)
    inputs = [tensor.to(A.dtype) for tensor in (u, delta, A, B, C)]  # half precision is too coarse for a running sum
    y = _scan(*inputs)
    return y if D is None else y + D * inputs[0]


def _check_shapes(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> None:
    got = {name: tuple(tensor.shape) for name, tensor in {"u": u, "delta": delta, "A": A, "B": B, "C": C}.items()}
    if u.ndim == 3 and A.ndim == 2:
        over_time = (*u.shape[:2], A.shape[1])
        wanted = {"u": tuple(u.shape), "delta": tuple(u.shape), "A": (u.shape[2], A.shape[1])}
        if got == {**wanted, "B": over_time, "C": over_time} and u.numel():
            return
    raise ValueError(
        f"selective_scan got shapes {got}; expected u and delta (n_sequences, length, channels), A (channels, states), "
        "B and C (n_sequences, length, states), none of them empty."
    )


@dataclass(frozen=True)
class _Layout:
    """How time is cut: into blocks one after another, each of chunks of as many steps that go side by side."""

    n_sequences: int
    length: int
    n_blocks: int
    n_chunks: int
    n_steps: int

    @classmethod
    def choose(cls, n_sequences: int, length: int, width: int, device: torch.device) -> _Layout:
        """Choose by the numbers in one time step of all sequences."""
        block = min(length, max(16, BLOCK_NUMBERS // width))
        if device.type == "cuda":  # many small steps are slow there, and memory is wide
            block = min(length, 16 * block)
        alone = device.type == "cpu" and width >= WIDE
        n_chunks = 1 if alone else math.isqrt(block)
        n_blocks = -(-length // block)
        return cls(n_sequences, length, n_blocks, n_chunks, -(-length // (n_blocks * n_chunks)))

    def cut(self, tensor: Tensor) -> Tensor:
        """Lay out (n_sequences, length, k) as (n_blocks, n_steps, n_chunks * n_sequences, k), padded with zeros."""
        padding = self.n_blocks * self.n_chunks * self.n_steps - self.length
        padded = F.pad(tensor, (0, 0, 0, padding)) if padding else tensor
        parts = padded.unflatten(1, (self.n_blocks, self.n_chunks, self.n_steps))
        return parts.permute(1, 3, 2, 0, 4).flatten(2, 3).contiguous()

    def join(self, parts: Tensor) -> Tensor:
        """Undo ``cut``."""
        padded = parts.unflatten(2, (self.n_chunks, self.n_sequences)).permute(3, 0, 2, 1, 4)
        return padded.flatten(1, 3)[:, : self.length]


class _Block:
    """One block of time at work, in memory that is taken once for all blocks.

    ``decays``, ``states`` and ``grads`` have shape (n_steps, n_chunks * n_sequences, states, channels): channels last,
    as the longest axis and the one that most operands share.
    """

    def __init__(self, layout: _Layout, rates: Tensor) -> None:
        self.rates = rates
        self.n_sequences = layout.n_sequences
        shape = (layout.n_steps, layout.n_chunks * layout.n_sequences, *rates.shape)
        self.decays, self.states, self.grads = (rates.new_empty(shape) for _ in range(3))
        self._decay_steps, self._state_steps = self.decays.unbind(), self.states.unbind()
        self._grad_steps = self.grads.unbind()

    def run(self, u: Tensor, delta: Tensor, B: Tensor, start: Tensor) -> None:
        """Compute decays and states."""
        torch.mul(delta[:, :, None], self.rates, out=self.decays).exp_()
        torch.mul(B[..., None], (delta * u)[:, :, None], out=self.states)
        _recur(self._decay_steps, self._state_steps, start)

    def run_back(self, C: Tensor, grad_y: Tensor, after: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Compute the gradients of the states.

        ``after`` is the decay of the next block's first step and the gradient of the state there; returned are those
        of this block.
        """
        # The last step of a chunk is followed by the first of the next one.
        following = torch.cat([self.decays[0, self.n_sequences :], after[0]])
        torch.mul(C[..., None], grad_y[:, :, None], out=self.grads)
        _recur([following, *self._decay_steps[:0:-1]], self._grad_steps[::-1], after[1], backwards=True)
        return self.decays[0, : self.n_sequences].clone(), self.grads[0, : self.n_sequences].clone()

    def exponent_gradients(self, start: Tensor) -> Tensor:
        """Return the gradients of delta * A; decays are used up."""
        self.decays *= self.grads
        self.decays[1:] *= self.states[:-1]
        self.decays[0] *= torch.cat([start, self.states[-1, : -self.n_sequences]])
        return self.decays


def _recur(decays: Sequence[Tensor], flows: Sequence[Tensor], start: Tensor, *, backwards: bool = False) -> None:
    """Turn what flows in at each step into the state after it, in place: state = decay * state before + flow.

    Steps have shape (n_chunks * n_sequences, ...), the start (n_sequences, ...). A chunk starts where the one before
    it ends; backwards, where the one after it ends.
    """
    n_chunks = len(flows[0]) // len(start)
    if n_chunks > 1:
        start = _chunk_starts(decays, flows, start, -1 if backwards else 1, n_chunks)
    for decay, flow in zip(decays, flows, strict=True):
        start = flow.addcmul_(decay, start)


def _chunk_starts(
    decays: Sequence[Tensor], flows: Sequence[Tensor], start: Tensor, order: int, n_chunks: int
) -> Tensor:
    """Return the state that each chunk starts from."""
    end, left = flows[0].clone(), decays[0].clone()  # where a chunk ends from zero, and what is left of its start
    for decay, flow in zip(decays[1:], flows[1:], strict=True):
        torch.addcmul(flow, decay, end, out=end)
        left.mul_(decay)
    starts = [start]
    for end_of_chunk, left_of_chunk in zip(end.chunk(n_chunks)[::order], left.chunk(n_chunks)[::order], strict=True):
        starts.append(torch.addcmul(end_of_chunk, left_of_chunk, starts[-1]))
    return torch.cat(starts[:-1][::order])


class _TorchScan(torch.autograd.Function):
    """The scan in plain torch, block by block; backward computes each block's states again."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
        n_sequences, length, _ = u.shape
        layout = _Layout.choose(n_sequences, length, n_sequences * A.numel(), u.device)
        parts = [layout.cut(tensor) for tensor in (u, delta, B, C)]
        block = _Block(layout, A.T.contiguous())
        starts, y = [u.new_zeros(n_sequences, *block.rates.shape)], torch.empty_like(parts[0])
        for u_part, delta_part, B_part, C_part, y_part in zip(*parts, y, strict=True):
            block.run(u_part, delta_part, B_part, starts[-1])
            torch.matmul(C_part[:, :, None], block.states, out=y_part[:, :, None])
            starts.append(block.states[-1, -n_sequences:].clone())
        ctx.save_for_backward(block.rates, *parts, *starts[:-1])
        ctx.layout = layout
        return layout.join(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor, ...]:
        rates, *parts = ctx.saved_tensors[:5]
        layout, starts = ctx.layout, ctx.saved_tensors[5:]
        grads, grad_rates = [torch.empty_like(part) for part in parts], torch.zeros_like(rates)
        block, after = _Block(layout, rates), (torch.zeros_like(starts[0]), torch.zeros_like(starts[0]))
        by_block = list(
            zip(starts, layout.cut(grad_y), zip(*parts, strict=True), zip(*grads, strict=True), strict=True)
        )
        for start, grad_y_part, (u, delta, B, C), (grad_u, grad_delta, grad_B, grad_C) in reversed(by_block):
            block.run(u, delta, B, start)
            after = block.run_back(C, grad_y_part, after)
            torch.matmul(block.states, grad_y_part[..., None], out=grad_C[..., None])
            torch.matmul(block.grads, (delta * u)[..., None], out=grad_B[..., None])
            grad_inflow = (B[:, :, None] @ block.grads).squeeze(2)
            exponents = block.exponent_gradients(start)
            torch.mul(grad_inflow, delta, out=grad_u)
            torch.sum(torch.mul(exponents, rates, out=block.states), 2, out=grad_delta).addcmul_(grad_inflow, u)
            grad_rates += exponents.mul_(delta[:, :, None]).sum((0, 1))
        grad_u, grad_delta, grad_B, grad_C = (layout.join(grad) for grad in grads)
        return grad_u, grad_delta, grad_rates.T, grad_B, grad_C


_torch_scan: Scan = _TorchScan.apply


@torch.compiler.disable  # the compiler would unroll time
def _scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    kernel = _proven_kernel(A.device.type) if A.dtype == torch.float32 else None
    return (kernel or _torch_scan)(u, delta, A, B, C)


@functools.cache
def _proven_kernel(device: str) -> Scan | None:
    """Return the compiled scan of mamba_ssm where it is installed, works on the device and gives what ours gives."""
    if importlib.util.find_spec(KERNEL_PACKAGE) is None:
        return None
    try:
        compiled = importlib.import_module(f"{KERNEL_PACKAGE}.ops.selective_scan_interface").selective_scan_fn
        _check_kernel(kernel := functools.partial(_call_kernel, compiled), torch.device(device))
    except (ImportError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        logger.warning("%s is installed but not used for the scan on %s: %s", KERNEL_PACKAGE, device, error)
        return None
    return kernel


def _call_kernel(compiled: Callable[..., Tensor], u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """Call the kernel, which wants time last."""
    over_time = [tensor.transpose(1, 2).contiguous() for tensor in (u, delta, B, C)]
    u, delta, B, C = over_time
    return compiled(u, delta, A, B, C).transpose(1, 2)


def _check_kernel(kernel: Scan, device: torch.device) -> None:
    """Compare a kernel with the scan in torch, forward and gradients, on numbers like those of a layer."""
    draw = torch.Generator().manual_seed(0)
    shapes = {"u": (2, 65, 32), "delta": (2, 65, 32), "A": (32, 16), "B": (2, 65, 16), "C": (2, 65, 16)}
    values = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    values["delta"], values["A"] = F.softplus(values["delta"]), -values["A"].exp()
    values["delta"][0, 40:] = 0.0
    inputs = [value.to(device).requires_grad_() for value in values.values()]
    with torch.enable_grad():
        wanted, got = (
            (y, *torch.autograd.grad(y.square().sum(), inputs)) for y in (_torch_scan(*inputs), kernel(*inputs))
        )
    for name, expected, found in zip(("y", *shapes), wanted, got, strict=True):
        difference = float(((found - expected).abs().max() / expected.abs().max()).detach())
        if not difference < KERNEL_TOLERANCE:
            raise ValueError(f"{name} differs by a share of {difference:.2g}, expected less than {KERNEL_TOLERANCE:g}.")
