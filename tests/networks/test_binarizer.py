"""Codes with a dead zone: their values, their share, their gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recodec.networks.binarizer import Binarizer, dead_zone_for
from recodec.ops.binarizer import ternarize

ZONES = (0.2, 0.5, 1.0)


@pytest.fixture
def binarizer() -> Binarizer:
    torch.manual_seed(0)
    binarizer = Binarizer(6, 4, 3, zones=3)
    assert binarizer.dead_zone is not None
    binarizer.dead_zone.copy_(torch.tensor(ZONES))
    with torch.no_grad():
        binarizer.conv.weight.normal_()
    return binarizer


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, 6, 10, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)


def test_codes_are_signs_beyond_the_dead_zone() -> None:
    y = torch.tensor([-3.0, -0.51, -0.5, -0.1, -0.0, 0.0, 0.1, 0.5, 0.51, 2.0])
    assert ternarize(y, 0.5).tolist() == [-1, -1, 0, 0, 0, 0, 0, 0, 1, 1]


def test_files_have_the_zone_of_each_iteration_and_later_ones_the_last(
    binarizer: Binarizer, x: Tensor
) -> None:
    for iteration, zone in enumerate((*ZONES, ZONES[2])):
        features = binarizer.conv(x, iteration)
        expected = torch.where(features > zone, 1.0, 0.0) - torch.where(features < -zone, 1.0, 0.0)
        assert torch.equal(binarizer(x, iteration), expected)
        torch.testing.assert_close(binarizer.train_codes(x, iteration), expected, rtol=0, atol=1e-6)


def test_the_zones_belong_to_the_weights_of_networks_that_have_them(binarizer: Binarizer) -> None:
    assert set(binarizer.state_dict()) == {"conv.weight", "conv.bias", "dead_zone"}
    assert set(Binarizer(6, 4).state_dict()) == {"conv.weight", "conv.bias"}


@pytest.mark.parametrize("density", [0.01, 0.1, 0.5, 0.9])
def test_density_is_the_share_of_codes_that_say_something(
    binarizer: Binarizer, x: Tensor, density: float
) -> None:
    codes = binarizer.train_codes(x, 1, density=density).detach().round()
    assert codes.abs().sum() == round(density * codes.numel())
    features = binarizer.conv(x, 1).detach()
    assert features[codes != 0].abs().min() > features[codes == 0].abs().max()
    assert torch.equal(codes.abs(), (features.abs() > dead_zone_for(features, density)).float())
    assert torch.equal(codes, codes.abs() * features.sign())


@pytest.mark.parametrize("density", [None, 0.1])
def test_the_gradient_is_that_of_tanh_with_the_zone_at_one_half(
    binarizer: Binarizer, x: Tensor, density: float | None
) -> None:
    up = torch.randn(3, 4, 10, 8, generator=torch.Generator().manual_seed(2))
    (straight,) = torch.autograd.grad((binarizer.train_codes(x, 1, density=density) * up).sum(), x)
    features = binarizer.conv(x, 1)
    zone = ZONES[1] if density is None else float(dead_zone_for(features, density))
    (expected,) = torch.autograd.grad((torch.tanh(0.5 * features / zone) * up).sum(), x)
    torch.testing.assert_close(straight, expected)


def test_features_of_nothing_give_codes_and_gradients_that_are_finite(binarizer: Binarizer) -> None:
    assert binarizer.conv.bias is not None
    with torch.no_grad():
        binarizer.conv.bias.zero_()
    nothing = torch.zeros(1, 6, 4, 4, requires_grad=True)
    codes = binarizer.train_codes(nothing, 0, density=0.1)
    assert not codes.any()
    codes.sum().backward()
    assert nothing.grad is not None
    assert bool(torch.isfinite(nothing.grad).all())
