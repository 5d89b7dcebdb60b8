"""How likely latents are while an autoencoder trains; files have integer tables instead."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Of mixtures, at the start.
_SPREAD, _LOG_SCALE = 4.0, 1.0
_LEAST_PROBABILITY = 1e-9
_LEAST_LOG_SCALE, _LARGEST_LOG_SCALE = -5.0, 8.0


class Density(nn.Module):
    """Mixtures of logistics, one for each channel of each level, without context.

    Latents have the probability of the interval of half a step to each side.
    """

    def __init__(self, levels: int, channels: int, members: int = 3):
        super().__init__()
        means = torch.linspace(-_SPREAD, _SPREAD, members) if members > 1 else torch.zeros(1)
        self.mean = nn.Parameter(means.expand(levels, channels, members).clone())
        self.log_scale = nn.Parameter(torch.full((levels, channels, members), _LOG_SCALE))
        self.weight = nn.Parameter(torch.zeros(levels, channels, members))

    def forward(self, latents: Tensor, level: int, first: int = 0) -> Tensor:
        """Bits that (N, channels, h, w) latents take, (N,); ``first`` is the number of the first channel."""
        x = latents[:, :, None]
        channels = slice(first, first + latents.shape[1])
        mean, log_scale, weight = (
            parameter[level, channels][:, :, None, None]
            for parameter in (self.mean, self.log_scale, self.weight)
        )
        log_scale = log_scale.clamp(_LEAST_LOG_SCALE, _LARGEST_LOG_SCALE)
        weight = weight.softmax(1)
        # From the side where the tail is, so that two numbers near 1 are never subtracted.
        sign = -(x - mean).sign().detach()
        inner, outer = (torch.sigmoid(sign * (x - mean + half) * (-log_scale).exp()) for half in (0.5, -0.5))
        probability = (weight * (inner - outer).abs()).sum(2).clamp_min(_LEAST_PROBABILITY)
        return -probability.log2().sum((1, 2, 3))
