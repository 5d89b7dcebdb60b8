"""Codes to chunks and back: the entropy coder bound to one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.bitstream import NETWORK, Chunk, code_chunk, core_errors
from recodec.errors import ChecksumError, LimitError, WeightsError

Codes = NDArray[np.int8]

# Codes times depth per pixel of a whole file: twice what 12 iterations at depth 96, stride 16 take.
_COST_PER_PIXEL = 864


def grid_shape(width: int, height: int, stride: int) -> tuple[int, int]:
    """Rows and columns of the code grid: ⌈height/stride⌉ and ⌈width/stride⌉."""
    return -(-height // stride), -(-width // stride)


class PlaneEncoder:
    """Turns one plane of codes after the other into chunks, with a version of an entropy coder.

    That is the network with ``contexts``, and adaptive contexts without.
    """

    def __init__(
        self,
        depth: int,
        rows: int,
        columns: int,
        version: int = 1,
        contexts: _core.ContextTables | None = None,
    ):
        with core_errors():
            self._coder = _core.PlaneCoder(depth, rows, columns, version, contexts)

    def encode(self, codes: Codes) -> bytes:
        """The chunk of the next plane; ``codes`` is (depth, rows, columns) of −1, +1 and, where there are any, 0."""
        with core_errors():
            return code_chunk(*self._coder.encode(codes))


class PlaneDecoder:
    """Turns one chunk after the other into planes of codes.

    Decoding takes time in proportion to codes times depth, whatever the size of a chunk. Raises
    :class:`LimitError` where that exceeds what any sound file of ``max_pixels`` pixels would take: for
    the first plane before memory is taken, for later ones before they are decoded. Raises
    :class:`WeightsError` where the file needs a model's ``contexts`` and gets none.
    """

    def __init__(self, header: _core.Header, max_pixels: int, contexts: _core.ContextTables | None = None):
        rows, columns = grid_shape(header.width, header.height, header.stride)
        self._shape = (header.depth, rows, columns)
        self._cost = header.depth * rows * columns * header.depth
        self._budget = _COST_PER_PIXEL * max_pixels
        self._count = 0
        self._check_budget()
        network = contexts if header.entropy == NETWORK else None
        if header.entropy == NETWORK and network is None:
            raise WeightsError(
                f"the codes of this file need an entropy network, which model {header.model!r} here does not have"
            )
        with core_errors():
            self._coder = _core.PlaneCoder(*self._shape, header.entropy_version, network)

    def _check_budget(self) -> None:
        if self._cost * (self._count + 1) > self._budget:
            depth, rows, columns = self._shape
            raise LimitError(
                f"{self._count + 1} code chunks of {depth} x {rows} x {columns} codes take too long to decode "
                "for the limit on pixels; raise max_pixels to allow it"
            )

    def decode(self, chunk: Chunk) -> Codes:
        """The next plane, (depth, rows, columns). Raises :class:`ChecksumError` if it is damaged."""
        return self.decode_all([chunk])[0]

    def decode_all(self, chunks: Sequence[Chunk], threads: int = 1) -> list[Codes]:
        """The planes of all ``chunks``, which come next; raises like :meth:`decode`.

        With the entropy network, up to ``threads`` of them are decoded at once, each a little behind the one before.
        """
        first = self._count + 1
        for _ in chunks:
            self._check_budget()
            self._count += 1
        planes = []
        decoded = self._coder.decode_all([chunk.content for chunk in chunks], threads)
        for number, (chunk, (codes, checksum)) in enumerate(zip(chunks, decoded, strict=True), first):
            if checksum != chunk.checksum:
                raise ChecksumError(f"code chunk {number} is damaged: its checksum does not match")
            planes.append(codes.reshape(self._shape))
        return planes
