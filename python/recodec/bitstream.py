"""Typed view of the file format: what a file holds, and how one is put together.

The bytes themselves are read and written by the C++ core; FORMAT.md is the definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from recodec import _core
from recodec.errors import (
    ChecksumError,
    FormatError,
    LimitError,
    RecodecError,
    TruncatedError,
    UnsupportedError,
)
from recodec.rate import too_small
from recodec.sources import Buffer

END, CODES, ICC, ALPHA, EXIF, XMP = range(6)
METADATA_NAMES = {ICC: "icc", EXIF: "exif", XMP: "xmp"}
_NAMES = {**METADATA_NAMES, ALPHA: "alpha"}
# Kinds of entropy coders.
ADAPTIVE, NETWORK = 1, 2
_ENTROPY_NAMES = {ADAPTIVE: "adaptive", NETWORK: "network"}
# Number types that a header can name.
ARITHMETIC = {0: "float32", 1: "float16", 2: "bfloat16"}
MAX_ITERATIONS = 255
MAX_PENDING_BYTES = 1 << 28
_CHECKSUM_BYTES = 4

_CORE_ERRORS: dict[int, type[RecodecError]] = {
    1: FormatError,
    2: TruncatedError,
    3: UnsupportedError,
    4: ChecksumError,
    5: LimitError,
}


@contextmanager
def core_errors() -> Iterator[None]:
    """Turn errors of the C++ core into recodec's own."""
    try:
        yield
    except _core.CoreError as error:
        code, message = error.args
        raise _CORE_ERRORS[code](message) from None


@dataclass(frozen=True, slots=True)
class Info:
    """What a file says about itself, readable without its model.

    ``channels`` counts those of colour, without alpha. ``stride`` and ``depth`` are those of the codes;
    ``tile_columns`` × ``tile_rows`` tiles with ``tile_halo`` positions around are decoded one by one.
    ``arithmetic`` is the number type that the encoder's networks computed in.
    ``chunk_bytes`` holds the size of every whole code chunk, ``truncated`` tells whether the file ends
    before its end mark.
    """

    width: int
    height: int
    channels: int
    alpha: bool
    bit_depth: int
    model: str
    model_hash: str
    stride: int
    depth: int
    entropy: str
    tile_columns: int
    tile_rows: int
    tile_halo: int
    arithmetic: str
    iterations: int
    file_bytes: int
    header_bytes: int
    chunk_bytes: tuple[int, ...]
    metadata: tuple[str, ...]
    truncated: bool
    _chunk_ends: tuple[int, ...] = field(repr=False)

    @property
    def mode(self) -> str:
        """Pillow's name for the kind of pixels: L, LA, RGB or RGBA."""
        return _mode(self.channels, self.alpha)

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def bpp(self) -> float:
        """Bits per pixel of the whole file."""
        return 8 * self.file_bytes / self.pixels

    def prefix_bytes(self, iterations: int) -> int:
        """Bytes from the start of the file to the end of the given code chunk (from 1)."""
        if not 1 <= iterations <= self.iterations:
            raise FormatError(f"iterations is {iterations}; the file holds {self.iterations}")
        return self._chunk_ends[iterations - 1]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, ``mode`` and ``bpp`` included."""
        data = {name: value for name, value in asdict(self).items() if not name.startswith("_")}
        return {**data, "mode": self.mode, "bpp": self.bpp}


def picture_mode(header: _core.Header) -> str:
    """Mode of the picture that a header announces: L, LA, RGB or RGBA."""
    return _mode(header.channels, bool(header.alpha))


def _mode(channels: int, alpha: bool) -> str:
    return ("L" if channels == 1 else "RGB") + "A" * alpha


class Chunk:
    """One chunk of a file: its type, its payload, and where in the file it ends."""

    __slots__ = ("end", "payload", "type")

    def __init__(self, kind: int, payload: bytes, end: int):
        self.type, self.payload, self.end = kind, payload, end

    @property
    def checksum(self) -> int:
        """The stored CRC-32C. Raises :class:`FormatError` if the chunk is too short to hold one."""
        if len(self.payload) < _CHECKSUM_BYTES:
            raise FormatError(
                f"a chunk of type {self.type} has {len(self.payload)} bytes; its checksum takes 4"
            )
        return int.from_bytes(self.payload[:_CHECKSUM_BYTES], "little")

    @property
    def content(self) -> bytes:
        """The payload without its checksum."""
        return self.payload[_CHECKSUM_BYTES:]

    def verified(self) -> bytes:
        """Content of a chunk of metadata or alpha. Raises :class:`ChecksumError` if it is damaged."""
        if _checksum(self.type, self.content) != self.checksum:
            raise ChecksumError(f"the {_NAMES[self.type]} chunk is damaged: its checksum does not match")
        return self.content


def keep_metadata(kept: dict[int, bytes], chunk: Chunk, *, after_codes: bool) -> None:
    """Verify and keep a metadata chunk; ignore a second one, and a profile that comes too late.

    A profile after the first code chunk would give a prefix other colours than the whole file.
    """
    if chunk.type not in kept and (chunk.type != ICC or not after_codes):
        kept[chunk.type] = chunk.verified()


def _checksum(kind: int, content: Buffer) -> int:
    return _core.crc32c(content, _core.crc32c(bytes([kind])))


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
        self.ended = False

    def feed(self, block: Buffer) -> None:
        """Append bytes; what was read before is dropped. Raises :class:`LimitError` for an endless chunk."""
        if not isinstance(self._data, bytearray):
            self._data = bytearray(self._data)
        del self._data[: self.position - self._offset]
        self._offset = self.position
        self._data += block
        if len(self._data) > MAX_PENDING_BYTES:
            raise LimitError(
                f"a single chunk takes more than {MAX_PENDING_BYTES} bytes; read the file as a whole instead"
            )

    def header(self) -> _core.Header:
        """The header. Raises :class:`TruncatedError` if it is not complete yet."""
        if self._header is None:
            with core_errors():
                self._header, self.header_bytes = _core.read_header(self._data)
            self.position = self.header_bytes
        return self._header

    def chunks(self) -> Iterator[Chunk]:
        """Yield the whole chunks not yielded before, up to the end mark."""
        self.header()
        while not self.ended:
            with core_errors():
                found = _core.read_chunk(self._data, self.position - self._offset)
            if found is None:
                return
            payload = bytes(memoryview(self._data)[found.payload : found.payload + found.size])
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
            yield Chunk(found.type, payload, self.position)

    def _check_end(self, payload: bytes) -> None:
        if payload != _end_payload(self.iterations):
            raise FormatError(
                f"the end mark disagrees with the {self.iterations} code chunks before it: the file is damaged"
            )


def _end_payload(iterations: int) -> bytes:
    if iterations < 0x80:
        return bytes([iterations])
    return bytes([iterations & 0x7F | 0x80, iterations >> 7])


def code_chunk(content: bytes, checksum: int) -> bytes:
    """A code chunk, ready for the file."""
    return _core.write_chunk(CODES, checksum.to_bytes(_CHECKSUM_BYTES, "little") + content)


def attached_chunk(kind: int, content: bytes) -> bytes:
    """A chunk of metadata or alpha, ready for the file."""
    checksum = _checksum(kind, content).to_bytes(_CHECKSUM_BYTES, "little")
    return _core.write_chunk(kind, checksum + content)


def end_chunk(iterations: int) -> bytes:
    """The end mark of a file with this many code chunks."""
    return _core.write_chunk(END, _end_payload(iterations))


class Assembly:
    """A file being put together: its code chunks, and what comes before and after them."""

    def __init__(self, header: bytes):
        self._header = header
        self._before: list[tuple[int, bytes]] = []
        self._after: list[tuple[int, bytes]] = []
        self.code_chunks: list[bytes] = []
        self.dropped: list[str] = []

    def attach(self, kind: int, chunk: bytes, *, before_codes: bool) -> None:
        """Add a chunk that holds no codes."""
        (self._before if before_codes else self._after).append((kind, chunk))

    def size_with(self, chunk: bytes) -> int:
        """File size in bytes if ``chunk`` were the last code chunk."""
        attached = sum(len(raw) for _, raw in self._before + self._after)
        codes = sum(map(len, self.code_chunks)) + len(chunk)
        end = len(end_chunk(len(self.code_chunks) + 1))
        return len(self._header) + attached + codes + end

    def size_of(self, *kinds: int) -> int:
        """Bytes that the attached chunks of some types take."""
        return sum(len(raw) for kind, raw in self._before + self._after if kind in kinds)

    def make_room(self, chunk: bytes, max_bytes: int) -> None:
        """Leave out XMP, then EXIF, then the ICC profile, until ``chunk`` fits as the first code chunk.

        ``dropped`` names what had to go. Raises :class:`TargetError` if that is not enough.
        """
        least = self.size_with(chunk) - self.size_of(*METADATA_NAMES)
        if least > max_bytes:
            raise too_small(max_bytes, least, self.size_of(ALPHA))
        for kind in (XMP, EXIF, ICC):
            if self.size_with(chunk) <= max_bytes:
                return
            if self.size_of(kind):
                self._drop(kind)

    def _drop(self, kind: int) -> None:
        self._before, self._after = (
            [part for part in parts if part[0] != kind] for parts in (self._before, self._after)
        )
        self.dropped.append(METADATA_NAMES[kind])
        if kind == ICC:
            header, _ = _core.read_header(self._header)
            header.colour = 0
            self._header = _core.write_header(header)

    def to_bytes(self) -> bytes:
        """The complete file."""
        before, after = (b"".join(raw for _, raw in parts) for parts in (self._before, self._after))
        return b"".join([self._header, before, *self.code_chunks, after, end_chunk(len(self.code_chunks))])


def read_info(data: Buffer) -> Info:
    """Read everything but codes and pixels. Raises :class:`FormatError` if there is no whole code chunk."""
    reader = Reader(data)
    header = reader.header()
    sizes: list[int] = []
    ends: list[int] = []
    names: dict[str, None] = {}
    previous = reader.header_bytes
    for chunk in reader.chunks():
        if chunk.type == CODES:
            sizes.append(chunk.end - previous)
            ends.append(chunk.end)
        elif chunk.type in METADATA_NAMES and (chunk.type != ICC or not sizes):
            names[METADATA_NAMES[chunk.type]] = None
        previous = chunk.end
    if not sizes:
        raise TruncatedError(f"the file ends before its first code chunk, after {len(data)} bytes")
    return Info(
        width=header.width,
        height=header.height,
        channels=header.channels,
        alpha=bool(header.alpha),
        bit_depth=header.bit_depth,
        model=header.model,
        model_hash=header.model_hash.hex(),
        stride=header.stride,
        depth=header.depth,
        entropy=f"{_ENTROPY_NAMES[header.entropy]}-{header.entropy_version}",
        tile_columns=header.tile_columns,
        tile_rows=header.tile_rows,
        tile_halo=header.tile_halo,
        arithmetic=ARITHMETIC.get(header.arithmetic, "unknown"),
        iterations=len(sizes),
        # What follows the end mark is not part of the file.
        file_bytes=reader.position if reader.ended else len(data),
        header_bytes=reader.header_bytes,
        chunk_bytes=tuple(sizes),
        metadata=tuple(names),
        truncated=not reader.ended,
        _chunk_ends=tuple(ends),
    )


def split(data: Buffer) -> tuple[Assembly, list[bytes]]:
    """Take a file apart: an :class:`Assembly` without code chunks, and the code chunks."""
    reader = Reader(data)
    reader.header()
    assembly = Assembly(bytes(data[: reader.header_bytes]))
    codes: list[bytes] = []
    previous = reader.header_bytes
    for chunk in reader.chunks():
        raw = bytes(data[previous : chunk.end])
        previous = chunk.end
        if chunk.type == CODES:
            codes.append(raw)
        else:
            assembly.attach(chunk.type, raw, before_codes=not codes)
    if not codes:
        raise TruncatedError(f"the file ends before its first code chunk, after {len(data)} bytes")
    return assembly, codes
