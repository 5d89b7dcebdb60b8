"""Feature maps as kernels see them: N H W C in memory, tiles of positions and channels, loaded and stored.

Maps that lie otherwise in memory are copied on the way in and out.
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
from torch import Tensor

from recodec.kernels.tuning import Tiles


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
def tile_of(channels, CHANNELS: tl.constexpr):
    """The tile of positions and the first channel of this program."""
    # Programs side by side share their positions, so that these come from the cache.
    columns = tl.cdiv(channels, CHANNELS)
    tile = tl.program_id(0) // columns
    return tile, (tl.program_id(0) - tile * columns) * CHANNELS


@triton.jit
def program_tile(count, height, width, channels, PIXELS: tl.constexpr, CHANNELS: tl.constexpr):
    """:func:`positions` of this program, and its first channel."""
    tile, first = tile_of(channels, CHANNELS)
    pixel, inside, picture, row, column = positions(tile, count, height, width, PIXELS)
    return pixel, inside, picture, row, column, first


@triton.jit
def flat_tile(count, channels, PIXELS: tl.constexpr, CHANNELS: tl.constexpr):
    """Positions of this program, which are inside, and its first channel, where no neighbours are needed."""
    tile, first = tile_of(channels, CHANNELS)
    pixel = tile.to(tl.int64) * PIXELS + tl.arange(0, PIXELS)
    return pixel, pixel < count, first


@triton.jit
def load_tile(x, pixel, inside, channel, channels: tl.constexpr):
    """(positions, channels) of a map of ``channels``, 0 where there is nothing."""
    kept = inside[:, None] & (channel < channels)[None, :]
    return tl.load(x + pixel[:, None] * channels + channel[None, :], mask=kept, other=0.0)


@triton.jit
def store_tile(y, value, pixel, inside, channel, channels: tl.constexpr):
    """Store (positions, channels) of a map of ``channels``."""
    kept = inside[:, None] & (channel < channels)[None, :]
    tl.store(y + pixel[:, None] * channels + channel[None, :], value.to(y.dtype.element_ty), mask=kept)


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


def contiguous(*tensors: Tensor | None) -> list[Any]:
    """Vectors as kernels read them, copied where they have gaps."""
    return [None if t is None else t.contiguous() for t in tensors]


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
