"""Cells with weights of 8 bits, of which the kernels make what the definition makes of the same numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from recodec.kernels.compile import find_specimens
from recodec.kernels.conv_gru import launch_conv_gru_step
from recodec.kernels.conv_lstm import launch_conv_lstm_step
from recodec.kernels.fp8 import LEAST_CAPABILITY, TYPE, quantise, quantise_gru
from recodec.kernels.tuning import Tiles
from torch import Tensor

from recodec.ops import conv_lstm, residual_conv_gru
from tests.tolerance import FLOAT32_STEP, error

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TILES = Tiles(16, 16, 32)
COUNT, INPUTS, WIDTH, HEIGHT, COLUMNS = 2, 6, 20, 5, 7

needs_products = pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability() < divmod(LEAST_CAPABILITY, 10),
    reason=f"this GPU is below capability {LEAST_CAPABILITY / 10}",
)


class Numbers:
    """Random float32 tensors."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(5)

    def map(self, *shape: int) -> Tensor:
        """One that 8 bits can say: Triton's interpreter cannot round to them."""
        return torch.randn(shape, generator=self.generator).to(TYPE).float().to(DEVICE)

    def weight(self, *shape: int) -> Tensor:
        """Some rows are far larger than others."""
        sizes = 10 ** torch.linspace(-3, 0, shape[0])
        drawn = torch.randn(shape, generator=self.generator) * sizes.view(-1, *[1] * (len(shape) - 1))
        return drawn.to(DEVICE)


def widened(weight: Tensor, scale: Tensor) -> Tensor:
    return weight.double() * scale.double()[:, None, None, None]


def assert_all_near(results: Sequence[Tensor], exact: Sequence[Tensor]) -> None:
    # Sums of such products on a GPU have fewer bits than float32.
    limit = FLOAT32_STEP if DEVICE == "cpu" else 2e-3
    for actual, value in zip(results, exact, strict=True):
        assert error(actual, value) <= limit


def test_rows_keep_their_relative_precision() -> None:
    weights = Numbers().weight(12, 5, 3, 3), 0.1 * Numbers().weight(12, 7, 1, 1)
    (first, second), scale = quantise(*weights)
    assert first.dtype == second.dtype == TYPE
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert scale.dtype == torch.float32
    for weight, rounded in zip(weights, (first, second), strict=True):
        peak = torch.stack([one.abs().flatten(1).amax(1) for one in weights]).amax(0)[:, None, None, None]
        # Half a unit in the last of four digits, and what is too small beside the row's largest.
        assert bool(((widened(rounded, scale) - weight).abs() <= weight.abs() / 16 + peak / 448 / 1024).all())
        assert bool((rounded.float().abs().amax() <= 448).all())


def test_a_row_of_zeros_stays_zero() -> None:
    (rounded,), scale = quantise(torch.zeros(3, 2, 1, 1))
    assert not rounded.float().any()
    assert bool((scale > 0).all())


@needs_products
def test_lstm_computes_the_definition() -> None:
    make = Numbers()
    x, h = make.map(COUNT, INPUTS, HEIGHT, COLUMNS), make.map(COUNT, WIDTH, HEIGHT, COLUMNS)
    c, bias = make.map(COUNT, WIDTH, HEIGHT, COLUMNS), make.map(4 * WIDTH)
    (weight, hidden), scale = quantise(
        make.weight(4 * WIDTH, INPUTS, 3, 3), make.weight(4 * WIDTH, WIDTH, 3, 3)
    )
    h_out, c_out, y_out = (torch.full_like(h, torch.nan) for _ in range(3))
    y_out = y_out.reshape(COUNT, WIDTH // 4, 2 * HEIGHT, 2 * COLUMNS)
    launch_conv_lstm_step(x, h, c, weight, bias, hidden, h_out, c_out, y_out, 1, 2, TILES, scale)
    arguments = (x.double(), h.double(), c.double())
    weights = (widened(weight, scale), bias.double(), widened(hidden, scale))
    assert_all_near((h_out, c_out, y_out), conv_lstm.reference(*arguments, *weights, 1, 2))


@needs_products
@pytest.mark.parametrize("state", [True, False], ids=["state", "zero-state"])
def test_residual_gru_computes_the_definition(state: bool) -> None:
    make = Numbers()
    x = make.map(COUNT, INPUTS, HEIGHT, COLUMNS)
    h = make.map(COUNT, WIDTH, HEIGHT, COLUMNS) if state else None
    bias = make.map(3 * WIDTH)
    # So that 8 bits can say r·h too.
    bias[WIDTH : 2 * WIDTH] = 200
    (weight, hidden, candidate), scale = quantise_gru(
        make.weight(3 * WIDTH, INPUTS, 3, 3),
        make.weight(2 * WIDTH, WIDTH, 1, 1),
        make.weight(WIDTH, WIDTH, 1, 1),
    )
    paths = make.weight(WIDTH, INPUTS, 1, 1), make.weight(WIDTH, WIDTH, 1, 1)
    h_out = torch.full((COUNT, WIDTH, HEIGHT, COLUMNS), torch.nan, device=DEVICE)
    y_out = torch.full_like(h_out, torch.nan)
    share = residual_conv_gru.RESIDUAL_SHARE
    launch_conv_gru_step(
        x, h, weight, bias, hidden, candidate, paths, h_out, y_out, 1, 1, share, (TILES, TILES), scale
    )
    exact = residual_conv_gru.reference(
        x.double(),
        None if h is None else h.double(),
        widened(weight, scale),
        bias.double(),
        widened(hidden, scale[: 2 * WIDTH]),
        widened(candidate, scale[2 * WIDTH :]),
        *(path.double() for path in paths),
        1,
        1,
    )
    assert_all_near((h_out, y_out), exact)


def test_every_cell_has_a_specimen() -> None:
    found = {specimen.name.split()[0] for specimen in find_specimens(["float8"])}
    assert found == {
        "conv_lstm_step",
        "conv_gru_gates",
        "conv_gru_candidate",
        "residual_conv_gru_candidate",
    }
    assert all(specimen.capability == LEAST_CAPABILITY for specimen in find_specimens(["float8"]))
