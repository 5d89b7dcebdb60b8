"""Numbers and errors of the format that Python shares with the C++ core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from recodec import _core
from recodec.errors import (
    ChecksumError,
    FormatError,
    LimitError,
    RecodecError,
    SettingError,
    TruncatedError,
    UnsupportedError,
)
from recodec.io.sources import Buffer

# Types of chunks.
END, CODES, ICC, ALPHA, EXIF, XMP, EXACT, STRIP = range(8)
METADATA_NAMES = {ICC: "icc", EXIF: "exif", XMP: "xmp"}
CHUNK_NAMES = {**METADATA_NAMES, ALPHA: "alpha", EXACT: "exact"}
# Of headers, how files have alpha: in a chunk of its own, or with the colours. 0 is none.
ALPHA_AS_PNG, ALPHA_IN_STRIPS = 1, 2
CHECKSUM_BYTES = 4
MAX_ITERATIONS = 255

_CORE_ERRORS: dict[int, type[RecodecError]] = {
    1: FormatError,
    2: TruncatedError,
    3: UnsupportedError,
    4: ChecksumError,
    5: LimitError,
    6: SettingError,
}


@contextmanager
def core_errors() -> Iterator[None]:
    """Turn errors of the C++ core into recodec's own."""
    try:
        yield
    except _core.CoreError as error:
        code, message = error.args
        raise _CORE_ERRORS[code](message) from None


def checksum(chunk_type: int, content: Buffer) -> bytes:
    """What the payload of a chunk begins with: the CRC-32C of its type and its content.

    That of a code chunk may go on with what the content stands for.
    """
    value = _core.crc32c(content, _core.crc32c(bytes([chunk_type])))
    return value.to_bytes(CHECKSUM_BYTES, "little")


def attached_chunk(chunk_type: int, content: bytes) -> bytes:
    """A chunk of metadata or alpha, ready for the file."""
    return _core.write_chunk(chunk_type, checksum(chunk_type, content) + content)


def end_payload(iterations: int) -> bytes:
    """What the end mark says of a file with so many code chunks."""
    if iterations < 0x80:
        return bytes([iterations])
    return bytes([iterations & 0x7F | 0x80, iterations >> 7])


def end_chunk(iterations: int) -> bytes:
    """The end mark of a file with this many code chunks."""
    return _core.write_chunk(END, end_payload(iterations))


def picture_mode(header: _core.Header) -> str:
    """Pillow's name for the kind of pixels that a header announces: L, LA, RGB or RGBA, and I;16 for deep grey.

    For what else has 16 bits Pillow has the modes of 8.
    """
    if header.bit_depth > 8 and header.channels == 1 and not header.alpha:
        return "I;16"
    return ("L" if header.channels == 1 else "RGB") + "A" * bool(header.alpha)
