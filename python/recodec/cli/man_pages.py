"""Man pages of the command and all that is below it, made of their help.

    python -m recodec.cli.man_pages FOLDER

Takes click-man. No other module imports this one.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path

import click

import recodec
from recodec.cli import jobs, main, output
from recodec.errors import PackageError

# A line of text that roff would take for a request; click-man's own are capitals.
_REQUEST_LIKE = re.compile(r"^(?='|\.(?![A-Z]{1,2}\b))", re.MULTILINE)
# Or it is set as a hyphen, by which nobody finds an option.
_BARE_DASH = re.compile(r"(?<!\\)-")


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
def write(folder: Path) -> None:
    """Write a man page for each command into FOLDER, which is made: share/man/man1 below some prefix."""
    with jobs.one_line_errors(str(folder)):
        for name, page in pages("recodec", titled(main)):
            output.write(str(folder / f"{name}.1"), page.encode())


def titled(command: click.Command) -> click.Command:
    """A copy whose short help, and that of all below it, is a whole sentence; click cuts it to fit a terminal."""
    made = copy.copy(command)
    made.short_help = command.short_help or (command.help or "").partition("\n\n")[0].replace(
        "\n", " "
    ).rstrip(".")
    if isinstance(made, click.Group):
        made.commands = {name: titled(below) for name, below in made.commands.items()}
    return made


def pages(
    name: str, command: click.Command, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Name, as ``recodec-zoo-encode``, and text of the page of a command and each below it.

    Dated by SOURCE_DATE_EPOCH, seconds since 1970, where that is set. Raises :class:`PackageError` without click-man.
    """
    try:
        from click_man.core import generate_man_page
    except ImportError as error:
        raise PackageError("man pages take click-man: pip install 'click-man>=0.6'") from error
    context = click.Context(command, info_name=name, parent=parent)
    # The first line holds a date, whose dashes are to stay.
    title, _, text = generate_man_page(context, version=recodec.__version__).partition("\n")
    page = title + "\n" + _escaped(text)
    if command.epilog:
        # click's mark of lines that are kept as they are.
        notes = command.epilog.removeprefix("\b").strip()
        page += f".SH NOTES\n.nf\n{_escaped(notes)}\n.fi\n"
    yield context.command_path.replace(" ", "-"), page
    if isinstance(command, click.Group):
        for below, one in command.commands.items():
            yield from pages(below, one, context)


def _escaped(text: str) -> str:
    return _BARE_DASH.sub(r"\\-", _REQUEST_LIKE.sub(r"\\&", text))


if __name__ == "__main__":
    write(prog_name="python -m recodec.cli.man_pages")
