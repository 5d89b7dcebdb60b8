"""The binarizer: code for code what the definition says, contracts, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recodec.errors import DeviceError
from recodec.networks.binarizer import Binarizer
from recodec.ops.backend import Backend
from recodec.ops.binarizer import binarize
from tests.tolerance import assert_same

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

SIZES = [(5, 12), (33, 20), (16, 8), (5, 3)]
BACKENDS: list[Backend] = ["reference", "triton"]

both_types = pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
both_backends = pytest.mark.parametrize("backend", BACKENDS)
both_symbols = pytest.mark.parametrize("symbols", [2, 3])
all_sizes = pytest.mark.parametrize(("inputs", "depth"), SIZES)


pytestmark = pytest.mark.usefixtures("few_tiles")


def whole_features(inputs: int, depth: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Multiples of 1/8 whose sums are exact in any order, and often 0 or exactly at a zone of 1/2."""
    generator = torch.Generator().manual_seed(inputs)

    def draw(*shape: int) -> Tensor:
        return torch.randint(-2, 3, shape, generator=generator).to(DEVICE, dtype)

    return draw(2, inputs, 7, 9) / 4, draw(depth, inputs, 1, 1) / 2, draw(depth) / 8


def zone_for(symbols: int) -> Tensor | None:
    return None if symbols == 2 else torch.tensor(0.5, device=DEVICE)


@both_types
@both_symbols
@all_sizes
@pytest.mark.usefixtures("poisoned_memory")
def test_kernel_gives_the_codes_of_the_definition(
    inputs: int, depth: int, symbols: int, dtype: torch.dtype
) -> None:
    x, weight, bias = whole_features(inputs, depth, dtype)
    y = torch.nn.functional.conv2d(x.double(), weight.double(), bias.double())
    expected = torch.where(y < 0, -1.0, 1.0) if symbols == 2 else torch.sign(y) * (y.abs() > 0.5)
    assert (y.abs() == 0.5).any()
    for backend in BACKENDS:
        codes = binarize(x, weight, bias, zone=zone_for(symbols), backend=backend)
        assert_same(codes, expected.to(dtype))


def test_low_precision_is_compared_after_sums_in_float32() -> None:
    # 1 + 2^-12 is more than 1, and rounds to 1 in float16.
    x = torch.tensor([1.0, 2**-12], dtype=torch.float16, device=DEVICE).view(1, 2, 1, 1)
    weight = torch.ones(1, 2, 1, 1, dtype=torch.float16, device=DEVICE)
    zone = torch.ones(1, device=DEVICE)
    for backend in BACKENDS:
        assert binarize(x, weight, zone=zone, backend=backend).item() == 1
        assert binarize(x[:, :1], weight[:, :1], zone=zone, backend=backend).item() == 0


@both_types
def test_noise_is_added_to_tanh(dtype: torch.dtype) -> None:
    x, weight, bias = whole_features(5, 12, dtype)
    noise = 2 * torch.rand(2, 12, 7, 9, generator=torch.Generator().manual_seed(2)) - 1
    noise = noise.to(DEVICE, dtype)
    y = torch.nn.functional.conv2d(x.double(), weight.double(), bias.double())
    sampled = y.tanh() + noise.double()
    assert sampled.abs().min() > 1e-5
    for backend in BACKENDS:
        codes = binarize(x, weight, bias, noise=noise, backend=backend)
        assert_same(codes, torch.where(sampled < 0, -1.0, 1.0).to(dtype))


@pytest.mark.parametrize("zones", [0, 2])
def test_codes_and_gradients_are_those_of_the_network(zones: int) -> None:
    torch.manual_seed(3)
    module = Binarizer(5, 12, 2, zones=zones).double()
    x = torch.randn(2, 5, 7, 9, dtype=torch.float64, requires_grad=True)
    up = torch.randn(2, 12, 7, 9, dtype=torch.float64)
    noise = None if zones else 2 * torch.rand(2, 12, 7, 9, dtype=torch.float64) - 1
    assert module.conv.bias is not None
    weight, bias = module.conv.weight[1], module.conv.bias[1]
    zone = None if module.dead_zone is None else module.dead_zone[1]
    assert_same(binarize(x, weight, bias, zone=zone).detach(), module(x, 1).detach())
    expected = module.train_codes(x, 1, None if noise is None else lambda _: noise)
    codes = binarize(x, weight, bias, zone=zone, noise=noise)
    operator = torch.ops.recodec.binarize(x, weight, bias, zone, noise)[0]
    torch.testing.assert_close(codes, expected, rtol=0, atol=1e-12)
    assert_same(operator.detach(), codes.detach())
    leaves = (x, module.conv.weight, module.conv.bias)
    found = [torch.autograd.grad((c * up).sum(), leaves) for c in (codes, operator, expected)]
    for actual, from_operator, value in zip(*found, strict=True):
        torch.testing.assert_close(actual, value, rtol=0, atol=1e-12)
        torch.testing.assert_close(from_operator, value, rtol=0, atol=1e-12)


@both_symbols
def test_operators_keep_the_contract_of_torch(symbols: int) -> None:
    x, weight, bias = whole_features(5, 12, torch.float32)
    zone = zone_for(symbols)
    operators = torch.ops.recodec
    torch.library.opcheck(operators.binarize.default, (x, weight, bias, zone, None))
    wanting = (x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), zone, None)
    quick = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(operators.binarize.default, wanting, test_utils=quick)


def test_arguments_that_do_not_fit_are_refused() -> None:
    x, weight, bias = whole_features(5, 12, torch.float32)
    with pytest.raises(RuntimeError, match="weight is"):
        binarize(x, weight[:, :4], bias, backend="triton")
    with pytest.raises(RuntimeError, match="zone must be one value"):
        binarize(x, weight, bias, zone=torch.ones(2, device=DEVICE), backend="triton")
    with pytest.raises(RuntimeError, match="no place for noise"):
        binarize(x, weight, zone=zone_for(3), noise=torch.zeros(2, 12, 7, 9, device=DEVICE), backend="triton")
    with pytest.raises(DeviceError, match="float64"):
        binarize(x.double(), weight.double(), bias.double(), backend="triton")
