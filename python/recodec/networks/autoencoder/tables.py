"""Integer tables of a model's latents, for the entropy coder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec import _core
from recodec.errors import WeightsError
from recodec.networks.autoencoder.config import AutoencoderConfig

# Probabilities are stored as signed numbers of 16 bits; safetensors' unsigned ones are unknown to some readers.
_OFFSET = 32768
# Kinds of contexts: one for all, by the sum of two neighbours, by four neighbours' magnitudes.
NONE, VALUES, MAGNITUDES = range(3)


def measure(kind: int, planes: Tensor) -> Tensor:
    """What contexts of (N, h, w) latents are found by, as FORMAT.md has it."""
    if kind == NONE:
        return torch.zeros_like(planes)
    sizes = planes if kind == VALUES else planes.abs()
    height, width = planes.shape[1:]
    padded = F.pad(sizes, (1, 1, 1, 0))
    north, west = padded[:, :height, 1 : width + 1], padded[:, 1:, :width]
    if kind == MAGNITUDES:
        around: Tensor = 2 * west + 2 * north + padded[:, :height, :width] + padded[:, :height, 2:]
        return around
    found: Tensor = west + north
    found[:, 0] *= 2
    found[:, :, 0] = 2 * north[:, :, 0]
    return found


class LatentTables(nn.Module):
    """For each level and plane (stage · channels + channel) what :class:`recodec._core.LatentTables` has.

    ``kinds`` (levels, planes) uint8, ``limits`` (levels, planes, contexts − 1) int32, ``probabilities`` (levels,
    planes, contexts, 2^bits) int16, less 32768. They begin as even ones in one context.
    """

    kinds: Tensor
    limits: Tensor
    probabilities: Tensor

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        self._config = config
        shape = (config.levels, config.stages * config.channels)
        self.register_buffer("kinds", torch.zeros(shape, dtype=torch.uint8))
        self.register_buffer("limits", torch.zeros((*shape, config.contexts - 1), dtype=torch.int32))
        nodes = (*shape, config.contexts, 2**config.bits)
        self.register_buffer("probabilities", torch.zeros(nodes, dtype=torch.int16))

    def put(self, level: int, stage: int, kinds: Tensor, limits: Tensor, probabilities: Tensor) -> None:
        """Set those of a stage; ``probabilities`` in units of 2^−16."""
        planes = self._planes(stage)
        self.kinds[level, planes], self.limits[level, planes] = kinds.to(torch.uint8), limits.to(torch.int32)
        self.probabilities[level, planes] = (probabilities.to(torch.int32) - _OFFSET).to(torch.int16)

    def of(self, level: int, stage: int) -> tuple[Tensor, Tensor, Tensor]:
        """Kinds, limits and probabilities, in units of 2^−16, of a stage's planes."""
        planes = self._planes(stage)
        probabilities = self.probabilities[level, planes].to(torch.int32) + _OFFSET
        return self.kinds[level, planes], self.limits[level, planes], probabilities

    def coder(self, level: int, stage: int) -> _core.LatentTables:
        """Those of a stage as the coder takes them. Raises :class:`WeightsError` for what are no tables."""
        kinds, limits, probabilities = self.of(level, stage)
        config = self._config
        try:
            return _core.LatentTables(
                kinds.numpy(),
                limits.numpy(),
                probabilities.to(torch.uint16).numpy(),
                config.quantiser == "rounded",
                config.rate,
            )
        except _core.CoreError as error:
            raise WeightsError(f"level {level} of stage {stage}: {error.args[1]}") from None

    def _planes(self, stage: int) -> slice:
        channels = self._config.channels
        return slice(stage * channels, (stage + 1) * channels)
