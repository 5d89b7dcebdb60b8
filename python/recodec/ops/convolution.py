"""SAME convolution with weights handed over, on which the definitions of the cells stand, and the sizes of a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.ops.backend import current_backend
from recodec.ops.matrix_convolution import matrix_convolution
from recodec.ops.winograd import winograd_convolution

_MATRIX_PRODUCTS: ContextVar[bool] = ContextVar("recodec_matrix_products", default=False)


@contextmanager
def use_matrix_products(wanted: bool) -> Iterator[None]:
    """Compute SAME convolutions as matrix products inside a ``with`` block, in this thread or task, or not."""
    token = _MATRIX_PRODUCTS.set(wanted)
    try:
        yield
    finally:
        _MATRIX_PRODUCTS.reset(token)


def same_convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Map (N, width_in, H, W) to (N, width_out, ⌈H/stride⌉, ⌈W/stride⌉) with (width_out, width_in, k, k) weights.

    An even kernel reaches one further to the bottom and right, as TensorFlow's SAME padding does. Computed by the
    library, or by :func:`~recodec.ops.matrix_convolution.matrix_convolution` inside :func:`use_matrix_products`.
    """
    # The compiler cannot trace the choice, and makes products of its own.
    if not torch.compiler.is_compiling() and _MATRIX_PRODUCTS.get():
        return matrix_convolution(x, weight, bias, stride)
    kernel = weight.shape[2]
    if kernel % 2 == 0:
        x = F.pad(x, (0, 1, 0, 1))
    return F.conv2d(x, weight, bias, stride, (kernel - 1) // 2)


def step_shapes(x: Tensor, width: int, stride: int, factor: int) -> tuple[list[int], list[int]]:
    """Shapes of the state of a cell of ``width`` features and of its output for the next layer."""
    n, _, height, columns = x.shape
    height, columns = -(-height // stride), -(-columns // stride)
    return [n, width, height, columns], [n, width // factor**2, factor * height, factor * columns]


def convolution(x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Map (N, C, H, W) to (N, C_out, ⌈H/stride⌉, ⌈W/stride⌉) with (C_out, C, 3, 3) weights and zeros around.

    Backend "auto" takes :func:`~recodec.ops.winograd.winograd_convolution` on a CPU in float32 with stride 1.
    """
    if stride == 1 and _small_products(x):
        y = winograd_convolution(x, weight)
        return y if bias is None else y + bias[:, None, None]
    return F.conv2d(x, weight, bias, stride, padding=1)


def _small_products(x: Tensor) -> bool:
    if torch.compiler.is_compiling():
        return False
    wide = x.dtype == torch.float32 and not torch.is_autocast_enabled(x.device.type)
    return x.device.type == "cpu" and wide and current_backend() != "reference"
