"""Neighbours of every position side by side, so that a convolution over some of them is one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class _Taps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, offsets: Sequence[tuple[int, int]]) -> Tensor:
        height, width = x.shape[1:3]
        reach = max(max(abs(dy), abs(dx)) for dy, dx in offsets)
        ctx.offsets, ctx.reach, ctx.shape = offsets, reach, x.shape
        padded = F.pad(x, (0, 0, *[reach] * 4))
        return torch.stack([padded[_window(dy, dx, reach, height, width)] for dy, dx in offsets], dim=3)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        n, height, width, channels = ctx.shape
        reach = ctx.reach
        # One buffer that all taps are added to; autograd's own way takes a padded map for each of them.
        padded = grads[0].new_zeros(n, height + 2 * reach, width + 2 * reach, channels)
        for tap, (dy, dx) in enumerate(ctx.offsets):
            padded[_window(dy, dx, reach, height, width)] += grads[0][:, :, :, tap]
        return padded[_window(0, 0, reach, height, width)], None


def _window(dy: int, dx: int, reach: int, height: int, width: int) -> tuple[slice, slice, slice]:
    return (
        slice(None),
        slice(reach + dy, reach + dy + height),
        slice(reach + dx, reach + dx + width),
    )


def gather_taps(x: Tensor, offsets: Sequence[tuple[int, int]]) -> Tensor:
    """(N, H, W, C) to (N, H, W, taps, C): values at each of the ``offsets`` (dy, dx), zero outside the map."""
    y: Tensor = _Taps.apply(x, tuple(offsets))  # type: ignore[no-untyped-call]
    return y
