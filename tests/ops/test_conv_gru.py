"""The plain and the residual GRU step: kernels against the definitions, the operators' contracts, and gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recodec.networks.cells import ConvGRU, ResidualConvGRU
from recodec.ops import conv_gru, residual_conv_gru
from recodec.ops.conv_gru import conv_gru_step
from recodec.ops.rearrange import depth_to_space
from recodec.ops.residual_conv_gru import residual_conv_gru_step
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

STEPS = {
    "conv_gru_step": Step(conv_gru_step, conv_gru.reference, 3, 2),
    "residual_conv_gru_step": Step(residual_conv_gru_step, residual_conv_gru.reference, 3, 2, paths=True),
}
SMALL = Case(2, 3, 2, 2, 8)

each_step = pytest.mark.parametrize("name", STEPS)
with_and_without_state = pytest.mark.parametrize("state", [True, False], ids=["state", "zero-state"])


@each_step
@with_and_without_state
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("case", CASES[:4], ids=str)
@pytest.mark.usefixtures("poisoned_memory", "few_tiles")
def test_kernels_compute_the_definition(name: str, case: Case, state: bool, dtype: torch.dtype) -> None:
    check_kernels(STEPS[name], replace(case, state=state), dtype)


@pytest.mark.parametrize("residual", [False, True])
def test_step_is_that_of_the_cell(residual: bool) -> None:
    torch.manual_seed(0)
    cell = (ResidualConvGRU if residual else ConvGRU)(5, 12, 2, 3, 2)
    step = residual_conv_gru_step if residual else conv_gru_step
    weights = [cell.input.weight, cell.input.bias, cell.hidden.weight, cell.candidate.weight]
    if isinstance(cell, ResidualConvGRU):
        weights += [cell.input_path.weight, cell.state_path.weight]
    x = torch.randn(2, 5, 7, 9)
    state = None
    for _ in range(2):
        y, after = step(x, state, *weights, stride=2, factor=2)  # type: ignore[operator]
        expected_y, expected = cell.step(x, state)
        assert expected is not None
        assert_same(y, depth_to_space(expected_y, 2))
        assert_same(after[0], expected[0])
        state = after


@each_step
@pytest.mark.parametrize("case", [SMALL, replace(SMALL, state=False, factor=1)], ids=str)
def test_operators_keep_the_contract_of_torch(name: str, case: Case) -> None:
    check_contract(STEPS[name], name, case)


@each_step
def test_gradients_can_be_traced_with_any_sizes(name: str) -> None:
    arguments = operator_arguments(STEPS[name], Case(1, 1, 1, 1, 4, state=False), torch.float32)
    torch.library.opcheck(getattr(torch.ops.recodec, name).default, arguments)


@each_step
@with_and_without_state
def test_gradients_of_the_operator_are_those_of_the_definition(name: str, state: bool) -> None:
    check_gradients(STEPS[name], name, state)


def test_paths_of_another_size_are_refused() -> None:
    x, state, weights = STEPS["residual_conv_gru_step"].inputs(SMALL, torch.float32)
    weights[4] = weights[4][:, :3].clone()
    with pytest.raises(RuntimeError, match="input_path is"):
        residual_conv_gru_step(x, state, *weights, stride=2, factor=2, backend="triton")  # type: ignore[arg-type]
