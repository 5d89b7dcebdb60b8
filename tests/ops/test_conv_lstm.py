"""The LSTM step: kernels against the definition, the operators' contracts, and gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recodec.errors import DeviceError
from recodec.networks.cells import ConvLSTM
from recodec.ops import conv_lstm
from recodec.ops.conv_lstm import conv_lstm_step
from recodec.ops.rearrange import depth_to_space
from tests.ops.steps import (
    CASES,
    Case,
    Step,
    check_contract,
    check_gradients,
    check_kernels,
    operator_arguments,
)
from tests.tolerance import assert_same

STEP = Step(conv_lstm_step, conv_lstm.reference, 4, 4, parts=2, candidate=False)
SMALL = Case(2, 3, 2, 2, 8)

both_types = pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
with_and_without_state = pytest.mark.parametrize("state", [True, False], ids=["state", "zero-state"])


@both_types
@with_and_without_state
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.usefixtures("poisoned_memory", "few_tiles")
def test_kernel_computes_the_definition(case: Case, state: bool, dtype: torch.dtype) -> None:
    check_kernels(STEP, replace(case, state=state), dtype)


def test_step_is_that_of_the_cell() -> None:
    torch.manual_seed(0)
    cell = ConvLSTM(5, 12, 2, 3, 2)
    x = torch.randn(2, 5, 7, 9)
    state = None
    for _ in range(2):
        assert cell.input.bias is not None
        weights = (cell.input.weight, cell.input.bias, cell.hidden.weight)
        y, after = conv_lstm_step(x, state, *weights, stride=2, factor=2)
        expected_y, expected = cell.step(x, state)
        assert expected is not None
        assert_same(y, depth_to_space(expected_y, 2))
        for part, expected_part in zip(after, expected, strict=True):
            assert_same(part, expected_part)
        state = after


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("state", [True, False])
def test_c_is_carried_in_float32(dtype: torch.dtype, state: bool) -> None:
    h, c, y = STEP.run(replace(SMALL, state=state), dtype, "reference")
    assert (h.dtype, c.dtype, y.dtype) == (dtype, torch.float32, dtype)


@pytest.mark.parametrize("case", [SMALL, replace(SMALL, state=False, factor=1)], ids=str)
def test_operators_keep_the_contract_of_torch(case: Case) -> None:
    check_contract(STEP, "conv_lstm_step", case)


def test_gradients_can_be_traced_with_any_sizes() -> None:
    arguments = operator_arguments(STEP, Case(1, 1, 1, 1, 4, state=False), torch.float32)
    torch.library.opcheck(torch.ops.recodec.conv_lstm_step.default, arguments)


@with_and_without_state
def test_gradients_of_the_operator_are_those_of_the_definition(state: bool) -> None:
    check_gradients(STEP, "conv_lstm_step", state)


def test_gradients_flow_through_the_kernel() -> None:
    case = Case(1, 1, 1, 1, 4)
    found = []
    for backend in ("triton", "reference"):
        x, state, weights = STEP.inputs(case, torch.float32)
        leaves = [leaf.requires_grad_() for leaf in (x, *(state or ()), *weights)]
        y, (_, c) = conv_lstm_step(x, state, *weights, backend=backend)  # type: ignore[arg-type]
        found.append(torch.autograd.grad((y * c.detach()).sum(), leaves))
    for actual, expected in zip(*found, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [({0: 4}, "weight is"), ({1: 1}, "bias is"), ({2: 2}, "hidden_weight is")],
    ids=["weight", "bias", "hidden-weight"],
)
def test_weights_of_another_size_are_refused(change: dict[int, int], message: str) -> None:
    x, state, weights = STEP.inputs(SMALL, torch.float32)
    for index, columns in change.items():
        weights[index] = (
            weights[index][:, :columns].clone() if index != 1 else weights[index][:columns].clone()
        )
    with pytest.raises(RuntimeError, match=message):
        conv_lstm_step(x, state, *weights, stride=2, factor=2, backend="triton")  # type: ignore[arg-type]


def test_kernels_do_not_compute_in_float64() -> None:
    with pytest.raises(DeviceError, match="float64"):
        STEP.run(SMALL, torch.float64, "triton")


def test_compiled_code_may_call_the_operator() -> None:
    x, _, weights = STEP.inputs(SMALL, torch.float32)

    def twice(x: torch.Tensor) -> torch.Tensor:
        operator = torch.ops.recodec.conv_lstm_step
        h, c, _ = operator(x, None, None, *weights, 2, 2)
        return operator(x, h, c, *weights, 2, 2)[2] * 2

    compiled = torch.compile(twice, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), twice(x), rtol=0, atol=1e-6)
