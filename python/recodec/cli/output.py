"""Where results go: whole files or none, under their own name only when complete."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import click

from recodec.errors import RecodecError

STANDARD = "-"


class OutputError(RecodecError):
    """A result cannot be written where it was asked for."""


def check_folder(folder: Path) -> None:
    """Raise :class:`OutputError` if the folder of an output does not exist."""
    if not folder.is_dir():
        raise OutputError(f"the output folder {str(folder)!r} does not exist; create it first")


def check_target(target: str, *, overwrite: bool) -> None:
    """Raise :class:`OutputError` if ``target`` is a folder, or exists and must be kept."""
    if target == STANDARD:
        return
    path = Path(target)
    if path.is_dir():
        raise OutputError(f"the output {target!r} is a folder; name a file or use --output-dir")
    if not overwrite and path.exists():
        raise OutputError(f"the output {target!r} exists and --no-overwrite is given")


def refuse_terminal(target: str) -> None:
    """Raise a usage error if binary data would go to a terminal."""
    if target == STANDARD and sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal; redirect it or name an output file")


def read(source: str) -> bytes:
    """The whole input, from a file or from standard input."""
    if source == STANDARD:
        return sys.stdin.buffer.read()
    return Path(source).read_bytes()


def write(target: str, data: bytes) -> None:
    """Write all of ``data`` or leave nothing behind."""
    if target == STANDARD:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    # A link keeps pointing where it did: what it points to is replaced.
    path = Path(target).resolve()
    if path.exists() and not path.is_file():
        # Devices and pipes must be written to; a rename would replace them by a file.
        path.write_bytes(data)
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        # Not tempfile: its files are private, and an output follows the umask like any other.
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
