"""One name for one thing in all benchmarks, and results that are whole or not there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from click.testing import CliRunner

from tests.bench.conftest import BENCH

Script = Callable[[str], Any]

# What only bench/options.py names.
COMMON = ("model", "device", "limit", "repeats", "threads")


@pytest.mark.parametrize("path", sorted(BENCH.glob("*.py")), ids=lambda path: path.stem)
def test_common_options_have_one_meaning(path: Path) -> None:
    text = path.read_text()
    assert "argparse" not in text
    assert "--json" not in text
    if path.stem != "options":
        assert not re.findall(rf'click\.option\(\s*"--({"|".join(COMMON)})"', text)


def test_threads_are_set(script: Script) -> None:
    @click.command()
    @script("options").threads()
    def command() -> None:
        click.echo(torch.get_num_threads())

    before = torch.get_num_threads()
    try:
        assert CliRunner().invoke(command, ["--threads", "2"]).output == "2\n"
        assert CliRunner().invoke(command).output == "1\n"
    finally:
        torch.set_num_threads(before)


def test_results_say_of_which_machine(script: Script, tmp_path: Path) -> None:
    @click.command()
    @script("options").out
    def command(out: Path | None) -> None:
        script("result_file").write(out, {"bytes": 1})

    assert CliRunner().invoke(command).exit_code == 0
    path = tmp_path / "new" / "out.json"
    assert CliRunner().invoke(command, ["--out", str(path)]).exit_code == 0
    found = json.loads(path.read_text())
    assert found["bytes"] == 1
    assert "cpu" in found["environment"]
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_said_before_measuring(script: Script, tmp_path: Path) -> None:
    @click.command()
    @script("options").out
    def command(out: Path | None) -> None:
        raise AssertionError("it measured")

    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(command, ["--out", str(tmp_path / "file" / "out.json")])
    assert done.exit_code == 2
    assert "cannot be made" in done.output
