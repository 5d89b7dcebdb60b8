"""Winograd's convolution and gathered taps against the library, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recodec.ops.backend import use_backend
from recodec.ops.convolution import convolution
from recodec.ops.pointwise import pointwise
from recodec.ops.taps import gather_taps
from recodec.ops.winograd import laid_out, winograd_convolution


@pytest.mark.parametrize(
    ("batch", "width_in", "width_out", "height", "width"),
    # Small tiles, then large ones.
    [
        (1, 1, 1, 1, 1),
        (2, 3, 5, 4, 8),
        (1, 4, 2, 7, 5),
        (2, 2, 3, 3, 13),
        (5, 8, 8, 16, 12),
        (2, 3, 4, 19, 23),
    ],
)
def test_winograd_is_the_convolution(
    batch: int, width_in: int, width_out: int, height: int, width: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(batch, width_in, height, width, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(width_out, width_in, 3, 3, dtype=torch.float64, requires_grad=True)
    expected, found = F.conv2d(x, weight, padding=1), winograd_convolution(x, weight)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    up = torch.randn_like(expected)
    for a, b in zip(
        torch.autograd.grad(found, (x, weight), up),
        torch.autograd.grad(expected, (x, weight), up),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("strip", [1, 3, 7])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(23, 19), (24, 16), (4, 63), (1, 70), (70, 1)])
def test_maps_without_gradients_are_computed_in_strips(
    height: int, width: int, batch: int, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recodec.ops.winograd._STRIP", strip)
    torch.manual_seed(0)
    x, weight = torch.randn(batch, 3, height, width).double(), torch.randn(5, 3, 3, 3).double()
    if height * width > 16 * strip:
        # A map in one piece goes through what computes gradients.
        monkeypatch.delattr("recodec.ops.winograd._Winograd")
    found = winograd_convolution(x, weight)
    torch.testing.assert_close(found, F.conv2d(x, weight, padding=1), rtol=1e-10, atol=1e-10)


def test_gradients_that_nobody_wants_are_not_computed() -> None:
    x, weight = torch.randn(1, 2, 4, 4), torch.randn(3, 2, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(winograd_convolution(x, weight).sum(), weight)
    assert gradient.shape == weight.shape
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(winograd_convolution(x, weight.detach()).sum(), x)
    assert gradient.shape == x.shape


def test_float32_loses_little() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 128, 16, 16)
    weight = torch.randn(128, 128, 3, 3) / 34
    expected = F.conv2d(x.double(), weight.double(), padding=1)
    error = (winograd_convolution(x, weight).double() - expected).abs().max() / expected.abs().max()
    assert error < 2e-5


def test_weights_laid_out_are_the_same_weights() -> None:
    weight = torch.randn(5, 4, 3, 3)
    assert torch.equal(laid_out(weight), weight)
    assert laid_out(weight).permute(2, 3, 1, 0).is_contiguous()


@pytest.mark.parametrize("stride", [1, 2])
def test_the_operator_chooses_and_obeys(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = winograd_convolution

    def counted(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        calls.append(x.shape)
        return real(x, weight)

    monkeypatch.setattr("recodec.ops.convolution.winograd_convolution", counted)
    x, weight, bias = torch.randn(1, 3, 9, 6), torch.randn(4, 3, 3, 3), torch.randn(4)
    expected = F.conv2d(x, weight, bias, stride, padding=1)
    torch.testing.assert_close(convolution(x, weight, bias, stride), expected, rtol=1e-4, atol=1e-4)
    assert len(calls) == (stride == 1)
    with use_backend("reference"):
        assert torch.equal(convolution(x, weight, bias, stride), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert convolution(x, weight, bias, stride).dtype == torch.bfloat16
    convolution(x.double(), weight.double(), bias.double(), stride)
    assert len(calls) == (stride == 1), "only float32 on a CPU, outside autocast"


def test_pointwise_is_a_convolution_of_one_tap() -> None:
    x, weight, bias = torch.randn(2, 3, 4, 5), torch.randn(6, 3, 1, 1), torch.randn(6)
    torch.testing.assert_close(pointwise(x, weight, bias), F.conv2d(x, weight, bias))
    torch.testing.assert_close(pointwise(x, weight[:, :, 0, 0]), F.conv2d(x, weight))


def test_taps_are_neighbours() -> None:
    offsets = ((-1, -1), (0, 1), (2, 0), (0, 0))
    x = torch.randn(2, 5, 6, 3, dtype=torch.float64, requires_grad=True)
    taps = gather_taps(x, offsets)
    assert taps.shape == (2, 5, 6, 4, 3)
    for tap, (dy, dx) in enumerate(offsets):
        for y in range(5):
            for column in range(6):
                inside = 0 <= y + dy < 5 and 0 <= column + dx < 6
                expected = x[:, y + dy, column + dx] if inside else torch.zeros(2, 3, dtype=torch.float64)
                assert torch.equal(taps[:, y, column, tap], expected)
    assert torch.autograd.gradcheck(lambda x: gather_taps(x, offsets), (x,))
