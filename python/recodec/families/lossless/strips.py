"""Strips of rows to the payloads of code chunks and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import CHECKSUM_BYTES, CODES, core_errors
from recodec.errors import ChecksumError, FormatError
from recodec.limits import PLAIN_BYTES

Samples = NDArray[np.uint8]

# Rows that are not there yet.
_GREY = 128


def memory_of(width: int, height: int, strip_rows: int, channels: int) -> int:
    """Bytes that the process takes for a picture of (height, width, channels) samples and one strip at work."""
    return PLAIN_BYTES + 2 * width * height * channels + _core.strip_memory(strip_rows, width, channels)


def encode_strip(samples: Samples, threads: int) -> bytes:
    """The payload of a code chunk: a checksum of coded bytes and (rows, width, channels) samples, and these bytes."""
    coded = _core.encode_strip(samples, threads)
    return _checksum(coded, samples) + coded


def _checksum(coded: bytes | memoryview, samples: Samples) -> bytes:
    value = _core.crc32c(samples.reshape(-1).data, _core.crc32c(coded, _core.crc32c(bytes([CODES]))))
    return value.to_bytes(CHECKSUM_BYTES, "little")


class StripDecoder:
    """Of one file, strip by strip. ``samples`` are (height, width, channels), grey where no strip is known yet."""

    def __init__(self, width: int, height: int, channels: int, strip_rows: int, threads: int):
        self._shape, self._strip_rows, self._threads = (height, width, channels), strip_rows, threads
        self._samples: Samples | None = None
        self._rows = 0

    @property
    def samples(self) -> Samples:
        """The picture as far as it is known."""
        if self._samples is None:
            self._samples = np.full(self._shape, _GREY, np.uint8)
        return self._samples

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the strips that come next. Raises :class:`ChecksumError` and :class:`FormatError`."""
        height, width, channels = self._shape
        for payload in payloads:
            rows = min(self._strip_rows, height - self._rows)
            number = self._rows // self._strip_rows + 1
            if rows == 0:
                raise FormatError(
                    f"the file has more code chunks than the {number - 1} strips of its picture"
                )
            if len(payload) < CHECKSUM_BYTES:
                raise FormatError(f"code chunk {number} has {len(payload)} bytes; its checksum takes 4")
            coded = memoryview(payload)[CHECKSUM_BYTES:]
            with core_errors():
                strip = _core.decode_strip(coded, rows, width, channels, self._threads)
            if _checksum(coded, strip) != payload[:CHECKSUM_BYTES]:
                raise ChecksumError(f"code chunk {number} is damaged: its checksum does not match")
            self.samples[self._rows : self._rows + rows] = strip
            self._rows += rows
