"""What analysis and synthesis are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec.ops.convolution import convolution
from recodec.ops.pointwise import pointwise
from recodec.ops.rearrange import depth_to_space
from recodec.ops.winograd import laid_out

SLOPE = 0.1
# A chain of blocks would let the deviation grow otherwise.
_OUTER_START = 0.3


class Convolution(nn.Conv2d):
    """3×3 convolution with zeros around: (N, width_in, H, W) to (N, width_out, ⌈H/stride⌉, ⌈W/stride⌉)."""

    def __init__(self, width_in: int, width_out: int, stride: int = 1):
        super().__init__(width_in, width_out, 3, stride, padding=1)
        self.weight = nn.Parameter(laid_out(self.weight.detach()))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return convolution(x, self.weight, self.bias, self.stride[0])


class Pointwise(nn.Conv2d):
    """1×1 convolution: (N, width_in, H, W) to (N, width_out, H, W)."""

    def __init__(self, width_in: int, width_out: int):
        super().__init__(width_in, width_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the features of each position."""
        return pointwise(x, self.weight, self.bias)

    @torch.no_grad()
    def silence(self) -> Pointwise:
        """Begin as zero; returns itself."""
        self.weight.zero_()
        assert self.bias is not None
        self.bias.zero_()
        return self


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a leaky ReLU, added to their input: (N, width, H, W) to the same."""

    def __init__(self, width: int):
        super().__init__()
        self.inner = Convolution(width, width)
        self.outer = Convolution(width, width)
        with torch.no_grad():
            self.outer.weight.mul_(_OUTER_START)
            assert self.outer.bias is not None
            self.outer.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` and what the convolutions make of it."""
        y: Tensor = self.outer(F.leaky_relu(self.inner(x), SLOPE))
        return x + y


def residual_blocks(width: int, count: int) -> nn.Sequential:
    """``count`` blocks in a row."""
    return nn.Sequential(*[ResidualBlock(width) for _ in range(count)])


class Grow(nn.Module):
    """Twice the size by a 1×1 convolution and depth-to-space: (N, width_in, H, W) to (N, width_out, 2·H, 2·W)."""

    def __init__(self, width_in: int, width_out: int):
        super().__init__()
        self.mix = Pointwise(width_in, 4 * width_out)

    def forward(self, x: Tensor) -> Tensor:
        """Grow."""
        return depth_to_space(self.mix(x), 2)
