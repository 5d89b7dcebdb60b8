"""``recodec view`` as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from PIL import Image

import recodec
from tests.cli.running import RECODEC, error_line, run
from tests.latent_models import latent_model

pytestmark = pytest.mark.filterwarnings("ignore::recodec.errors.UnsuitablePictureWarning")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Image.Image) -> Path:
    """Two pictures, one of them below, and what is none."""
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setenv("RECODEC_WEIGHTS", str(weights))
    data = recodec.encode(picture, model=latent_model(weights).id, iterations=2)
    below = tmp_path / "pictures" / "below"
    below.mkdir(parents=True)
    for path in (below.parent / "a.rcd", below / "b.rcd"):
        path.write_bytes(data)
    (below / "notes.txt").write_text("none")
    return below.parent


def test_a_folder_is_exported(folder: Path, tmp_path: Path) -> None:
    result = run("view", folder, "--export", tmp_path / "out")
    assert (tmp_path / "out" / "pictures" / "2.rcd").read_bytes() == (folder / "a.rcd").read_bytes()
    assert not (tmp_path / "out" / "pictures" / "3.rcd").exists()
    assert str(tmp_path / "out") in result.stdout
    assert run("view", folder / "a.rcd", "--export", tmp_path / "one").stderr == ""


def test_what_cannot_be_shown(folder: Path, tmp_path: Path, picture: Image.Image) -> None:
    (folder / "bad.rcd").write_bytes(b"nothing")
    lossless = tmp_path / "l.rcd"
    lossless.write_bytes(recodec.encode(picture, lossless=True))
    os.symlink(lossless, folder / "out.rcd")
    result = run("view", folder, "--export", tmp_path / "out")
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert any("bad.rcd" in line for line in lines)
    assert any("leads out of the folder" in line for line in lines)
    assert "recodec decode" in error_line(run("view", lossless, "--export", tmp_path / "x", code=3))
    assert error_line(run("view", tmp_path / "none.rcd", code=1)).endswith("No such file or directory")
    (tmp_path / "empty").mkdir()
    assert "no .rcd file" in error_line(run("view", tmp_path / "empty", code=1))
    run("view", folder, "--speed", "0", code=2)
    run("view", folder, "--port", "65536", code=2)
    run("view", folder, "--model", "nosuch", code=4)


def test_models_that_are_missing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = Path(os.environ["RECODEC_WEIGHTS"]) / "tiny-latent.safetensors"
    monkeypatch.delenv("RECODEC_WEIGHTS")
    assert "tiny-latent" in error_line(run("view", folder / "a.rcd", "--export", tmp_path / "x", code=4))
    run("view", folder / "a.rcd", "--export", tmp_path / "x", "--model", weights)


def test_it_serves_until_it_is_stopped(folder: Path) -> None:
    words = [*RECODEC, "view", str(folder), "--no-browser", "--speed", "50"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process, ExitStack() as after:
        # Popen waits for a server that a failure leaves.
        after.callback(process.kill)
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        assert address.endswith("/?speed=50")
        with urlopen(address, timeout=20) as answer:
            assert b"<recodec-image" in answer.read()
        port = address.split(":")[2].partition("/")[0]
        taken = run("view", folder, "--no-browser", "--port", port, code=1)
        assert error_line(taken) == f"recodec: port {port}: Address already in use"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
