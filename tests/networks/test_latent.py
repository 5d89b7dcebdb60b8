"""The latent network: shapes, what it begins as, its configuration, and the context model beside its training."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from recodec.errors import WeightsError
from recodec.networks.latent.config import SideConfig, TransformConfig
from recodec.networks.latent.context import TransformContext
from recodec.networks.latent.levels import TransformNetwork
from recodec.networks.latent.transform import gate
from recodec.ops.backend import use_backend
from recodec.train.tasks.transform.start import start_from_principal_components
from tests.latent_models import smooth_pixels

SMALL = TransformConfig(
    channels=24,
    levels=3,
    analysis=SideConfig(width=8, blocks=1, inner_width=12, inner_blocks=2),
    synthesis=SideConfig(width=10, blocks=2, inner_width=14, inner_blocks=1),
)


def stir(network: torch.nn.Module, seed: int = 0) -> None:
    """Let every parameter count."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("size", [(16, 16), (48, 80)])
def test_latents_are_a_sixteenth_of_the_pixels(size: tuple[int, int]) -> None:
    network = TransformNetwork(SMALL)
    stir(network)
    latents = network.analyse(smooth_pixels(2, *size))
    assert latents.shape == (2, 24, size[0] // 16, size[1] // 16)
    pixels = network.synthesise(latents, torch.tensor([0, 2]))
    assert pixels.shape == (2, 3, *size)
    assert latents.dtype == pixels.dtype == torch.float32


def test_levels_are_those_of_each_picture() -> None:
    network = TransformNetwork(SMALL)
    stir(network)
    latents = network.analyse(smooth_pixels(2, 32, 32))
    both = network.synthesise(latents, torch.tensor([0, 2]))
    for index, level in enumerate((0, 2)):
        alone = network.synthesise(latents[index : index + 1], torch.tensor([level]))
        torch.testing.assert_close(both[index : index + 1], alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(both[:1], network.synthesise(latents[:1], torch.tensor([2])), atol=1e-3)


def test_principal_components_are_where_training_starts() -> None:
    network = TransformNetwork(dataclasses.replace(SMALL, channels=96))
    pixels = smooth_pixels(64, 64, 64)
    start_from_principal_components(network, pixels, [20.0, 200.0, 2000.0])
    levels = torch.zeros(64, dtype=torch.long)
    latents = network.analyse(pixels)
    # Bilinear blocks have few dimensions, and the branches are silent.
    assert (network.synthesise(latents, levels) - pixels).abs().max() < 0.02
    torch.testing.assert_close(latents.std((0, 2, 3)), network.scale, rtol=0.02, atol=1e-4)
    assert bool((network.scale.diff() < 0.01).all()), "components come by falling deviation"
    steps = network.levels.steps(torch.tensor([0, 2]))
    torch.testing.assert_close(steps[0] / steps[1], torch.full_like(steps[0], 10.0))


def test_gates_begin_at_one_and_stay_in_bounds() -> None:
    assert float(gate(torch.zeros(()))) == 1
    assert float(gate(torch.tensor(-100.0))) == pytest.approx(0.2231, abs=1e-3)
    assert float(gate(torch.tensor(100.0))) == pytest.approx(4.4817, abs=1e-3)


def test_reference_and_chosen_bodies_agree() -> None:
    network = TransformNetwork(SMALL)
    stir(network)
    pixels = smooth_pixels(1, 80, 48)
    results = []
    for backend in ("reference", "auto"):
        with use_backend(backend):  # type: ignore[arg-type]
            results.append(network.synthesise(network.analyse(pixels), torch.tensor([1])))
    torch.testing.assert_close(results[0], results[1], rtol=1e-3, atol=1e-4)


def test_configuration_survives_its_texts() -> None:
    assert TransformConfig.from_texts(SMALL.to_texts()) == SMALL
    other = dataclasses.replace(SMALL, analysis=SideConfig())
    assert other.to_texts()["decoder"] == SMALL.to_texts()["decoder"], (
        "decoding does not depend on the encoder"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"channels": 0}, "channels is 0"),
        ({"channels": 769}, "in 1..768"),
        ({"levels": 0}, "levels is 0"),
        ({"levels": 2.5}, "levels"),
        ({"depth": 3}, "unknown key 'depth'"),
        ({"analysis": {"width": -1}}, "width is -1"),
        ({"analysis": {"blocks": 65}}, "blocks is 65"),
        ({"synthesis": 3}, "must be a table"),
        ({"synthesis": {"kernel": 3}}, "unknown key 'kernel'"),
    ],
)
def test_impossible_configurations_are_named(data: dict[str, object], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        TransformConfig.from_dict(data)


def test_texts_of_another_network_are_refused() -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        TransformConfig.from_texts({"decoder": "{"})


def contexts() -> tuple[TransformContext, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    context = TransformContext(channels=16, levels=2, width=16)
    stir(context)
    latents = torch.randn(1, 16, 6, 7).round()
    return context, latents, torch.ones(1, 16, 1, 1), torch.tensor([1])


def test_no_latent_tells_of_itself_or_of_later_ones() -> None:
    context, latents, _, levels = contexts()
    before = torch.stack(context.expect(latents, levels))
    row, column, channel = 3, 4, 6  # the fourth of eight groups of two
    changed = latents.clone()
    changed[0, channel, row, column] += 5
    after = torch.stack(context.expect(changed, levels))
    touched = (before != after).any(0)[0].any(0)
    for y in range(6):
        for x in range(7):
            if (y, x) < (row, column):
                assert not touched[y, x], "an earlier position saw a later one"
    here = (before != after).any(0)[0, :, row, column]
    assert not here[:8].any(), "its own group, or one before it, saw it"
    assert here[8:].any(), "later groups of the position are to see it"
    assert touched[row, column + 1 : column + 3].all()
    assert touched[row + 1, column - 2 : column + 3].all()


@torch.no_grad()
def test_bits_are_those_of_a_distribution() -> None:
    """Over all values that a latent may have, probabilities add up to 1."""
    context = TransformContext(channels=1, levels=2, width=8)
    stir(context)
    bits = [
        float(context(torch.full((1, 1, 1, 1), float(value)), torch.ones(1, 1, 1, 1), torch.tensor([0])))
        for value in range(-60, 61)
    ]
    assert sum(2**-b for b in bits) == pytest.approx(1, abs=2e-3)
    assert max(bits) - min(bits) > 3


def test_steps_are_units() -> None:
    context, latents, steps, levels = contexts()
    context.scale.fill_(2.0)
    with torch.no_grad():
        context.outer.zero_()
        context.outer_bias.zero_()
    wide = context(latents, steps, levels)
    # Expected mean 0 and deviation ``scale``: everything twice as large costs the same.
    context.scale.fill_(4.0)
    torch.testing.assert_close(context(2 * latents, 2 * steps, levels), wide)
