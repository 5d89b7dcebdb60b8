"""The binarizer: real features to codes of −1 and +1."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from recodec.networks.cells import SameConv2d

BinarizerMode = Literal["sign", "sample"]


def binarize(y: Tensor) -> Tensor:
    """Sign with 0 → +1, so that there are exactly two symbols. Any shape in, same shape out."""
    return torch.where(y < 0, -1.0, 1.0).to(y.dtype)


def sample_codes(y: Tensor) -> Tensor:
    """Draw +1 with probability (1 + y)/2, else −1; Toderici et al. 2016, section 3.2.

    ``y`` lies in [−1, 1]; the mean of the draw is ``y``.
    """
    return binarize(y - (2 * torch.rand_like(y) - 1))


class Binarizer(nn.Module):
    """1×1 convolution, tanh, then one bit per value."""

    def __init__(self, width_in: int, depth: int):
        super().__init__()
        self.conv = SameConv2d(width_in, depth, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Codes for inference: (N, width_in, h, w) to (N, depth, h, w) of −1 and +1."""
        # tanh keeps the sign, so inference does without it.
        return binarize(self.conv(x))

    def train_codes(self, x: Tensor, mode: BinarizerMode) -> Tensor:
        """Codes whose gradient is that of tanh (straight through the rounding)."""
        y = torch.tanh(self.conv(x))
        codes = binarize(y) if mode == "sign" else sample_codes(y)
        return y + (codes - y).detach()
