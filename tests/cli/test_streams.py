"""Standard streams and the environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import recodec
from tests.cli.running import run

needs_shell = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and a shell")


@needs_shell
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("info FILE > /dev/full", "standard output: No space left"),
        ("info FILE --json > /dev/full", "standard output: No space left"),
        ("env > /dev/full", "standard output: No space left"),
        ("--help > /dev/full", "standard output: No space left"),
        ("info FILE >&-", "standard output: it is closed"),
        ("truncate FILE - --iterations 1 > /dev/full", "the output '-' cannot be written: No space left"),
        ("truncate FILE - --iterations 1 >&-", "the output '-' cannot be written: it is closed"),
        ("truncate FILE /dev/full --iterations 1", "the output '/dev/full' cannot be written: No space left"),
        ("truncate - x.rcd --iterations 1 <&-", "-: standard input is closed"),
    ],
)
def test_streams_that_fail_are_one_line(coded: Path, command: str, said: str) -> None:
    line = f"{sys.executable} -m recodec {command.replace('FILE', str(coded))}"
    done = subprocess.run(line, shell=True, stderr=subprocess.PIPE, text=True, check=False, cwd=coded.parent)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("recodec: ")
    assert said in line


@needs_shell
def test_streams_that_are_not_needed_may_be_closed(coded: Path) -> None:
    line = f"{sys.executable} -m recodec truncate {coded} - --iterations 1 2>&- <&-"
    data = subprocess.run(line, shell=True, stdout=subprocess.PIPE, check=True).stdout
    assert data == recodec.truncate(coded, iterations=1)
    line = f"{sys.executable} -m recodec truncate {coded} {coded.with_name('a.rcd')} --iterations 1 >&-"
    subprocess.run(line, shell=True, check=True)


def test_one_is_singular(photo: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.rcd"
    said = run("encode", photo, target, "--model", "tiny", "--iterations", 1).stderr
    said += run("verify", target).stdout + run("decode", target, tmp_path / "a.png").stderr
    assert len(re.findall(r"\b1 iteration\b", said)) == 3


def test_default_limits_are_readable() -> None:
    shown = run("encode", "--help").stdout
    assert "[default: 64Mi]" in shown
    assert "[default: 4GiB]" in shown


def test_names_with_a_dash_get_a_hint(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)
    photo.rename("-dash.png")
    assert "./-dash.png" in run("encode", "-dash.png", "a.rcd", code=2).stderr
    assert "./" not in run("encode", "--wrong", "a.rcd", code=2).stderr
    run("encode", "./-dash.png", "a.rcd", "--model", "tiny")


def test_env(tiny_model: str) -> None:
    found = json.loads(run("env", "--json").stdout)
    assert found["packages"]["recodec"] == recodec.__version__
    assert tiny_model in found["models"]
    assert found["devices"][0] == "cpu"
    assert "compiler" in run("env").stdout
