"""What is known of strips before any of them: the coder's version, rows of a strip, effort, channels and bit depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from recodec import _core
from recodec.container.core import ALPHA_IN_STRIPS, MAX_ITERATIONS, core_errors
from recodec.container.info import Details
from recodec.errors import FormatError, UnsupportedError

# 0 was that of drafts.
VERSION = 1
EFFORTS = ("fast", "default", "best")
DEFAULT_EFFORT = EFFORTS.index("default")
DEPTHS = (8, 16)
# Of the memory that may be taken, what strips get beside a lossy picture; one strip at work may take more.
MEMORY_SHARE = 1 / 4


def least_rows(width: int, height: int) -> int:
    """Of a strip of such a picture: each has a cost of its own, that of some hundred pixels."""
    return -(-height // min(MAX_ITERATIONS, 8 + width * height // 1024))


@dataclass(frozen=True)
class StripDetails(Details):
    """What a file says of its strips: all of ``strip_rows`` rows but the last, which may have fewer."""

    strip_rows: int
    strips: int
    effort: str

    by_rows: ClassVar[bool] = True

    def rows(self) -> dict[str, str]:
        """For a reader."""
        return {"strips": f"{self.strips} of {self.strip_rows} rows, effort {self.effort}"}

    def is_exact(self, chunks: int) -> bool:
        """Whether so many strips are all."""
        return chunks == self.strips


@dataclass(frozen=True, slots=True)
class StripFields:
    """Of the strips of one picture.

    ``effort`` counts in :data:`EFFORTS`, ``channels`` are those that strips hold, of which alpha is the last.
    """

    strip_rows: int
    effort: int
    channels: int
    depth: int = 8

    def to_bytes(self) -> bytes:
        """As FORMAT.md has them, section 3."""
        samples = self.depth - 1 << 4 | self.channels
        return bytes([VERSION]) + _core.write_varint(self.strip_rows) + bytes([self.effort, samples])

    @classmethod
    def read(cls, data: bytes, common: _core.Header) -> StripFields:
        """Those of strips of a file with this header. Raises :class:`FormatError` and :class:`UnsupportedError`."""
        if data[:1] and data[0] != VERSION:
            raise UnsupportedError(
                f"version of the lossless coder is {data[0]}; this version knows {VERSION}"
            )
        with core_errors():
            strip_rows = _core.read_varint(data, 1) if data else None
        # The varint is in its shortest form.
        rest = b"" if strip_rows is None else data[1 + len(_core.write_varint(strip_rows)) :]
        if strip_rows is None or len(rest) < 2:
            raise FormatError("the fields of the lossless coder are cut")
        least = least_rows(common.width, common.height)
        if not least <= strip_rows <= common.height:
            raise FormatError(f"field strip rows is {strip_rows}; it must lie in {least}..{common.height}")
        found = cls(strip_rows, rest[0], rest[1] & 15, (rest[1] >> 4) + 1)
        if found.effort >= len(EFFORTS):
            raise UnsupportedError(
                f"field effort is {found.effort}; this version knows 0 to {len(EFFORTS) - 1}"
            )
        if found.channels not in (held := _held(common)) or found.depth not in DEPTHS:
            raise UnsupportedError(
                f"strips hold {found.channels} channels of {found.depth} bits; this version knows "
                f"{' or '.join(map(str, held))} in such a file, of {' or '.join(map(str, DEPTHS))} bits"
            )
        return found

    def details(self, height: int) -> StripDetails:
        """What :func:`recodec.info` says of them."""
        return StripDetails(self.strip_rows, self.strips(height), EFFORTS[self.effort])

    def strips(self, height: int) -> int:
        """How many a picture of so many rows has."""
        return -(-height // self.strip_rows)

    def at_once(self, width: int, height: int, threads: int, memory: int) -> int:
        """Strips to work on at once, one at least: no more than threads, nor than take so many bytes."""
        more = max(0, memory - self.memory(width, height)) // self._strip_memory(width)
        return min(threads, self.strips(height), 1 + more)

    def memory(self, width: int, height: int, at_once: int = 1) -> int:
        """Bytes that a picture of these samples takes, twice, and so many strips at work."""
        picture = width * height * self.channels * (self.depth // 8)
        return 2 * picture + at_once * self._strip_memory(width)

    def _strip_memory(self, width: int) -> int:
        return _core.strip_memory(self.strip_rows, width, self.channels, self.depth, self.effort)


def _held(common: _core.Header) -> tuple[int, ...]:
    """How many channels strips may hold of the picture of a header."""
    colours = common.channels
    if common.alpha == ALPHA_IN_STRIPS:
        return (colours + 1,)
    # Behind an ALPHA chunk, which has 8 bits, they hold alpha where it has more.
    return (colours, colours + 1) if common.alpha else (colours,)
