"""SAME convolution with weights handed over, on which the definitions of the cells stand, and the sizes of a step."""

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


def step_shapes(x: Tensor, width: int, stride: int, factor: int) -> tuple[list[int], list[int]]:
    """Shapes of the state of a cell of ``width`` features and of its output for the next layer."""
    n, _, height, columns = x.shape
    height, columns = -(-height // stride), -(-columns // stride)
    return [n, width, height, columns], [n, width // factor**2, factor * height, factor * columns]
