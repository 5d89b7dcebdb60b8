"""Each cell against its equations, written gate by gate with other operations, in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.networks.cells import (
    AssociativeConvLSTM,
    ConvGRU,
    ConvLSTM,
    ResidualConvGRU,
    bound,
    key_permutations,
)

WIDTH_IN, WIDTH = 5, 6
State = tuple[Tensor, ...]


def same(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """SAME convolution, tap by tap."""
    kernel = weight.shape[2]
    before, after = (kernel - 1) // 2, kernel // 2
    padded = F.pad(x, (before, after, before, after))
    height, width = -(-x.shape[2] // stride), -(-x.shape[3] // stride)
    y = torch.zeros(x.shape[0], weight.shape[0], height, width, dtype=x.dtype)
    for dy in range(kernel):
        for dx in range(kernel):
            rows = padded[:, :, dy::stride, dx::stride][:, :, :height, :width]
            y = y + torch.einsum("nchw,oc->nohw", rows, weight[:, :, dy, dx])
    return y if bias is None else y + bias.view(1, -1, 1, 1)


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


def tanh(x: Tensor) -> Tensor:
    return 1 - 2 / ((2 * x).exp() + 1)


def lstm(cell: ConvLSTM, x: Tensor, state: State, stride: int) -> tuple[Tensor, State]:
    h, c = state
    gates = []
    for k in range(4):
        part = slice(k * WIDTH, (k + 1) * WIDTH)
        assert cell.input.bias is not None
        gates.append(
            same(x, cell.input.weight[part], cell.input.bias[part], stride)
            + same(h, cell.hidden.weight[part])
        )
    f, i, o, j = gates
    c = sigmoid(f) * c + sigmoid(i) * tanh(j)
    h = sigmoid(o) * tanh(c)
    return h, (h, c)


def associative(cell: AssociativeConvLSTM, x: Tensor, state: State, stride: int) -> tuple[Tensor, State]:
    h, c_real = state
    units, copies = WIDTH // 2, cell.copies
    assert cell.input.bias is not None

    def gate(first: int) -> Tensor:
        part = slice(first * units, (first + 1) * units)
        return same(x, cell.input.weight[part], cell.input.bias[part], stride) + same(  # type: ignore[index]
            h, cell.hidden.weight[part]
        )

    def squash(z: Tensor) -> Tensor:
        return torch.where(z.abs() <= 1, z, z / z.abs())

    f, i, o = (sigmoid(gate(k)) for k in range(3))
    j, r_i, r_o = (squash(torch.complex(gate(k), gate(k + 1))) for k in (3, 5, 7))
    found = torch.zeros_like(j)
    cells = []
    for copy, order in enumerate(key_permutations(units, copies)):
        re, im = c_real[:, copy * WIDTH : (copy + 1) * WIDTH].split(units, dim=1)
        c = f * torch.complex(re, im) + r_i[:, order] * (i * j)
        cells += [c.real, c.imag]
        found = found + r_o[:, order] * c / copies
    z = o * squash(found)
    h = torch.cat([z.real, z.imag], dim=1)
    return h, (h, torch.cat(cells, dim=1))


def gru(cell: ConvGRU, x: Tensor, state: State, stride: int) -> tuple[Tensor, State]:
    (h,) = state
    assert cell.input.bias is not None
    z_x, r_x, j_x = (
        same(x, cell.input.weight[k : k + WIDTH], cell.input.bias[k : k + WIDTH], stride)
        for k in (0, WIDTH, 2 * WIDTH)
    )
    z = sigmoid(z_x + same(h, cell.hidden.weight[:WIDTH]))
    r = sigmoid(r_x + same(h, cell.hidden.weight[WIDTH:]))
    new = (1 - z) * h + z * tanh(j_x + same(r * h, cell.candidate.weight))
    return new, (new,)


def residual_gru(cell: ResidualConvGRU, x: Tensor, state: State, stride: int) -> tuple[Tensor, State]:
    h = gru(cell, x, state, stride)[0] + 0.1 * same(state[0], cell.state_path.weight)
    return h + 0.1 * same(x, cell.input_path.weight, None, stride), (h,)


def associative_with_copies(width_in: int, width: int, kernel: int, hidden: int, stride: int) -> object:
    return AssociativeConvLSTM(width_in, width, kernel, hidden, stride, copies=3)


CELLS: dict[str, tuple[Callable[..., object], Callable[..., tuple[Tensor, State]], tuple[int, ...]]] = {
    "lstm": (ConvLSTM, lstm, (WIDTH, WIDTH)),
    "associative": (AssociativeConvLSTM, associative, (WIDTH, WIDTH)),
    "associative-3-copies": (associative_with_copies, associative, (WIDTH, 3 * WIDTH)),
    "gru": (ConvGRU, gru, (WIDTH,)),
    "residual-gru": (ResidualConvGRU, residual_gru, (WIDTH,)),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("kernel", "hidden_kernel", "stride"), [(3, 1, 2), (3, 3, 1), (2, 1, 1), (2, 3, 2)])
@pytest.mark.parametrize("first", [True, False])
def test_cell_equals_its_equations(
    name: str, kernel: int, hidden_kernel: int, stride: int, first: bool
) -> None:
    make, equations, state_widths = CELLS[name]
    torch.manual_seed(1)
    cell = make(WIDTH_IN, WIDTH, kernel, hidden_kernel, stride)
    assert isinstance(cell, torch.nn.Module)
    cell = cell.double()
    x = torch.randn(2, WIDTH_IN, 7, 6, dtype=torch.float64, requires_grad=True)
    size = (-(-7 // stride), -(-6 // stride))
    state = tuple(torch.zeros(2, width, *size, dtype=torch.float64) for width in state_widths)
    if not first:
        # Wide enough that the bounds of the associative LSTM are on both sides.
        state = tuple(1.5 * torch.randn_like(part) for part in state)
    for part in state:
        part.requires_grad_()
    leaves = [x, *([] if first else state), *cell.parameters()]

    results = []
    given = None if first else state
    for y, after in (cell.step(x, given), equations(cell, x, state, stride)):  # type: ignore[operator]
        total = (y * torch.linspace(-1, 1, y.numel(), dtype=torch.float64).view_as(y)).sum()
        for part in after:
            total = (
                total + (part * torch.linspace(1, 2, part.numel(), dtype=torch.float64).view_as(part)).sum()
            )
        gradients = torch.autograd.grad(total, leaves, allow_unused=True)
        # Hidden weights are unused at the first step, where the equations multiply them by zero.
        gradients = [torch.zeros_like(v) if g is None else g for g, v in zip(gradients, leaves, strict=True)]
        results.append([y, *after, *gradients])
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


def test_bound_keeps_small_numbers_and_shrinks_large_ones_to_the_unit_circle() -> None:
    z = torch.tensor([0.3, 3.0, 0.0, -0.4, 4.0, 0.0]).view(1, 6, 1, 1)
    expected = torch.tensor([0.3, 0.6, 0.0, -0.4, 0.8, 0.0]).view(1, 6, 1, 1)
    torch.testing.assert_close(bound(z), expected)


@pytest.mark.parametrize(("units", "copies"), [(1, 1), (3, 3), (16, 8), (255, 5), (256, 4)])
def test_key_permutations_are_permutations_and_differ(units: int, copies: int) -> None:
    orders = key_permutations(units, copies)
    assert len(orders) == copies
    assert orders[0].tolist() == list(range(units))
    for order in orders:
        assert sorted(order.tolist()) == list(range(units))
    assert len({tuple(order.tolist()) for order in orders}) == copies


def test_residual_gru_carries_another_state_than_it_shows() -> None:
    torch.manual_seed(0)
    y, state = ResidualConvGRU(WIDTH_IN, WIDTH, 3, 1).step(torch.randn(1, WIDTH_IN, 4, 4), None)
    assert state is not None
    assert not torch.equal(y, state[0])
