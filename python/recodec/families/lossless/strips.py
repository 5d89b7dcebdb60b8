"""Strips of rows to the payloads of chunks and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import CHECKSUM_BYTES, CODES, STRIP, core_errors
from recodec.errors import ChecksumError, FormatError
from recodec.families.lossless.fields import StripFields

# (rows, width, channels), uint8 or uint16 as the fields' depth has it.
Samples = NDArray[Any]

_NAMES = {CODES: "code chunk", STRIP: "strip"}


def of_depth(samples: Samples, depth: int) -> Samples:
    """Samples of 8 bits, or of 16, as those of so many, which are no fewer."""
    return samples if 8 * samples.dtype.itemsize == depth else samples.astype(np.uint16) * 257


def encode_strip(
    samples: Samples, number: int, fields: StripFields, threads: int, chunk_type: int = CODES
) -> bytes:
    """The payload of a chunk: a checksum of coded bytes and (rows, width, channels) samples, and these bytes.

    ``number`` counts strips from 0.
    """
    coded = _core.encode_strip(samples, fields.effort, threads)
    return _checksum(chunk_type, number, coded, samples) + coded


def _checksum(chunk_type: int, number: int, coded: bytes | memoryview, samples: Samples) -> bytes:
    # With the number, or a strip at the place of another would be sound: each is coded by itself.
    value = _core.crc32c(coded, _core.crc32c(bytes([chunk_type, number])))
    little = samples.reshape(-1).astype(samples.dtype.newbyteorder("<"), copy=False)
    value = _core.crc32c(little.view(np.uint8).data, value)
    return value.to_bytes(CHECKSUM_BYTES, "little")


class StripChecker:
    """Of the strips of one picture, in order from the top; ``rows`` are known so far."""

    def __init__(
        self, width: int, height: int, fields: StripFields, threads: int = 1, chunk_type: int = CODES
    ):
        self.width, self.height, self.fields = width, height, fields
        self._threads, self._chunk_type = threads, chunk_type
        self.rows = 0

    def take(self, payloads: Iterable[bytes]) -> None:
        """Decode the strips that come next. Raises :class:`ChecksumError` and :class:`FormatError`."""
        for _ in self.decode(payloads):
            pass

    def decode(self, payloads: Iterable[bytes]) -> Iterator[Samples]:
        """The samples of the strips that come next; ``rows`` counts them with the next one."""
        fields = self.fields
        for payload in payloads:
            rows = min(fields.strip_rows, self.height - self.rows)
            number, name = -(-self.rows // fields.strip_rows), _NAMES[self._chunk_type]
            if rows == 0:
                raise FormatError(f"the file has more {name}s than the {number} strips of its picture")
            if len(payload) < CHECKSUM_BYTES:
                raise FormatError(f"{name} {number + 1} has {len(payload)} bytes; its checksum takes 4")
            coded = memoryview(payload)[CHECKSUM_BYTES:]
            with core_errors():
                strip = _core.decode_strip(
                    coded, rows, self.width, fields.channels, fields.depth, fields.effort, self._threads
                )
            if _checksum(self._chunk_type, number, coded, strip) != payload[:CHECKSUM_BYTES]:
                raise ChecksumError(f"{name} {number + 1} is damaged: its checksum does not match")
            yield strip
            self.rows += rows


class StripDecoder(StripChecker):
    """The same with the picture: ``samples`` are (height, width, channels), grey and transparent until known."""

    def __init__(
        self, width: int, height: int, fields: StripFields, threads: int = 1, chunk_type: int = CODES
    ):
        super().__init__(width, height, fields, threads, chunk_type)
        self._samples: Samples | None = None

    @property
    def samples(self) -> Samples:
        """The picture as far as it is known."""
        if self._samples is None:
            kind = np.uint8 if self.fields.depth == 8 else np.uint16
            shape = self.height, self.width, self.fields.channels
            self._samples = np.full(shape, 1 << self.fields.depth - 1, kind)
            if self.fields.channels % 2 == 0:
                self._samples[:, :, -1] = 0
        return self._samples

    def take(self, payloads: Sequence[bytes]) -> None:  # type: ignore[override]
        """Decode the strips that come next. Raises :class:`ChecksumError` and :class:`FormatError`."""
        for strip in self.decode(payloads):
            self.samples[self.rows : self.rows + len(strip)] = strip
