"""Where encoded bytes come from: memory, a path, an open file that may still be growing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from recodec.bitstream import Buffer

Source: TypeAlias = Buffer | str | os.PathLike[str] | BinaryIO

_BLOCK = 1 << 16


def read_source(source: Source) -> Buffer:
    """All bytes of a bytes-like object, a path or an open binary file."""
    if isinstance(source, bytes | bytearray | memoryview):
        return source
    if isinstance(source, str | os.PathLike):
        return Path(source).read_bytes()
    return source.read()


def growing_prefixes(source: Source) -> Iterator[Buffer]:
    """Ever longer prefixes of what ``source`` holds; bytes in hand come at once."""
    if isinstance(source, bytes | bytearray | memoryview | str | os.PathLike):
        yield read_source(source)
        return
    # read1 returns what a pipe has instead of waiting for a whole block.
    read = getattr(source, "read1", source.read)
    data = b""
    while block := read(_BLOCK):
        data += block
        yield data
