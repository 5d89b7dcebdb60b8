"""Latents of stages, and what these adjust of their synthesis, to the payloads of code chunks and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from torch import nn

from recodec import _core
from recodec.container.core import CHECKSUM_BYTES, CODES, core_errors
from recodec.errors import ChecksumError, FormatError
from recodec.limits import TORCH_BYTES, Limits, too_much_memory
from recodec.networks.autoencoder.adjustments import adjustable
from recodec.networks.autoencoder.network import Autoencoder
from recodec.weights import Model
from recodec.zoo.learned.header import Fields, LearnedFileHeader

# (channels, h, w) of one stage.
Latents = NDArray[np.int16]
# (2, features), gains and biases of a synthesis in 1/1024.
Adjustments = NDArray[np.int16]

_ADJUSTMENT_BITS, _ADJUSTMENT_RATE = 6, 4
# Of one adjustment at the most: an escape is 31 bits long, and what leads to it may be dear.
_ADJUSTMENT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Stage:
    """What a code chunk holds; without adjustments the synthesis is the model's."""

    latents: Latents
    adjustments: Adjustments | None = None


def grid_of(width: int, height: int, stride: int, patch: int) -> tuple[int, int]:
    """Rows and columns of positions; patches, whose sides are multiples of the stride, are whole ones."""
    side = patch or stride
    return -(-height // side) * side // stride, -(-width // side) * side // stride


@cache
def _adjustment_tables() -> _core.LatentTables:
    even = np.full((2, 1, 1 << _ADJUSTMENT_BITS), 1 << 15, np.uint16)
    kinds, limits = np.zeros(2, np.uint8), np.zeros((2, 0), np.int32)
    return _core.LatentTables(kinds, limits, even, True, _ADJUSTMENT_RATE)


def encode_adjustments(adjustments: Adjustments | None) -> bytes:
    """Their number of bytes and these, as a file of tuned stages has them before the latents of each."""
    coded = b"" if adjustments is None else _adjustment_tables().encode(adjustments[:, None, :])
    return _core.write_varint(len(coded)) + coded


def _split(data: memoryview, synthesis: nn.Module) -> tuple[Adjustments | None, memoryview]:
    """Adjustments, and what follows them. Raises :class:`FormatError`."""
    with core_errors():
        size = _core.read_varint(data, 0)
    if size is None:
        raise FormatError("the size of its adjustments is cut off")
    features = adjustable(synthesis)
    start = len(_core.write_varint(size))
    left, most = len(data) - start, 2 * features * _ADJUSTMENT_BYTES
    if size > min(left, most):
        raise FormatError(
            f"its adjustments claim {size} bytes; {left} are there, and for {features} features {most} are enough"
        )
    if not size:
        return None, data[start:]
    with core_errors():
        found = _adjustment_tables().decode(data[start : start + size], 1, features)
    return found[:, 0], data[start + size :]


def encode_stage(network: Autoencoder, fields: Fields, number: int, stage: Stage) -> bytes:
    """The payload of stage ``number``."""
    with core_errors():
        coded = network.tables.coder(fields.level, number).encode(stage.latents)
    if fields.tuned:
        coded = encode_adjustments(stage.adjustments) + coded
    return checksum(coded, stage) + coded


def checksum(coded: bytes | memoryview, stage: Stage) -> bytes:
    """Of what a payload holds after it, and of what that stands for."""
    value = _core.crc32c(coded, _core.crc32c(bytes([CODES])))
    for numbers in (stage.latents, stage.adjustments):
        if numbers is not None:
            value = _core.crc32c(numbers.astype("<i2").reshape(-1).view(np.uint8).data, value)
    return value.to_bytes(CHECKSUM_BYTES, "little")


class SymbolDecoder:
    """Of one file, stage by stage. Raises :class:`WeightsError`, :class:`FormatError` and :class:`LimitError`."""

    def __init__(self, model: Model, header: LearnedFileHeader, limits: Limits):
        common, config = header.common, model.network.config
        model.require(common)
        self._fields = header.fields
        if self._fields.level >= config.levels:
            raise FormatError(
                f"the file is of level {self._fields.level}, but model {model.id} has {config.levels}: the file is "
                "damaged"
            )
        if self._fields.patch % config.stride:
            raise FormatError(
                f"the file has patches of {self._fields.patch} pixels a side, but model {model.id} needs multiples "
                f"of {config.stride}: the file is damaged"
            )
        self._network: Autoencoder = model.network
        self.grid = grid_of(common.width, common.height, config.stride, self._fields.patch)
        needed = TORCH_BYTES + 4 * config.stages * config.channels * self.grid[0] * self.grid[1]
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)
        self.stages: list[Stage] = []

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the stages that come next. Raises :class:`ChecksumError` and :class:`FormatError`."""
        for payload in payloads:
            number = len(self.stages)
            if number == self._network.config.stages:
                raise FormatError(
                    f"the file has more code chunks than the {self._network.config.stages} stages of its model"
                )
            if len(payload) < CHECKSUM_BYTES:
                raise FormatError(f"code chunk {number + 1} is shorter than its checksum")
            coded = memoryview(payload)[CHECKSUM_BYTES:]
            try:
                stage = self.read(coded, number)
            except FormatError as error:
                raise FormatError(f"code chunk {number + 1}: {error}") from error
            if checksum(coded, stage) != payload[:CHECKSUM_BYTES]:
                raise ChecksumError(f"code chunk {number + 1} is damaged: its checksum does not match")
            self.stages.append(stage)

    def read(self, coded: memoryview, number: int) -> Stage:
        """Stage ``number`` of what follows its checksum, which is not compared. Raises :class:`FormatError`."""
        adjustments = None
        if self._fields.tuned:
            adjustments, coded = _split(coded, self._network.synthesis[number])
        with core_errors():
            latents = self._network.tables.coder(self._fields.level, number).decode(coded, *self.grid)
        return Stage(latents, adjustments)
