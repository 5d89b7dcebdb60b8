"""What latents cost while the transform trains: a context model that no file ever sees.

Each latent is expected to be logistic about a mean, both mean and scale from latents before it: two rows above and
what is left of it, through a causal 5×5 convolution (Minnen et al. 2018, arXiv 1809.02736), and the groups of channels
before its own at the same position (Minnen and Singh 2020, arXiv 2007.08739). Its integer successor is trained when
the transform stands still.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec.ops.pointwise import pointwise
from recodec.ops.taps import gather_taps

# Of a 5×5 kernel in raster order, those before its middle.
_CAUSAL = tuple((dy, dx) for dy in range(-2, 1) for dx in range(-2, 3) if (dy, dx) < (0, 0))
_GROUPS = 8
_SLOPE = 0.1
# In steps of the quantiser; a narrower distribution would say nothing new, a wider one at the start everything.
_NARROWEST, _START = 0.04, 1.5
_LEAST_PROBABILITY = 1e-6


class TransformContext(nn.Module):
    """Bits of quantised latents (N, channels, h, w) given those before them, in N H W C raster order."""

    scale: Tensor
    sees: Tensor
    feeds: Tensor

    def __init__(self, channels: int, levels: int, width: int):
        super().__init__()
        hidden = 2 * width
        self.causal = nn.Parameter(_uniform(width, len(_CAUSAL) * channels, fan=len(_CAUSAL) * channels))
        self.level_bias = nn.Parameter(torch.zeros(levels, width))
        self.inner = nn.Parameter(_uniform(hidden, channels + width, fan=channels + width))
        self.inner_bias = nn.Parameter(torch.zeros(hidden))
        self.outer = nn.Parameter(_uniform(2 * channels, hidden, fan=hidden) * 0.1)
        self.outer_bias = nn.Parameter(torch.zeros(2 * channels))
        self.register_buffer("scale", torch.ones(channels))
        group = torch.arange(channels) * _GROUPS // channels
        hidden_group = torch.arange(hidden) % _GROUPS
        earlier = (group[None] < hidden_group[:, None]).float()
        self.register_buffer("sees", torch.cat([earlier, torch.ones(hidden, width)], dim=1), persistent=False)
        feeds = (hidden_group[None] <= group[:, None]).float()
        self.register_buffer("feeds", feeds.repeat(2, 1), persistent=False)

    def expect(self, latents: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log of the scale, both (N, channels, h, w) in units of ``scale``, of every latent.

        ``levels`` (N,) are the rates of the pictures; a position sees nothing of itself but earlier groups.
        """
        x = torch.tanh(latents / self.scale[:, None, None] * 0.5) * 2
        taps = gather_taps(x.permute(0, 2, 3, 1), _CAUSAL).flatten(3)
        around = F.linear(taps, self.causal).permute(0, 3, 1, 2)
        around = F.leaky_relu(around + self.level_bias[levels][:, :, None, None], _SLOPE)
        hidden = pointwise(torch.cat([x, around], dim=1), self.inner * self.sees, self.inner_bias)
        outputs = pointwise(F.leaky_relu(hidden, _SLOPE), self.outer * self.feeds, self.outer_bias)
        mean, log_scale = outputs.float().chunk(2, dim=1)
        return mean, log_scale

    def forward(self, latents: Tensor, steps: Tensor, levels: Tensor) -> Tensor:
        """Bits of each picture (N,).

        ``latents`` are whole multiples of ``steps`` (N, channels, 1, 1), or with the noise that stands for rounding.
        """
        mean, log_scale = self.expect(latents, levels)
        unit = self.scale[:, None, None] / steps
        width = F.softplus(log_scale + unit.log() - _START) + _NARROWEST
        distance = latents / steps - mean * unit
        upper, lower = torch.sigmoid((distance + 0.5) / width), torch.sigmoid((distance - 0.5) / width)
        return -torch.log2((upper - lower).clamp_min(_LEAST_PROBABILITY)).sum((1, 2, 3))


def _uniform(*shape: int, fan: int) -> Tensor:
    bound = 1 / math.sqrt(fan)
    return torch.empty(*shape).uniform_(-bound, bound)
