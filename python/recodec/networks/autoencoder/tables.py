"""Integer tables of a model's latents, for the entropy coder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recodec import _core
from recodec.errors import WeightsError
from recodec.networks.autoencoder.config import AutoencoderConfig

# Probabilities are stored as signed numbers of 16 bits; safetensors' unsigned ones are unknown to some readers.
_OFFSET = 32768


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

    def coder(self, level: int, stage: int) -> _core.LatentTables:
        """Those of a stage as the coder takes them. Raises :class:`WeightsError` for what are no tables."""
        planes, config = self._planes(stage), self._config
        probabilities = (self.probabilities[level, planes].to(torch.int32) + _OFFSET).to(torch.uint16)
        try:
            return _core.LatentTables(
                self.kinds[level, planes].numpy(),
                self.limits[level, planes].numpy(),
                probabilities.numpy(),
                config.quantiser == "rounded",
                config.rate,
            )
        except _core.CoreError as error:
            raise WeightsError(f"level {level} of stage {stage}: {error.args[1]}") from None

    def _planes(self, stage: int) -> slice:
        channels = self._config.channels
        return slice(stage * channels, (stage + 1) * channels)
