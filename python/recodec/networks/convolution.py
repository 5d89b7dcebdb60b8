"""Convolution with TensorFlow's SAME sizes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class SameConv2d(nn.Conv2d):
    """Convolution whose output is ⌈size/stride⌉ for every kernel size, even ones included.

    An even kernel pads one more on the bottom and right, as TensorFlow's SAME padding does; the
    paper's 2×2 kernel needs it.
    """

    def __init__(self, width_in: int, width_out: int, kernel: int, stride: int = 1, bias: bool = True):
        super().__init__(width_in, width_out, kernel, stride, padding=(kernel - 1) // 2, bias=bias)
        self._extra = 1 - kernel % 2

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width_in, H, W) to (N, width_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        if self._extra:
            x = F.pad(x, (0, 1, 0, 1))
        return super().forward(x)
