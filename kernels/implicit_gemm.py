"""Convolution as a matrix product whose left side is gathered on the way: what the kernels of cells are made of.

Rows of the product are output positions, columns are output channels, and the sum runs over taps and input channels.
Feature maps are N H W C in memory and weights (out, tap, in), so every load runs along channels.
"""

# Constants of a kernel are in capitals, as Triton's own documentation has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl


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
        # TF32 would be coarser than the reference's float32.
        total = tl.dot(taken, factor, total, input_precision="ieee")
    return total


@triton.jit
def biased(total, bias, out, known):
    """Sums with the ``bias`` of rows ``out`` of the weights."""
    return total + tl.load(bias + out, mask=known, other=0.0).to(tl.float32)[None, :]
