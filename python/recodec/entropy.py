"""Codes to chunks and back: the entropy coder bound to one picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.bitstream import Chunk, code_chunk, core_errors
from recodec.errors import ChecksumError, LimitError

Codes = NDArray[np.int8]


def grid_shape(width: int, height: int, stride: int) -> tuple[int, int]:
    """Rows and columns of the code grid: ⌈height/stride⌉ and ⌈width/stride⌉."""
    return -(-height // stride), -(-width // stride)


class PlaneEncoder:
    """Turns one plane of codes after the other into chunks."""

    def __init__(self, depth: int, rows: int, columns: int):
        self._coder = _core.AdaptiveCoder(depth, rows, columns)

    def encode(self, codes: Codes) -> bytes:
        """The chunk of the next plane; ``codes`` is (depth, rows, columns) of −1 and +1."""
        with core_errors():
            return code_chunk(*self._coder.encode(codes))


class PlaneDecoder:
    """Turns one chunk after the other into planes of codes.

    Raises :class:`LimitError` before any memory is taken if one plane would hold more codes than
    ``max_codes``.
    """

    def __init__(self, header: _core.Header, max_codes: int):
        rows, columns = grid_shape(header.width, header.height, header.stride)
        self._shape = (header.depth, rows, columns)
        count = header.depth * rows * columns
        if count > max_codes:
            raise LimitError(
                f"the file claims {count} codes per iteration for {header.width} x {header.height} pixels; "
                f"the limit is {max_codes}, raise max_pixels to allow it"
            )
        self._coder = _core.AdaptiveCoder(*self._shape)
        self._count = 0

    def decode(self, chunk: Chunk) -> Codes:
        """The next plane, (depth, rows, columns). Raises :class:`ChecksumError` if it is damaged."""
        self._count += 1
        codes, checksum = self._coder.decode(chunk.content)
        if checksum != chunk.checksum:
            raise ChecksumError(f"code chunk {self._count} is damaged: its checksum does not match")
        plane: Codes = codes.reshape(self._shape)
        return plane
