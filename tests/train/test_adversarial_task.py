"""Adversarial training of autoencoders: every pairing learns, takes turns, resumes, and stops where it runs away."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recodec
from recodec.codec import Codec
from recodec.errors import RecipeError, TrainingError
from recodec.networks.autoencoder.config import AutoencoderConfig
from recodec.train.data.photographs import Photographs
from recodec.train.losses import LossWeights
from recodec.train.recipe import Compute, Optimizer, find_recipe, load_recipe, recipe_from_dict
from recodec.train.task import Moment
from recodec.train.tasks.adversarial.critic import Critic
from recodec.train.tasks.adversarial.games import slope, slope_from_one
from recodec.train.tasks.adversarial.recipe import AdversarialPhase, AdversarialRecipe, Adversary
from recodec.train.trainer import Trainer
from recodec.weights import load_model
from recodec.zoo.family import ZOO
from recodec.zoo.learned.engine import LearnedEngine
from recodec.zoo.learned.header import Settings
from tests.train.running import assert_a_stop_changes_nothing, documented, logged, make_trainer
from tests.zoo.autoencoder_models import BOUNDED

GENERATOR = AutoencoderConfig.from_dict(
    {
        "quantiser": "unit",
        "bits": 8,
        "analysis": [{"kind": "average", "factor": 4}],
        "synthesis": [
            {"kind": "residual", "width": 8},
            {"kind": "up", "factor": 4},
            {"kind": "norm", "activation": "relu"},
            {"kind": "conv", "width": 3},
        ],
    }
)
PHASE = AdversarialPhase(steps=60, crop=32, patch=16, batch=4, learning_rate=2e-3, warm_up_steps=5)
RECIPE = AdversarialRecipe(
    model="small",
    phases=(PHASE,),
    network=AutoencoderConfig.from_dict(BOUNDED),
    adversary=Adversary(width=4, steps=2),
    optimizer=Optimizer(beta1=0.5, ema=0.9),
    # What a machine finds faster must not decide whether tests hold.
    compute=Compute(precision="float32"),
)
ADVERSARIES = {
    "w-penalty": Adversary(width=4, steps=2),
    "w-clip": Adversary(bound="clip", width=4, steps=5),
    "dc-penalty": Adversary(game="dc", penalty=0.02, width=4, steps=1),
    "dc-none": Adversary(game="dc", bound="none", width=4, steps=1),
}
LOSSES = {"l1": LossWeights(l1=10.0, mse=0.0), "l2": LossWeights(l1=0.0, mse=10.0)}


TEXT = """
model = "small"
task = "adversarial"
architecture = "autoencoder"
adversary = { width = 4, steps = 2 }
compute = { precision = "float32" }

[network]
analysis = [{ kind = "conv", width = 4, kernel = 5, factor = 4 }]
synthesis = [{ kind = "conv", width = 48 }, { kind = "shuffle", factor = 4 }]

[[phases]]
steps = 12
crop = 32
patch = 16
batch = 4
"""


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.train.tasks.autoencoder.one_shot._SAMPLE_PIXELS", 1 << 15)


def at(trainer: Trainer, name: str) -> dict[str, torch.Tensor]:
    """What a network has at the moment, counters and all, and what the optimiser remembers of it."""
    network = getattr(trainer.task, name)
    found = {key: value.clone() for key, value in network.state_dict().items()}
    for key, value in network.named_parameters():
        for moment, memory in trainer.optimizer.state.get(value, {}).items():
            found[f"{key} {moment}"] = memory.clone()
    return found


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("adversary", ADVERSARIES)
@pytest.mark.parametrize("network", ["gan-ae", "gan"])
def test_every_pairing_learns_and_gives_a_codec(
    tmp_path: Path, photographs: Photographs, network: str, adversary: str, loss: str
) -> None:
    recipe = replace(
        RECIPE,
        network=RECIPE.network if network == "gan-ae" else GENERATOR,
        adversary=ADVERSARIES[adversary],
        loss=LOSSES[loss],
    )
    trainer = make_trainer(recipe, photographs, tmp_path, photographs)
    assert trainer.run()
    first, last = (logged(tmp_path)[index]["terms"] for index in (0, -1))
    assert last["distortion"] < 0.8 * first["distortion"]
    assert {"distortion", "adversarial", "critic"} <= last.keys()
    assert ("penalty" in last) == (recipe.adversary.bound == "penalty")
    assert "adversarial" not in first, "the autoencoder begins alone"
    assert trainer.validate()
    (judged,) = logged(tmp_path, "validation")
    assert judged["psnr"][0] > 12
    if adversary == "w-clip":
        assert max(float(value.detach().abs().max()) for value in trainer.task.critic.parameters()) < 0.02


@pytest.mark.parametrize("network", [RECIPE.network, GENERATOR], ids=["gan-ae", "gan"])
@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_resumed_training_equals_training_straight(
    tmp_path: Path, photographs: Photographs, network: AutoencoderConfig, adversary: str
) -> None:
    """The stop lies between two steps of the critic, or between its step and the autoencoder's."""
    phase = replace(PHASE, steps=22, alone=0.25)
    recipe = replace(RECIPE, network=network, adversary=ADVERSARIES[adversary], phases=(phase,))
    straight, again = assert_a_stop_changes_nothing(recipe, photographs, tmp_path, 11)
    for name in ("network", "critic"):
        assert same(at(straight, name), at(again, name)), name


@pytest.mark.parametrize("network", [RECIPE.network, GENERATOR], ids=["gan-ae", "gan"])
@pytest.mark.parametrize("adversary", ADVERSARIES)
def test_each_step_moves_one_network_alone(
    tmp_path: Path, photographs: Photographs, network: AutoencoderConfig, adversary: str
) -> None:
    recipe = replace(
        RECIPE, network=network, adversary=ADVERSARIES[adversary], phases=(replace(PHASE, steps=20),)
    )
    trainer = make_trainer(recipe, photographs, tmp_path)
    turns = []
    for step in range(20):
        turn = trainer.task.turn(Moment(0, step, step / 20))
        before = {name: at(trainer, name) for name in ("network", "critic")}
        trainer.run(steps=1)
        moved = {name for name, state in before.items() if not same(state, at(trainer, name))}
        assert moved == {"critic" if turn == "critic" else "network"}, f"step {step}, turn {turn!r}"
        turns.append(turn)
    assert turns[:10] == ["alone"] * 10
    against = [step for step, turn in enumerate(turns) if turn == "against"]
    assert set(np.diff(against)) == {recipe.adversary.steps + 1}
    assert turns.count("critic") == 10 - len(against)


def test_averages_of_the_network_that_rests_stay(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(replace(RECIPE, phases=(replace(PHASE, alone=1.0),)), photographs, tmp_path)
    before = {name: value.clone() for name, value in trainer.average.items()}
    trainer.run(steps=3)
    still = {name for name, value in trainer.average.items() if torch.equal(value, before[name])}
    assert still == {f"critic.{name}" for name, _ in trainer.task.critic.named_parameters()}


def test_two_processes_equal_one(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "small.toml").write_text(TEXT)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    arguments = ("train", tmp_path / "small.toml", "--data", folder, "--threads", "1", "--out")
    for name, launcher in (("one", ()), ("two", torchrun)):
        done = subprocess.run(
            [sys.executable, *launcher, "-m", "recodec", *arguments, tmp_path / name],
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
    one, two = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("one", "two"))
    for name, value in one["task"].items():
        torch.testing.assert_close(two["task"][name], value, rtol=1e-3, atol=1e-5)
    terms = [logged(tmp_path / name)[0]["terms"] for name in ("one", "two")]
    assert terms[1] == pytest.approx(terms[0], rel=1e-3, abs=1e-5)


def test_critics_learn_to_tell(tmp_path: Path, photographs: Photographs) -> None:
    """With the autoencoder at a rate of nearly nothing, both games' critics find what it lacks."""
    for game, penalty, least in (("wasserstein", 0.2, 0.1), ("dc", 0.001, 0.4)):
        adversary = Adversary(game=game, penalty=penalty, width=4, steps=30, rate=1e4)  # type: ignore[arg-type]
        phase = replace(PHASE, steps=60, alone=0.0, learning_rate=5e-7)
        trainer = make_trainer(
            replace(RECIPE, adversary=adversary, phases=(phase,)), photographs, tmp_path / game
        )
        assert trainer.run()
        terms = [line["terms"]["critic"] for line in logged(tmp_path / game)]
        assert terms[-1] < terms[0] - 0.05
        # A critic that cannot tell is at 0 and at 2 log 2.
        assert terms[-1] < (0 if game == "wasserstein" else 2 * math.log(2)) - least


def test_slopes_are_by_the_root_mean_square_of_a_change() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(4, 3, 16, 16, generator=generator)
    direction = torch.randn(3, 16, 16, generator=generator)
    direction /= direction.square().mean().sqrt()

    def critic(pixels: torch.Tensor) -> torch.Tensor:
        return 0.7 * (pixels * direction).mean((1, 2, 3))

    torch.testing.assert_close(slope(critic, pictures), torch.full((4,), 0.7))
    moved = critic(pictures + 0.01 * direction) - critic(pictures)
    torch.testing.assert_close(moved, torch.full((4,), 0.7 * 0.01), rtol=1e-3, atol=0)
    between = torch.rand(4, 1, 1, 1, generator=generator)
    torch.testing.assert_close(slope_from_one(critic, pictures, -pictures, between), torch.tensor(0.3**2))


def test_clipped_weights_judge_as_they_will(tmp_path: Path) -> None:
    torch.manual_seed(0)
    critic = Critic(4)
    pixels = torch.rand(2, 3, 16, 16)
    seen = critic.frozen(pixels, 0.01)
    assert not torch.equal(seen, critic(pixels))
    critic.clip(0.01)
    torch.testing.assert_close(seen, critic(pixels))


# Cross entropy does not count in two of the autoencoder's steps: its critic takes everything for pictures.
@pytest.mark.parametrize(("game", "last"), [("wasserstein", 11), ("dc", 13)])
def test_a_game_that_runs_away_stops_with_the_last_good_checkpoint(
    tmp_path: Path, photographs: Photographs, game: str, last: int
) -> None:
    adversary = Adversary(game=game, width=4, steps=2, patience=7)  # type: ignore[arg-type]
    recipe = replace(RECIPE, adversary=adversary, phases=(replace(PHASE, alone=0.0),))
    trainer = make_trainer(recipe, photographs, tmp_path)
    trainer.run(steps=4)
    good = (tmp_path / "checkpoint.pt").read_bytes()
    with torch.no_grad():
        for value in trainer.task.critic.parameters():
            value.mul_(60)
    # Stopped while it is on its way, it keeps what it had before.
    assert not trainer.run(steps=3)
    assert (trainer.progress.step, int(trainer.task.steps_astray)) == (7, 3)
    assert (tmp_path / "checkpoint.pt").read_bytes() == good
    with pytest.raises(TrainingError, match=rf"has run away: in 7 steps, .* above 20 at step {last} \(loss "):
        trainer.run()
    assert (tmp_path / "checkpoint.pt").read_bytes() == good
    (stopped,) = logged(tmp_path, "stopped")
    assert (stopped["step"], "run away" in stopped["reason"]) == (last, True)
    again = make_trainer(recipe, photographs, tmp_path)
    assert again.resume()
    assert (again.progress.step, int(again.task.steps_astray)) == (4, 0)
    assert again.run()


def test_a_short_excursion_stops_nothing(tmp_path: Path, photographs: Photographs) -> None:
    recipe = replace(RECIPE, adversary=replace(RECIPE.adversary, patience=3))
    task = make_trainer(recipe, photographs, tmp_path).task
    high, low = (
        {"adversarial": torch.tensor(-21.0)},
        {"critic": torch.tensor(19.0), "loss": torch.tensor(99.0)},
    )
    for terms in (high, high, low, high, high, low):
        assert task.fault(terms) is None
        assert task.sound == (terms is low)
    # Steps of the autoencoder alone say nothing of the game; those against the critic see only a part of it.
    quiet = {"distortion": torch.tensor(0.1)}, {"adversarial": torch.tensor(0.0)}
    assert [task.fault(terms) is None for terms in (high, high, *quiet)] == [True] * 4
    assert not task.sound
    assert task.fault(high) is not None


def test_counters_may_pass_what_weights_hold(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(replace(RECIPE, network=GENERATOR), photographs, tmp_path)
    (counter,) = (
        value for name, value in trainer.task.named_buffers() if name.endswith("num_batches_tracked")
    )
    counter.fill_(100_000)
    trainer.save()
    again = make_trainer(replace(RECIPE, network=GENERATOR), photographs, tmp_path)
    assert again.resume()
    trainer.task.export(tmp_path / "small.safetensors", again.averaged(), {})
    found = load_model(tmp_path / "small.safetensors").network.state_dict()
    assert [int(value) for name, value in found.items() if name.endswith("num_batches_tracked")] == [100_000]


def test_weights_make_files_that_another_process_decodes(
    tmp_path: Path, photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(replace(RECIPE, phases=(replace(PHASE, steps=20),)), photographs, tmp_path)
    assert trainer.run()
    trainer.task.export(tmp_path / "small.safetensors", trainer.averaged(), {"made": "for tests"})
    model = load_model(tmp_path / "small.safetensors")
    assert {name.split(".")[0] for name in model.training} == {"critic"}
    engine = LearnedEngine(ZOO, model, "cpu", "float32", "auto", Settings(patch=32))
    pixels = np.asarray(photographs.read(0))
    data = Codec(engine).encode(pixels, iterations=1)
    (tmp_path / "picture.recodec").write_bytes(data)
    # Symbols are checked by the file itself: its chunk holds a checksum of them.
    script = (
        "import sys, numpy, recodec\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "assert recodec.verify(data).family == 'zoo'\n"
        "numpy.save(sys.argv[2], recodec.decode(data, like='numpy', strict=True))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "picture.recodec", tmp_path / "shown.npy"],
        check=True,
        env={**os.environ, "RECODEC_WEIGHTS": str(tmp_path)},
    )
    shown = np.load(tmp_path / "shown.npy")
    assert shown.shape == pixels.shape
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    np.testing.assert_array_equal(recodec.decode(data, like="numpy"), shown)


def test_a_run_goes_on_from_another_and_its_critic(tmp_path: Path, photographs: Photographs) -> None:
    trainer = make_trainer(replace(RECIPE, phases=(replace(PHASE, steps=20),)), photographs, tmp_path)
    assert trainer.run()
    trainer.task.export(tmp_path / "small.safetensors", trainer.averaged(), {})
    model = load_model(tmp_path / "small.safetensors")
    again = make_trainer(RECIPE, photographs, tmp_path / "again")
    again.start_from(model)
    written = {name: value.half().float() for name, value in trainer.average.items()}
    for name, value in again.task.named_parameters():
        expected = written[name] if name.startswith("network.") else trainer.average[name]
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-4)
    wide = make_trainer(replace(RECIPE, adversary=Adversary(width=5)), photographs, tmp_path / "wide")
    fresh = at(wide, "critic")
    wide.start_from(model)
    assert same(at(wide, "critic"), fresh), "a critic of another width begins anew"
    with pytest.raises(TrainingError, match="another network"):
        make_trainer(replace(RECIPE, network=GENERATOR), photographs, tmp_path / "other").start_from(model)


def test_a_checkpoint_of_another_critic_is_refused(tmp_path: Path, photographs: Photographs) -> None:
    make_trainer(RECIPE, photographs, tmp_path).save()
    wide = replace(RECIPE, adversary=Adversary(width=5))
    with pytest.raises(TrainingError, match="of another critic than the recipe"):
        make_trainer(wide, photographs, tmp_path).resume()


@pytest.mark.parametrize(
    "name",
    [f"{system}-{loss}-{game}" for system in ("gan", "gan-ae") for loss in LOSSES for game in ("w", "dc")],
)
def test_recipes_of_the_project_run(tmp_path: Path, photographs: Photographs, name: str) -> None:
    shipped = load_recipe(find_recipe(name))
    assert isinstance(shipped, AdversarialRecipe)
    l1, game = name.split("-")[-2:]
    assert (shipped.model, shipped.loss) == (
        name,
        LossWeights(l1=10.0 * (l1 == "l1"), mse=10.0 * (l1 == "l2")),
    )
    assert (shipped.adversary.game, shipped.adversary.weight) == ({"w": "wasserstein", "dc": "dc"}[game], 1.0)
    # 8 bits of 3 channels at a quarter of the side: 1/16 of the picture.
    assert (shipped.network.channels, shipped.network.bits, shipped.network.stride) == (3, 8, 4)
    phases = tuple(replace(phase, steps=4, crop=32, batch=1) for phase in shipped.phases)
    small = replace(shipped, phases=phases, data=replace(shipped.data, scale=(0.5, 0.9)))
    assert make_trainer(small, photographs, tmp_path).run()
    assert {"adversarial", "critic", "penalty"} <= logged(tmp_path)[-1]["terms"].keys()


def test_the_documented_recipe_is_made_of_defaults() -> None:
    found = documented("adversarial")
    found["phases"][0]["steps"] = 1
    recipe = recipe_from_dict({"model": "small", "network": BOUNDED, **found})
    assert recipe == AdversarialRecipe(
        model="small", network=RECIPE.network, phases=(AdversarialPhase(steps=1),)
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"adversary": {"game": "chess"}}, "adversary of the recipe: game is 'chess'.*wasserstein, dc"),
        ({"adversary": {"bound": "wall"}}, "bound is 'wall'.*penalty, clip, none"),
        ({"adversary": {"bound": "none"}}, "no end without"),
        ({"adversary": {"steps": 0}}, r"steps is 0; it must be in 1\.\.1000"),
        ({"adversary": {"limit": 0}}, "limit is 0.0; it must be above 0"),
        ({"adversary": {"widht": 4}}, "unknown key 'widht'"),
        ({"phases": [{"steps": 1, "alone": 1.5}]}, r"phase 1: alone is 1.5; it must be in 0\.\.1"),
        (
            {"phases": [{"steps": 1, "crop": 36, "patch": 12}]},
            "patch is 12; it must be a multiple of the critic's 8",
        ),
        ({"network": {**BOUNDED, "stages": 2}}, "stages is 2; it must be 1"),
        (
            {"network": {**BOUNDED, "quantiser": "rounded"}},
            "quantiser is 'rounded'; it must be sigmoid or unit",
        ),
        ({"lambdas": [1.0]}, "unknown key 'lambdas'"),
    ],
)
def test_bad_recipes_say_what_is_wrong(change: dict[str, Any], words: str) -> None:
    good = {
        "model": "small",
        "task": "adversarial",
        "architecture": "autoencoder",
        "network": BOUNDED,
        "phases": [{"steps": 1}],
    }
    assert isinstance(recipe_from_dict(good), AdversarialRecipe)
    with pytest.raises(RecipeError, match=words):
        recipe_from_dict({**good, **change})
