"""Training of the recurrent codec: dead zones, parts, number types."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from recodec.errors import TrainingError
from recodec.networks.pixel.config import LayerConfig
from recodec.train.data.photographs import Photographs
from recodec.train.recipe import Compute
from recodec.train.tasks.pixel.recipe import PixelOptimizer, PixelRecipe
from recodec.weights import load_model, save_model
from tests.train.pixel.recipes import PHASE, make_recipe, mean_error, network, network_of
from tests.train.running import assert_a_stop_changes_nothing, logged, make_trainer


@pytest.fixture
def zoned(monkeypatch: pytest.MonkeyPatch) -> PixelRecipe:
    """A recipe with a dead zone that starts from the transform of few crops."""
    for name in ("_TRANSFORM_CROPS", "_CALIBRATION_CROPS"):
        monkeypatch.setattr(f"recodec.train.tasks.pixel.task.{name}", 48)
    settings: dict[str, Any] = {"gains": True, "own_projections": True, "dead_zone": True}
    settings |= {"embedding": 6, "feedback": 4}
    layers = (LayerConfig("gru", 12, resample=2), LayerConfig("gru", 12))
    config = replace(network("gru", "masking", shortcut=True), encoder=(), decoder=layers, **settings)
    phase = replace(PHASE, steps=20, noise=(0.0, 0.0), density=(0.1, 0.2))
    return make_recipe(phase, config, start="transform")


def test_resumed_training_with_dead_zones_equals_training_straight(
    tmp_path: Path, photographs: Photographs, zoned: PixelRecipe
) -> None:
    straight, again = assert_a_stop_changes_nothing(zoned, photographs, tmp_path, 10)
    written, other = network_of(straight).state_dict(), network_of(again).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in written.items())


def test_a_start_from_the_transform_is_a_codec_already_and_training_improves_it(
    tmp_path: Path, photographs: Photographs, zoned: PixelRecipe
) -> None:
    phase = replace(zoned.phases[0], steps=60, unroll="full", learning_rate=2e-3, batch=8)
    gentle = replace(zoned, phases=(phase,), optimizer=PixelOptimizer(trains="decoder", shortcut_rate=0.1))
    trainer = make_trainer(gentle, photographs, tmp_path / "transform")
    random = make_trainer(replace(zoned, start="random"), photographs, tmp_path / "random")
    pixels = trainer.task._sample(16)
    before = mean_error(network_of(trainer), pixels)
    assert before < 0.75 * mean_error(network_of(random), pixels)
    assert trainer.run()
    assert mean_error(network_of(trainer), pixels) < before


def test_what_is_written_has_dead_zones_that_give_the_density(
    tmp_path: Path, photographs: Photographs, zoned: PixelRecipe
) -> None:
    trainer = make_trainer(zoned, photographs, tmp_path)
    assert trainer.run(steps=20)
    save_model(tmp_path / "zoned.safetensors", network_of(trainer), {})
    written = load_model(tmp_path / "zoned.safetensors").network
    target = written.front_end.analyse(trainer.task._sample(48))
    state = decoded = None
    for share in (0.1, 0.2, 0.2, 0.2):
        codes, state = written.encode_step(target, state, decoded)
        assert float(codes.abs().mean()) == pytest.approx(share, rel=0.02)
        decoded = written.decode_step(codes, decoded)


@pytest.mark.parametrize("start", ["random", "transform"])
def test_training_the_decoder_alone_leaves_the_encoder(
    tmp_path: Path, photographs: Photographs, zoned: PixelRecipe, start: str
) -> None:
    if start == "random":
        zoned = replace(zoned, start="random", network=replace(zoned.network, encoder=network("gru").encoder))
    recipe = replace(zoned, optimizer=PixelOptimizer(trains="decoder"))
    trainer = make_trainer(recipe, photographs, tmp_path)
    before = {name: value.clone() for name, value in trainer.task.network.state_dict().items()}
    assert trainer.run()
    for name, value in trainer.task.network.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith("decoder."), name
        if not name.startswith("decoder."):
            assert torch.equal(trainer.averaged()[f"network.{name}"], value), name


def test_gains_and_shortcuts_have_rates_of_their_own(
    tmp_path: Path, photographs: Photographs, zoned: PixelRecipe
) -> None:
    recipe = replace(zoned, optimizer=PixelOptimizer(gain_rate=3.0, shortcut_rate=0.0))
    trainer = make_trainer(recipe, photographs, tmp_path)
    before = {name: value.detach().clone() for name, value in trainer.task.network.named_parameters()}
    trainer.run(steps=12)
    rates = [group["lr"] for group in trainer.optimizer.param_groups]
    assert rates == pytest.approx([rates[0], 3 * rates[0], 0])
    for name, value in trainer.task.network.named_parameters():
        assert torch.equal(value, before[name]) == (name == "decoder.shortcut.weight"), name
    with pytest.raises(TrainingError, match="at which rates"):
        make_trainer(zoned, photographs, tmp_path).resume()


def test_bfloat16_steps_with_dead_zones_stay_near_float32_ones(
    tmp_path: Path, photographs: Photographs, zoned: PixelRecipe
) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        recipe = replace(zoned, compute=Compute(precision))  # type: ignore[arg-type]
        trainer = make_trainer(recipe, photographs, tmp_path / precision)
        assert trainer.run()
        losses[precision] = logged(tmp_path / precision)[0]["terms"]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


def test_bfloat16_steps_stay_near_float32_ones(tmp_path: Path, photographs: Photographs) -> None:
    phase = replace(PHASE, steps=20, noise=(0.0, 0.0))
    losses = {}
    for precision in ("float32", "bfloat16"):
        recipe = make_recipe(phase, compute=Compute(precision))  # type: ignore[arg-type]
        trainer = make_trainer(recipe, photographs, tmp_path / precision)
        assert trainer.run()
        losses[precision] = logged(tmp_path / precision)[0]["terms"]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


# torch's compiler warns about parts of torch itself.
@pytest.mark.filterwarnings("ignore")
def test_compiled_steps_equal_plain_ones(tmp_path: Path, photographs: Photographs) -> None:
    phase = replace(PHASE, steps=4, iterations=2, lead_in=0, unroll="full")
    networks = []
    for switch in ("off", "on"):
        recipe = make_recipe(phase, network("gru"), compute=Compute("float32", switch))  # type: ignore[arg-type]
        trainer = make_trainer(recipe, photographs, tmp_path / switch)
        assert trainer.run()
        networks.append(trainer.task.network.state_dict())
    for name, value in networks[0].items():
        torch.testing.assert_close(networks[1][name], value, rtol=1e-3, atol=1e-4)
