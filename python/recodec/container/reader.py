"""A file read chunk by chunk, from bytes that may still be arriving."""

from __future__ import annotations

from collections.abc import Iterator

from recodec import _core
from recodec.container.core import (
    CHECKSUM_BYTES,
    CHUNK_NAMES,
    CODES,
    END,
    ICC,
    MAX_ITERATIONS,
    STRIP,
    checksum,
    core_errors,
    end_payload,
)
from recodec.errors import ChecksumError, FormatError, LimitError
from recodec.io.sources import Buffer

_MAX_PENDING_BYTES = 1 << 28


class Chunk:
    """One chunk of a file: its type, its payload, and where in the file it ends."""

    __slots__ = ("end", "payload", "type")

    def __init__(self, chunk_type: int, payload: bytes, end: int):
        self.type, self.payload, self.end = chunk_type, payload, end

    def verified(self) -> bytes:
        """Content of a chunk of metadata or alpha: its payload without the checksum.

        Raises :class:`ChecksumError` if it is damaged, :class:`FormatError` if it is too short.
        """
        stored, content = self.payload[:CHECKSUM_BYTES], self.payload[CHECKSUM_BYTES:]
        if len(stored) < CHECKSUM_BYTES:
            raise FormatError(
                f"a chunk of type {self.type} has {len(self.payload)} bytes; its checksum takes 4"
            )
        if checksum(self.type, content) != stored:
            raise ChecksumError(f"the {CHUNK_NAMES[self.type]} chunk is damaged: its checksum does not match")
        return content


def keep_metadata(kept: dict[int, bytes], chunk: Chunk, *, after_codes: bool) -> None:
    """Verify and keep a metadata chunk; ignore a second one, and a profile that comes too late.

    A profile after the first code chunk would give a prefix other colours than the whole file.
    """
    if chunk.type not in kept and (chunk.type != ICC or not after_codes):
        kept[chunk.type] = chunk.verified()


class Reader:
    """Reads a file from bytes that may still be arriving.

    ``chunks`` yields each whole chunk once and can be called again after :meth:`feed`; ``ended`` turns
    true at the end mark, at file position ``position``. Raises :class:`RecodecError` where the bytes are
    wrong, not where they are short.
    """

    def __init__(self, data: Buffer = b""):
        self._data: Buffer = data
        self._offset = 0  # of the first byte kept, in the file
        self._header: _core.Header | None = None
        self.position = 0
        self.header_bytes = 0
        self.iterations = 0
        self.strips = 0
        self.ended = False
        self._pieces = 0  # that have been fed

    def feed(self, block: Buffer) -> None:
        """Append bytes; what was read before is dropped."""
        self._pieces += 1
        if not isinstance(self._data, bytearray):
            self._data = bytearray(self._data)
        del self._data[: self.position - self._offset]
        self._offset = self.position
        self._data += block

    def header(self) -> _core.Header:
        """The header. Raises :class:`TruncatedError` if it is not complete yet."""
        if self._header is None:
            with core_errors():
                self._header, self.header_bytes = _core.read_header(self._data)
            self.position = self.header_bytes
        return self._header

    def chunks(self) -> Iterator[Chunk]:
        """Yield the whole chunks not yielded before, up to the end mark.

        Raises :class:`LimitError` where bytes that arrive piece by piece are those of an endless chunk.
        """
        self.header()
        while not self.ended:
            with core_errors():
                found = _core.read_chunk_head(self._data, self.position - self._offset)
            if found is None or found.next > len(self._data):
                self._check_pending()
                return
            payload = bytes(memoryview(self._data)[found.payload : found.next])
            self.position = self._offset + found.next
            if found.type == END:
                self._check_end(payload)
                self.ended = True
                return
            if found.type == CODES:
                self.iterations += 1
                if self.iterations > MAX_ITERATIONS:
                    raise FormatError(
                        f"the file has more than {MAX_ITERATIONS} code chunks, the most allowed"
                    )
            self.strips += found.type == STRIP
            yield Chunk(found.type, payload, self.position)

    @property
    def whole(self) -> str:
        """What of the picture was whole so far, in words."""
        strips = f" and {self.strips} strips" if self.strips else ""
        return f"{self.iterations} whole code chunks{strips}"

    def _check_pending(self) -> None:
        # Where all came at once, it takes no more memory than it does already.
        if self._pieces > 1 and len(self) - self.position > _MAX_PENDING_BYTES:
            raise LimitError(
                f"a single chunk takes more than {_MAX_PENDING_BYTES} bytes and is not whole yet; read the file as a "
                "whole instead"
            )

    def raw(self, start: int, stop: int) -> bytes:
        """Bytes of a file that is there as a whole."""
        return bytes(memoryview(self._data)[start:stop])

    def __len__(self) -> int:
        return self._offset + len(self._data)

    def _check_end(self, payload: bytes) -> None:
        if payload != end_payload(self.iterations):
            raise FormatError(
                f"the end mark disagrees with the {self.iterations} code chunks before it: the file is damaged"
            )
