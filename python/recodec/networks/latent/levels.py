"""The transform while it trains: one network for several rates, each with a uniform quantiser of its own."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from recodec.networks.latent.config import TransformConfig
from recodec.networks.latent.transform import Analysis, Synthesis


class Levels(nn.Module):
    """What the network has of its own for each rate it serves: quantiser steps, decoder gains and an offset."""

    def __init__(self, config: TransformConfig):
        super().__init__()
        self.log_step = nn.Parameter(torch.zeros(config.levels, config.channels))
        self.log_gain = nn.Parameter(torch.zeros(config.levels, config.channels))
        self.offset = nn.Parameter(torch.zeros(config.levels, config.synthesis.inner_width))

    def steps(self, levels: Tensor) -> Tensor:
        """Quantiser steps (N, channels, 1, 1) of pictures at ``levels`` (N,)."""
        return self.log_step[levels].exp()[:, :, None, None]

    def gains(self, levels: Tensor) -> Tensor:
        """Factors (N, channels, 1, 1) of the latents that the decoder is given."""
        return self.log_gain[levels].exp()[:, :, None, None]


class TransformNetwork(nn.Module):
    """Analysis, synthesis and levels."""

    architecture: ClassVar[str] = "latent-transform"
    decoder_tensors: ClassVar[tuple[str, ...]] = ("synthesis.", "levels.", "scale")
    scale: Tensor

    def __init__(self, config: TransformConfig):
        super().__init__()
        self.config = config
        self.analysis = Analysis(config.analysis, config.channels)
        self.synthesis = Synthesis(config.synthesis, config.channels)
        self.levels = Levels(config)
        self.register_buffer("scale", torch.ones(config.channels))

    def analyse(self, pixels: Tensor) -> Tensor:
        """Pixels (N, 3, 16·h, 16·w) to float32 latents (N, channels, h, w)."""
        latents: Tensor = self.analysis(pixels, self.scale)
        return latents

    def synthesise(self, latents: Tensor, levels: Tensor) -> Tensor:
        """Latents as decoded to float32 pixels, not clamped; ``levels`` (N,) are those of the pictures."""
        pixels: Tensor = self.synthesis(
            latents * self.levels.gains(levels), self.levels.offset[levels], self.scale
        )
        return pixels
