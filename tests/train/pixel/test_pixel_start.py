"""The start from the transform: a progressive codec before any training, made by linear algebra alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from recodec.networks.pixel.config import LayerConfig, NetworkConfig
from recodec.networks.pixel.decoder import DecoderState
from recodec.networks.pixel.encoder import EncoderState
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.train.tasks.pixel.start import _visibility, can_start_from_transform, start_from_transform
from tests.zoned import ZONED

DENSITY = (0.08, 0.12, 0.2)
SHARES = (0.08, 0.12, 0.2, 0.2, 0.2)

CONFIG = replace(
    ZONED, depth=16, iterations=5, decoder=(LayerConfig("gru", 12, resample=2), LayerConfig("gru", 8))
)
WITH_ENCODER = replace(CONFIG, encoder=(LayerConfig("lstm", 12, resample=2),), reconstruction="additive")


def pictures(count: int, seed: int) -> Tensor:
    """Sums of slow cosines in three colours that go together, and a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:64, 0:64] / 64
    waves = [
        rng.normal(0, 0.4 / (1 + np.hypot(u, v)), (count, 1, 1, 1))
        * np.cos(2 * np.pi * (u * x + v * y + rng.random((count, 1, 1, 1))))
        * rng.normal(1, 0.2, (count, 3, 1, 1))
        for u, v in rng.uniform(-5, 5, (12, 2))
    ]
    pixels = (
        rng.normal(0, 0.2, (count, 1, 1, 1)) + np.sum(waves, axis=0) + rng.normal(0, 0.01, (count, 3, 64, 64))
    )
    return torch.from_numpy(pixels.clip(-0.5, 0.5)).float()


SAMPLES = pictures(64, 0)


def started(config: NetworkConfig) -> RecurrentCodec:
    torch.manual_seed(0)
    network = RecurrentCodec(config)
    network.calibrate(SAMPLES)
    start_from_transform(network, SAMPLES, DENSITY)
    return network.requires_grad_(False)


@pytest.fixture(scope="module", params=[CONFIG, WITH_ENCODER], ids=["linear", "layers"])
def network(request: pytest.FixtureRequest) -> RecurrentCodec:
    return started(request.param)


def errors(network: RecurrentCodec, pixels: Tensor) -> list[float]:
    return [float((picture - pixels).square().mean()) for picture in network.unroll(pixels, 5)]


def test_the_error_falls_with_every_iteration(network: RecurrentCodec) -> None:
    for pixels in (SAMPLES, pictures(16, 1)):
        falling = errors(network, pixels)
        assert falling[0] < 0.5 * float(pixels.square().mean())
        assert all(after < 0.9 * before for before, after in pairwise(falling))


def test_a_random_start_is_far_behind(network: RecurrentCodec) -> None:
    torch.manual_seed(0)
    random = RecurrentCodec(network.config).requires_grad_(False)
    random.calibrate(SAMPLES)
    random.fit_dead_zones(SAMPLES, DENSITY)
    assert errors(network, SAMPLES)[-1] < 0.1 * errors(random, SAMPLES)[-1]


def test_codes_have_the_density_with_the_zones_that_networks_begin_with(network: RecurrentCodec) -> None:
    assert network.binarizer.dead_zone is not None
    assert network.binarizer.dead_zone.tolist() == [0.5] * 5
    target = network.front_end.analyse(SAMPLES)
    encoder: EncoderState | None = None
    decoded: DecoderState | None = None
    for share in SHARES:
        codes, encoder = network.encode_step(target, encoder, decoded)
        assert float(codes.abs().mean()) == pytest.approx(share, rel=0.03)
        decoded = network.decode_step(codes, decoded)


def test_gains_bring_what_the_layers_see_and_say_to_deviations_of_1(network: RecurrentCodec) -> None:
    target = network.front_end.analyse(SAMPLES)
    encoder: EncoderState | None = None
    decoded: DecoderState | None = None
    for iteration in range(3):
        features, encoder = network.encode_features(target, encoder, decoded)
        seen = features[:, network.encoder.layers_width :].unflatten(1, (4, 192))
        torch.testing.assert_close(seen.square().mean((0, 1, 3, 4)), torch.ones(192), rtol=1e-3, atol=0)
        former, decoded = decoded, network.decode_step(network.binarizer(features, iteration), decoded)
        left = target - decoded.reconstruction
        if former is not None and former.gain is not None:
            left = left * former.gain
        assert network.decoder.gain is not None
        to_say = left / network.decoder.gain(torch.ones_like(left), iteration)
        torch.testing.assert_close(to_say.square().mean((0, 2, 3)), torch.ones(192), rtol=1e-3, atol=0)


def test_layers_contribute_nothing_yet(network: RecurrentCodec) -> None:
    pixels = pictures(4, 2)
    before = network.unroll(pixels, 5)
    scrambled = RecurrentCodec(network.config).requires_grad_(False)
    scrambled.load_state_dict(network.state_dict())
    parts = [scrambled.encoder.layers, scrambled.decoder.layers, scrambled.decoder.feedback]
    for part in (*parts, scrambled.decoder.embedding):
        assert part is not None
        for parameter in part.parameters():
            parameter.normal_(0, 0.3)
    for a, b in zip(before, scrambled.unroll(pixels, 5), strict=True):
        assert torch.equal(a, b)


def test_what_the_shortcut_says_is_the_least_squares_fit(network: RecurrentCodec) -> None:
    target = network.front_end.analyse(SAMPLES)
    codes, _ = network.encode_step(target, None, None)
    assert network.decoder.shortcut is not None
    weight = network.decoder.shortcut.weight

    def error() -> float:
        left = (target - network.decode_step(codes, None).reconstruction) * network.front_end.scale[
            :, None, None
        ]
        return float((left * _visibility()[:, None, None]).square().double().mean())

    best, fitted = error(), weight.clone()
    generator = torch.Generator().manual_seed(3)
    for _ in range(5):
        weight.copy_(fitted * (1 + 0.05 * torch.randn(fitted.shape, generator=generator)))
        assert error() > best
    for factor in (0.97, 1.03):
        weight.copy_(factor * fitted)
        assert error() > best
        for code in codes.abs().sum((0, 2, 3)).nonzero().flatten().tolist():
            weight.copy_(fitted)
            weight[0, :, code] *= factor
            assert error() > best
    weight.copy_(fitted)


def test_codes_of_one_direction_count_its_steps(network: RecurrentCodec) -> None:
    target = network.front_end.analyse(SAMPLES)
    codes, _ = network.encode_step(target, None, None)
    rows = network.binarizer.conv.weight[0, :, network.encoder.layers_width :, 0, 0].double()
    lengths = rows.norm(dim=1)
    alike = (rows / lengths[:, None]) @ (rows / lengths[:, None]).t() > 1 - 1e-6
    directions = {tuple(row.nonzero().flatten().tolist()) for row in alike}
    assert sorted(sum(directions, ())) == list(range(16))
    assert max(map(len, directions)) >= 2
    counted = 0
    for levels in directions:
        for k, level in enumerate(levels):
            assert float(lengths[levels[0]] / lengths[level]) == pytest.approx(2 * k + 1, rel=1e-4)
        for lower, higher in pairwise(levels):
            said = codes[:, higher] != 0
            counted += int(said.sum())
            assert torch.equal(codes[:, lower][said], codes[:, higher][said])
    assert counted > 50


@pytest.mark.parametrize(
    "change",
    [
        {"gains": False},
        {"own_projections": False},
        {"dead_zone": False},
        {"reconstruction": "one-shot", "feedback": 0},
        {"reconstruction": "residual-scaling", "feedback": 0},
    ],
)
def test_only_networks_with_a_linear_path_can_start_so(change: dict[str, object]) -> None:
    assert can_start_from_transform(CONFIG)
    assert not can_start_from_transform(replace(CONFIG, **change))  # type: ignore[arg-type]
