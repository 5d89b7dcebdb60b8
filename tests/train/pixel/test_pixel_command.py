"""The command that trains the recurrent codec."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open

from recodec.cli import main
from recodec.weights import load_model
from tests.train.running import logged


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
# Sums of two processes and of one are equal to within float32's rounding, whatever else the CPU is fast at.
[compute]
precision = "float32"
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
    script = Path(__file__).parents[3] / "bench" / "train_run.sh"
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


def test_keys_device_and_curves_of_a_run(tmp_path: Path, folder: Path) -> None:
    pytest.importorskip("tensorboard")
    recipe = recipe_file(tmp_path, steps=6)
    arguments = train_command(recipe, folder, tmp_path / "run")[3:]
    options = ["--set", "phases.1.steps=4", "--set", "compute.precision=float32", "--device", "cpu"]
    done = CliRunner().invoke(main, [*arguments, *options, "--tensorboard"])
    assert done.exit_code == 0, done.output
    assert "the recipe is complete" in done.output
    (record,) = logged(tmp_path / "run")
    assert record["step"] == 4
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1
    notes = load_model(tmp_path / "run" / "small.safetensors").notes
    assert "small.toml --set phases.1.steps=4 --set compute.precision=float32 --data" in notes["command"]


@pytest.mark.parametrize(
    ("options", "processes", "code", "reason"),
    [
        (("--set", "phases.1.steps=none"), "1", 3, "steps is 'none'"),
        (("--set", "optimizer.clip"), "1", 3, "give KEY=VALUE"),
        (("--device", "nosuch"), "1", 2, "the device 'nosuch' cannot be used"),
        (("--device", "meta"), "1", 2, "the device 'meta' cannot be used"),
        (("--device", "cuda:1"), "2", 2, "the device 'cuda:1' is not for 2 processes; give cuda"),
    ],
)
def test_mistaken_options(
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    processes: str,
    code: int,
    reason: str,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", processes)
    arguments = train_command(recipe_file(tmp_path, steps=6), folder, tmp_path / "run")[3:]
    done = CliRunner().invoke(main, [*arguments, *options])
    assert done.exit_code == code, done.output
    assert reason in done.stderr.replace("\n", " ")
    assert not (tmp_path / "run").exists()
