"""Blocks of positions to channels and back."""

from __future__ import annotations

import torch
from torch import Tensor


def depth_to_space(x: Tensor, factor: int) -> Tensor:
    """Block-major depth-to-space: (N, f·f·C, H, W) to (N, C, f·H, f·W).

    Input channel (dy·f + dx)·C + c goes to output pixel (f·y + dy, f·x + dx) of channel c. This is
    TensorFlow's order, not that of ``torch.pixel_shuffle``; trained weights depend on it.
    """
    n, channels, height, width = x.shape
    depth = channels // (factor * factor)
    if x.is_contiguous(memory_format=torch.channels_last):
        # As it came, and in whole rows of channels: those of one dy are neighbours here and there.
        x = x.permute(0, 2, 3, 1).view(n, height, width, factor, factor * depth).transpose(2, 3)
        return x.reshape(n, factor * height, factor * width, depth).permute(0, 3, 1, 2)
    x = x.view(n, factor, factor, depth, height, width)
    return x.permute(0, 3, 4, 1, 5, 2).reshape(n, depth, factor * height, factor * width)


def space_to_depth(x: Tensor, factor: int) -> Tensor:
    """Inverse of :func:`depth_to_space`: (N, C, f·H, f·W) to (N, f·f·C, H, W)."""
    n, depth, height, width = x.shape
    size = height // factor, width // factor
    if x.is_contiguous(memory_format=torch.channels_last):
        # As it came, and in whole rows of channels.
        x = x.permute(0, 2, 3, 1).view(n, size[0], factor, size[1], factor, depth)
        return x.transpose(2, 3).reshape(n, *size, factor * factor * depth).permute(0, 3, 1, 2)
    x = x.reshape(n, depth, size[0], factor, size[1], factor)
    return x.permute(0, 3, 5, 1, 2, 4).reshape(n, factor * factor * depth, *size)
