"""The binarizer and bits: bit for bit what the definition says, contracts, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from recodec.errors import DeviceError
from recodec.networks.binarizer import Binarizer
from recodec.ops.backend import Backend
from recodec.ops.binarizer import binarize, binarize_, binarize_to_bits
from recodec.ops.bits import (
    bits_reference,
    bits_to_codes,
    codes_reference,
    codes_to_bits,
    unpack_codes,
    unpack_codes_,
)
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


def codes_of(symbols: int, depth: int, n: int = 2) -> Tensor:
    draws = torch.randint(0, symbols, (n, depth, 7, 9), generator=torch.Generator().manual_seed(depth))
    return (2 * draws - 1 if symbols == 2 else draws - 1).to(DEVICE, torch.int8)


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
        bits = binarize_to_bits(x, weight, bias, zone=zone_for(symbols), backend=backend)
        assert_same(bits, bits_reference(codes, symbols))


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


@both_backends
@both_symbols
def test_one_call_writes_codes_and_bits(symbols: int, backend: Backend) -> None:
    x, weight, bias = whole_features(33, 20, torch.float32)
    zone = zone_for(symbols)
    expected = binarize(x, weight, bias, zone=zone)
    for memory in (torch.channels_last, torch.contiguous_format):
        codes = torch.full(expected.shape, torch.nan, device=DEVICE).to(memory_format=memory)
        bits = torch.full((2, symbols - 1, 7, 9, 3), 255, dtype=torch.uint8, device=DEVICE)
        binarize_(x, weight, bias, codes, bits, zone=zone, backend=backend)
        assert_same(codes, expected)
        assert_same(bits, bits_reference(expected, symbols))


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
    operator = torch.ops.recodec.binarize(x, weight, bias, zone, noise)
    torch.testing.assert_close(codes, expected, rtol=0, atol=1e-12)
    assert_same(operator.detach(), codes.detach())
    leaves = (x, module.conv.weight, module.conv.bias)
    found = [torch.autograd.grad((c * up).sum(), leaves) for c in (codes, operator, expected)]
    for actual, from_operator, value in zip(*found, strict=True):
        torch.testing.assert_close(actual, value, rtol=0, atol=1e-12)
        torch.testing.assert_close(from_operator, value, rtol=0, atol=1e-12)


def test_channels_of_a_position_lie_together_from_the_least_significant_bit() -> None:
    codes = -torch.ones(1, 10, 1, 2)
    codes[0, [0, 3, 9], 0, 1] = 1
    assert bits_reference(codes, 2).tolist() == [[[[[0, 0], [0b1001, 0b10]]]]]
    codes[0, 1, 0, 1] = 0
    active, positive = bits_reference(codes, 3)[0, :, 0, 1].tolist()
    assert active == [0b11111101, 0b11]
    assert positive == [0b1001, 0b10]


@both_symbols
@pytest.mark.parametrize("depth", [1, 8, 12, 20, 96])
@pytest.mark.usefixtures("poisoned_memory")
def test_bits_come_back_as_codes(depth: int, symbols: int) -> None:
    codes = codes_of(symbols, depth)
    bits = bits_reference(codes, symbols)
    assert bits.numel() == 2 * 7 * 9 * (symbols - 1) * -(-depth // 8)
    for dtype in (torch.float32, torch.float16):
        for backend in BACKENDS:
            found = unpack_codes(bits, depth, dtype, backend=backend)
            assert_same(found, codes.to(dtype))
            assert found.is_contiguous(memory_format=torch.channels_last)
            buffer = torch.full(codes.shape, torch.nan, dtype=dtype, device=DEVICE)
            unpack_codes_(bits, buffer, backend=backend)
            assert_same(buffer, codes.to(dtype))
    assert_same(codes_reference(bits, depth, torch.bfloat16), codes.bfloat16())


@both_symbols
@pytest.mark.parametrize("depth", [1, 8, 12, 20])
def test_the_entropy_coder_gets_and_gives_the_same_bits(depth: int, symbols: int) -> None:
    codes = codes_of(symbols, depth)
    bits = bits_reference(codes, symbols).numpy(force=True)
    assert np.array_equal(codes_to_bits(codes.numpy(force=True), symbols), bits)
    found = bits_to_codes(bits, depth)
    assert found.dtype == np.int8
    assert found.flags.c_contiguous
    assert np.array_equal(found, codes.numpy(force=True))
    assert np.array_equal(bits_to_codes(bits[1], depth), codes[1].numpy(force=True))


def test_a_zero_is_no_symbol_of_two() -> None:
    with pytest.raises(ValueError, match="symbols=3"):
        codes_to_bits(np.zeros((4, 2, 2), np.int8), 2)


@both_symbols
def test_operators_keep_the_contract_of_torch(symbols: int) -> None:
    x, weight, bias = whole_features(5, 12, torch.float32)
    zone = zone_for(symbols)
    bits = torch.zeros(2, symbols - 1, 7, 9, 2, dtype=torch.uint8, device=DEVICE)
    codes = torch.zeros(2, 12, 7, 9, device=DEVICE).to(memory_format=torch.channels_last)
    operators = torch.ops.recodec
    torch.library.opcheck(operators.binarize.default, (x, weight, bias, zone, None))
    torch.library.opcheck(operators.binarize_to_bits.default, (x, weight, bias, zone))
    torch.library.opcheck(operators.binarize_.default, (x, weight, bias, zone, None, codes, bits))
    torch.library.opcheck(operators.unpack_codes.default, (bits, 12, torch.float32))
    torch.library.opcheck(operators.unpack_codes_.default, (bits, codes))
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
    bits = binarize_to_bits(x, weight, bias)
    with pytest.raises(RuntimeError, match="bits are"):
        unpack_codes(bits, 17, backend="triton")
    with pytest.raises(DeviceError, match="float64"):
        unpack_codes(bits, 12, torch.float64, backend="triton")
