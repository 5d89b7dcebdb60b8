"""Blocks of positions to channels and back."""

from __future__ import annotations

from torch import Tensor


def depth_to_space(x: Tensor, factor: int) -> Tensor:
    """Block-major depth-to-space: (N, f·f·C, H, W) to (N, C, f·H, f·W).

    Input channel (dy·f + dx)·C + c goes to output pixel (f·y + dy, f·x + dx) of channel c. This is
    TensorFlow's order, not that of ``torch.pixel_shuffle``; trained weights depend on it.
    """
    n, channels, height, width = x.shape
    depth = channels // (factor * factor)
    x = x.view(n, factor, factor, depth, height, width)
    return x.permute(0, 3, 4, 1, 5, 2).reshape(n, depth, factor * height, factor * width)


def space_to_depth(x: Tensor, factor: int) -> Tensor:
    """Inverse of :func:`depth_to_space`: (N, C, f·H, f·W) to (N, f·f·C, H, W)."""
    n, depth, height, width = x.shape
    x = x.view(n, depth, height // factor, factor, width // factor, factor)
    return x.permute(0, 3, 5, 1, 2, 4).reshape(n, factor * factor * depth, height // factor, width // factor)
