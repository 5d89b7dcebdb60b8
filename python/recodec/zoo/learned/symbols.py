"""Latents of stages to the payloads of code chunks and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import CHECKSUM_BYTES, CODES, core_errors
from recodec.errors import ChecksumError, FormatError
from recodec.limits import TORCH_BYTES, Limits, too_much_memory
from recodec.weights import Model
from recodec.zoo.learned.header import LearnedFileHeader, Settings

# (channels, h, w) of one stage.
Latents = NDArray[np.int16]


def grid_of(width: int, height: int, stride: int, settings: Settings) -> tuple[int, int]:
    """Rows and columns of positions; patches, whose sides are multiples of the stride, are whole ones."""
    side = settings.patch or stride
    return -(-height // side) * side // stride, -(-width // side) * side // stride


def encode_stage(tables: _core.LatentTables, latents: Latents) -> bytes:
    """The payload of a stage."""
    with core_errors():
        coded = tables.encode(latents)
    return _checksum(coded, latents) + coded


def _checksum(coded: bytes | memoryview, latents: Latents) -> bytes:
    value = _core.crc32c(coded, _core.crc32c(bytes([CODES])))
    value = _core.crc32c(latents.astype("<i2").reshape(-1).view(np.uint8).data, value)
    return value.to_bytes(CHECKSUM_BYTES, "little")


class SymbolDecoder:
    """Of one file, stage by stage. Raises :class:`WeightsError`, :class:`FormatError` and :class:`LimitError`."""

    def __init__(self, model: Model, header: LearnedFileHeader, limits: Limits):
        common, config = header.common, model.network.config
        model.require(common)
        self._level = header.settings.level
        if self._level >= config.levels:
            raise FormatError(
                f"the file is of level {self._level}, but model {model.id} has {config.levels}: the file is damaged"
            )
        if header.settings.patch % config.stride:
            raise FormatError(
                f"the file has patches of {header.settings.patch} pixels a side, but model {model.id} needs multiples "
                f"of {config.stride}: the file is damaged"
            )
        self._network = model.network
        self.grid = grid_of(common.width, common.height, config.stride, header.settings)
        needed = TORCH_BYTES + 4 * config.stages * config.channels * self.grid[0] * self.grid[1]
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)
        self.stages: list[Latents] = []

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the stages that come next. Raises :class:`ChecksumError` and :class:`FormatError`."""
        for payload in payloads:
            number = len(self.stages) + 1
            if number > self._network.config.stages:
                raise FormatError(
                    f"the file has more code chunks than the {self._network.config.stages} stages of its model"
                )
            if len(payload) < CHECKSUM_BYTES:
                raise FormatError(f"code chunk {number} is shorter than its checksum")
            coded = memoryview(payload)[CHECKSUM_BYTES:]
            tables = self._network.tables.coder(self._level, number - 1)
            try:
                with core_errors():
                    latents = tables.decode(coded, *self.grid)
            except FormatError as error:
                raise FormatError(f"code chunk {number}: {error}") from error
            if _checksum(coded, latents) != payload[:CHECKSUM_BYTES]:
                raise ChecksumError(f"code chunk {number} is damaged: its checksum does not match")
            self.stages.append(latents)
