"""Convolution as a matrix product whose left side is gathered on the way, and what the cells' kernels share.

Rows of the product are output positions, columns are output channels, and the sum runs over taps and input channels.
Feature maps are N H W C in memory and weights (out, tap, in), so every load runs along channels.
"""

# Constants of a kernel are in capitals, as Triton's own documentation has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import triton
import triton.language as tl
from recodec.kernels.tuning import Tiles
from torch import Tensor


@triton.jit
def positions(tile, count, height, width, PIXELS: tl.constexpr):
    """The ``tile``-th PIXELS of ``count`` positions: index, which are inside, picture, row, column."""
    pixel = tile.to(tl.int64) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < count
    # In 32 bits, where division is cheap: there are fewer positions than that.
    index = pixel.to(tl.int32)
    row = index // width
    picture = row // height
    return pixel, inside, picture, row - picture * height, index - row * width


@triton.jit
def program_tile(count, height, width, channels, PIXELS: tl.constexpr, CHANNELS: tl.constexpr):
    """:func:`positions` of this program, and its first channel."""
    # Programs side by side share their pixels, so that these come from the cache.
    channel_tiles = tl.cdiv(channels, CHANNELS)
    tile = tl.program_id(0) // channel_tiles
    pixel, inside, picture, row, column = positions(tile, count, height, width, PIXELS)
    first = (tl.program_id(0) - tile * channel_tiles) * CHANNELS
    return pixel, inside, picture, row, column, first


@triton.jit
def convolve(
    total,
    x,
    weight,
    inside,
    picture,
    row,
    column,
    out,
    out_inside,
    height,
    width,
    inputs: tl.constexpr,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """``total`` (positions, outputs) plus the SAME convolution of ``x`` at these positions, in float32.

    ``height`` and ``width`` are those of ``x``; ``out`` are rows of the weights. An even kernel reaches
    further to the bottom and right.
    """
    before: tl.constexpr = (KERNEL - 1) // 2
    taps: tl.constexpr = KERNEL * KERNEL
    top = row * STRIDE - before
    left = column * STRIDE - before
    corner = ((picture.to(tl.int64) * height + top) * width + left) * inputs
    matrix = out.to(tl.int64) * (taps * inputs)
    within = tl.arange(0, INPUTS)
    blocks: tl.constexpr = (inputs + INPUTS - 1) // INPUTS
    # One flat loop, so that loads run ahead across taps too.
    for step in range(taps * blocks):
        tap = step // blocks
        channel = (step - tap * blocks) * INPUTS + within
        dy = tap // KERNEL
        dx = tap - dy * KERNEL
        below = top + dy
        beside = left + dx
        seen = inside & (below >= 0) & (below < height) & (beside >= 0) & (beside < width)
        source = x + corner[:, None] + ((dy * width + dx) * inputs + channel)[None, :]
        factors = weight + matrix[None, :] + (tap * inputs + channel)[:, None]
        if inputs % INPUTS == 0:
            taken = tl.load(source, mask=seen[:, None], other=0.0)
            factor = tl.load(factors, mask=out_inside[None, :], other=0.0)
        else:
            known = channel < inputs
            taken = tl.load(source, mask=seen[:, None] & known[None, :], other=0.0)
            factor = tl.load(factors, mask=out_inside[None, :] & known[:, None], other=0.0)
        # Weights may have fewer bits; products are taken in their type.
        taken = taken.to(factor.dtype)
        # TF32 would be coarser than the reference's float32.
        total = tl.dot(taken, factor, total, input_precision="ieee")
    return total


@triton.jit
def scaled_and_biased(total, scale, bias, out, known):
    """What rows ``out`` of the weights make of their sums: ``scale``, which may be None, times them, and ``bias``."""
    if scale is not None:
        total *= tl.load(scale + out, mask=known, other=0.0)[None, :]
    return total + tl.load(bias + out, mask=known, other=0.0).to(tl.float32)[None, :]


@triton.jit
def tanh(x):
    """Of float32, to within 2e-7 everywhere."""
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit
def store_in_space(
    y, value, inside, picture, row, column, channel, height, width, channels, FACTOR: tl.constexpr
):
    """Store (positions, channels) by block-major depth-to-space: channel (dy·FACTOR + dx)·depth + c.

    ``height``, ``width`` and ``channels`` are those of ``value``.
    """
    depth = channels // (FACTOR * FACTOR)
    block = channel // depth
    dy = block // FACTOR
    rows = (picture.to(tl.int64) * height + row) * FACTOR
    start = (rows * width + column) * FACTOR * depth
    # One row further down is FACTOR·width positions away.
    offset = (dy * (width * FACTOR) + (block - dy * FACTOR)) * depth + (channel - block * depth)
    kept = inside[:, None] & (channel < channels)[None, :]
    tl.store(y + start[:, None] + offset[None, :], value.to(y.dtype.element_ty), mask=kept)


def grid_of(sizes: Mapping[str, int], tiles: Tiles) -> tuple[int]:
    """Programs for all positions and channels, those of one tile of positions side by side."""
    return (triton.cdiv(sizes["pixels"], tiles.pixels) * triton.cdiv(sizes["channels"], tiles.channels),)


def in_nhwc(*tensors: Tensor | None) -> list[Any]:
    """Tensors as kernels read them, copied where they lie otherwise in memory."""
    return [None if t is None else t.contiguous(memory_format=torch.channels_last) for t in tensors]


@contextmanager
def outputs_in_nhwc(*outputs: Tensor | None) -> Iterator[list[Any]]:
    """Buffers as kernels write them; those that lie otherwise in memory get copies afterwards."""
    written: list[Any] = [
        out
        if out is None or out.is_contiguous(memory_format=torch.channels_last)
        else torch.empty_like(out, memory_format=torch.channels_last)
        for out in outputs
    ]
    yield written
    for out, value in zip(outputs, written, strict=True):
        if out is not None and value is not out:
            out.copy_(value)
