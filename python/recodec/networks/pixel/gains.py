"""What scales the residuals: gains learned per iteration, and the paper's gain network."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec.networks.convolution import SameConv2d
from recodec.ops.reconstruct import masking_gain

GAIN_PATCH = 32


class Gain(nn.Module):
    """One learned factor per iteration and feature, exp(log_gain); later iterations share the last.

    Residuals shrink from iteration to iteration while the weights stay the same; the gains let every
    iteration work on values of a similar size. They play the part of :class:`GainNetwork` without
    looking at the picture.
    """

    def __init__(self, iterations: int, width: int, slope: float):
        super().__init__()
        start = torch.tensor([slope * iteration for iteration in range(iterations)])
        self.log_gain = nn.Parameter(start[:, None].expand(iterations, width).clone())

    def forward(self, x: Tensor, iteration: int) -> Tensor:
        """Scale (N, width, H, W); ``iteration`` counts from 0."""
        return x * self.at(iteration).exp()[:, None, None]

    def at(self, iteration: int) -> Tensor:
        """Logarithms of the factors of an iteration, counted from 0."""
        return self.log_gain[min(iteration, self.log_gain.shape[0] - 1)]


class GainNetwork(nn.Module):
    """Residual scaling: one gain above 1 per 32×32 patch, from pixels that the decoder knows too.

    Toderici et al. 2017, section 3.2: five convolutions of stride 2, each followed by ELU, and 2 added
    to the last. Pictures need not be multiples of 32; the last patches are cut.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = [3, 32, 32, 32, 32]
        layers = [SameConv2d(a, b, 3, stride=2) for a, b in pairwise(widths)]
        self.layers = nn.ModuleList([*layers, SameConv2d(32, 1, 2, stride=2)])

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) pixels to (N, 1, ⌈H/32⌉, ⌈W/32⌉) gains."""
        x = pixels
        for layer in self.layers:
            x = F.elu(layer(x))
        return x + 2


class Masking(nn.Module):
    """Gains that are small where the picture decoded so far is busy and would hide an error.

    One per block of the DCT, ((0.1 + c) / (σ + c))^k with the deviation σ of the block's pixels about their
    mean in the range 0..1: contrast masking, as SSIM and wavelet image coders have it, but known to the
    decoder, so that nothing is sent for it. ITU-T T.801 (JPEG 2000, part 2) calls it self-contrast masking.
    """

    def forward(self, features: Tensor, scale: Tensor) -> Tensor:
        """(N, 192, H, W) DCT features, in units of ``scale``, to (N, 1, H, W) gains."""
        return masking_gain(features, scale)


def hold(gains: Tensor, patch: int, height: int, width: int) -> Tensor:
    """Zero-order hold: repeat each gain over its patch, (N, 1, ⌈height/patch⌉, …) to (N, 1, height, width)."""
    return gains.repeat_interleave(patch, dim=2).repeat_interleave(patch, dim=3)[..., :height, :width]
