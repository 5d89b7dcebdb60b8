"""Training of the recurrent codec: it learns, it resumes exactly, it stops well, several processes equal one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open

import recodec
from recodec.cli import main
from recodec.errors import ImageError, LimitError, TrainingError, WeightsError
from recodec.networks.pixel.config import LayerConfig, LayerKind, NetworkConfig, Reconstruction
from recodec.networks.pixel.paper import paper_config
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.train.data.photographs import Photographs
from recodec.train.losses import LossWeights
from recodec.train.recipe import Compute, Validation
from recodec.train.tasks.pixel.recipe import PixelOptimizer, PixelPhase, PixelRecipe
from recodec.train.trainer import Trainer
from recodec.weights import load_model, save_model
from tests.train.running import logged, make_trainer, train_with_and_without_a_stop


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs and a file that only looks like one."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("photos")
    for index in range(3):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        coarse.resize((120, 90), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photograph")
    return folder


@pytest.fixture(scope="session")
def photographs(folder: Path) -> Photographs:
    return Photographs([folder])


def network(
    cell: LayerKind = "lstm", reconstruction: Reconstruction = "additive", **extra: Any
) -> NetworkConfig:
    return NetworkConfig(
        depth=8,
        iterations=4,
        reconstruction=reconstruction,
        front_end="dct8",
        encoder=(LayerConfig(cell, 12, resample=2),),
        decoder=(LayerConfig(cell, 12, resample=2),),
        **extra,
    )


# Everything that is random or remembered is in it.
PHASE = PixelPhase(
    steps=200,
    crop=32,
    batch=4,
    iterations=3,
    lead_in=1,
    unroll="random",
    learning_rate=4e-3,
    warm_up_steps=10,
    noise=(1.0, 0.0),
    loss=LossWeights(ssim_weighted_l1=0.5),
)


def make_recipe(phase: PixelPhase = PHASE, config: NetworkConfig | None = None, **extra: Any) -> PixelRecipe:
    config = network(gains=True, shortcut=True) if config is None else config
    return PixelRecipe(
        model="small", network=config, phases=(phase,), validation=Validation(images=1), **extra
    )


def network_of(trainer: Trainer) -> RecurrentCodec:
    """What is written."""
    network: RecurrentCodec = trainer.task.averaged_network(trainer.averaged())
    return network


def mean_error(network: RecurrentCodec, pixels: torch.Tensor) -> float:
    return float((network.unroll(pixels, 2)[-1] - pixels).abs().mean().detach())


def test_training_lowers_the_loss(tmp_path: Path, photographs: Photographs) -> None:
    phase = PixelPhase(steps=100, crop=32, iterations=2, learning_rate=4e-3, warm_up_steps=10)
    trainer = make_trainer(make_recipe(phase), photographs, tmp_path)
    pixels = torch.from_numpy(np.asarray(photographs.read(1))[:80, :112].copy()).permute(2, 0, 1)[None]
    before = mean_error(trainer.task.network, pixels / 255 - 0.5)
    assert trainer.run()
    assert mean_error(network_of(trainer), pixels / 255 - 0.5) < 0.8 * before
    assert len(trainer.skipped) == 1


def test_resumed_training_equals_training_straight(tmp_path: Path, photographs: Photographs) -> None:
    train_with_and_without_a_stop(make_recipe(), photographs, tmp_path, 100)
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
    trainer = make_trainer(make_recipe(config=wanted), photographs, tmp_path)
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
    straight, again = train_with_and_without_a_stop(zoned, photographs, tmp_path, 10)
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


def recipe_file(folder: Path, steps: int, batch: int = 4) -> Path:
    """A recipe whose unrolls of one iteration leave the gain network without gradients."""
    path = folder / "small.toml"
    path.write_text(
        f"""
model = "small"
[network]
depth = 8
iterations = 4
reconstruction = "residual-scaling"
front_end = "dct8"
encoder = [{{ kind = "gru", width = 12, resample = 2 }}]
decoder = [{{ kind = "gru", width = 12, resample = 2 }}]
[validation]
images = 1
[[phases]]
steps = {steps}
crop = 32
batch = {batch}
iterations = 3
unroll = "random"
noise = [1.0, 1.0]
loss = {{ l1 = 1.0, ssim_weighted_l1 = 0.5 }}
"""
    )
    return path


def train_command(
    recipe: Path, photos: Path, out: Path, *more: str, launcher: tuple[str, ...] = ()
) -> list[str]:
    arguments = ["train", str(recipe), "--data", str(photos), "--out", str(out), "--threads", "1", *more]
    return [sys.executable, *launcher, "-m", "recodec", *arguments]


def test_two_processes_equal_one(tmp_path: Path, folder: Path) -> None:
    recipe = recipe_file(tmp_path, steps=12)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for name, launcher in (("one", ()), ("two", torchrun)):
        command = train_command(recipe, folder, tmp_path / name, launcher=launcher)
        done = subprocess.run(
            command, check=False, env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("the recipe is complete") == 1
    checkpoints = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("one", "two")
    ]
    for name, value in checkpoints[0]["task"].items():
        torch.testing.assert_close(checkpoints[1]["task"][name], value, rtol=1e-3, atol=1e-5)
    one, two = (logged(tmp_path / name)[0]["terms"] for name in ("one", "two"))
    assert two == pytest.approx(one, rel=1e-4)
    assert "FutureWarning" not in done.stderr


def test_sigterm_stops_with_checkpoint_and_weights(tmp_path: Path, folder: Path) -> None:
    recipe = recipe_file(tmp_path, steps=1_000_000)
    process = subprocess.Popen(
        train_command(recipe, folder, tmp_path / "run"), stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "log.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped at step" in output
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    assert load_model(tmp_path / "run" / "small.safetensors").notes["training"]["finished"] is False


def test_the_command_writes_weights_that_say_where_they_come_from(tmp_path: Path, folder: Path) -> None:
    recipe = recipe_file(tmp_path, steps=6)
    arguments = train_command(recipe, folder, tmp_path / "run", "--valid", str(folder / "0.png"))[3:]
    stopped = CliRunner().invoke(main, [*arguments, "--steps", "4"])
    assert stopped.exit_code == 0, stopped.output
    assert "run the same command again" in stopped.output
    finished = CliRunner().invoke(main, arguments)
    assert finished.exit_code == 0, finished.output
    for words in (
        "resumed at step 4",
        "the recipe is complete",
        "validation at step 6",
        "1 photographs were skipped",
    ):
        assert words in finished.output
    with safe_open(tmp_path / "run" / "small.safetensors", framework="pt") as file:
        metadata = file.metadata()
    notes = json.loads(metadata["notes"])
    assert notes["recipe"] == recipe.read_text()
    assert notes["data"] == {"sources": [folder.name], "photographs": 4, "skipped": 1}
    assert (notes["training"]["steps"], notes["training"]["finished"]) == (6, True)
    assert len(notes["validation"]["psnr"]) == 3
    assert str(tmp_path) not in json.dumps(metadata)
    pictures = tmp_path / "run" / "pictures" / "step-0000006" / "0.png"
    with Image.open(pictures) as sheet:
        assert sheet.width > 3 * 440
    assert len(logged(tmp_path / "run", "validation")[-1]["psnr"]) == 3


def test_one_command_does_a_whole_run_and_leaves_pieces(tmp_path: Path, folder: Path) -> None:
    """Shards come in two calls, training goes on in a third, as on a machine lent for minutes."""
    script = Path(__file__).parents[2] / "bench" / "train_run.sh"
    recipe = recipe_file(tmp_path, steps=100_000)

    def call(*arguments: str) -> str:
        command = [
            "bash",
            str(script),
            str(recipe),
            "--work",
            str(tmp_path / "work"),
            "--no-build",
            *arguments,
        ]
        environment = os.environ | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, check=False, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for index in range(2):
        (tmp_path / f"part{index}").mkdir()
        with tarfile.open(tmp_path / f"part{index}" / f"{index}.tar", "w") as archive:
            archive.add(folder / f"{index}.png", f"{index}.png")
    call("--data", str(tmp_path / "part0"))
    out = str(tmp_path / "out")
    first = call("--data", str(tmp_path / "part1"), "--minutes", "0.02", "--out", out)
    assert "small: 2 photographs" in first
    again = call("--data", str(tmp_path / "part1"), "--minutes", "0.02", "--out", out, "--", "--threads", "1")
    assert "resumed at step" in again
    pieces = sorted((tmp_path / "out").glob("small.safetensors.part*"))
    (tmp_path / "small.safetensors").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    assert load_model(tmp_path / "small.safetensors").notes["training"]["steps"] > 0
    assert (tmp_path / "out" / "log.jsonl").exists()


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        ({"data": "nothing-here"}, "nothing-here", 3),
        ({"recipe": "no-such-recipe"}, "no-such-recipe", 3),
        ({"start": "no-such-model"}, "no-such-model", 4),
        ({"out": "/dev/null/run"}, "'/dev/null/run' cannot be made", 1),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(
    tmp_path: Path, folder: Path, change: dict[str, str], words: str, code: int
) -> None:
    recipe = change.get("recipe", str(recipe_file(tmp_path, steps=2)))
    data = change.get("data", str(folder))
    arguments = ["train", recipe, "--data", data, "--out", change.get("out", str(tmp_path / "run"))]
    result = CliRunner().invoke(
        main, [*arguments, *(["--start-from", change["start"]] if "start" in change else [])]
    )
    assert result.exit_code == code
    assert words in result.output
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("run/*.safetensors"))
