"""The selective scan: equal to the recurrence step by step, with its gradients, at any length and packing."""

from __future__ import annotations

import logging
import sys
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer.nn import scan
from featmer.nn.scan import selective_scan


def step_by_step(u, delta, A, B, C, D=None):
    state = u.new_zeros(u.shape[0], *A.shape)
    outputs = []
    for t in range(u.shape[1]):
        inflow = (delta[:, t] * u[:, t])[..., None] * B[:, t, None]
        state = (delta[:, t, :, None] * A).exp() * state + inflow
        outputs.append((state * C[:, t, None]).sum(-1))
    y = torch.stack(outputs, 1)
    return y if D is None else y + D * u


def make_inputs(n_sequences, length, channels, states, *, seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=draw, dtype=dtype)

    over_time = (n_sequences, length)
    inputs = [
        normal(*over_time, channels),
        torch.nn.functional.softplus(normal(*over_time, channels)),
        -normal(channels, states).exp(),
        normal(*over_time, states),
        normal(*over_time, states),
        normal(channels),
    ]
    return [value.requires_grad_() for value in inputs]


def outputs_and_gradients(function, inputs):
    y = function(*inputs)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype, device=y.device).view_as(y)
    return [y, *torch.autograd.grad((y * weights).sum(), inputs)]


def assert_equal_to_step_by_step(inputs, tolerance=1e-10):
    wanted, got = (outputs_and_gradients(function, inputs) for function in (step_by_step, selective_scan))
    for expected, found in zip(wanted, got, strict=True):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("length", [1, 7, 33, 128, 257])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 5, 4), (8, 64, 8)], ids=["narrow", "middle", "wide"])
def test_equal_to_the_recurrence_step_by_step(length, size):
    n_sequences, channels, states = size
    assert_equal_to_step_by_step(make_inputs(n_sequences, length, channels, states))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 60), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_any_shape_will_do(n_sequences, length, channels, states, seed):
    assert_equal_to_step_by_step(make_inputs(n_sequences, length, channels, states, seed=seed))


def test_many_blocks_follow_each_other_at_great_length():
    inputs = make_inputs(2, 600, 256, 16)  # width 8192: blocks of 32 steps, one chunk each
    assert_equal_to_step_by_step(inputs)
    narrow = make_inputs(1, 3000, 32, 16)  # width 512: blocks of 512 steps in chunks of 22
    assert_equal_to_step_by_step(narrow)


def test_gradients_are_those_of_finite_differences():
    assert torch.autograd.gradcheck(selective_scan, make_inputs(2, 9, 3, 2))


def test_single_precision_is_close():
    inputs = make_inputs(4, 300, 16, 8, dtype=torch.float32)
    assert_equal_to_step_by_step(inputs, tolerance=2e-3)
    assert selective_scan(*inputs).dtype == torch.float32


def test_half_precision_inputs_are_summed_up_in_single_precision():
    *inputs, _ = make_inputs(2, 50, 4, 3, dtype=torch.float32)
    rates = inputs.pop(2)
    u, delta, B, C = (value.detach().bfloat16() for value in inputs)
    y = selective_scan(u, delta, rates, B, C)
    torch.testing.assert_close(y, step_by_step(u.float(), delta.float(), rates, B.float(), C.float()))


def test_strong_decay_and_long_memory_stay_finite():
    u = torch.ones(1, 2000, 2)
    rates = torch.tensor([[-1e4], [-1e-9]])  # forgets everything within a step, and next to nothing ever
    forgets, remembers = selective_scan(u, u, rates, u[..., :1], u[..., :1])[0, -1]
    assert float(forgets) == 1
    assert float(remembers) == pytest.approx(2000, rel=1e-3)


def test_the_future_does_not_matter():
    inputs = make_inputs(2, 100, 3, 2)
    u = inputs[0].detach().clone()
    u[:, 40:] += 1
    before, after = selective_scan(*inputs), selective_scan(u, *inputs[1:])
    assert torch.equal(before[:, :40], after[:, :40])
    assert not torch.allclose(before[:, 40:], after[:, 40:])


@pytest.mark.parametrize("before", [0, 11], ids=["padded after", "padded before and after"])
def test_padding_with_steps_of_zero_is_exact(before):
    u, delta, A, B, C, D = make_inputs(2, 21, 3, 2)
    alone = selective_scan(u, delta, A, B, C, D)

    def pad(tensor, value):
        return torch.nn.functional.pad(tensor, (0, 0, before, 13), value=value)

    padded = selective_scan(pad(u, 7.0), pad(delta, 0.0), A, pad(B, 5.0), pad(C, 3.0), D)
    torch.testing.assert_close(padded[:, before : before + 21], alone, rtol=1e-12, atol=1e-12)


def test_sequences_in_a_batch_do_not_touch_each_other():
    u, delta, A, B, C, D = make_inputs(3, 40, 4, 2)
    together = selective_scan(u, delta, A, B, C, D)
    alone = [selective_scan(u[i : i + 1], delta[i : i + 1], A, B[i : i + 1], C[i : i + 1], D) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(together[1].sum(), u)
    assert gradient[1].any()
    assert not gradient[[0, 2]].any()


def test_memory_kept_for_backward_is_far_below_all_states():
    inputs = make_inputs(4, 1024, 32, 16, dtype=torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda x: x):
        selective_scan(*inputs[:5])
    assert sum(kept) < 0.3 * 4 * 1024 * 32 * 16


def test_shapes_that_do_not_fit_are_named():
    u, delta, A, B, C, _ = make_inputs(2, 5, 3, 4)
    with pytest.raises(ValueError, match=r"'B': \(2, 5, 3\).*expected u and delta \(n_sequences, length, channels\)"):
        selective_scan(u, delta, A, u, C)
    with pytest.raises(ValueError, match="none of them empty"):
        selective_scan(u[:, :0], delta[:, :0], A, B[:, :0], C[:, :0])


# the compiled kernel


@pytest.fixture
def install(monkeypatch):
    """Return a function that installs a kernel package of one's own."""

    def install(kernel):
        names = ("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.selective_scan_interface")
        for name in names:
            module = types.ModuleType(name)
            module.__spec__ = types.SimpleNamespace(name=name)
            monkeypatch.setitem(sys.modules, name, module)
        sys.modules[names[-1]].selective_scan_fn = kernel
        scan._proven_kernel.cache_clear()

    yield install
    scan._proven_kernel.cache_clear()


class Kernel:
    """What mamba_ssm's function does, time last; counts its calls."""

    def __init__(self, error=0.0, failure=None):
        self.calls, self.error, self.failure = 0, error, failure

    def __call__(self, u, delta, A, B, C):
        self.calls += 1
        if self.failure:
            raise self.failure
        u, delta, B, C = (tensor.transpose(1, 2) for tensor in (u, delta, B, C))
        return step_by_step(u * (1 + self.error), delta, A, B, C).transpose(1, 2)


def test_a_kernel_that_proves_equal_is_used_in_single_precision_only(install):
    install(kernel := Kernel())
    inputs = make_inputs(2, 30, 3, 2, dtype=torch.float32)
    assert_equal_to_step_by_step(inputs, tolerance=1e-4)
    calls = kernel.calls
    assert calls == 2  # the check, then the scan
    selective_scan(*inputs)
    assert kernel.calls == calls + 1
    selective_scan(*make_inputs(2, 30, 3, 2))
    assert kernel.calls == calls + 1


@pytest.mark.parametrize(
    ("kernel", "complaint"),
    [
        (Kernel(error=0.01), "y differs by a share of 0.01"),
        (Kernel(failure=RuntimeError("no kernel image is available")), "no kernel image is available"),
    ],
    ids=["wrong", "broken"],
)
def test_a_kernel_that_does_not_prove_equal_is_left_alone(install, kernel, complaint, caplog):
    install(kernel)
    with caplog.at_level(logging.WARNING, logger="featmer"):
        assert_equal_to_step_by_step(make_inputs(2, 30, 3, 2, dtype=torch.float32), tolerance=1e-3)
    assert complaint in caplog.text
    assert kernel.calls == 1
