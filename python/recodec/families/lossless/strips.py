"""Strips of rows to the payloads of chunks and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import CHECKSUM_BYTES, CODES, STRIP, core_errors
from recodec.errors import ChecksumError, FormatError
from recodec.families.lossless.fields import StripFields
from recodec.runtime.batches import prepared

# (rows, width, channels), uint8 or uint16 as the fields' depth has it.
Samples = NDArray[Any]

Item = TypeVar("Item")
Result = TypeVar("Result")

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


@dataclass(frozen=True, slots=True)
class Workers:
    """How many strips are worked on at once, and by how many threads together. Bytes are the same for any number."""

    at_once: int = 1
    threads: int = 1

    def map(self, work: Callable[[Item, int], Result], strips: Sequence[Item]) -> Iterator[Result]:
        """``work`` of each strip, in order, with the threads that it may use.

        Strips side by side need less of each other than planes do, so that planes share the threads only where fewer
        strips are left.
        """
        together = len(strips) // self.at_once * self.at_once if self.at_once > 1 else 0
        if together:
            each = self.threads // self.at_once
            yield from prepared(strips[:together], lambda strip: work(strip, each), self.at_once)
        for strip in strips[together:]:
            yield work(strip, self.threads)


class StripChecker:
    """Of the strips of one picture, in order from the top; ``rows`` are known so far."""

    def __init__(
        self, width: int, height: int, fields: StripFields, workers: Workers, chunk_type: int = CODES
    ):
        self.width, self.height, self.fields = width, height, fields
        self._workers, self._chunk_type = workers, chunk_type
        self.rows = 0

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the strips that come next. Raises :class:`ChecksumError` and :class:`FormatError`."""
        for _ in self.decode(payloads):
            pass

    def decode(self, payloads: Sequence[bytes]) -> Iterator[Samples]:
        """The samples of the strips that come next; ``rows`` counts them with the next one."""
        first = -(-self.rows // self.fields.strip_rows)
        for strip in self._workers.map(self._decode_one, list(enumerate(payloads, first))):
            yield strip
            self.rows += len(strip)

    def _decode_one(self, numbered: tuple[int, bytes], threads: int) -> Samples:
        (number, payload), fields, name = numbered, self.fields, _NAMES[self._chunk_type]
        if number >= (strips := fields.strips(self.height)):
            raise FormatError(f"the file has more {name}s than the {strips} strips of its picture")
        if len(payload) < CHECKSUM_BYTES:
            raise FormatError(f"{name} {number + 1} has {len(payload)} bytes; its checksum takes 4")
        rows = min(fields.strip_rows, self.height - number * fields.strip_rows)
        coded = memoryview(payload)[CHECKSUM_BYTES:]
        with core_errors():
            strip = _core.decode_strip(
                coded, rows, self.width, fields.channels, fields.depth, fields.effort, threads
            )
        if _checksum(self._chunk_type, number, coded, strip) != payload[:CHECKSUM_BYTES]:
            raise ChecksumError(f"{name} {number + 1} is damaged: its checksum does not match")
        return strip


class StripDecoder(StripChecker):
    """The same with the picture: ``samples`` are (height, width, channels), grey and transparent until known."""

    def __init__(
        self, width: int, height: int, fields: StripFields, workers: Workers, chunk_type: int = CODES
    ):
        super().__init__(width, height, fields, workers, chunk_type)
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

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the strips that come next. Raises :class:`ChecksumError` and :class:`FormatError`."""
        for strip in self.decode(payloads):
            self.samples[self.rows : self.rows + len(strip)] = strip
