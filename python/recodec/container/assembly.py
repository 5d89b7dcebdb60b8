"""A file being put together, and taken apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from recodec import _core
from recodec.container.core import (
    ALPHA,
    CODES,
    EXACT,
    EXIF,
    ICC,
    METADATA_NAMES,
    STRIP,
    XMP,
    core_errors,
    end_chunk,
)
from recodec.container.reader import Chunk, Reader
from recodec.container.targets import too_small
from recodec.errors import TruncatedError


class Assembly:
    """A file being put together: its code chunks, and what comes before and after them."""

    def __init__(self, header: _core.Header, head: bytes = b""):
        """``head`` are the bytes of ``header``, where there are any that must stay as they are."""
        self._header = header
        self._head = head or _written(header)
        self._before: list[tuple[int, bytes]] = []
        self._after: list[tuple[int, bytes]] = []
        # Counted as they come: files may hold millions that nobody knows.
        self._attached_bytes = 0
        self._exact = b""
        self._strips: list[bytes] = []
        self.code_chunks: list[bytes] = []
        self.dropped: list[str] = []

    def attach(self, chunk_type: int, chunk: bytes, *, before_codes: bool) -> None:
        """Add a chunk that holds no codes."""
        (self._before if before_codes else self._after).append((chunk_type, chunk))
        self._attached_bytes += len(chunk)

    def add_strips(self, exact: bytes, strips: Sequence[bytes], max_bytes: int | None = None) -> None:
        """Let strips follow the code chunks, as many from the top as fit, with the chunk that tells of them."""
        size = len(self.to_bytes()) + len(exact)
        for strip in strips:
            size += len(strip)
            if max_bytes is not None and size > max_bytes:
                break
            self._exact = exact
            self._strips.append(strip)

    def size_with(self, chunk: bytes) -> int:
        """File size in bytes if ``chunk`` were the last code chunk."""
        codes = sum(map(len, self.code_chunks)) + len(chunk)
        end = len(end_chunk(len(self.code_chunks) + 1))
        return len(self._head) + self._attached_bytes + codes + end

    def size_of(self, *chunk_types: int) -> int:
        """Bytes that the attached chunks of some types take."""
        return sum(len(raw) for chunk_type, raw in self._before + self._after if chunk_type in chunk_types)

    def make_room(self, chunk: bytes, max_bytes: int) -> None:
        """Leave out XMP, then EXIF, then the ICC profile, until ``chunk`` fits as the first code chunk.

        ``dropped`` names what had to go. Raises :class:`TargetError` if that is not enough.
        """
        least = self.size_with(chunk) - self.size_of(*METADATA_NAMES)
        if least > max_bytes:
            raise too_small(max_bytes, least, self.size_of(ALPHA))
        for chunk_type in (XMP, EXIF, ICC):
            if self.size_with(chunk) <= max_bytes:
                return
            if self.size_of(chunk_type):
                self._drop(chunk_type)

    def _drop(self, chunk_type: int) -> None:
        self._attached_bytes -= self.size_of(chunk_type)
        self._before, self._after = (
            [part for part in parts if part[0] != chunk_type] for parts in (self._before, self._after)
        )
        self.dropped.append(METADATA_NAMES[chunk_type])
        if chunk_type == ICC:
            self._header.colour = 0
            self._head = _written(self._header)

    def to_bytes(self) -> bytes:
        """The complete file."""
        before, after = (b"".join(raw for _, raw in parts) for parts in (self._before, self._after))
        end = end_chunk(len(self.code_chunks))
        return b"".join([self._head, self._exact, before, *self.code_chunks, *self._strips, after, end])


def _written(header: _core.Header) -> bytes:
    with core_errors():
        return _core.write_header(header)


class Parts(NamedTuple):
    """A file taken apart: an assembly without what makes the picture, and that; of code chunks payloads' sizes too."""

    assembly: Assembly
    codes: list[bytes]
    payload_bytes: list[int]
    exact: bytes
    strips: list[bytes]


def split(reader: Reader, take: Callable[[Chunk], object]) -> Parts:
    """Take a whole file apart; ``take`` is shown every chunk."""
    header = reader.header()
    assembly = Assembly(header, reader.raw(0, reader.header_bytes))
    codes: list[bytes] = []
    payload_bytes: list[int] = []
    exact, strips = b"", list[bytes]()
    previous = reader.header_bytes
    for chunk in reader.chunks():
        raw = reader.raw(previous, chunk.end)
        previous = chunk.end
        take(chunk)
        if chunk.type == CODES:
            codes.append(raw)
            payload_bytes.append(len(chunk.payload))
        elif chunk.type == EXACT:
            exact = raw
        elif chunk.type == STRIP:
            strips.append(raw)
        else:
            assembly.attach(chunk.type, raw, before_codes=not codes)
    if not codes:
        raise TruncatedError(f"the file ends before its first code chunk, after {len(reader)} bytes")
    return Parts(assembly, codes, payload_bytes, exact, strips)
