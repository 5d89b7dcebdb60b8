"""Steps of the recurrence: unrolled, fed back, reconstructed."""

from __future__ import annotations

import pytest
import torch

from recodec.networks.binarizer import dead_zone_for
from recodec.networks.convolution import Projection
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.networks.pixel.stack import StackState
from recodec.ops.binarizer import signs, ternarize
from recodec.ops.rearrange import depth_to_space
from tests.networks.small import MODES, small_config, zoned_network


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
