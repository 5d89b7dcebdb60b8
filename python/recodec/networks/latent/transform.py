"""Analysis and synthesis of the latent codec.

Both sides have a linear path over blocks of 16×16 pixels, which begins as principal components, and nonlinear
branches, which begin at zero: training starts from a transform codec and learns what linear algebra cannot. A gate
on each linear path, exp(1.5·tanh), scales what passes by what surrounds it: contrast masking that the loss decides.
The branches work at 1/8 and 1/16 of the picture's size.

The linear paths are float32 whatever the branches multiply in: they carry nearly all of the picture, and are a
thirtieth of the work.

Pixels are (N, 3, 16·h, 16·w) in [−0.5, 0.5]; latents are (N, channels, h, w), of deviation ``scale`` each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recodec.networks.latent.config import SideConfig
from recodec.networks.latent.layers import Convolution, Grow, Pointwise, residual_blocks
from recodec.ops.rearrange import depth_to_space, space_to_depth

STRIDE = 16
BRANCH_STRIDE = 8
_BLOCK, _BRANCH_BLOCK = 3 * STRIDE**2, 3 * BRANCH_STRIDE**2
# Brings pixels, whose deviation is about 1/4, nearer to the size that layers are made for, and back.
PIXEL_SCALE = 2.0
GATE_RANGE = 1.5


def gate(strength: Tensor) -> Tensor:
    """What a linear path is multiplied by: exp(1.5·tanh(strength)), from 0.22 to 4.5, and 1 at the start."""
    return torch.exp(GATE_RANGE * torch.tanh(strength))


class Analysis(nn.Module):
    """Pixels in, latents out."""

    def __init__(self, config: SideConfig, channels: int):
        super().__init__()
        self.linear = Pointwise(_BLOCK, channels)
        self.head = Pointwise(_BRANCH_BLOCK, config.width)
        self.blocks = residual_blocks(config.width, config.blocks)
        self.shrink = Convolution(config.width, config.inner_width, stride=2)
        self.inner_blocks = residual_blocks(config.inner_width, config.inner_blocks)
        self.output = Pointwise(config.inner_width, 2 * channels).silence()

    def forward(self, pixels: Tensor, scale: Tensor) -> Tensor:
        """(N, 3, 16·h, 16·w) pixels to (N, channels, h, w) latents; ``scale`` (channels,) is their deviation."""
        with torch.autocast(pixels.device.type, enabled=False):
            linear = self.linear(space_to_depth(pixels, STRIDE))
        x = self.blocks(self.head(space_to_depth(pixels, BRANCH_STRIDE) * PIXEL_SCALE))
        x = self.inner_blocks(self.shrink(x))
        addition, strength = self.output(x).chunk(2, dim=1)
        latents: Tensor = linear * gate(strength.float()) + addition.float() * scale[:, None, None]
        return latents


class Synthesis(nn.Module):
    """Latents in, pixels out."""

    def __init__(self, config: SideConfig, channels: int):
        super().__init__()
        self.head = Convolution(channels, config.inner_width)
        self.inner_blocks = residual_blocks(config.inner_width, config.inner_blocks)
        self.strength = Pointwise(config.inner_width, channels).silence()
        self.grow = Grow(config.inner_width, config.width)
        self.blocks = residual_blocks(config.width, config.blocks)
        self.output = Convolution(config.width, _BRANCH_BLOCK)
        nn.init.zeros_(self.output.weight)
        assert self.output.bias is not None
        nn.init.zeros_(self.output.bias)
        self.linear = Pointwise(channels, _BLOCK)

    def forward(self, latents: Tensor, offset: Tensor, scale: Tensor) -> Tensor:
        """(N, channels, h, w) latents to (N, 3, 16·h, 16·w) pixels, not clamped.

        ``offset`` (N, inner_width) tells the layers how coarse each picture's latents are; ``scale`` (channels,) is
        the latents' deviation.
        """
        # Latents have heavy tails; as they are, they made training diverge.
        x = self.head(torch.asinh(latents / scale[:, None, None])) + offset[:, :, None, None]
        x = self.inner_blocks(x)
        strength = self.strength(x)
        branch = self.output(self.blocks(self.grow(x)))
        with torch.autocast(latents.device.type, enabled=False):
            pixels = depth_to_space(self.linear(latents * gate(strength.float())), STRIDE)
        return pixels + depth_to_space(branch.float(), BRANCH_STRIDE) / PIXEL_SCALE
