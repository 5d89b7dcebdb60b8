"""Where encoded bytes come from: memory, a path, an open file that may still be growing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from recodec.errors import SourceError

Buffer: TypeAlias = bytes | bytearray | memoryview
Source: TypeAlias = Buffer | str | os.PathLike[str] | BinaryIO

_BLOCK = 1 << 16


def read_source(source: Source) -> Buffer:
    """All bytes of a bytes-like object, a path or an open binary file. Raises :class:`SourceError`."""
    if isinstance(source, str | os.PathLike):
        try:
            return Path(source).read_bytes()
        except OSError as error:
            raise SourceError(f"{os.fspath(source)} cannot be read: {error.strerror or error}") from error
    if hasattr(source, "read"):
        return _block(source, source.read())
    return _buffer(source)


def read_blocks(source: Source) -> Iterator[Buffer]:
    """The bytes of ``source`` piece by piece, as they arrive. Raises :class:`SourceError`."""
    if isinstance(source, str | os.PathLike) or not hasattr(source, "read"):
        yield read_source(source)
        return
    # read1 returns what a pipe has instead of waiting for a whole block.
    read = getattr(source, "read1", source.read)
    while block := _block(source, read(_BLOCK)):
        yield block


def _block(source: object, data: Any) -> Buffer:
    if not isinstance(data, bytes | bytearray | memoryview):
        kind = type(data).__name__
        raise SourceError(
            f"reading from {type(source).__name__} gave {kind}, not bytes; open files in binary, blocking mode"
        )
    return data


def _buffer(source: object) -> Buffer:
    if isinstance(source, bytes | bytearray):
        return source
    try:
        view = memoryview(source)  # type: ignore[arg-type]
    except TypeError:
        raise SourceError(
            f"{type(source).__name__} holds no encoded file; give bytes, a path or an open binary file"
        ) from None
    return view.cast("B") if view.c_contiguous else view.tobytes()
