"""The fields of family 2 in a file's header: the coder's version, and rows of a strip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from recodec import _core
from recodec.container.core import MAX_ITERATIONS, core_errors
from recodec.container.info import Details
from recodec.errors import FormatError, UnsupportedError
from recodec.families.lossless.strips import StripDecoder, memory_of
from recodec.families.protocol import Family
from recodec.limits import Limits, check_pixels, too_much_memory

# 0 until the coder is released: files of this version may need the release that made them.
VERSION = 0


@dataclass(frozen=True)
class StripDetails(Details):
    """What a file of strips says of itself: all of ``strip_rows`` rows but the last, which may have fewer."""

    strip_rows: int
    strips: int

    def rows(self) -> dict[str, str]:
        """For a reader."""
        return {"strips": f"{self.strips} of {self.strip_rows} rows, lossless"}


def write_fields(strip_rows: int) -> bytes:
    """The family's fields of a header."""
    return bytes([VERSION]) + _core.write_varint(strip_rows)


class StripFileHeader:
    """A header whose chunks are strips. Raises :class:`FormatError` and :class:`UnsupportedError`."""

    def __init__(self, family: Family, common: _core.Header):
        self.family, self.common = family, common
        fields = bytes(common.fields)
        if not fields:
            raise FormatError("the header body is shorter than its fields")
        if fields[0] != VERSION:
            raise UnsupportedError(
                f"header field version of the lossless coder is {fields[0]}; this version knows {VERSION}"
            )
        with core_errors():
            found = _core.read_varint(fields, 1)
        if found is None:
            raise FormatError("the header body is shorter than its fields")
        self.strip_rows = found
        least = -(-common.height // MAX_ITERATIONS)
        if not least <= self.strip_rows <= common.height:
            raise FormatError(
                f"header field strip rows is {self.strip_rows}; it must lie in {least}..{common.height}"
            )

    @cached_property
    def details(self) -> StripDetails:
        """What :func:`recodec.info` says of them."""
        return StripDetails(self.strip_rows, self.strips)

    @property
    def strips(self) -> int:
        """How many the picture has."""
        return -(-self.common.height // self.strip_rows)

    def check(self, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels, or too much memory for one strip beside the picture."""
        common = self.common
        check_pixels(common.width, common.height, limits.max_pixels)
        needed = memory_of(common.width, common.height, self.strip_rows, common.channels)
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)

    def checker(self, limits: Limits) -> StripDecoder:
        """Strips need no model."""
        return self.decoder(1)

    def decoder(self, threads: int) -> StripDecoder:
        """Of the file's strips."""
        common = self.common
        return StripDecoder(common.width, common.height, common.channels, self.strip_rows, threads)
