"""The command that trains entropy models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import recodec
from recodec.cli import main
from recodec.train.tasks.entropy.embedded import entropy_widths
from recodec.weights import Model, load_model
from tests.latent_models import latent_model
from tests.train.entropy.recipes import command
from tests.train.running import logged


def test_the_command_writes_a_model_that_codes(
    tmp_path: Path, zoned: Model, photos: Path, codec_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = CliRunner().invoke(main, command(photos, tmp_path / "run", "--name", "zoned-net"))
    assert done.exit_code == 0, done.output
    assert "after   4 chunks" in done.output
    model = load_model(tmp_path / "run" / "zoned-net.safetensors")
    for name, value in zoned.network.state_dict().items():
        assert torch.equal(value, model.network.state_dict()[name]), name
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert model.notes == {"made": "for tests", "entropy": report}
    assert report["training"]["steps"] == 6
    assert len(report["validation"]["network_bpp"]) == 4
    assert str(tmp_path) not in json.dumps(report)
    assert str(photos) not in json.dumps(report)
    assert logged(tmp_path / "run", "validation")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"checkpoint.pt", "log.jsonl", "report.json", "zoned-net.safetensors"}

    monkeypatch.setenv("RECODEC_WEIGHTS", os.pathsep.join([str(tmp_path / "run"), str(codec_folder)]))
    with Image.open(photos / "1.png") as image:
        data = recodec.encode(image, model="zoned-net", iterations=3, entropy="network")
        assert recodec.info(data).details.entropy == "network-1"
        plain = recodec.encode(image, model="zoned", iterations=3)
    assert np.array_equal(np.asarray(recodec.decode(data)), np.asarray(recodec.decode(plain)))


def test_the_papers_networks_give_a_report_and_no_model(tmp_path: Path, zoned: Model, photos: Path) -> None:
    done = CliRunner().invoke(main, command(photos, tmp_path / "run", "--network", "progressive", "-q"))
    assert (done.exit_code, done.output) == (0, "")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["validation"]["network_bpp"] is None
    assert len(report["validation"]["float_bpp"]) == 4
    assert not list((tmp_path / "run").glob("*.safetensors"))


def test_a_run_is_as_wide_as_what_it_begins_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    model = latent_model(tmp_path)
    arguments = ["train-entropy", model.id, "--data", str(photos), "--valid", str(photos / "0.png")]
    arguments += ["--start-from", model.id, "--out", str(tmp_path / "run"), "--steps", "1", "--images", "1"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert entropy_widths(load_model(tmp_path / "run" / f"{model.id}-entropy.safetensors")) == entropy_widths(
        model
    )


@pytest.mark.parametrize(
    ("more", "words", "code"),
    [
        (["--name", "No Such"], "'No Such' is no model id", 4),
        (["--data", "nothing-here"], "nothing-here", 3),
        (["--valid", "nothing-here"], "nothing-here", 3),
        (["--width", "12"], "width is 12", 3),
        (["--out", "/dev/null/run"], "'/dev/null/run' cannot be made", 1),
        (["--minutes", "nan"], "not a number", 2),
    ],
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path, zoned: Model, photos: Path, more: list[str], words: str, code: int
) -> None:
    result = CliRunner().invoke(main, command(photos, tmp_path / "run", *more))
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1 or code == 2
    assert not list(tmp_path.glob("run/*.safetensors"))


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["no-such-model", "--data", "x", "--valid", "x"], "no-such-model", 4),
        (["zoned", "--valid", "x"], "Missing option '--data'", 2),
    ],
)
def test_the_command_names_what_is_missing(
    tmp_path: Path, zoned: Model, arguments: list[str], words: str, code: int
) -> None:
    result = CliRunner().invoke(main, ["train-entropy", *arguments, "--out", str(tmp_path / "run")])
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_model_given_by_its_path_leaves_no_path_in_what_is_written(
    tmp_path: Path, zoned: Model, photos: Path, codec_folder: Path
) -> None:
    moved = tmp_path / "elsewhere" / "mine.safetensors"
    moved.parent.mkdir()
    moved.write_bytes((codec_folder / "zoned.safetensors").read_bytes())
    arguments = command(photos, tmp_path / "run")
    arguments[1] = str(moved)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    made = tmp_path / "run" / "mine-entropy.safetensors"
    assert load_model(made).tables
    for path in (made, tmp_path / "run" / "report.json"):
        assert str(tmp_path).encode() not in path.read_bytes()


def test_the_model_itself_is_not_overwritten(zoned: Model, photos: Path, codec_folder: Path) -> None:
    before = (codec_folder / "zoned.safetensors").read_bytes()
    result = CliRunner().invoke(main, command(photos, codec_folder, "--name", "zoned"))
    assert result.exit_code == 1
    assert "is the model itself" in result.stderr
    assert (codec_folder / "zoned.safetensors").read_bytes() == before


def test_sigterm_stops_with_a_checkpoint_and_the_command_goes_on(
    tmp_path: Path, codec_folder: Path, photos: Path
) -> None:
    arguments = command(photos, tmp_path / "run")
    arguments[arguments.index("6")] = "1000000"
    environment = os.environ | {"RECODEC_WEIGHTS": str(codec_folder), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "recodec", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    log = tmp_path / "run" / "log.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and '"train"' in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped at step" in output
    assert "run the same command again" in output
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["training"]["finished"] is False
    assert "validation" not in report
