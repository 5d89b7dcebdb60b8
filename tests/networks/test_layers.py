"""The paper's networks and their layers."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch

from recodec.networks.binarizer import Binarizer
from recodec.networks.cells import AssociativeConvLSTM, ConvLSTM
from recodec.networks.convolution import Projection, SameConv2d
from recodec.networks.pixel.config import (
    LayerKind,
    Reconstruction,
)
from recodec.networks.pixel.paper import paper_config
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.networks.pixel.transforms import BlockDCT
from recodec.ops.binarizer import signs
from recodec.ops.rearrange import depth_to_space, space_to_depth
from tests.networks.small import small_config

PAPER_SIZES = {
    ("lstm", 2): 30_213_920,
    ("lstm", 3): 35_456_800,
    ("gru", 2): 22_669_088,
    ("residual-gru", 2): 24_643_360,
    ("associative-lstm", 2): 31_854_560,
}


@pytest.mark.parametrize(("cell", "first_kernel"), PAPER_SIZES)
def test_paper_networks_have_the_published_sizes(cell: LayerKind, first_kernel: int) -> None:
    with torch.device("meta"):
        network = RecurrentCodec(paper_config(cell, first_kernel=first_kernel))
    weights = sum(p.numel() for name, p in network.named_parameters() if not name.endswith("bias"))
    # The count for the associative LSTM is the only one with the biases of its cells.
    associative = [m.input.bias for m in network.modules() if isinstance(m, AssociativeConvLSTM)]
    weights += sum(bias.numel() for bias in associative if bias is not None)
    assert weights == PAPER_SIZES[cell, first_kernel]
    assert network.config.stride == 16


def test_paper_biases_and_gain_network() -> None:
    with torch.device("meta"):
        network = RecurrentCodec(paper_config("lstm", "residual-scaling"))
    biases = [m.input.bias for m in network.modules() if isinstance(m, ConvLSTM)]
    assert sum(bias.numel() for bias in biases if bias is not None) == 10_752
    gain_network = network.decoder.gain_network
    assert gain_network is not None
    assert sum(p.numel() for p in gain_network.parameters()) == 28_769


@pytest.mark.parametrize("cell", get_args(LayerKind)[1:])
@pytest.mark.parametrize("reconstruction", ["one-shot", "additive", "residual-scaling"])
def test_full_size_paper_networks_have_the_published_shapes(
    cell: LayerKind, reconstruction: Reconstruction
) -> None:
    with torch.device("meta"):
        network = RecurrentCodec(paper_config(cell, reconstruction))
        pixels = torch.empty(1, 3, 96, 64)
        encoder = decoder = None
        for _ in range(2):
            codes, encoder = network.encode_step(pixels, encoder, decoder)
            decoder = network.decode_step(codes, decoder)
    assert codes.shape == (1, 32, 6, 4)
    assert encoder is not None
    assert decoder is not None
    assert decoder.reconstruction.shape == (1, 3, 96, 64)
    assert encoder.layers is not None
    assert decoder.layers is not None
    shapes = [None if state is None else tuple(state[0].shape[1:]) for state in encoder.layers]
    assert shapes == [None, (256, 24, 16), (512, 12, 8), (512, 6, 4)]
    shapes = [None if state is None else tuple(state[0].shape[1:]) for state in decoder.layers]
    assert shapes == [None, (512, 6, 4), (512, 12, 8), (256, 24, 16), (128, 48, 32)]


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("size", "stride"), [((7, 4), 1), ((7, 4), 2), ((1, 1), 2)])
def test_same_convolution_keeps_ceil_size(kernel: int, size: tuple[int, int], stride: int) -> None:
    y = SameConv2d(2, 3, kernel, stride)(torch.zeros(1, 2, *size))
    assert y.shape == (1, 3, -(-size[0] // stride), -(-size[1] // stride))


def test_even_kernel_pads_bottom_and_right() -> None:
    conv = SameConv2d(1, 1, 2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[[[0.0, 0.0], [0.0, 1.0]]]]))
    x = torch.arange(9.0).view(1, 1, 3, 3)
    expected = torch.tensor([[4.0, 5.0, 0.0], [7.0, 8.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(conv(x)[0, 0], expected)


def test_depth_to_space_is_block_major() -> None:
    x = torch.arange(12.0).view(1, 12, 1, 1)
    y = depth_to_space(x, 2)
    for dy in range(2):
        for dx in range(2):
            assert y[0, :, dy, dx].tolist() == [(dy * 2 + dx) * 3 + c for c in range(3)]
    torch.testing.assert_close(space_to_depth(y, 2), x)


@pytest.mark.parametrize(("factor", "depth", "height", "width"), [(2, 5, 3, 4), (8, 3, 2, 1), (16, 3, 1, 3)])
def test_depth_to_space_keeps_the_order_of_memory(factor: int, depth: int, height: int, width: int) -> None:
    x = torch.randn(2, factor**2 * depth, height, width)
    expected = depth_to_space(x, factor)
    found = depth_to_space(x.contiguous(memory_format=torch.channels_last), factor)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, expected)


def test_block_dct_is_orthonormal_and_inverts() -> None:
    dct = BlockDCT()
    basis = dct.basis.double()
    identity = torch.eye(192, dtype=torch.float64)
    torch.testing.assert_close(basis @ basis.t(), identity, rtol=0, atol=2e-7)
    dct.scale.uniform_(0.1, 2.0)
    x = torch.rand(2, 3, 16, 24) - 0.5
    torch.testing.assert_close(dct.synthesise(dct.analyse(x)), x, rtol=0, atol=1e-5)


def test_binarizer_has_two_symbols_and_zero_is_plus_one() -> None:
    y = torch.tensor([-1.0, -1e-30, -0.0, 0.0, 1e-30, 2.0])
    assert signs(y).tolist() == [-1, -1, 1, 1, 1, 1]


def test_binarizer_gradient_is_that_of_tanh() -> None:
    torch.manual_seed(0)
    binarizer = Binarizer(4, 3)
    x = torch.randn(2, 4, 2, 2, requires_grad=True)
    binarizer.train_codes(x, 0).sum().backward()
    straight = x.grad
    assert straight is not None
    x.grad = None
    torch.tanh(binarizer.conv(x, 0)).sum().backward()
    torch.testing.assert_close(x.grad, straight)


def test_sampled_codes_have_the_right_mean() -> None:
    torch.manual_seed(0)
    binarizer = Binarizer(1, 1)
    with torch.no_grad():
        binarizer.conv.weight.fill_(1.0)
        assert binarizer.conv.bias is not None
        binarizer.conv.bias.zero_()
    y = torch.tensor([-0.999, -0.5, 0.0, 0.8, 0.999]).expand(1, 1, 40_000, 5)
    codes = binarizer.train_codes(torch.atanh(y), 0, lambda shape: 2 * torch.rand(shape) - 1).detach()
    torch.testing.assert_close(codes.abs(), torch.ones_like(codes))
    torch.testing.assert_close(codes.mean(2), y.mean(2), rtol=0, atol=0.02)


@pytest.mark.parametrize("bias", [True, False])
def test_a_projection_has_weights_of_its_own_in_every_iteration(bias: bool) -> None:
    torch.manual_seed(0)
    own, plain = Projection(3, 5, 4, bias=bias), SameConv2d(3, 5, 1, bias=bias)
    x = torch.randn(2, 3, 4, 3)
    torch.testing.assert_close(own(x, 0), own(x, 3), rtol=0, atol=0)
    with torch.no_grad():
        for parameter in own.parameters():
            parameter.normal_()
    for iteration in (0, 2, 3, 7):
        for name, parameter in plain.named_parameters():
            parameter.data = own.get_parameter(name)[min(iteration, 3)].detach()
        torch.testing.assert_close(own(x, iteration), plain(x), rtol=0, atol=0)
    own(x, 2).sum().backward()
    for parameter in own.parameters():
        assert parameter.grad is not None
        touched = parameter.grad.flatten(1).abs().sum(1) > 0
        assert touched.tolist() == [False, False, True, False]


def test_own_projections_begin_as_shared_ones_and_extend() -> None:
    config = small_config("dct8", "additive", gains=True, shortcut=True)
    shared, own = RecurrentCodec(config), RecurrentCodec(replace(config, own_projections=True))
    assert set(shared.per_iteration()) == {"encoder.gain.log_gain", "decoder.gain.log_gain"}
    stacked = own.per_iteration()
    weights = shared.state_dict()
    own.load_state_dict(
        {k: weights[k].expand_as(v) if k in stacked else weights[k] for k, v in own.state_dict().items()}
    )
    x = torch.rand(1, 3, 32, 48) - 0.5
    for a, b in zip(shared.unroll(x, 3), own.unroll(x, 3), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    with torch.no_grad():
        for parameter in stacked.values():
            parameter.copy_(torch.arange(4.0).reshape(4, *[1] * (parameter.ndim - 1)).expand_as(parameter))
    own.extend(3)
    for parameter in stacked.values():
        assert parameter.detach().flatten(1).mean(1).tolist() == [0, 1, 2, 2]
