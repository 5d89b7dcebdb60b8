"""What a shell is told when someone presses the tabulator, as it asks for it."""

from __future__ import annotations

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from recodec.cli import main


def completed(*words: str) -> list[tuple[str, str]]:
    """Kind and value of what may stand in the place of the last word."""
    *before, begun = words
    found = ShellComplete(main, {}, "recodec", "_RECODEC_COMPLETE").get_completions(before, begun)
    return [(item.type, item.value) for item in found]


def test_commands_and_options() -> None:
    assert completed("dec") == [("plain", "decode")]
    assert ("plain", "--model") in completed("encode", "--m")


def test_ids_of_models(tiny_model: str) -> None:
    assert ("plain", tiny_model) in completed("encode", "--model", "ti")
    assert all(item[1].startswith("ti") for item in completed("encode", "--model", "ti"))
    assert ("plain", "latent-3") in completed("export", "")
    assert completed("encode", "--model", "./ti") == [("file", "./ti")]


def test_a_mistaken_search_path_completes_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", "/no/such")
    assert completed("encode", "--model", "la") == [("file", "la")]


def named(command: click.Command, context: click.Context) -> list[click.Parameter]:
    """Parameters that stand for files or folders, by what help calls them, of a command and all below it."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = [one for one in command.params if {"IN", "OUT", "FILE", "FOLDER", "DIR"} & words(one, context)]
    return own + [parameter for one in below for parameter in named(one, context)]


def words(parameter: click.Parameter, context: click.Context) -> set[str]:
    shown = parameter.make_metavar(context)
    return set("".join(letter if letter.isalpha() else " " for letter in shown).split())


def test_everything_that_names_a_file_completes_to_one() -> None:
    context = click.Context(main)
    parameters = named(main, context)
    assert len(parameters) > 20
    for parameter in parameters:
        (item,) = parameter.shell_complete(context, "ph")
        assert (item.type in {"file", "dir"}, item.value) == (True, "ph"), parameter


def test_bash_is_answered() -> None:
    asked = {"_RECODEC_COMPLETE": "bash_complete", "COMP_WORDS": "recodec encode pho", "COMP_CWORD": "2"}
    assert CliRunner().invoke(main, env=asked, prog_name="recodec").stdout == "file,pho\n"
    script = CliRunner().invoke(main, env={"_RECODEC_COMPLETE": "bash_source"}, prog_name="recodec").stdout
    assert "_recodec_completion" in script
