"""A header of family 2: the fields of strips are its own."""

from __future__ import annotations

from functools import cached_property

from recodec import _core
from recodec.errors import FormatError
from recodec.families.lossless.fields import StripDetails, StripFields
from recodec.families.lossless.strips import StripChecker, StripDecoder, Workers
from recodec.families.protocol import Family
from recodec.limits import PLAIN_BYTES, Limits, check_pixels, too_much_memory


class StripFileHeader:
    """A header whose chunks are strips. Raises :class:`FormatError` and :class:`UnsupportedError`."""

    def __init__(self, family: Family, common: _core.Header):
        self.family, self.common = family, common
        self.fields = StripFields.read(bytes(common.fields), common)
        if self.fields.depth != common.bit_depth:
            raise FormatError(
                f"strips hold samples of {self.fields.depth} bits, but header field bit depth is {common.bit_depth}: "
                "the file is damaged"
            )

    @cached_property
    def details(self) -> StripDetails:
        """What :func:`recodec.info` says of them."""
        return self.fields.details(self.common.height)

    def check(self, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels, or too much memory for one strip beside the picture."""
        common = self.common
        check_pixels(common.width, common.height, limits.max_pixels)
        needed = PLAIN_BYTES + self.fields.memory(common.width, common.height)
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)

    def checker(self, limits: Limits) -> StripChecker:
        """Strips need no model."""
        return StripChecker(self.common.width, self.common.height, self.fields, Workers())

    def decoder(self, limits: Limits, threads: int) -> StripDecoder:
        """Of the file's strips."""
        width, height = self.common.width, self.common.height
        at_once = self.fields.at_once(width, height, threads, limits.max_memory - PLAIN_BYTES)
        return StripDecoder(width, height, self.fields, Workers(at_once, threads))
