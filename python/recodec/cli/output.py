"""Where inputs come from and results go: files and standard streams."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from recodec.errors import OutputError
from recodec.io import outputs

if TYPE_CHECKING:
    from rich.console import Console

    from recodec import Info

STANDARD = "-"


def check_folder(folder: Path, *, made: bool = False) -> None:
    """Raise :class:`OutputError` if the folder of an output is none, or is not there and will not be ``made``."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"the output folder {str(folder)!r} is not a folder")
    if not made and not folder.is_dir():
        raise OutputError(f"the output folder {str(folder)!r} does not exist; create it first")


def check_source(source: str) -> None:
    """Raise :class:`OSError` if an input is a folder or cannot be read, without opening it: pipes open once."""
    if source == STANDARD:
        return
    mode = os.stat(source).st_mode
    number = errno.EISDIR if stat.S_ISDIR(mode) else 0 if os.access(source, os.R_OK) else errno.EACCES
    if number:
        raise OSError(number, os.strerror(number), source)


def check_target(target: str, *, overwrite: bool) -> None:
    """Raise :class:`OutputError` if ``target`` is a folder, or exists and must be kept."""
    if target == STANDARD:
        return
    if os.path.isdir(target):
        raise OutputError(f"the output {target!r} is a folder; name a file or use --output-dir")
    if not overwrite and os.path.exists(target):
        raise OutputError(f"the output {target!r} exists and --no-overwrite is given")


def is_rcd(target: str) -> bool:
    """Whether a name is one for recodec's own files."""
    return target.lower().endswith(".rcd")


def require_rcd(target: str, advice: str = "") -> None:
    """Raise a usage error unless ``target`` is meant for a .rcd file.

    Two photographs and no output, as a shell's pattern may give, would otherwise cost the second one.
    """
    # Pipes and devices have whatever names they have; folders get their own message later.
    special = os.path.exists(target) and not os.path.isfile(target)
    if target != STANDARD and not is_rcd(target) and not special:
        raise click.UsageError(f"the output {target!r} should end in .rcd{advice}")


def refuse_terminal(target: str) -> None:
    """Raise a usage error if binary data would go to a terminal."""
    if target == STANDARD and sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal; redirect it or name an output file")


def read(source: str) -> bytes:
    """The whole input, from a file or from standard input."""
    if source != STANDARD:
        return Path(source).read_bytes()
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    return sys.stdin.buffer.read()


def write(target: str, data: bytes) -> None:
    """Write all of ``data`` or leave nothing behind; make the folder. Raises :class:`OutputError`."""
    try:
        if target == STANDARD:
            stream = _stdout().buffer
            stream.write(data)
            stream.flush()
        else:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            outputs.write(target, data)
    except BrokenPipeError:
        raise
    except OSError as error:
        if target == STANDARD:
            abandon_stdout()
        reason = error.strerror or str(error)
        raise OutputError(f"the output {target!r} cannot be written: {reason}") from error


def displayed(name: str) -> str:
    """A name on one line, as any terminal takes it: what cannot be printed is escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)


def say(text: str) -> None:
    """Print a result on standard output, at once. Raises :class:`OSError`."""
    print(text, file=_stdout(), flush=True)


def abandon_stdout() -> None:
    """Let what standard output did not take go, or the end of the process would fail with it once more."""
    # Closed, or no file of the system.
    with contextlib.suppress(AttributeError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(*, stderr: bool = False) -> Console:
    """A terminal that shows names as they are, whatever brackets and colons are in them."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def counted(number: int, noun: str) -> str:
    """A number with its noun, as people say it."""
    return f"{number} {noun}{'s' * (number != 1)}"


def contents(info: Info, iterations: int | None = None) -> str:
    """What of its picture a file holds, or so many iterations of it."""
    held = info.iterations if iterations is None else min(info.iterations, iterations)
    if info.details.by_rows:
        return f"{held} of {counted(info.details.strips, 'strip')}"
    text = counted(held, "iteration")
    if info.exact is None or iterations is not None:
        return text
    return f"{text}, {info.strips} of {counted(info.exact.strips, 'strip')}"


def _stdout() -> TextIO:
    # None if it was closed before the start; print would then say nothing, without an error.
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdout
