"""Training of autoencoders: every kind learns, resumes, gives tables that fit, and says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

import recodec
from recodec.codec import Codec
from recodec.errors import RecipeError, TrainingError
from recodec.networks.autoencoder.config import AutoencoderConfig
from recodec.networks.autoencoder.network import Autoencoder
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from recodec.train.recipe import Compute, Optimizer, recipe_from_dict
from recodec.train.task import Moment
from recodec.train.tasks.autoencoder.recipe import AutoencoderRecipe, OneShotPhase
from recodec.train.tasks.autoencoder.surrogates import SURROGATES, Surrogate
from recodec.train.tasks.crop_steps import sample_pixels
from recodec.weights import load_model
from recodec.zoo.family import ZOO
from recodec.zoo.learned.engine import LearnedEngine
from recodec.zoo.learned.header import Settings
from tests.train.running import assert_a_stop_changes_nothing, documented, logged, make_trainer
from tests.zoo.autoencoder_models import CONFIGS

PHASE = OneShotPhase(steps=80, crop=32, patch=16, batch=4, learning_rate=3e-3, warm_up_steps=5)
LAMBDAS = (60.0, 1000.0)


def recipe_of(kind: str, surrogate: Surrogate = "noise", **phase: Any) -> AutoencoderRecipe:
    return AutoencoderRecipe(
        model="small",
        phases=(replace(PHASE, **phase),),
        network=AutoencoderConfig.from_dict(CONFIGS[kind]),
        surrogate=surrogate,
        lambdas=LAMBDAS if kind == "rounded" else (),
        data=CropOptions(scale=(0.8, 1.0)),
        optimizer=Optimizer(ema=0.9),
        # What a machine finds faster must not decide whether tests hold.
        compute=Compute(precision="float32"),
    )


KINDS = [
    *((kind, "noise") for kind in ("bounded", "unit", "staged")),
    *(("rounded", surrogate) for surrogate in get_args(Surrogate)),
]
any_kind = pytest.mark.parametrize(("kind", "surrogate"), KINDS)


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.train.tasks.autoencoder.one_shot._SAMPLE_PIXELS", 1 << 17)


@any_kind
def test_training_lowers_the_loss(
    tmp_path: Path, photographs: Photographs, kind: str, surrogate: Surrogate
) -> None:
    trainer = make_trainer(recipe_of(kind, surrogate), photographs, tmp_path, photographs)
    assert trainer.run()
    first, last = (logged(tmp_path)[index]["terms"] for index in (0, -1))
    assert last["loss"] < 0.8 * first["loss"]
    shown = {"stage 1", "stage 2", "stage 3"} if kind == "staged" else {"distortion"}
    bits = {"rate"} if kind == "rounded" else set()
    assert set(first) == {"loss", "gradient norm"} | shown | bits
    assert trainer.validate()
    (judged,) = logged(tmp_path, "validation")
    config = trainer.recipe.network
    assert len(judged["bpp"]) == len(judged["psnr"]) == config.levels * config.stages
    assert judged["bpp"] == sorted(judged["bpp"])


@any_kind
def test_resumed_training_equals_training_straight(
    tmp_path: Path, photographs: Photographs, kind: str, surrogate: Surrogate
) -> None:
    assert_a_stop_changes_nothing(recipe_of(kind, surrogate, steps=20), photographs, tmp_path, 10)


def test_every_stage_codes_what_the_sum_so_far_leaves(tmp_path: Path, photographs: Photographs) -> None:
    """With rounding as it is, a step sees what a decoder shows."""
    task = make_trainer(recipe_of("staged", "identity"), photographs, tmp_path).task
    task.network.eval()
    pixels = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) - 0.5
    with torch.no_grad():
        terms = task(pixels, Moment(0, 0, 0.0))
        shown = torch.zeros_like(pixels)
        for stage in range(3):
            latents = task.network.quantise(task.network.analyse(pixels - shown, stage))
            shown = shown + task.network.synthesise(latents, stage)
            torch.testing.assert_close(terms[f"stage {stage + 1}"], (shown - pixels).square().mean())


def test_a_step_is_of_one_level(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(recipe_of("rounded"), photographs, tmp_path)
    start = trainer.task.network.log_step.detach().clone()
    # Steps of about what the weights of distortion ask for: finer for the higher one.
    assert bool((start[0] > start[1]).all())
    trainer.run(steps=1)
    moved = (trainer.task.network.log_step.detach() != start).any(1)
    assert int(moved.sum()) == 1
    trainer.run(steps=12)
    assert bool((trainer.task.network.log_step.detach() != start).any(1).all())


def _side_by_side(network: Autoencoder, pixels: torch.Tensor, level: int) -> np.ndarray:
    """Latents of all crops as those of one wide picture."""
    latents = network.quantise(network.analyse(pixels, 0, level))
    return latents.permute(1, 2, 0, 3).flatten(2).contiguous().numpy().astype(np.int16)


def _entropy(latents: np.ndarray) -> float:
    """Bits, of channels whose values each have the probability that they have among these."""
    bits = 0.0
    for plane in latents:
        counts = np.unique(plane, return_counts=True)[1]
        bits -= float((counts * np.log2(counts / counts.sum())).sum())
    return bits


@pytest.mark.parametrize("kind", ["bounded", "unit", "rounded"])
def test_tables_fit_what_is_coded(tmp_path: Path, photographs: Photographs, kind: str) -> None:
    """Other crops than those that tables were counted in, against a code that was told their histograms."""
    trainer = make_trainer(recipe_of(kind), photographs, tmp_path)
    assert trainer.run()
    network = trainer.task.shipped(trainer.averaged())
    pixels = sample_pixels(trainer.task.setting, trainer.recipe.data, 32, 100, (99,))
    config = network.config
    for level in range(config.levels):
        latents = _side_by_side(network, pixels, level)
        coded = 8 * len(network.tables.coder(level, 0).encode(latents))
        even = 8 * len(Autoencoder(config).tables.coder(level, 0).encode(latents))
        assert coded < 1.02 * _entropy(latents)
        assert coded < even
    if kind == "rounded":
        # While it trains, a density tells bits; of the last steps, at both levels.
        rate = float(np.mean([line["terms"]["rate"] for line in logged(tmp_path)[-2:]]))
        both = [
            8 * len(network.tables.coder(one, 0).encode(_side_by_side(network, pixels, one)))
            for one in (0, 1)
        ]
        assert np.mean(both) / (100 * 32 * 32) < 1.1 * rate


def test_weights_make_files_that_another_process_decodes(
    tmp_path: Path, photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(recipe_of("rounded"), photographs, tmp_path)
    assert trainer.run()
    trainer.task.export(tmp_path / "small.safetensors", trainer.averaged(), {"made": "for tests"})
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    model = load_model("small")
    assert {name.split(".")[0] for name in model.training} == {"density"}
    pixels = np.asarray(photographs.read(0))
    errors = []
    for level in (0, 1):
        engine = LearnedEngine(ZOO, model, "cpu", "float32", "auto", Settings(level=level))
        data = Codec(engine).encode(pixels, iterations=1)
        (tmp_path / f"{level}.recodec").write_bytes(data)
        errors.append(np.square(recodec.decode(data, like="numpy").astype(float) - pixels).mean())
    assert errors[1] < errors[0]
    # A code chunk holds the checksum of its symbols, so what verify takes are these.
    script = (
        "import sys, numpy, recodec\n"
        "for name in sys.argv[1:]:\n"
        "    data = open(name, 'rb').read()\n"
        "    assert recodec.verify(data).family == 'zoo'\n"
        "    numpy.save(name, recodec.decode(data, like='numpy', strict=True))\n"
    )
    files = [tmp_path / f"{level}.recodec" for level in (0, 1)]
    subprocess.run([sys.executable, "-c", script, *files], check=True, env=dict(os.environ))
    for file in files:
        shown = recodec.decode(file.read_bytes(), like="numpy")
        np.testing.assert_array_equal(np.load(f"{file}.npy"), shown)


def test_a_run_goes_on_from_another_and_its_density(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(recipe_of("rounded", steps=10), photographs, tmp_path)
    assert trainer.run()
    trainer.task.export(tmp_path / "small.safetensors", trainer.averaged(), {})
    model = load_model(tmp_path / "small.safetensors")
    again = make_trainer(recipe_of("rounded"), photographs, tmp_path / "again")
    again.start_from(model)
    for name, value in again.task.named_parameters():
        torch.testing.assert_close(value.detach(), trainer.average[name], rtol=1e-3, atol=1e-4)
    assert again.origin == f"small {model.hash.hex()}"
    with pytest.raises(TrainingError, match="another network"):
        make_trainer(recipe_of("bounded"), photographs, tmp_path / "other").start_from(model)


@pytest.mark.parametrize(
    ("other", "what"), [(recipe_of("unit"), "network"), (recipe_of("staged"), "network")]
)
def test_checkpoints_of_other_runs_are_refused(
    tmp_path: Path, photographs: Photographs, other: AutoencoderRecipe, what: str
) -> None:
    make_trainer(recipe_of("bounded"), photographs, tmp_path).save()
    with pytest.raises(TrainingError, match=f"of another {what} than the recipe"):
        make_trainer(other, photographs, tmp_path).resume()


@pytest.mark.parametrize("name", get_args(Surrogate))
def test_surrogates_are_right_in_the_mean_and_pass_gradients(name: Surrogate) -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.tensor([-1.75, -0.25, 0.0, 0.3, 2.6]).repeat(20_000, 1).requires_grad_()
    found = SURROGATES[name](values, torch.rand(values.shape, generator=generator))
    (gradient,) = torch.autograd.grad(found.sum(), values)
    assert torch.equal(gradient, torch.ones_like(values))
    found, means = found.detach(), torch.tensor([-1.75, -0.25, 0.0, 0.3, 2.6])
    if name == "identity":
        assert torch.equal(found, means.round().expand_as(found))
        return
    torch.testing.assert_close(found.mean(0), means, rtol=0, atol=0.02)
    reach = (found - means).abs().max()
    assert reach <= (0.5001 if name == "noise" else 1.0)
    assert bool((found == found.round()).all()) == (name == "stochastic")


def test_the_documented_recipe_is_made_of_defaults() -> None:
    recipe = recipe_from_dict({"model": "small", **documented("autoencoder")})
    assert isinstance(recipe, AutoencoderRecipe)
    config = AutoencoderConfig(recipe.network.analysis, recipe.network.synthesis)
    phases = (OneShotPhase(steps=recipe.phases[0].steps),)
    assert recipe == AutoencoderRecipe(model="small", network=config, phases=phases)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"surrogate": "dither"}, "surrogate is 'dither'; it must be one of identity, noise, stochastic"),
        ({"lambdas": [1.0]}, r"lambdas is \(1.0,\); it must be 0 weights"),
        ({"network": CONFIGS["rounded"]}, r"lambdas is \(\); it must be 2 weights above 0"),
        ({"network": CONFIGS["rounded"], "lambdas": [1.0, 0.0]}, "lambdas is .* above 0"),
        ({"phases": [{"steps": 1, "crop": 30}]}, "crop is 30; it must be a multiple of the stride 4"),
        (
            {"phases": [{"steps": 1, "crop": 32, "patch": 12}]},
            "patch is 12; .* crops of 32 are a multiple of",
        ),
        (
            {"phases": [{"steps": 1, "crop": 12, "patch": 6}]},
            "patch is 6; it must be a multiple of the stride",
        ),
        ({"loss": {"l1": 0}}, "weights l1, mse, .* are all 0"),
        ({"adversary": {}}, "unknown key 'adversary'"),
        ({"architecture": "latent"}, "the task 'autoencoder' trains autoencoder"),
    ],
)
def test_bad_recipes_say_what_is_wrong(change: dict[str, Any], words: str) -> None:
    good = {
        "model": "small",
        "task": "autoencoder",
        "architecture": "autoencoder",
        "network": CONFIGS["bounded"],
        "phases": [{"steps": 1}],
    }
    assert isinstance(recipe_from_dict(good), AutoencoderRecipe)
    with pytest.raises(RecipeError, match=words):
        recipe_from_dict({**good, **change})
