"""Headers and code chunks of family 1, made and taken apart field by field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.families.recurrent.planes import CoderPart

_PLANE_FIELDS = (
    "stride", "depth", "entropy", "entropy_version", "tile_columns", "tile_rows", "tile_halo", "arithmetic",
)  # fmt: skip


@dataclass
class PlaneFields:
    """All fields of a header."""

    width: int = 0
    height: int = 0
    channels: int = 3
    bit_depth: int = 8
    colour: int = 0
    alpha: int = 0
    family: int = _core.PLANE_FAMILY
    model: str = ""
    model_hash: bytes = bytes(8)
    stride: int = 16
    depth: int = 32
    entropy: int = 1
    entropy_version: int = 1
    tile_columns: int = 1
    tile_rows: int = 1
    tile_halo: int = 0
    arithmetic: int = 0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of positions."""
        return -(-self.height // self.stride), -(-self.width // self.stride)


FIELDS = tuple(field.name for field in fields(PlaneFields))


def write_header(values: PlaneFields) -> bytes:
    """The header as it stands in a file. Raises :class:`_core.CoreError`."""
    header, own = _core.Header(), _core.PlaneHeader()
    for name in FIELDS:
        setattr(own if name in _PLANE_FIELDS else header, name, getattr(values, name))
    header.fields = _core.write_plane_header(own, header)
    return _core.write_header(header)


def read_header(data: bytes | bytearray) -> tuple[PlaneFields, int]:
    """The header at the start of a file, and where it ends. Raises :class:`_core.CoreError`."""
    header, end = _core.read_header(data)
    own = _core.read_plane_header(header)
    values = {name: getattr(own if name in _PLANE_FIELDS else header, name) for name in FIELDS}
    return PlaneFields(**values), end


def read_chunk(data: bytes | bytearray, at: int) -> _core.Chunk | None:
    """A whole chunk, None if it is cut. Raises :class:`_core.CoreError`."""
    chunk = _core.read_chunk_head(data, at)
    return chunk if chunk and chunk.next <= len(data) else None


def code_chunk(coded: bytes, checksum: int) -> bytes:
    """A code chunk, ready for the file."""
    return _core.write_chunk(1, checksum.to_bytes(4, "little") + coded)


class PlaneCoder:
    """Codes to coded bytes and their checksum and back, whether they match or not."""

    def __init__(
        self,
        depth: int,
        rows: int,
        columns: int,
        version: int = 1,
        network: CoderPart | None = None,
    ):
        kind = 1 if network is None or isinstance(network, _core.EmbeddedOrder) else 2
        self._coder = _core.ChunkCoder(kind, version, depth, rows, columns, network)

    def encode(self, codes: NDArray[Any]) -> tuple[bytes, int]:
        """The next plane."""
        payload = self._coder.encode(codes)
        return payload[4:], int.from_bytes(payload[:4], "little")

    def decode(self, coded: bytes | bytearray) -> tuple[NDArray[np.int8], int]:
        """The next plane, flat."""
        return self.decode_all([coded], 1)[0]

    def decode_all(self, coded: list[Any], threads: int) -> list[tuple[NDArray[np.int8], int]]:
        """The planes that come next."""
        return list(zip(*self._coder.decode_any(coded, threads), strict=True))


def decode_sound(
    coder: PlaneCoder, chunks: list[tuple[bytes, int]], shape: tuple[int, ...]
) -> list[NDArray[np.int8]]:
    """Planes of a shape from coded bytes whose checksums must be right."""
    planes = []
    for data, checksum in chunks:
        codes, seen = coder.decode(data)
        assert seen == checksum
        planes.append(codes.reshape(shape))
    return planes
