"""Man pages: one for each command, with all that its help says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from recodec.cli import main, man_pages
from recodec.errors import PackageError


def commands(name: str = "recodec", command: click.Command = main) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for below, one in getattr(command, "commands", {}).items():
        yield from commands(f"{name}-{below}", one)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("click_man", reason="needs click-man")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    result = CliRunner().invoke(man_pages.write, [str(tmp_path / "share" / "man1")])
    assert result.exit_code == 0, result.output
    return tmp_path / "share" / "man1"


def test_every_command_has_a_page_with_its_options(folder: Path) -> None:
    expected = dict(commands())
    assert {path.name for path in folder.iterdir()} == {f"{name}.1" for name in expected}
    assert "recodec-zoo-encode-mlp" in expected
    for name, command in expected.items():
        page = (folder / f"{name}.1").read_text()
        assert '"1970-01-02"' in page.splitlines()[0]
        plain = page.replace("\\-", "-")
        for parameter in command.params:
            assert all(flag in plain for flag in parameter.opts if isinstance(parameter, click.Option))
        assert f"\n{name} - " in plain
        assert "..." not in plain[: plain.index(".SH SYNOPSIS")]


def test_the_page_of_the_whole_has_exit_codes(folder: Path) -> None:
    page = (folder / "recodec.1").read_text()
    assert "  2  wrong usage, a package that is missing" in page
    assert "\b" not in page
    assert "recodec-models(1)" in page.replace("\\-", "-")


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_roff_has_no_complaints_and_keeps_dashes(folder: Path) -> None:
    for path in folder.iterdir():
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert not done.stderr, path.name
        # Bold letters are struck twice.
        shown = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
        assert "--max-size" in shown or path.name != "recodec-decode.1"


def test_words_at_the_beginning_of_a_line_are_no_requests() -> None:
    pytest.importorskip("click_man", reason="needs click-man")
    text = "A file\n.rcd is 'one'\n'quoted' - and --more."
    ((_, page),) = man_pages.pages("a", click.Command("a", help=text, short_help="A"))
    assert "\n\\&.rcd is 'one'\n\\&'quoted' \\- and \\-\\-more.\n" in page


def test_without_click_man_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "click_man.core", None)
    with pytest.raises(PackageError, match="click-man"):
        next(man_pages.pages("a", click.Command("a", help="A")))
