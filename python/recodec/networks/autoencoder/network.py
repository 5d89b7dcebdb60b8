"""An autoencoder: pixels to whole numbers and back, in one stage or several."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from recodec.networks.autoencoder.adjustments import adjusted
from recodec.networks.autoencoder.config import AutoencoderConfig
from recodec.networks.autoencoder.layers import stack
from recodec.networks.autoencoder.tables import LatentTables

# The coder's numbers have 16 bits; what lies beyond is cut.
_LARGEST = 32767


class Autoencoder(nn.Module):
    """Analysis and synthesis of every stage, quantiser and tables. Pixels are (N, 3, H, W) in [−0.5, 0.5].

    Latents are (N, channels, h, w) in units of the quantiser's steps before rounding: 0 to 2^bits − 1, less
    2^(bits−1), for the bounded ones. ``level`` is a number for the whole batch.
    """

    architecture: ClassVar[str] = "autoencoder"
    decoder_tensors: ClassVar[tuple[str, ...]] = ("synthesis.", "tables.", "log_step")
    # Not of embedded planes.
    order: ClassVar[None] = None

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        self.config = config
        self.analysis = nn.ModuleList(stack(config.analysis, 3) for _ in range(config.stages))
        self.synthesis = nn.ModuleList(stack(config.synthesis, config.channels) for _ in range(config.stages))
        self.tables = LatentTables(config)
        rounded = config.quantiser == "rounded"
        self.log_step = nn.Parameter(torch.zeros(config.levels, config.channels)) if rounded else None

    def analyse(self, pixels: Tensor, stage: int = 0, level: int = 0) -> Tensor:
        """What is to be rounded of pixels, or of what earlier stages left of them."""
        latents: Tensor = self.analysis[stage](pixels).float()
        if self.log_step is not None:
            scaled: Tensor = latents / self._steps(level)
            return scaled
        steps, half = 2**self.config.bits - 1, 2 ** (self.config.bits - 1)
        bounded = (
            torch.sigmoid(latents) if self.config.quantiser == "sigmoid" else (latents + 0.5).clamp(0, 1)
        )
        found: Tensor = bounded * steps - half
        return found

    def quantise(self, latents: Tensor) -> Tensor:
        """The whole numbers that a file holds."""
        return latents.round().clamp(-_LARGEST, _LARGEST)

    def synthesise(
        self, latents: Tensor, stage: int = 0, level: int = 0, adjustments: Tensor | None = None
    ) -> Tensor:
        """Pixels, not clamped, or what they add to those of earlier stages.

        ``adjustments`` (2, features) are a file's own, as :func:`~.adjustments.adjusted` has them.
        """
        if self.log_step is not None:
            values = latents * self._steps(level)
        else:
            steps, half = 2**self.config.bits - 1, 2 ** (self.config.bits - 1)
            values = (latents + half) / steps - 0.5
        synthesis = self.synthesis[stage]
        pixels: Tensor = (
            synthesis(values) if adjustments is None else adjusted(synthesis, adjustments, values)
        )
        return pixels.float()

    def _steps(self, level: int) -> Tensor:
        assert self.log_step is not None
        steps: Tensor = self.log_step[level].exp()[:, None, None]
        return steps
