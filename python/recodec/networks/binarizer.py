"""The binarizer: real features to codes of −1 and +1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from recodec.networks.convolution import Projection


def binarize(y: Tensor) -> Tensor:
    """Sign with 0 → +1, so that there are exactly two symbols. Any shape in, same shape out."""
    return torch.where(y < 0, -1.0, 1.0).to(y.dtype)


class Binarizer(nn.Module):
    """1×1 convolution, tanh, then one bit per value. ``iterations`` as in :class:`Projection`."""

    def __init__(self, width_in: int, depth: int, iterations: int | None = None):
        super().__init__()
        self.conv = Projection(width_in, depth, iterations)

    def forward(self, x: Tensor, iteration: int) -> Tensor:
        """Codes for inference: (N, width_in, h, w) to (N, depth, h, w) of −1 and +1."""
        # tanh keeps the sign, so inference does without it.
        return binarize(self.conv(x, iteration))

    def train_codes(
        self, x: Tensor, iteration: int, noise: Callable[[torch.Size], Tensor] | None = None
    ) -> Tensor:
        """Codes whose gradient is that of tanh (straight through the rounding).

        ``noise`` gives values for a shape. Uniform in [−1, 1], it makes the codes +1 with probability
        (1 + y)/2, so that their mean is y; Toderici et al. 2016, section 3.2.
        """
        y = torch.tanh(self.conv(x, iteration))
        codes = binarize(y if noise is None else y + noise(y.shape))
        return y + (codes - y).detach()
