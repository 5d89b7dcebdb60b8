"""The reference networks: shapes, equations, explicit state, the paper's sizes."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import get_args

import pytest
import torch

from recodec.errors import WeightsError
from recodec.networks.binarizer import Binarizer, dead_zone_for
from recodec.networks.cells import AssociativeConvLSTM, ConvLSTM
from recodec.networks.convolution import Projection, SameConv2d
from recodec.networks.pixel.config import (
    LayerConfig,
    LayerKind,
    NetworkConfig,
    Reconstruction,
)
from recodec.networks.pixel.paper import paper_config
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.networks.pixel.stack import Stack, StackState
from recodec.networks.pixel.transforms import BlockDCT
from recodec.ops.binarizer import signs, ternarize
from recodec.ops.rearrange import depth_to_space, space_to_depth


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


def step_by_step(network: RecurrentCodec, pixels: torch.Tensor, iterations: int) -> list[torch.Tensor]:
    target = network.front_end.analyse(pixels)
    encoder = decoder = None
    pictures = []
    for _ in range(iterations):
        codes, encoder = network.encode_step(target, encoder, decoder)
        assert set(codes.unique().tolist()) <= {-1.0, 1.0}
        decoder = network.decode_step(codes, decoder)
        pictures.append(network.pixels(decoder.reconstruction))
    return pictures


# Masking measures blocks.
MODES = [("dct8", mode) for mode in get_args(Reconstruction)]
MODES += [("pixels", mode) for mode in get_args(Reconstruction) if mode != "masking"]


@pytest.mark.parametrize(("front_end", "reconstruction"), MODES)
@pytest.mark.parametrize(
    "extra", [{}, {"gains": True, "shortcut": True}, {"priming": 2, "diffusion": 1, "gain_input": "residual"}]
)
def test_training_unroll_equals_stepping(
    front_end: str, reconstruction: str, extra: dict[str, object]
) -> None:
    torch.manual_seed(3)
    network = RecurrentCodec(small_config(front_end, reconstruction, **extra)).double()
    # 3 positions: the patches of the gain network do not divide it.
    side = 3 * network.config.stride
    pixels = torch.rand(2, 3, side, side, dtype=torch.float64) - 0.5
    unrolled = network.unroll(pixels, 3)
    for expected, picture in zip(step_by_step(network, pixels, 3), unrolled, strict=True):
        torch.testing.assert_close(picture, expected, rtol=0, atol=1e-10)
    late = network.unroll(pixels, 1, lead_in=2)
    torch.testing.assert_close(late[0], unrolled[2], rtol=0, atol=1e-10)

    unrolled[2].square().mean().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


ZONED = {"gains": True, "shortcut": True, "own_projections": True, "dead_zone": True}


def zoned_network(reconstruction: str, encoder: bool = True, **extra: object) -> RecurrentCodec:
    """A network with a dead zone that sees what its shortcut says, in random double precision."""
    torch.manual_seed(8)
    settings = {**ZONED, "embedding": 5, "feedback": 4, **extra}
    config = small_config("dct8", reconstruction, **settings)
    network = RecurrentCodec(config if encoder else replace(config, encoder=())).double()
    network.front_end.scale.uniform_(0.1, 0.6)
    return network


@pytest.mark.parametrize("reconstruction", ["additive", "masking"])
@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("extra", [{}, {"priming": 1, "diffusion": 2, "gain_input": "residual"}])
def test_training_unroll_equals_stepping_with_a_dead_zone(
    reconstruction: str, encoder: bool, extra: dict[str, object]
) -> None:
    network = zoned_network(reconstruction, encoder, **extra)
    pixels = torch.rand(2, 3, 48, 32, dtype=torch.float64) - 0.5
    density = (0.3, 0.5)
    unrolled = network.unroll(pixels, 3, density=density)
    late = network.unroll(pixels, 1, lead_in=2, density=density)
    torch.testing.assert_close(late[0], unrolled[2], rtol=0, atol=1e-10)

    target = network.front_end.analyse(pixels)
    state = decoded = None
    for picture, share in zip(unrolled, (0.3, 0.5, 0.5), strict=True):
        features, state = network.encode_features(target, state, decoded)
        features = network.binarizer.conv(features, state.iteration - 1)
        codes = ternarize(features, dead_zone_for(features, share))
        assert float(codes.detach().abs().mean()) == pytest.approx(share, abs=0.01)
        decoded = network.decode_step(codes, decoded)
        torch.testing.assert_close(network.pixels(decoded.reconstruction), picture, rtol=0, atol=1e-10)

    unrolled[2].square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert bool(parameter.grad.any()), name


@torch.no_grad()
def test_fitted_dead_zones_give_files_the_density() -> None:
    network = zoned_network("masking")
    pixels = torch.rand(8, 3, 48, 32, dtype=torch.float64) - 0.5
    network.fit_dead_zones(pixels, (0.05, 0.2))
    target = network.front_end.analyse(pixels)
    state = decoded = None
    for share in (0.05, 0.2, 0.2, 0.2):
        codes, state = network.encode_step(target, state, decoded)
        assert set(codes.unique().tolist()) == {-1, 0, 1}
        assert float(codes.abs().mean()) == pytest.approx(share, abs=2 / codes.numel())
        decoded = network.decode_step(codes, decoded)
    zones = network.binarizer.dead_zone
    assert zones is not None
    assert len(set(zones.tolist())) == 4

    signs = RecurrentCodec(small_config("dct8"))
    before = {name: value.clone() for name, value in signs.state_dict().items()}
    signs.fit_dead_zones(pixels.float(), (0.1,))
    assert "binarizer.dead_zone" not in before
    assert all(torch.equal(value, before[name]) for name, value in signs.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize("reconstruction", ["additive", "masking"])
def test_feedback_shows_what_the_shortcut_alone_would_give(reconstruction: str) -> None:
    network = zoned_network(reconstruction)
    assert network.decoder.feedback is not None
    for parameter in network.decoder.output.parameters():
        parameter.zero_()
    # With feedback that only hands on what it sees, the layers' input ends in it.
    seen: list[torch.Tensor] = []
    feedback = Projection(384, 384, bias=False).double()
    feedback.weight.copy_(torch.eye(384, dtype=torch.float64)[:, :, None, None])
    network.decoder.feedback = feedback
    layers = network.decoder.layers
    step = layers.primed_step

    def watched(
        x: torch.Tensor, states: StackState, extra: int, side: torch.Tensor
    ) -> tuple[torch.Tensor, StackState]:
        seen.append(side)
        return step(x, states, extra, side[:, : network.config.feedback])

    layers.primed_step = watched  # type: ignore[method-assign, assignment]
    decoded = None
    for codes in random_codes(3):
        decoded = network.decode_step(codes, decoded)
        provisional, linear = seen.pop().split(192, dim=1)
        # The layers are silent, so what is provisional is what is decoded.
        torch.testing.assert_close(provisional, decoded.reconstruction, rtol=0, atol=1e-12)
        assert network.decoder.shortcut is not None
        expected = depth_to_space(network.decoder.shortcut(codes, decoded.iteration - 1), 2)
        torch.testing.assert_close(linear, expected, rtol=0, atol=1e-12)
    assert not seen


def test_the_layers_work_on_feedback_and_embedding() -> None:
    network = zoned_network("additive")
    assert network.decoder.layers.side_layer == 1
    codes = random_codes(2)
    before = features_after(network, codes[0], codes)
    for part in (network.decoder.feedback, network.decoder.embedding):
        assert part is not None
        weight = part.weight.detach().clone()
        with torch.no_grad():
            part.weight.zero_()
            assert not torch.allclose(features_after(network, codes[0], codes), before)
            part.weight.copy_(weight)


def test_an_encoder_without_layers_is_linear() -> None:
    network = zoned_network("additive", encoder=False)
    assert network.encoder.width == 4 * 192
    x, y = torch.randn(2, 1, 192, 4, 4, dtype=torch.float64)
    outputs = [network.encoder.step(value, None)[0] for value in (x, y, 2 * x - y)]
    torch.testing.assert_close(outputs[2], 2 * outputs[0] - outputs[1], rtol=0, atol=1e-12)


def features_after(network: RecurrentCodec, pixels: torch.Tensor, codes: list[torch.Tensor]) -> torch.Tensor:
    decoder = None
    for plane in codes:
        decoder = network.decode_step(plane, decoder)
    assert decoder is not None
    return decoder.reconstruction


def random_codes(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [signs(torch.randn(1, 6, 4, 4, dtype=torch.float64, generator=generator)) for _ in range(count)]


def test_reconstruction_modes_follow_their_equations() -> None:
    """The same weights in every mode: D's outputs replace, add up, or add up after division by the gain."""
    torch.manual_seed(5)
    network = RecurrentCodec(small_config(reconstruction="residual-scaling")).double()
    gain_network = network.decoder.gain_network
    assert gain_network is not None
    codes = random_codes(3)
    outputs, layers = [], None
    for iteration, plane in enumerate(codes):
        output, layers = network.decoder.step(plane, layers, iteration)
        outputs.append(output)

    side = 4 * network.config.stride
    picture = torch.zeros(1, 3, side, side, dtype=torch.float64)
    gain = torch.ones_like(picture[:, :1])
    for output in outputs:
        picture = picture + output / gain
        small = gain_network(picture)
        assert bool((small > 1).all())
        for y in range(side):
            for x in range(side):
                gain[0, 0, y, x] = small[0, 0, y // 32, x // 32]
    torch.testing.assert_close(features_after(network, picture, codes), picture, rtol=0, atol=1e-12)

    decoder = None
    for plane in codes:
        decoder = network.decode_step(plane, decoder)
    target = torch.rand_like(picture) - 0.5
    expected = network.encoder.step((target - picture) * gain, None)[0]
    actual = network.encode_features(target, None, decoder)[0]
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)

    for mode, wanted in (("one-shot", outputs[2]), ("additive", outputs[0] + outputs[1] + outputs[2])):
        other = RecurrentCodec(small_config(reconstruction=mode)).double()
        other.load_state_dict(network.state_dict(), strict=False)
        torch.testing.assert_close(features_after(other, picture, codes), wanted, rtol=0, atol=1e-12)


def test_priming_repeats_the_first_step_and_diffusion_every_later_one() -> None:
    torch.manual_seed(6)
    plain = RecurrentCodec(small_config()).double()
    primed = RecurrentCodec(small_config(priming=2, diffusion=1)).double()
    primed.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 16, 16, dtype=torch.float64) - 0.5
    state, layers = None, None
    for iteration, repeats in enumerate((3, 2, 2)):
        for _ in range(repeats):
            expected, layers = plain.encoder.layers(x, layers)
        y, state = primed.encoder.step(x, state)
        assert state.iteration == iteration + 1
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
    codes = random_codes(2)
    layers = None
    for plane, repeats in zip(codes, (3, 2), strict=True):
        for _ in range(repeats):
            expected, layers = plain.decoder.layers(plane, layers)
    torch.testing.assert_close(
        features_after(primed, x, codes), plain.decoder.output(expected, 0), rtol=0, atol=1e-12
    )


def test_configuration_survives_its_texts() -> None:
    zoned = zoned_network("masking", encoder=False).config
    assert (zoned.encoder, zoned.stride, zoned.feedback_layer) == ((), 16, 1)
    for config in (paper_config("gru", "additive"), small_config("dct8", gains=True), zoned):
        assert NetworkConfig.from_texts(config.to_texts()) == config


def test_encoder_settings_stay_out_of_the_decoder_text() -> None:
    one, other = small_config(gain_slope=0.1), small_config(gain_slope=0.3)
    assert one.to_texts()["decoder"] == other.to_texts()["decoder"]
    assert one.to_texts()["encoder"] != other.to_texts()["encoder"]
    zoned = small_config(dead_zone=True)
    assert zoned.to_texts()["decoder"] == small_config().to_texts()["decoder"]
    assert "dead_zone" in zoned.to_texts()["encoder"]


def test_what_came_later_stays_out_of_the_texts_of_older_models() -> None:
    texts = small_config().to_texts()
    for name in ("dead_zone", "embedding", "feedback", "own_projections", "copies"):
        assert name not in texts["encoder"] + texts["decoder"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"depth": 0}, "depth is 0"),
        ({"iterations": 256}, "iterations is 256"),
        ({"priming": -1}, "priming is -1"),
        ({"diffusion": 17}, "diffusion is 17"),
        ({"gain_input": "image"}, "gain_input is 'image'"),
        ({"encoder": ({"kind": "rnn", "width": 8},)}, "kind is 'rnn'"),
        ({"encoder": ({"kind": "associative-lstm", "width": 9},)}, "width of an associative-lstm is 9"),
        ({"encoder": ({"kind": "gru", "width": 8, "copies": 2},)}, "copies is 2"),
        ({"decoder": (LayerConfig("conv", 8, 1, resample=2),)}, "grows by 2"),
        ({"decoder": (LayerConfig("conv", 7, 1, resample=4),)}, "multiple of 16"),
        ({"colour": 1}, "colour"),
        ({"dead_zone": 1}, "dead_zone is 1; it must be true or false"),
        ({"embedding": -1}, "embedding is -1"),
        ({"embedding": True}, "embedding is True"),
        ({"feedback": 0.5}, "feedback is 0.5"),
        ({"feedback": 4}, "feedback is 4; .* needs shortcut = true"),
        ({"feedback": 4, "shortcut": True}, 'feedback is 4; .* "additive" or "masking"'),
        ({"feedback": 4, "shortcut": True, "reconstruction": "additive"}, "no decoder layer starts on the"),
        ({"reconstruction": "masking"}, 'it needs front_end = "dct8"'),
        ({"encoder": ()}, "encoder has no layers; only with shortcut = true"),
    ],
)
def test_impossible_configurations_are_refused(change: dict[str, object], words: str) -> None:
    data = {**asdict(small_config()), **change}
    for side in ("encoder", "decoder"):
        data[side] = [layer if isinstance(layer, dict) else asdict(layer) for layer in data[side]]
    with pytest.raises(WeightsError, match=words):
        NetworkConfig.from_dict(data)


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_a_configuration_without_a_side_is_refused(side: str) -> None:
    data = asdict(small_config(shortcut=True))
    del data[side]
    with pytest.raises(WeightsError, match=f"network lacks '{side}'"):
        NetworkConfig.from_dict(data)


def test_a_stack_that_multiplies_bfloat16_carries_and_returns_float32() -> None:
    torch.manual_seed(0)
    stack = Stack(4, (LayerConfig("lstm", 8), LayerConfig("gru", 8)), grow=False)
    x = torch.randn(1, 4, 6, 5)
    plain, _ = stack(x, stack(x, None)[1])
    stack.compute_under(torch.bfloat16)
    y, states = stack(x, stack(x, None)[1])
    assert y.dtype == torch.float32
    assert all(part.dtype == torch.float32 for state in states for part in state)
    assert not torch.equal(y, plain)
    torch.testing.assert_close(y, plain, rtol=0, atol=0.02)
    stack.compute_under(None)
    assert torch.equal(stack(x, stack(x, None)[1])[0], plain)
