"""Masking: gains from the picture decoded so far, in pixels what they are in coefficients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recodec.networks.pixel.config import LayerConfig, NetworkConfig
from recodec.networks.pixel.gains import Masking
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.networks.pixel.transforms import BlockDCT


@pytest.fixture
def front_end() -> BlockDCT:
    torch.manual_seed(1)
    front_end = BlockDCT().double()
    front_end.scale.uniform_(0.05, 2.0)
    return front_end


def block_deviation(pixels: Tensor) -> Tensor:
    """Root of the variance in each 8x8 block, the mean over red, green and blue: (N, 1, H/8, W/8)."""
    blocks = pixels.unfold(2, 8, 8).unfold(3, 8, 8)
    return blocks.var((4, 5), correction=0).mean(1, keepdim=True).sqrt()


def test_gains_follow_from_the_deviation_of_pixels(front_end: BlockDCT) -> None:
    contrast = torch.logspace(-3, 0, 12, dtype=torch.float64).reshape(2, 1, 2, 3)
    contrast = contrast.repeat_interleave(8, 2).repeat_interleave(8, 3)
    pixels = contrast * (torch.rand(2, 3, 16, 24, dtype=torch.float64) - 0.5) + 0.1
    gains = Masking()(front_end.analyse(pixels), front_end.scale)
    assert gains.shape == (2, 1, 2, 3)
    expected = (0.15 / (block_deviation(pixels) + 0.05)) ** 0.6
    torch.testing.assert_close(gains, expected, rtol=1e-5, atol=0)


def test_the_gain_is_1_at_a_tenth_of_the_range_and_highest_where_nothing_hides(front_end: BlockDCT) -> None:
    # 0.1 above and below the mean, whatever the mean is.
    checks = 0.1 * (-1.0) ** (torch.arange(8)[:, None] + torch.arange(8)).double()
    pixels = torch.stack([factor * checks.expand(3, 8, 8) for factor in (0, 1, 4)])
    pixels = pixels + torch.tensor([0.2, -0.4, 0.0], dtype=torch.float64)[:, None, None]
    gains = Masking()(front_end.analyse(pixels), front_end.scale).flatten().tolist()
    assert gains == pytest.approx([3**0.6, 1.0, (1 / 3) ** 0.6], rel=1e-5)


def test_no_gradient_goes_through_the_gains(front_end: BlockDCT) -> None:
    features = torch.randn(1, 192, 2, 2, dtype=torch.float64, requires_grad=True)
    assert not Masking()(features, front_end.scale).requires_grad


def masked_network() -> RecurrentCodec:
    torch.manual_seed(2)
    config = NetworkConfig(
        depth=6,
        iterations=3,
        reconstruction="masking",
        front_end="dct8",
        encoder=(LayerConfig("lstm", 12, resample=2),),
        decoder=(LayerConfig("lstm", 12, resample=2),),
        gain_input="residual",
    )
    network = RecurrentCodec(config).double()
    network.front_end.scale.uniform_(0.05, 0.5)
    return network


@torch.no_grad()
def test_residuals_are_multiplied_and_what_is_decoded_of_them_divided() -> None:
    network = masked_network()
    target = network.front_end.analyse(torch.rand(1, 3, 32, 48, dtype=torch.float64) - 0.5)
    encoder = decoded = layers = residual_state = None
    picture, gain = torch.zeros_like(target), torch.ones(1, 1, 4, 6, dtype=torch.float64)
    for iteration in range(3):
        codes, encoder = network.encode_step(target, encoder, decoded)
        features, residual_state = network.encoder.step((target - picture) * gain, residual_state)
        assert torch.equal(codes, network.binarizer(features, iteration))
        decoded = network.decode_step(codes, decoded)
        output, layers = network.decoder.step(codes, layers, iteration)
        picture = picture + output / gain
        torch.testing.assert_close(decoded.reconstruction, picture, rtol=0, atol=1e-6)
        # Whatever the gain network would look at, masking is that of the picture.
        gain = (0.15 / (block_deviation(network.pixels(picture)) + 0.05)) ** 0.6
        assert decoded.gain is not None
        torch.testing.assert_close(decoded.gain, gain, rtol=1e-6, atol=0)
