"""Binarizer with bit packing, and the way back from bits to codes.

Features and codes are N H W C in memory, bits (N, planes, H, W, ⌈depth/8⌉) bytes. The definitions are the
reference bodies in :mod:`recodec.ops.binarizer` and :mod:`recodec.ops.bits`.
"""

# Constants of a kernel are in capitals, as Triton has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator

import triton
import triton.language as tl
from recodec.kernels.activations import tanh
from recodec.kernels.feature_maps import (
    contiguous,
    flat_tile,
    grid_of,
    in_nhwc,
    load_tile,
    outputs_in_nhwc,
    store_tile,
)
from recodec.kernels.pointwise import layers_of, project, specimen
from recodec.kernels.tuning import Specimen, Tiles, on_device, tiles_for
from torch import Tensor


@triton.jit
def store_bits(
    bits,
    value,
    plane,
    pixel,
    inside,
    first,
    area,
    depth: tl.constexpr,
    PLANES: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Store truth values (positions, channels) of one plane: channel 8k + j is bit j of byte k."""
    grouped = tl.reshape(value.to(tl.int32), (PIXELS, CHANNELS // 8, 8))
    packed = tl.sum(grouped << tl.arange(0, 8)[None, None, :], axis=2).to(tl.uint8)
    byte = first // 8 + tl.arange(0, CHANNELS // 8)
    row = (pixel // area * PLANES + plane) * area + pixel % area
    store_tile(bits, packed, row, inside, byte, (depth + 7) // 8)


@triton.jit
def binarize_fwd_kernel(
    x,
    weight,
    bias,
    zone,
    noise,
    codes,
    bits,
    count,
    area,
    inputs: tl.constexpr,
    depth: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """Codes of W∗x + b as numbers, as bits or as both; ``area`` positions make a picture.

    Two symbols without ``zone``, to which ``noise`` may be added; three with it. What is None is left out.
    """
    pixel, inside, first = flat_tile(count, depth, PIXELS, CHANNELS)
    out = first + tl.arange(0, CHANNELS)
    # Bits beyond the last channel are 0.
    known = (out < depth)[None, :]
    value = project(x, weight, bias, pixel, inside, out, inputs, depth, PIXELS, CHANNELS, INPUTS)
    if zone is not None:
        width = tl.load(zone).to(tl.float32)
        positive = known & (value > width)
        active = positive | (known & (value < -width))
        symbol = tl.where(positive, 1.0, tl.where(active, -1.0, 0.0))
        if bits is not None:
            store_bits(bits, active, 0, pixel, inside, first, area, depth, 2, PIXELS, CHANNELS)
            store_bits(bits, positive, 1, pixel, inside, first, area, depth, 2, PIXELS, CHANNELS)
    else:
        if noise is not None:
            value = tanh(value) + load_tile(noise, pixel, inside, out, depth).to(tl.float32)
        symbol = tl.where(value < 0, -1.0, 1.0)
        if bits is not None:
            store_bits(bits, known & (symbol > 0), 0, pixel, inside, first, area, depth, 1, PIXELS, CHANNELS)
    if codes is not None:
        store_tile(codes, symbol, pixel, inside, out, depth)


@triton.jit
def unpack_codes_fwd_kernel(
    bits,
    codes,
    count,
    area,
    depth: tl.constexpr,
    PLANES: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Bits to −1, 0 and +1 (two planes) or −1 and +1 (one)."""
    pixel, inside, first = flat_tile(count, depth, PIXELS, CHANNELS)
    out = first + tl.arange(0, CHANNELS)
    last = (pixel // area * PLANES + PLANES - 1) * area + pixel % area
    octets = (depth + 7) // 8
    byte = load_tile(bits, last, inside, out // 8, octets).to(tl.int32)
    symbol = 2 * ((byte >> (out % 8)[None, :]) & 1) - 1
    if PLANES == 2:
        byte = load_tile(bits, last - area, inside, out // 8, octets).to(tl.int32)
        symbol *= (byte >> (out % 8)[None, :]) & 1
    store_tile(codes, symbol, pixel, inside, out, depth)


def launch_binarize(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    zone: Tensor | None,
    noise: Tensor | None,
    codes_out: Tensor | None,
    bits_out: Tensor | None,
    tiles: Tiles | None = None,
) -> None:
    """Write to the buffers that there are; arguments as in :mod:`recodec.ops.binarizer`, sizes unchecked."""
    n, inputs, height, width = x.shape
    sizes = {"pixels": n * height * width, "channels": weight.shape[0], "inputs": inputs}
    tiles = tiles or tiles_for("binarize", sizes, x.dtype, x.device)
    x, weight, noise = in_nhwc(x, weight, noise)
    (bias,) = contiguous(bias)
    with on_device(x), outputs_in_nhwc(codes_out) as (codes,):
        binarize_fwd_kernel[grid_of(sizes, tiles)](
            x, weight, bias, zone, noise, codes, bits_out,
            sizes["pixels"], height * width, inputs, sizes["channels"],
            **tiles.constants(), **tiles.options(),
        )  # fmt: skip


def launch_unpack_codes(bits: Tensor, codes_out: Tensor, tiles: Tiles | None = None) -> None:
    """Write codes to ``codes_out``; arguments as in :mod:`recodec.ops.bits`, sizes unchecked."""
    n, depth, height, width = codes_out.shape
    sizes = {"pixels": n * height * width, "channels": depth, "inputs": bits.shape[1]}
    tiles = tiles or tiles_for("unpack_codes", sizes, codes_out.dtype, codes_out.device)
    with on_device(bits), outputs_in_nhwc(codes_out) as (codes,):
        unpack_codes_fwd_kernel[grid_of(sizes, tiles)](
            bits, codes, sizes["pixels"], height * width, depth,
            PLANES=bits.shape[1], PIXELS=tiles.pixels, CHANNELS=tiles.channels, **tiles.options(),
        )  # fmt: skip


def specimens() -> Iterator[Specimen]:
    """Three symbols for rnn-1, two for the paper, with noise in training."""
    for layer, dtype in layers_of("binarize"):
        constants = {"inputs": layer.inputs, "depth": layer.channels}
        three = layer.name.startswith("rnn-1")
        parts = {"": ["noise"]} if three else {"": ["zone", "noise"], "training": ["zone", "bits"]}
        for label, absent in parts.items():
            yield specimen(layer, dtype, binarize_fwd_kernel, constants, absent, label, bits="*u8:16")
    for layer, dtype in layers_of("unpack_codes"):
        constants = {"depth": layer.channels, "PLANES": layer.inputs}
        yield specimen(layer, dtype, unpack_codes_fwd_kernel, constants, bits="*u8:16")
