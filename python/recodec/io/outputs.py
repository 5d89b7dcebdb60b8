"""Results in files: whole or not at all."""

from __future__ import annotations

import io
import os
import secrets
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from recodec.errors import RecodecError

if TYPE_CHECKING:
    from PIL import Image

# Formats that Pillow writes without the alpha channel, or with all of it on or off, and says nothing.
_DROPS_ALPHA = ("BMP", "DIB", "GIF", "PPM", "SPIDER")


class OutputError(RecodecError):
    """A result cannot be written where it was asked for."""


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write all of ``data`` or leave nothing behind. Raises :class:`OSError`."""
    if os.path.exists(path) and not os.path.isfile(path):
        # Devices and pipes must be written to; a rename would replace them by a file.
        Path(path).write_bytes(data)
        return
    # A link keeps pointing where it did: what it points to is replaced.
    replace(Path(path).resolve(), lambda temporary: _write_new(temporary, data))


def replace(target: Path, make: Callable[[Path], object]) -> None:
    """Let ``make`` write a file under another name, then give it that of ``target``; or leave nothing behind.

    Raises what ``make`` raises, and :class:`OSError`.
    """
    # Not derived from the name, which may be as long as the file system allows.
    temporary = target.with_name(f".recodec-{secrets.token_hex(4)}.tmp")
    try:
        make(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_new(path: Path, data: bytes) -> None:
    # Not tempfile: its files are private, and an output follows the umask like any other.
    with open(path, "xb") as file:
        file.write(data)


def to_bytes(image: Image.Image, format_name: str) -> bytes:
    """An image file in memory, with the metadata that the picture carries.

    Raises :class:`OutputError` if the format cannot hold it, its alpha channel included.
    """
    if image.mode in ("LA", "RGBA") and format_name in _DROPS_ALPHA:
        raise OutputError(f"a {format_name} file cannot hold the alpha channel; choose png or webp")
    from recodec.io.metadata import writer_options

    buffer = io.BytesIO()
    try:
        image.save(buffer, format_name, **writer_options(image))
    # What Pillow's writers raise for sizes, modes and metadata that a format has no room for.
    except (OSError, ValueError, OverflowError, RuntimeError, struct.error) as error:
        raise OutputError(
            f"the picture cannot be written as {format_name}: {error}; choose png or webp"
        ) from error
    return buffer.getvalue()


def make_folder(folder: Path) -> None:
    """Make a folder that can be written to, before anything slow. Raises :class:`OutputError` naming the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {str(folder)!r} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise OutputError(f"the folder {str(folder)!r} cannot be written to")
