"""Tiles: guesses that are launchable, measured ones that are found, and what measuring refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path

import pytest
import torch

from recodec.kernels import tuning
from recodec.kernels.layers import PAPER, SHIPPED, Layer
from recodec.kernels.tuner import trials
from recodec.kernels.tuner.trials import plans
from recodec.kernels.tuner.tune import candidates, checker
from recodec.kernels.tuning import Tiles, distance, guess, load, path_of, save, tiles_for
from recodec.networks.pixel.paper import paper_config
from recodec.train.recipe import load_recipe

OPERATORS = ["conv_lstm_step", "conv_gru_gates", "residual_conv_gru_candidate", "anything"]
SHAPE = {"pixels": 1536, "channels": 160, "inputs": 96, "kernel": 3}
CPU = torch.device("cpu")


def measured(tiles: Tiles, dtype: str = "float16", **sizes: int) -> dict[str, object]:
    return {"shape": {**SHAPE, **sizes}, "dtype": dtype, "tiles": asdict(tiles), "microseconds": 9.5}


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of measured tiles, for a GPU that is not here."""
    monkeypatch.setattr(tuning, "load", lambda operator, name: load(operator, name, tmp_path))
    monkeypatch.setattr(tuning, "_device_name", lambda _: "Some GPU/2")
    tuning._tiles_for.cache_clear()
    load.cache_clear()
    return tmp_path


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("pixels", [1, 1536, 10**8])
@pytest.mark.parametrize(("channels", "inputs"), [(1, 3), (96, 104), (512, 512)])
def test_guesses_fit_every_gpu(operator: str, dtype: str, pixels: int, channels: int, inputs: int) -> None:
    tiles = guess(operator, {"pixels": pixels, "channels": channels, "inputs": inputs}, dtype)
    columns = tiles.channels * tuning.accumulators(operator)
    size = 4 if dtype == "float32" else 2
    # An A100 gives a program 163 KiB, consumer GPUs 99 KiB.
    assert (tiles.pixels + columns) * tiles.inputs * size * tiles.stages <= 99 << 10
    assert tiles.pixels * columns <= 128 * 32 * tiles.warps


@pytest.mark.parametrize("sizes", [(24, 16, 16), (16, 8, 16), (16, 16, 16, 3), (16, 16, 16, 4, 0)], ids=str)
def test_tiles_that_cannot_be_launched_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Tiles(*sizes)


def test_nearest_measured_shape_decides(configs: Path) -> None:
    near, far, other = Tiles(64, 32, 32), Tiles(128, 64, 32), Tiles(32, 32, 32)
    entries = [measured(near), measured(far, pixels=6144), measured(other, "bfloat16")]
    path = save("step", "Some GPU/2", entries, {"triton": "3"}, configs)
    assert path.name == "step,device_name=Some_GPU_2.json"
    assert tiles_for("step", SHAPE, torch.float16, CPU) == near
    assert tiles_for("step", {**SHAPE, "pixels": 1600}, torch.float16, CPU) == near
    assert tiles_for("step", {**SHAPE, "pixels": 5000}, torch.float16, CPU) == far
    assert tiles_for("step", SHAPE, torch.bfloat16, CPU) == other
    assert tiles_for("step", SHAPE, torch.float32, CPU) == guess("step", SHAPE, "float32")
    # Sizes by other names, or too far away.
    for shape in ({**SHAPE, "stride": 1}, {**SHAPE, "pixels": 1 << 30}):
        assert tiles_for("step", shape, torch.float16, CPU) == guess("step", shape, "float16")


def test_measured_tiles_do_not_reach_another_gpu(configs: Path) -> None:
    save("step", "Other GPU", [measured(Tiles(256, 16, 16))], {}, configs)
    assert tiles_for("step", SHAPE, torch.float16, CPU) == guess("step", SHAPE, "float16")


def test_saving_keeps_what_it_does_not_replace(configs: Path) -> None:
    save("step", "GPU", [measured(Tiles(64, 32, 32)), measured(Tiles(64, 64, 32), pixels=9)], {}, configs)
    save("step", "GPU", [measured(Tiles(128, 32, 32))], {"triton": "4"}, configs)
    data = json.loads(path_of("step", "GPU", configs).read_text())
    assert data["versions"] == {"triton": "4"}
    assert [entry["tiles"]["pixels"] for entry in data["entries"]] == [128, 64]
    assert [file.name for file in configs.iterdir()] == ["step,device_name=GPU.json"]


def test_tiles_on_disk_are_sound(configs: Path) -> None:
    """Those that are committed, for each GPU that was tuned, and those that a tuner writes."""
    save("conv_lstm_step", "A GPU", [measured(Tiles(64, 32, 32))], {}, configs)
    for path in (*tuning.CONFIGS.glob("*.json"), *configs.glob("*.json")):
        data = json.loads(path.read_text())
        operator, _ = path.stem.split(",device_name=")
        assert path == path_of(operator, data["device"], path.parent)
        for entry in data["entries"]:
            Tiles(**entry["tiles"])
            assert {"pixels", "channels", "inputs"} <= entry["shape"].keys()
            assert entry["dtype"] in tuning.TYPE_NAMES


def test_distance_counts_doublings() -> None:
    assert distance({"a": 7, "b": 1}, {"a": 31, "b": 0}) == 3
    assert distance({"a": 1}, {"b": 1}) == float("inf")


def test_candidates_begin_with_the_guess_and_fit() -> None:
    found = candidates("conv_lstm_step", SHAPE, "float16", 227 << 10)
    assert found[0] == guess("conv_lstm_step", SHAPE, "float16")
    assert len(found) == len(set(found)) > 50
    assert all((t.pixels + 4 * t.channels) * t.inputs * 2 * t.stages <= 227 << 10 for t in found)


def test_layers_are_those_of_the_networks() -> None:
    with as_file(files("recodec.train") / "recipes" / "rnn-1.toml") as path:
        shipped = load_recipe(path).network
    for layers, config in ((PAPER, paper_config()), (SHIPPED, shipped)):
        expected = [
            (
                cell.width,
                cell.kernel,
                cell.hidden_kernel,
                *((1, cell.resample) if grows else (cell.resample, 1)),
            )
            for grows, side in enumerate((config.encoder, config.decoder))
            for cell in side
            if cell.kind != "conv"
        ]
        assert [(x.channels, x.kernel, x.hidden_kernel, x.stride, x.factor) for x in layers] == expected


def test_trials_hold_kernels_to_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "SHIPPED", (Layer("tiny", 5, 8, 3, 1, 1, 2, 4, 4),))
    monkeypatch.setattr(trials, "PAPER", (Layer("tiny", 3, 8, 2, 3, 2, 1, 4, 4),))
    monkeypatch.setattr(trials, "FOLDED", Layer("tiny", 16, 4, 2, 1, 1, 2, 4, 4))
    seen = set()
    device = torch.device("cuda") if torch.cuda.is_available() else CPU
    cells = [
        plan for plan in plans(torch.float32, device) if "step" in plan.operator or "gru" in plan.operator
    ]
    for trial in (plan.make() for plan in cells):
        seen.add(trial.operator)
        fits = checker(trial)
        results = trial.run(Tiles(16, 16, 16))
        assert fits(results)
        results[0].view(-1)[3:4].fill_(torch.nan) if results[0].is_contiguous() else results[0].fill_(
            torch.nan
        )
        assert not fits(results)
    assert seen == {"conv_lstm_step", "conv_gru_gates", "conv_gru_candidate", "residual_conv_gru_candidate"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to tune on")
def test_tuning_without_a_gpu_is_one_line_and_exit_code_3() -> None:
    command = [sys.executable, "-m", "recodec.kernels.tuner.tune", "--budget-seconds", "1"]
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: tuning needs a CUDA device")
    assert done.stderr.count("\n") == 1
