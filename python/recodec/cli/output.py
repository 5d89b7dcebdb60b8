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
    """Raise :class:`OutputError` if the folder of an output does not exist or is none."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"the output folder {str(folder)!r} is not a folder")
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


def is_rcd(target: str) -> bool:
    """Whether a name is one for recodec's own files."""
    return target.lower().endswith(".rcd")


def require_rcd(target: str, advice: str = "") -> None:
    """Raise a usage error unless ``target`` is meant for a .rcd file.

    Two photographs and no output, as a shell's pattern may give, would otherwise cost the second one.
    """
    # Pipes and devices have whatever names they have; folders get their own message later.
    if target != STANDARD and not is_rcd(target) and not _is_special(target):
        raise click.UsageError(f"the output {target!r} should end in .rcd{advice}")


def _is_special(target: str) -> bool:
    return os.path.exists(target) and not os.path.isfile(target)


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
    if _is_special(target):
        # Devices and pipes must be written to; a rename would replace them by a file.
        Path(target).write_bytes(data)
        return
    # A link keeps pointing where it did: what it points to is replaced.
    path = Path(target).resolve()
    # Not derived from the name, which may be as long as the file system allows.
    temporary = path.with_name(f".recodec-{secrets.token_hex(4)}.tmp")
    try:
        # Not tempfile: its files are private, and an output follows the umask like any other.
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
