"""Planes of samples to the payloads of code chunks and back: weights, then coded errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import CHECKSUM_BYTES, CODES, core_errors
from recodec.errors import ChecksumError, FormatError

Samples = NDArray[np.uint8]
Weights = NDArray[np.int16]

# Green says most of the others.
ORDER = {1: (0,), 3: (1, 0, 2)}

_HUFFMAN, _CONTEXTS = 0, 1


def encode_plane(planes: Samples, weights: Weights, *, raw: bool, linear: bool, contexts: bool) -> bytes:
    """The payload of the last of (P, H, W) planes, of which the others are known."""
    errors = _core.mlp_errors(planes, weights, linear, raw)
    coded = _core.encode_symbols(errors[None], 8, _CONTEXTS if contexts else _HUFFMAN)
    content = weights.astype("<i2").tobytes() + coded
    return _checksum(content, planes[-1]) + content


def _checksum(content: bytes | memoryview, plane: Samples) -> bytes:
    value = _core.crc32c(plane.reshape(-1).data, _core.crc32c(content, _core.crc32c(bytes([CODES]))))
    return value.to_bytes(CHECKSUM_BYTES, "little")


class PlaneDecoder:
    """Of one file, plane by plane in coding order."""

    def __init__(self, channels: int, height: int, width: int, raw: bool, linear: bool, contexts: bool):
        self._shape = (channels, height, width)
        self._raw, self._linear, self._coding = raw, linear, _CONTEXTS if contexts else _HUFFMAN
        self._planes: Samples | None = None
        self._known = 0

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the planes that come next. Raises :class:`ChecksumError` and :class:`FormatError`."""
        for payload in payloads:
            self._take(payload)

    def _take(self, payload: bytes) -> None:
        channels, known = self._shape[0], self._known
        if known == channels:
            raise FormatError(f"the file has more code chunks than the {channels} planes of its picture")
        weights = _core.mlp_weights(known, self._linear)
        needed = CHECKSUM_BYTES + 2 * weights
        if len(payload) < needed:
            raise FormatError(
                f"code chunk {known + 1} has {len(payload)} bytes; checksum and weights take {needed}"
            )
        network = np.frombuffer(payload, "<i2", weights, CHECKSUM_BYTES).astype(np.int16)
        coded = memoryview(payload)[needed:]
        planes = self._planes
        if planes is None:
            planes = np.empty((0, *self._shape[1:]), np.uint8)
        with core_errors():
            plane = _core.mlp_decode(coded, planes, network, self._linear, self._raw, self._coding)
        if _checksum(memoryview(payload)[CHECKSUM_BYTES:], plane) != payload[:CHECKSUM_BYTES]:
            raise ChecksumError(f"code chunk {known + 1} is damaged: its checksum does not match")
        self._planes = np.concatenate([planes, plane[None]])
        self._known += 1

    @property
    def samples(self) -> Samples:
        """(channels, height, width); the first plane stands for those that are not known yet."""
        if self._planes is None:
            raise FormatError("no plane of the picture is known yet")
        shown = np.empty(self._shape, np.uint8)
        for place, channel in enumerate(ORDER[self._shape[0]]):
            shown[channel] = self._planes[place if place < self._known else 0]
        return shown
