"""Names that are no text, that are more than a line, or that a terminal cannot show."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = (b"caf\xe9", "ü".encode(), "🎞".encode(), b"two\nlines", b"-dash", b"\x1b[31mred", b"sp ace")
SETTINGS = (
    {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"},
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "latin-1"},
)


def recodec(*arguments: bytes | str, code: int = 0, **settings: str) -> tuple[str, str]:
    """The command in a process of its own; what it says, which must be printable lines."""
    command = [sys.executable, "-m", "recodec", *arguments]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **settings}, check=False)
    output, errors = (text.decode("latin-1") for text in (done.stdout, done.stderr))
    assert done.returncode == code, errors
    assert "Traceback" not in errors
    assert "\x1b" not in output + errors
    return output, errors


@pytest.fixture
def folder(coded: Path, tmp_path: Path) -> bytes:
    folder = os.fsencode(tmp_path / "folder")
    os.mkdir(folder)
    for name in NAMES:
        shutil.copy(coded, os.path.join(folder, name + b".rcd"))
    return folder


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_any_name_in_any_locale(folder: bytes, settings: dict[str, str]) -> None:
    paths = [os.path.join(folder, name + b".rcd") for name in NAMES]
    output, _ = recodec("verify", *paths, **settings)
    assert len(output.splitlines()) == len(NAMES)
    output, _ = recodec("info", "--json", *paths, os.path.join(folder, b"no\xff"), code=1, **settings)
    found = [os.fsencode(json.loads(line)["file"]) for line in output.splitlines()]
    if "PYTHONUTF8" not in settings:
        assert found == [*paths, os.path.join(folder, b"no\xff")]


def test_folders_there_and_back(folder: bytes, tmp_path: Path) -> None:
    settings = SETTINGS[1]
    for name in ("png", "again"):
        (tmp_path / name).mkdir()
    _, errors = recodec("decode", folder, "--output-dir", str(tmp_path / "png"), **settings)
    # One line each, and the sum.
    assert len(errors.splitlines()) == len(NAMES) + 1
    (tmp_path / "png" / "no\nimage.txt\n").touch()
    options = ("--model", "tiny", "--jobs", "2", "--json")
    output, errors = recodec(
        "encode", str(tmp_path / "png"), "--output-dir", str(tmp_path / "again"), *options, **settings
    )
    assert errors == "1 file left out: .txt\\n 1\n"
    assert len([json.loads(line) for line in output.splitlines()]) == len(NAMES) + 1
    assert {os.fsencode(path.stem) for path in (tmp_path / "again").iterdir()} == set(NAMES)
    for name in NAMES:
        path = os.path.join(folder, name + b".rcd")
        recodec("truncate", path, path + b".rcd", "--iterations", "1", **settings)
        recodec("decode", path, path + b".nosuch", code=2, **settings)


def test_eval_takes_any_name(folder: bytes, tmp_path: Path) -> None:
    (tmp_path / "png").mkdir()
    recodec("decode", folder, "--output-dir", str(tmp_path / "png"), "-q")
    os.symlink("nowhere", os.fsencode(tmp_path / "png") + b"/lost\xe9.png")
    out = tmp_path / "out"
    command = ("eval", str(tmp_path / "png"), "--codec", "jpeg420", "--metric", "psnr", "--viewer", "8")
    _, errors = recodec(*command, "--out", str(out), code=1, **SETTINGS[1])
    assert "lost\\udce9.png: No such file or directory" in errors
    results = json.loads((out / "results.json").read_text())
    assert len(results["images"]) == len(NAMES) + 1
    assert (out / "report.html").stat().st_size > 0
