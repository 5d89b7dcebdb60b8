"""The reference networks: shapes, equations, explicit state, the paper's sizes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from recodec.errors import WeightsError
from recodec.networks.binarizer import Binarizer, binarize, sample_codes
from recodec.networks.cells import ConvLSTM, SameConv2d
from recodec.networks.config import LayerConfig, NetworkConfig, paper_config
from recodec.networks.recurrent import RecurrentCodec
from recodec.networks.transforms import BlockDCT, depth_to_space, space_to_depth


def small_config(
    front_end: str = "pixels", reconstruction: str = "one-shot", **extra: object
) -> NetworkConfig:
    dct = front_end == "dct8"
    return NetworkConfig(
        depth=6,
        iterations=4,
        reconstruction=reconstruction,  # type: ignore[arg-type]
        front_end=front_end,  # type: ignore[arg-type]
        encoder=(
            LayerConfig("conv", 8, 3, resample=1 if dct else 2),
            LayerConfig("lstm", 12, 3, 1, resample=2),
        ),
        decoder=(
            LayerConfig("lstm", 12, 2, 3, resample=2),
            LayerConfig("conv", 8, 1, resample=1 if dct else 2),
        ),
        **extra,  # type: ignore[arg-type]
    )


def test_paper_network_has_the_published_size() -> None:
    with torch.device("meta"):
        network = RecurrentCodec(paper_config())
    biases = sum(p.numel() for name, p in network.named_parameters() if name.endswith("bias"))
    weights = sum(p.numel() for p in network.parameters()) - biases
    assert weights == 30_213_920
    lstm_biases = sum(
        m.input.bias.numel()
        for m in network.modules()
        if isinstance(m, ConvLSTM) and m.input.bias is not None
    )
    assert lstm_biases == 10_752
    assert network.config.stride == 16


def test_conv_lstm_matches_the_per_gate_equations() -> None:
    torch.manual_seed(1)
    cell = ConvLSTM(5, 7, 3, 3, stride=2).double()
    x = torch.randn(2, 5, 9, 6, dtype=torch.float64)
    h, c = torch.randn(2, 2, 7, 5, 3, dtype=torch.float64).unbind(0)
    y, (h1, c1) = cell.step(x, (h, c))
    assert cell.input.bias is not None
    gates = {}
    for index, name in enumerate("fioj"):
        part = slice(7 * index, 7 * (index + 1))
        gates[name] = F.conv2d(
            x, cell.input.weight[part], cell.input.bias[part], stride=2, padding=1
        ) + F.conv2d(h, cell.hidden.weight[part], padding=1)
    c_expected = gates["f"].sigmoid() * c + gates["i"].sigmoid() * gates["j"].tanh()
    h_expected = gates["o"].sigmoid() * c_expected.tanh()
    torch.testing.assert_close(c1, c_expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(h1, h_expected, rtol=0, atol=1e-12)
    assert y is h1


def test_no_state_equals_zero_state() -> None:
    cell = ConvLSTM(3, 4, 3, 3).double()
    x = torch.randn(1, 3, 5, 4, dtype=torch.float64)
    zero = torch.zeros(1, 4, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(cell.step(x, None)[0], cell.step(x, (zero, zero))[0], rtol=0, atol=1e-14)


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
    assert binarize(y).tolist() == [-1, -1, 1, 1, 1, 1]


def test_binarizer_gradient_is_that_of_tanh() -> None:
    torch.manual_seed(0)
    binarizer = Binarizer(4, 3)
    x = torch.randn(2, 4, 2, 2, requires_grad=True)
    binarizer.train_codes(x, "sign").sum().backward()
    straight = x.grad
    assert straight is not None
    x.grad = None
    torch.tanh(binarizer.conv(x)).sum().backward()
    torch.testing.assert_close(x.grad, straight)


def test_sampled_codes_have_the_right_mean() -> None:
    torch.manual_seed(0)
    y = torch.tensor([-1.0, -0.5, 0.0, 0.8, 1.0]).expand(40_000, 5)
    codes = sample_codes(y)
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(codes.mean(0), y[0], rtol=0, atol=0.02)


@pytest.mark.parametrize("front_end", ["pixels", "dct8"])
@pytest.mark.parametrize("reconstruction", ["one-shot", "additive"])
@pytest.mark.parametrize("extra", [{}, {"gains": True, "shortcut": True}])
def test_training_unroll_equals_stepping(front_end: str, reconstruction: str, extra: dict[str, bool]) -> None:
    torch.manual_seed(3)
    config = small_config(front_end, reconstruction, **extra)
    network = RecurrentCodec(config).double()
    side = 2 * config.stride
    pixels = torch.rand(2, 3, side, side, dtype=torch.float64) - 0.5
    unrolled = network.unroll(pixels, 3, "sign")
    late = network.unroll(pixels, 1, "sign", lead_in=2)
    torch.testing.assert_close(late[0], unrolled[2], rtol=0, atol=1e-10)

    target = residual = network.front_end.analyse(pixels)
    encoder = decoder = None
    for step in range(3):
        codes, encoder = network.encode_step(residual, encoder)
        assert codes.shape == (2, 6, 2, 2)
        assert set(codes.unique().tolist()) <= {-1.0, 1.0}
        reconstruction_features, decoder = network.decoder.step(codes, decoder)
        residual = target - reconstruction_features
        torch.testing.assert_close(
            network.pixels(reconstruction_features), unrolled[step], rtol=0, atol=1e-10
        )
    unrolled[2].square().mean().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_configuration_survives_its_texts() -> None:
    for config in (paper_config("additive"), small_config("dct8", gains=True)):
        assert NetworkConfig.from_texts(config.to_texts()) == config


def test_encoder_settings_stay_out_of_the_decoder_text() -> None:
    one, other = small_config(gain_slope=0.1), small_config(gain_slope=0.3)
    assert one.to_texts()["decoder"] == other.to_texts()["decoder"]
    assert one.to_texts()["encoder"] != other.to_texts()["encoder"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depth": 0}, "depth is 0"),
        ({"iterations": 256}, "iterations is 256"),
        ({"decoder": (LayerConfig("conv", 8, 1, resample=2),)}, "grows by 2"),
        ({"decoder": (LayerConfig("conv", 7, 1, resample=4),)}, "multiple of 16"),
        ({"colour": 1}, "colour"),
    ],
)
def test_impossible_configurations_are_refused(change: dict[str, object], words: str) -> None:
    from dataclasses import asdict

    data = {**asdict(small_config()), **change}
    for side in ("encoder", "decoder"):
        data[side] = [layer if isinstance(layer, dict) else asdict(layer) for layer in data[side]]
    with pytest.raises(WeightsError, match=words):
        NetworkConfig.from_dict(data)
