"""What is shown of a reconstruction: its pixels, with what the codes' coarseness did to them repaired.

The in-loop filters of ITU-T H.266 and the artefact reduction of Dong et al. 2015 (arXiv 1504.06993) are
relatives, but this one stands behind the loop: no code depends on it, and it runs once for every picture
that is shown, not once for every iteration.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec.networks.pixel.config import PostFilterConfig
from recodec.ops.rearrange import depth_to_space, space_to_depth

_FACTOR, _INNER = 4, 2
# Corrections begin small against what is left to correct, which shrinks with the iterations.
_FIRST_GAIN, _GAIN_SLOPE = 0.05, -0.1
# Brings pixels, whose deviation is about 1/4, to the size that the layers are made for.
_PIXEL_SCALE = 4


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around a ReLU, added to their input: (N, width, H, W) to the same."""

    def __init__(self, width: int):
        super().__init__()
        self.inner = nn.Conv2d(width, width, 3, padding=1)
        self.outer = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` and what the convolutions make of it."""
        y: Tensor = self.outer(F.relu(self.inner(x)))
        return x + y


class PostFilter(nn.Module):
    """A correction of the pixels, from residual blocks at 1/8 and then at 1/4 of the picture's size.

    Biases for each place within a grid position tell where blocks of the transform and of the codes end;
    biases and a gain for each iteration tell how coarse the picture is. It begins by changing nothing.
    """

    # Parameters whose first axis counts iterations.
    per_iteration = ("bias", "inner_bias", "log_gain")

    def __init__(self, config: PostFilterConfig, stride: int, iterations: int):
        super().__init__()
        width, inner_width, samples = config.width, config.inner_width, 3 * _FACTOR**2
        self.stride = stride
        self.head = nn.Conv2d(samples, width, 3, padding=1)
        self.bias = nn.Parameter(torch.zeros(iterations, width))
        self.place_bias = nn.Parameter(torch.zeros(width, *[stride // _FACTOR] * 2))
        self.down = nn.Conv2d(width, inner_width, _INNER, stride=_INNER)
        self.inner_bias = nn.Parameter(torch.zeros(iterations, inner_width))
        self.inner_place_bias = nn.Parameter(torch.zeros(inner_width, *[stride // (_FACTOR * _INNER)] * 2))
        self.inner_blocks = nn.Sequential(*[ResidualBlock(inner_width) for _ in range(config.inner_blocks)])
        self.up = nn.Conv2d(inner_width, width * _INNER**2, 1)
        self.blocks = nn.Sequential(*[ResidualBlock(width) for _ in range(config.blocks)])
        self.output = nn.Conv2d(width, samples, 3, padding=1)
        slope = [math.log(_FIRST_GAIN) + _GAIN_SLOPE * iteration for iteration in range(iterations)]
        self.log_gain = nn.Parameter(torch.tensor(slope))
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """He et al. 2015 (arXiv 1502.01852): with PyTorch's smaller weights, Adam silences nearly all ReLUs."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                # A chain of blocks would let the deviation grow otherwise.
                module.outer.weight.mul_(0.2)
        self.head.weight.mul_(_PIXEL_SCALE)
        nn.init.zeros_(self.output.weight)

    def forward(self, pixels: Tensor, iteration: int) -> Tensor:
        """Map (N, 3, H, W) pixels in about [−0.5, 0.5] to the same, better; not clamped.

        H and W are multiples of the stride, and the pixels start where a grid position does. ``iteration``
        counts from 0; later ones share the last.
        """
        iteration = min(iteration, len(self.log_gain) - 1)
        x = self.head(space_to_depth(pixels, _FACTOR))
        x = F.relu(x + self._everywhere(self.bias[iteration], self.place_bias, pixels))
        y = self.down(x)
        y = F.relu(y + self._everywhere(self.inner_bias[iteration], self.inner_place_bias, pixels))
        x = x + depth_to_space(self.up(self.inner_blocks(y)), _INNER)
        correction = depth_to_space(self.output(self.blocks(x)), _FACTOR)
        return pixels + correction * self.log_gain[iteration].exp()

    def _everywhere(self, bias: Tensor, place_bias: Tensor, pixels: Tensor) -> Tensor:
        rows, columns = pixels.shape[2] // self.stride, pixels.shape[3] // self.stride
        return (place_bias + bias[:, None, None]).repeat(1, rows, columns)
