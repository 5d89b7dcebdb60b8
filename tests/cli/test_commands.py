"""The commands do what the API does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.cli import main
from tests.cli.running import error_line, pixels, run


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from recodec.cli import main; main(['--help'])"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    assert "Exit codes" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"torch", "numpy", "PIL", "rich"}


def test_looking_at_files_loads_no_torch(coded: Path) -> None:
    code = "import sys; from recodec.cli import main; main(standalone_mode=False); print(*sys.modules)"
    for command in (["info"], ["verify"], ["truncate", "--iterations", "1", "-q"]):
        target = [str(coded.with_name("short.rcd"))] if command[0] == "truncate" else []
        done = subprocess.run(
            [sys.executable, "-c", code, *command, str(coded), *target],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "recodec.files" in done.stdout.split()
        assert "torch" not in done.stdout.split()


def test_every_command_has_help() -> None:
    for name in main.commands:
        assert "Usage" in run(name, "--help").stdout


def test_encode_and_decode_agree_with_the_api(photo: Path, tmp_path: Path) -> None:
    result = run("encode", photo, tmp_path / "a.rcd", "--model", "tiny", "--iterations", 3)
    data = (tmp_path / "a.rcd").read_bytes()
    assert data == recodec.encode(photo, model="tiny", iterations=3)
    assert f"{len(data)} bytes" in result.stderr
    assert not result.stdout
    run("decode", tmp_path / "a.rcd", tmp_path / "a.png", "--quiet")
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), pixels(data))
        assert image.info["icc_profile"] == b"a profile"


def test_quiet_says_nothing(photo: Path, tmp_path: Path) -> None:
    assert not run("encode", photo, tmp_path / "a.rcd", "--model", "tiny", "-q").output


@pytest.mark.parametrize(
    ("option", "value", "limit"),
    [("--max-bytes", "0.3KiB", 307), ("--max-bytes", "0.3k", 300), ("--bpp", "0.9", 308)],
)
def test_size_targets_hold(photo: Path, option: str, value: str, limit: int) -> None:
    run("encode", photo, photo.with_suffix(".rcd"), "--model", "tiny", option, value)
    assert 0 < photo.with_suffix(".rcd").stat().st_size <= limit


@pytest.mark.parametrize(
    "options",
    [
        ("--quality", 20, "--bpp", 1),
        ("--max-bytes", "12q"),
        ("--max-bytes", "9" * 400),
        ("--max-bytes", "0.9"),
        ("--quality", 101),
        ("--quality", "nan"),
        ("--bpp", "1e308"),
        ("--bpp", "inf"),
        ("--psnr", "nan"),
        ("--psnr", -1),
    ],
)
def test_bad_targets_are_wrong_usage(photo: Path, options: tuple[object, ...]) -> None:
    result = run("encode", photo, photo.with_suffix(".rcd"), *options, code=2)
    assert "Error: " in result.stderr
    assert not photo.with_suffix(".rcd").exists()


def test_target_out_of_reach_is_bad_input(photo: Path) -> None:
    line = error_line(
        run("encode", photo, photo.with_suffix(".rcd"), "--model", "tiny", "--max-bytes", 20, code=3)
    )
    assert "20 bytes" in line


@pytest.mark.parametrize("command", [["decode"], ["verify"]])
def test_memory_is_a_limit_of_every_command(coded: Path, tmp_path: Path, command: list[str]) -> None:
    outputs = [tmp_path / "out.png"] if command == ["decode"] else []
    run(*command, coded, *outputs, "--max-memory", "1GiB")
    result = run(*command, coded, *outputs, "--max-memory", "1MiB", code=3)
    assert "raise max_memory (--max-memory)" in error_line(result)
