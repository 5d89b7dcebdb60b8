"""SAME convolution with weights handed over, which the definitions of the cells stand on."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def same_convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Map (N, width_in, H, W) to (N, width_out, ⌈H/stride⌉, ⌈W/stride⌉) with (width_out, width_in, k, k) weights.

    An even kernel reaches one further to the bottom and right, as TensorFlow's SAME padding does.
    """
    kernel = weight.shape[2]
    if kernel % 2 == 0:
        x = F.pad(x, (0, 1, 0, 1))
    return F.conv2d(x, weight, bias, stride, (kernel - 1) // 2)
