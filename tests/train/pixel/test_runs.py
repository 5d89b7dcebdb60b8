"""Training of the recurrent codec: runs, stops, checkpoints, starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

import recodec
from recodec.errors import ImageError, LimitError, TrainingError, WeightsError
from recodec.networks.pixel.config import LayerKind, Reconstruction
from recodec.networks.pixel.paper import paper_config
from recodec.train.data.photographs import Photographs
from recodec.train.recipe import Compute
from recodec.train.tasks.pixel.recipe import PixelPhase
from recodec.weights import load_model, save_model
from tests.train.pixel.recipes import PHASE, make_recipe, mean_error, network, network_of
from tests.train.running import assert_a_stop_changes_nothing, logged, make_trainer


def test_training_lowers_the_loss(tmp_path: Path, photographs: Photographs) -> None:
    phase = PixelPhase(steps=100, crop=32, iterations=2, learning_rate=4e-3, warm_up_steps=10)
    trainer = make_trainer(make_recipe(phase), photographs, tmp_path)
    pixels = torch.from_numpy(np.asarray(photographs.read(1))[:80, :112].copy()).permute(2, 0, 1)[None]
    before = mean_error(trainer.task.network, pixels / 255 - 0.5)
    assert trainer.run()
    assert mean_error(network_of(trainer), pixels / 255 - 0.5) < 0.8 * before
    assert len(trainer.skipped) == 1


def test_resumed_training_equals_training_straight(tmp_path: Path, photographs: Photographs) -> None:
    assert_a_stop_changes_nothing(make_recipe(), photographs, tmp_path, 100)
    losses = [[line["terms"] for line in logged(tmp_path / run)] for run in ("straight", "resumed")]
    assert len(losses[0]) == 10
    assert losses[0] == losses[1]


@pytest.mark.parametrize("cell", get_args(LayerKind)[1:])
@pytest.mark.parametrize("front_end", ["pixels", "dct8"])
@pytest.mark.parametrize("reconstruction", get_args(Reconstruction))
def test_every_cell_and_mode_trains_saves_loads_and_codes_any_size(
    tmp_path: Path,
    photographs: Photographs,
    monkeypatch: pytest.MonkeyPatch,
    cell: LayerKind,
    reconstruction: Reconstruction,
    front_end: str,
) -> None:
    if (front_end, reconstruction) == ("pixels", "masking"):
        pytest.skip("masking measures blocks")
    if front_end == "pixels":
        config = replace(paper_config(cell, reconstruction, width=1 / 64), iterations=3)
    else:
        config = replace(network(cell, reconstruction), iterations=3)
    phase = PixelPhase(steps=3, crop=32, batch=2, iterations=3, warm_up_steps=1)
    trainer = make_trainer(make_recipe(phase, config), photographs, tmp_path)
    before = {name: value.clone() for name, value in trainer.task.network.named_parameters()}
    assert trainer.run()
    for name, value in trainer.task.network.named_parameters():
        assert not torch.equal(value, before[name]), f"{name} was not trained"
    save_model(tmp_path / "small.safetensors", network_of(trainer), {})
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    codec = recodec.load("small")
    for size in ((1, 1), (37, 50), (90, 33)):
        image = photographs.read(0).resize(size)
        data = codec.encode(image, iterations=3)
        assert codec.decode(data).size == size
        assert len(list(codec.progressive(data))) == 3


def test_minutes_and_steps_stop_with_a_checkpoint(tmp_path: Path, photographs: Photographs) -> None:
    recipe = make_recipe(replace(PHASE, steps=100_000))
    trainer = make_trainer(recipe, photographs, tmp_path)
    assert not trainer.run(minutes=0.01)
    first = trainer.progress.step
    again = make_trainer(recipe, photographs, tmp_path)
    assert again.resume()
    assert again.progress.step == first > 0
    assert not again.run(steps=7)
    assert again.progress.step == first + 7


def test_a_phase_of_minutes_ends_by_itself(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(make_recipe(replace(PHASE, steps=0, minutes=0.01)), photographs, tmp_path)
    assert trainer.run()
    assert trainer.progress.phase == 1
    assert trainer.progress.seconds >= 0.6


def test_checkpoints_of_other_networks_and_damaged_ones_are_refused(
    tmp_path: Path, photographs: Photographs
) -> None:
    make_trainer(make_recipe(), photographs, tmp_path).save()
    with pytest.raises(TrainingError, match="another network"):
        make_trainer(make_recipe(config=network("gru")), photographs, tmp_path).resume()
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not a checkpoint"):
        path.write_bytes(damaged)
        with pytest.raises(TrainingError, match="cannot be read as a checkpoint"):
            make_trainer(make_recipe(), photographs, tmp_path).resume()
    assert path.read_bytes() == b"not a checkpoint"


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    tmp_path: Path, photographs: Photographs
) -> None:
    trainer = make_trainer(make_recipe(), photographs, tmp_path)
    trainer.run(steps=5)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with torch.no_grad():
        trainer.task.network.decoder.output.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="not finite"):
        trainer.run()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    (stop,) = logged(tmp_path, "stopped")
    assert (stop["reason"], stop["step"]) == ("the loss or its gradient is not finite", 6)
    assert trainer.progress.step == 5, "seen at the step, before any weight changed"
    fresh = make_trainer(make_recipe(), photographs, tmp_path)
    assert fresh.resume()
    fresh.run(steps=1)


@pytest.mark.parametrize("rate", [1e7, 1e30])
def test_weights_that_no_file_can_hold_stop_and_keep_the_checkpoint(
    tmp_path: Path, photographs: Photographs, rate: float
) -> None:
    make_trainer(make_recipe(), photographs, tmp_path).run(steps=2)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    wild = make_trainer(make_recipe(replace(PHASE, learning_rate=rate)), photographs, tmp_path)
    wild.resume()
    # One step: its loss was computed before the weights broke.
    with pytest.raises(TrainingError, match="weights files cannot hold"):
        wild.run(steps=1)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    with pytest.raises(WeightsError, match="not finite in fp16"):
        save_model(tmp_path / "wild.safetensors", network_of(wild), {})
    assert not list(tmp_path.glob("wild*"))


def test_a_run_can_start_from_weights(tmp_path: Path, photographs: Photographs, tiny_model: str) -> None:
    source = load_model(tiny_model)
    trainer = make_trainer(make_recipe(config=source.network.config), photographs, tmp_path)
    trainer.start_from(source)
    for name, value in source.network.state_dict().items():
        assert torch.equal(trainer.averaged()[f"network.{name}"], value)
    trainer.run(steps=1)
    again = make_trainer(make_recipe(config=source.network.config), photographs, tmp_path)
    assert again.resume()
    assert again.origin == f"tiny {source.hash.hex()}"
    with pytest.raises(TrainingError, match="another"):
        make_trainer(make_recipe(), photographs, tmp_path / "other").start_from(source)


def test_validation_photographs_that_cannot_be_coded_cost_no_run(
    tmp_path: Path, photographs: Photographs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(replace(PHASE, steps=2))
    with pytest.raises(ImageError, match="none of 1 validation photographs"):
        make_trainer(recipe, photographs, tmp_path, validation=Photographs([folder / "broken.jpg"]))
    trainer = make_trainer(recipe, photographs, tmp_path, validation=photographs)
    assert trainer.run()
    monkeypatch.setattr("recodec.train.tasks.pixel.validation.measure", refuse)
    assert not trainer.validate()
    assert logged(tmp_path, "validation failed")[0]["step"] == 2


def refuse(*arguments: object) -> None:
    raise LimitError("too large")


def test_a_run_with_own_projections_can_start_from_shared_ones(
    tmp_path: Path, photographs: Photographs, tiny_model: str
) -> None:
    source = load_model(tiny_model)
    wanted = replace(source.network.config, own_projections=True)
    recipe = make_recipe(config=wanted, compute=Compute("float32"))
    trainer = make_trainer(recipe, photographs, tmp_path)
    trainer.start_from(source)
    pixels = torch.rand(1, 3, 32, 32) - 0.5
    for a, b in zip(source.network.unroll(pixels, 3), trainer.task.network.unroll(pixels, 3), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    shared = make_trainer(make_recipe(config=source.network.config), photographs, tmp_path / "shared")
    backwards = replace(source, network=trainer.task.network)
    with pytest.raises(TrainingError, match="has another network"):
        shared.start_from(backwards)


def test_later_iterations_start_from_the_last_trained_gains(tmp_path: Path, photographs: Photographs) -> None:
    short = PixelPhase(steps=3, crop=32, iterations=2, learning_rate=0.05, warm_up_steps=1)
    recipe = replace(make_recipe(), phases=(short, replace(short, iterations=4, learning_rate=1e-9)))
    trainer = make_trainer(recipe, photographs, tmp_path)
    assert trainer.run()
    gain = trainer.task.network.encoder.gain
    assert gain is not None
    torch.testing.assert_close(gain.log_gain[2:], gain.log_gain[[1, 1]], rtol=0, atol=1e-6)

    # So do those that no phase reaches at all, in what is written.
    short_of = make_trainer(replace(recipe, phases=(short,)), photographs, tmp_path / "short")
    assert short_of.run()
    gain = network_of(short_of).encoder.gain
    assert gain is not None
    assert torch.equal(gain.log_gain[2:], gain.log_gain[[1, 1]])
