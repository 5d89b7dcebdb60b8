"""Training of the latent codec's transform: it learns, resumes, judges itself, and says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import recodec
from recodec.cli import main
from recodec.errors import ImageError, RecipeError, TrainingError, WeightsError
from recodec.networks.latent.config import SideConfig, TransformConfig
from recodec.train.data.photographs import Photographs
from recodec.train.recipe import Compute, load_recipe, recipe_from_dict
from recodec.train.tasks.rate_distortion.curves import CurveValidation, Point, delta_rates
from recodec.train.tasks.rate_distortion.distortion import Distortion
from recodec.train.tasks.rate_distortion.recipe import RateDistortionOptimizer, RateDistortionPhase
from recodec.train.tasks.transform.recipe import TransformRecipe
from recodec.weights import load_model
from tests.train.running import assert_a_stop_changes_nothing, logged, make_trainer

SIDES = SideConfig(width=8, blocks=1, inner_width=8, inner_blocks=1)
PHASE = RateDistortionPhase(steps=200, crop=32, batch=4, learning_rate=1e-3, warm_up_steps=5)
RECIPE = TransformRecipe(
    model="small",
    phases=(PHASE,),
    network=TransformConfig(channels=16, levels=3, analysis=SIDES, synthesis=SIDES),
    context_width=8,
    validation=CurveValidation(images=2),
)
TEXT = """
model = "small"
task = "transform"
architecture = "latent-transform"
context_width = 8
lambdas = [15, 3000]

[network]
channels = 16
levels = 3
analysis = { width = 8, blocks = 1, inner_width = 8, inner_blocks = 1 }
synthesis = { width = 8, blocks = 1, inner_width = 8, inner_blocks = 1 }

[validation]
images = 1

[[phases]]
steps = 12
crop = 32
batch = 4
distortion = { mse = 1, ms_ssim = 0 }
"""


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.train.tasks.transform.task._SAMPLE_CROPS", 24)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs that MS-SSIM takes, one that is too small for it, and a file that only looks like one."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("transform-photos")
    for index, size in enumerate([(200, 170), (180, 190), (64, 50)]):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photograph")
    return folder


@pytest.fixture(scope="session")
def photographs(folder: Path) -> Photographs:
    return Photographs([folder])


def lasting(steps: int, **change: Any) -> TransformRecipe:
    return replace(RECIPE, phases=(replace(PHASE, steps=steps),), **change)


def test_training_lowers_the_loss_and_the_rate_at_equal_quality(
    tmp_path: Path, photographs: Photographs
) -> None:
    trainer = make_trainer(lasting(60), photographs, tmp_path, photographs)
    assert trainer.run()
    first, last = (logged(tmp_path)[index]["terms"] for index in (0, -1))
    assert set(first) == {"loss", "rate", "mse", "ms_ssim", "gradient norm"}
    assert last["loss"] < first["loss"]
    assert trainer.validate()
    (start,), (judged,) = logged(tmp_path, "start"), logged(tmp_path, "validation")
    assert len(start["levels"]) == len(judged["levels"]) == 3
    assert judged["bd_rate"].keys() == {"jpeg420", "avif420", "start"}
    rates = [level["bpp"] for level in judged["levels"]]
    assert rates == sorted(rates)
    assert [level["psnr"] for level in judged["levels"]] == sorted(
        level["psnr"] for level in judged["levels"]
    )
    assert (tmp_path / "pictures" / "step-0000060" / "1.png").exists()


def test_resumed_training_equals_training_straight(tmp_path: Path, photographs: Photographs) -> None:
    assert_a_stop_changes_nothing(RECIPE, photographs, tmp_path, 100)
    losses = [[line["terms"] for line in logged(tmp_path / run)] for run in ("straight", "resumed")]
    assert len(losses[0]) == 10
    assert losses[0] == losses[1]


def test_every_level_trains_and_one_without_samples_stays_finite(
    tmp_path: Path, photographs: Photographs
) -> None:
    few = replace(lasting(2), phases=(replace(PHASE, steps=2, batch=1),))
    trainer = make_trainer(few, photographs, tmp_path)
    before = trainer.task.network.levels.log_step.detach().clone()
    assert trainer.run()
    changed = (trainer.task.network.levels.log_step.detach() != before).any(1)
    assert 1 <= int(changed.sum()) < 3, "two crops cannot have trained all three levels"
    assert all(bool(torch.isfinite(value).all()) for value in trainer.task.state_dict().values())
    more = make_trainer(lasting(12), photographs, tmp_path / "more")
    assert more.run()
    assert bool((more.task.network.levels.log_step.detach() != before).any(1).all())


def test_steps_and_gains_have_a_rate_of_their_own(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(
        lasting(3, optimizer=RateDistortionOptimizer(level_rate=0.0)), photographs, tmp_path
    )
    before = {name: value.detach().clone() for name, value in trainer.task.named_parameters()}
    trainer.run()
    still = {name for name, value in trainer.task.named_parameters() if torch.equal(value, before[name])}
    assert still == {"network.levels.log_step", "network.levels.log_gain"}


def test_averages_are_brought_up_to_date_every_few_steps(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(lasting(9), photographs, tmp_path)
    start = {name: value.clone() for name, value in trainer.average.items()}
    trainer.run(steps=7)
    assert all(torch.equal(value, start[name]) for name, value in trainer.average.items())
    trainer.run(steps=1)
    assert not any(torch.equal(value, start[name]) for name, value in trainer.average.items())


def test_a_loss_that_is_not_finite_is_seen_at_the_step(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(RECIPE, photographs, tmp_path)
    trainer.run(steps=3)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with torch.no_grad():
        trainer.task.network.synthesis.head.weight.fill_(float("inf"))
    with pytest.raises(TrainingError, match=r"not finite at step 4 \(loss .*rate "):
        trainer.run()
    assert trainer.progress.step == 3
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert logged(tmp_path, "stopped")[0]["step"] == 4


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"context_width": 16}, "context_width"),
        ({"lambdas": (15.0, 3000.0)}, "lambdas"),
        ({"network": replace(RECIPE.network, channels=24)}, "network"),
    ],
)
def test_checkpoints_of_other_runs_are_refused(
    tmp_path: Path, photographs: Photographs, change: dict[str, Any], what: str
) -> None:
    make_trainer(RECIPE, photographs, tmp_path).save()
    with pytest.raises(TrainingError, match=f"of another {what} than the recipe"):
        make_trainer(replace(RECIPE, **change), photographs, tmp_path).resume()


def test_a_checkpoint_of_another_task_is_refused(tmp_path: Path, photographs: Photographs) -> None:
    make_trainer(RECIPE, photographs, tmp_path).save()
    text = (Path(__file__).parents[1] / "golden" / "tiny.toml").read_text()
    (tmp_path / "tiny.toml").write_text(text)
    with pytest.raises(TrainingError, match="of another task than the recipe: transform and not pixel"):
        make_trainer(load_recipe(tmp_path / "tiny.toml"), photographs, tmp_path).resume()


def test_a_checkpoint_of_another_optimiser_is_refused(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(RECIPE, photographs, tmp_path)
    trainer.optimizer.param_groups.pop()
    trainer.save()
    with pytest.raises(TrainingError, match="does not fit the recipe"):
        make_trainer(RECIPE, photographs, tmp_path).resume()


def test_weights_carry_on_where_they_are_taken_up(
    tmp_path: Path, photographs: Photographs, tiny_model: str
) -> None:
    trainer = make_trainer(lasting(2), photographs, tmp_path)
    assert trainer.run()
    path = tmp_path / "first.safetensors"
    trainer.task.export(path, trainer.averaged(), {"made": "for tests"})
    model = load_model(path)
    assert (model.architecture, model.notes) == ("latent-transform", {"made": "for tests"})
    again = make_trainer(RECIPE, photographs, tmp_path / "again")
    again.start_from(model)
    written = {name: value.half().float() for name, value in trainer.averaged().items()}
    for name, value in again.task.state_dict().items():
        assert torch.equal(value, written[name]), name
    assert again.origin == f"first {model.hash.hex()}"

    # A context model of another width is trained anew, and another transform is refused.
    other = make_trainer(replace(RECIPE, context_width=16), photographs, tmp_path / "other")
    other.start_from(model)
    assert torch.equal(other.task.context.scale, other.task.network.scale)
    wide = make_trainer(
        replace(RECIPE, network=replace(RECIPE.network, levels=4)), photographs, tmp_path / "wide"
    )
    for source, words in ((model, "another network"), (load_model(tiny_model), "another architecture")):
        with pytest.raises(TrainingError, match=words):
            wide.start_from(source)


def test_the_hash_is_that_of_what_decodes(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(RECIPE, photographs, tmp_path)
    hashes = []
    for name in ("", "network.analysis.head.bias", "context.causal", "network.synthesis.head.bias"):
        state = {key: value + (key == name) for key, value in trainer.averaged().items()}
        trainer.task.export(tmp_path / "weights.safetensors", state, {})
        hashes.append(load_model(tmp_path / "weights.safetensors").hash)
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]


def test_nobody_codes_pictures_with_it_yet(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(RECIPE, photographs, tmp_path)
    trainer.task.export(tmp_path / "weights.safetensors", trainer.averaged(), {})
    with pytest.raises(WeightsError, match="architecture 'latent-transform', which this version"):
        recodec.load(tmp_path / "weights.safetensors")


def test_bfloat16_stays_near_float32(tmp_path: Path, photographs: Photographs) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        recipe = lasting(10, compute=Compute(precision))  # type: ignore[arg-type]
        assert make_trainer(recipe, photographs, tmp_path / precision).run()
        losses[precision] = logged(tmp_path / precision)[0]["terms"]["loss"]
        assert logged(tmp_path / precision, "computes in")[0]["dtype"] == precision
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


def test_validation_wants_pictures_that_it_can_judge(
    tmp_path: Path, photographs: Photographs, folder: Path
) -> None:
    small = Photographs([folder / "2.png", folder / "broken.jpg"])
    with pytest.raises(ImageError, match="none of 2 validation photographs"):
        make_trainer(RECIPE, photographs, tmp_path, small)
    scaled = replace(RECIPE, validation=CurveValidation(images=5, scale=0.95))
    trainer = make_trainer(scaled, photographs, tmp_path, photographs)
    assert [original.shape for original in trainer.task._validator.originals] == [
        (162, 190, 3),
        (180, 171, 3),
    ]


def test_delta_rates_tell_bits_at_equal_quality() -> None:
    anchor = [Point(0.1 * 2**n, 25 + 2 * n, 1 - 0.1 / 2**n) for n in range(5)]
    half = [Point(p.bpp / 2, p.psnr, p.ms_ssim) for p in anchor]
    assert delta_rates(anchor, anchor) == {"psnr": pytest.approx(0), "ms_ssim": pytest.approx(0)}
    assert delta_rates(anchor, half)["psnr"] == pytest.approx(-50, abs=0.5)
    assert delta_rates(anchor, anchor[:3])["ms_ssim"] is None


def test_a_recipe_says_everything(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(TEXT)
    recipe = load_recipe(tmp_path / "recipe.toml")
    assert isinstance(recipe, TransformRecipe)
    assert recipe.network == replace(RECIPE.network, analysis=SIDES)
    assert recipe.phases[0].distortion == Distortion(1.0, 0.0)
    assert [round(recipe.lambda_of(level)) for level in range(3)] == [15, 212, 3000]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'task = "transform"',
            'task = "transformer"',
            "the task is 'transformer'; it must be one of pixel, ",
        ),
        (
            'architecture = "latent-transform"',
            'architecture = "latent-transforms"',
            "the architecture is 'latent-transforms'",
        ),
        (
            'architecture = "latent-transform"',
            'architecture = "pixel"',
            "the task 'transform' trains latent-transform",
        ),
        ("{ mse = 1, ms_ssim = 0 }", "{ mse = 1, lpips = 1 }", "unknown key 'lpips'; known are mse, ms_ssim"),
        ("{ mse = 1, ms_ssim = 0 }", "{ mse = 0, ms_ssim = 0 }", "above 0"),
        ("{ mse = 1, ms_ssim = 0 }", "{ mse = -1 }", "mse is -1.0; it must be at least 0"),
        ("crop = 32", "crop = 40", "crop is 40; it must be a multiple of the stride 16"),
        ("lambdas = [15, 3000]", "lambdas = [15]", "lambdas is (15.0,); it must be two weights"),
        ("lambdas = [15, 3000]", "lambdas = [30, 15]", "the lower first"),
        ("context_width = 8", "context_width = 12", "context_width is 12; it must be a multiple of 8"),
        ("levels = 3", "levels = 0", "levels is 0"),
        ("levels = 3", "level = 3", "network has the unknown key 'level'"),
        ("images = 1", "scale = 1.5", "scale is 1.5; it must be above 0 and at most 1"),
        ("images = 1", "images = 0", "images is 0"),
        ("[validation]", "[optimizer]\nbeta2 = 1.0\n[validation]", "beta2 is 1.0; it must be in 0..1"),
        ("[validation]", "[optimizer]\nema_every = 0\n[validation]", "ema_every is 0"),
    ],
)
def test_bad_recipes_say_what_is_wrong(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in TEXT
    (tmp_path / "recipe.toml").write_text(TEXT.replace(old, new))
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "recipe.toml")
    assert words in str(caught.value)
    assert "recipe.toml" in str(caught.value)


def test_a_task_that_is_no_name_is_refused() -> None:
    with pytest.raises(RecipeError, match="the task is 3"):
        recipe_from_dict({"model": "small", "task": 3, "phases": []})


def test_two_processes_equal_one(tmp_path: Path, folder: Path) -> None:
    # Within float32's rounding, whatever else the CPU is fast at.
    (tmp_path / "recipe.toml").write_text(f'compute = {{ precision = "float32" }}\n{TEXT}')
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    for name, launcher in (("one", ()), ("two", torchrun)):
        command = [sys.executable, *launcher, "-m", "recodec", "train", str(tmp_path / "recipe.toml")]
        command += ["--data", str(folder), "--out", str(tmp_path / name), "--threads", "1", "--quiet"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, check=False, env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
    states = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("one", "two")]
    for name, value in states[0]["task"].items():
        torch.testing.assert_close(states[1]["task"][name], value, rtol=1e-3, atol=1e-5)
    one, two = (logged(tmp_path / name)[0]["terms"] for name in ("one", "two"))
    one.pop("gradient norm"), two.pop("gradient norm")
    assert two == pytest.approx(one, rel=1e-4)


def test_the_command_trains_judges_and_writes(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "recipe.toml").write_text(TEXT)
    arguments = ["train", str(tmp_path / "recipe.toml"), "--data", str(folder), "--valid", str(folder)]
    done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    for words in ("bits against jpeg420", "start", "the recipe is complete", "1 photographs were skipped"):
        assert words in done.output
    model = load_model(tmp_path / "run" / "small.safetensors")
    assert model.notes["recipe"] == TEXT
    assert len(model.notes["validation"]["levels"]) == 3
    assert str(tmp_path) not in json.dumps(model.notes)
    onward = CliRunner().invoke(
        main,
        [
            *arguments,
            "--out",
            str(tmp_path / "on"),
            "--start-from",
            str(tmp_path / "run" / "small.safetensors"),
        ],
    )
    assert onward.exit_code == 0, onward.output
    assert load_model(tmp_path / "on" / "small.safetensors").notes["started_from"].startswith("small ")


def test_colours_of_areas_count_as_asked() -> None:
    pixels = torch.rand(2, 3, 40, 33) - 0.5
    shown = pixels.clone()
    shown[0] += 0.1
    # Nothing in the mean of any area.
    shown[1, :, ::2] += 0.1
    shown[1, :, 1::2] -= 0.1
    plain, coloured = (Distortion(1.0, 0.0, share).measure(shown, pixels).distortion for share in (0.0, 4.0))
    torch.testing.assert_close(plain, torch.full((2,), 0.01))
    torch.testing.assert_close(coloured, torch.tensor([0.05, 0.01]))
