from typing import final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

FORMAT_VERSION: int
MAGIC: bytes
COMPILER: str

class CoreError(Exception): ...

@final
class Header:
    width: int
    height: int
    channels: int
    bit_depth: int
    colour: int
    alpha: int
    family: int
    model: str
    model_hash: bytes
    stride: int
    depth: int
    entropy: int
    entropy_version: int
    tile_columns: int
    tile_rows: int
    halo: int
    def __init__(self) -> None: ...

@final
class Chunk:
    @property
    def type(self) -> int: ...
    @property
    def payload(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def next(self) -> int: ...

def write_header(header: Header) -> bytes: ...
def read_header(data: Buffer) -> tuple[Header, int]: ...
def write_chunk(type: int, payload: Buffer) -> bytes: ...
def read_chunk(data: Buffer, offset: int) -> Chunk | None: ...
def crc32c(data: Buffer, crc: int = 0) -> int: ...
def range_encode(bits: NDArray[np.uint8], probabilities: NDArray[np.uint16]) -> bytes: ...
def range_decode(data: Buffer, probabilities: NDArray[np.uint16]) -> NDArray[np.uint8]: ...

@final
class AdaptiveCoder:
    def __init__(self, depth: int, height: int, width: int) -> None: ...
    def encode(self, codes: NDArray[np.int8], sent: NDArray[np.uint8] | None = None) -> tuple[bytes, int]: ...
    def decode(self, data: Buffer, sent: NDArray[np.uint8] | None = None) -> tuple[NDArray[np.int8], int]: ...
