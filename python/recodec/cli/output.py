"""Where inputs come from and results go: files and standard streams."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from recodec import outputs
from recodec.outputs import OutputError

STANDARD = "-"


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
    special = os.path.exists(target) and not os.path.isfile(target)
    if target != STANDARD and not is_rcd(target) and not special:
        raise click.UsageError(f"the output {target!r} should end in .rcd{advice}")


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
    else:
        outputs.write(target, data)
