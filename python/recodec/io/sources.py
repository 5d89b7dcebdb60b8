"""Where encoded bytes come from: memory, a path, an open file that may still be growing."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeGuard

from recodec.errors import SourceError
from recodec.file_errors import of_file
from recodec.io.buffers import file_bytes, tensor_of

Buffer: TypeAlias = bytes | bytearray | memoryview
_Plain: TypeAlias = Buffer | mmap.mmap | str | os.PathLike[str] | BinaryIO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    # A file's bytes, or where they are; arrays and tensors have one axis.
    Source: TypeAlias = "_Plain | NDArray[np.uint8] | Tensor"
else:
    # Without what would be loaded for its name alone.
    Source = _Plain

_BLOCK = 1 << 16


def read_source(source: Source) -> Buffer:
    """All bytes of a bytes-like object, a uint8 tensor of one axis, a path or an open binary file.

    Raises :class:`SourceError`.
    """
    if isinstance(source, str | os.PathLike):
        try:
            return Path(source).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            said = f"{os.fspath(source)!r} cannot be read: {reason}"
            raise (
                of_file(SourceError, error, said) if isinstance(error, OSError) else SourceError(said)
            ) from error
    if _is_file(source):
        return _whole(source, _read(source, source.read))
    return _buffer(source)


def read_blocks(source: Source) -> Iterator[Buffer]:
    """The bytes of ``source`` piece by piece, as they arrive. Raises :class:`SourceError`."""
    if isinstance(source, str | os.PathLike) or not _is_file(source):
        yield read_source(source)
        return
    # read1 returns what a pipe has instead of waiting for a whole block.
    read = getattr(source, "read1", source.read)
    block = _whole(source, _read(source, read, _BLOCK))
    while block:
        yield block
        block = _read(source, read, _BLOCK)


def _is_file(source: object) -> TypeGuard[BinaryIO]:
    # A memory map has a position as well, but is memory: the same bytes whenever it is used.
    return hasattr(source, "read") and not isinstance(source, mmap.mmap)


def _read(source: object, read: Callable[..., Any], *size: int) -> Buffer:
    if isinstance(source, io.TextIOBase):
        raise SourceError(f"{type(source).__name__} reads text; open the file in binary mode ('rb')")
    try:
        return _block(source, read(*size))
    except SourceError:
        raise
    except (OSError, ValueError) as error:
        raise SourceError(f"{type(source).__name__} cannot be read: {error}") from error


def _whole(source: BinaryIO, data: Buffer) -> Buffer:
    if not len(data):
        try:
            position = source.tell()
        except (AttributeError, OSError, ValueError):
            position = 0
        if position:
            raise SourceError(
                f"{type(source).__name__} is at its end, position {position}: it was read or written before; "
                "seek(0) goes back to its beginning"
            )
    return data


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
    if (tensor := tensor_of(source)) is not None:
        data = file_bytes(tensor)
        if data is None:
            raise SourceError(
                f"a tensor of {tensor.dtype} and shape {tuple(tensor.shape)} holds no encoded file; give its bytes as "
                "a uint8 tensor of one axis"
            )
        return data
    try:
        view = memoryview(source)  # type: ignore[arg-type]
    except TypeError:
        raise SourceError(
            f"{type(source).__name__} holds no encoded file; give bytes, a path or an open binary file"
        ) from None
    # A view would keep a memory map from being closed.
    mapped = isinstance(source, mmap.mmap)
    return view.cast("B") if view.c_contiguous and not mapped else view.tobytes()
