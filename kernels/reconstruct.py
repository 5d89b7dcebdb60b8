"""The decoder's last layer with all that makes a reconstruction of it, and the masking gain of that.

The definition is the reference body in :mod:`recodec.ops.reconstruct`.
"""

# Constants of a kernel are in capitals, as Triton has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator

import triton
import triton.language as tl
from torch import Tensor

from recodec.kernels.feature_maps import (
    contiguous,
    flat_tile,
    grid_of,
    in_nhwc,
    load_tile,
    outputs_in_nhwc,
    store_tile,
)
from recodec.kernels.pointwise import compile_case, layers_of, project
from recodec.kernels.tuning import CompileCase, Tiles, guess, on_device, tiles_for
from recodec.ops.reconstruct import EXPONENT, FLOOR


@triton.jit
def reconstruct_fwd_kernel(
    x,
    weight,
    bias,
    linear,
    log_gain,
    gain,
    base,
    scale,
    y,
    next_gain,
    count,
    inputs: tl.constexpr,
    channels: tl.constexpr,
    EXPONENT: tl.constexpr,
    FLOOR: tl.constexpr,
    BLOCKS: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """W∗x + b, plus linear, times exp(log_gain), divided by gain, plus base; what is None is left out.

    With ``scale`` a program has all channels of its positions, in BLOCKS blocks one after the other, and
    stores the masking gain of what it stored. No program reads what another one writes, so ``y`` may be
    ``base`` and then ``next_gain`` may be ``gain``.
    """
    pixel, inside, first = flat_tile(count, channels, PIXELS, BLOCKS * CHANNELS)
    if gain is not None:
        divisor = tl.load(gain + pixel, mask=inside, other=1.0).to(tl.float32)
    energy = tl.zeros((PIXELS,), tl.float32)
    for block in range(BLOCKS):
        out = first + block * CHANNELS + tl.arange(0, CHANNELS)
        known = out < channels
        value = project(x, weight, bias, pixel, inside, out, inputs, channels, PIXELS, CHANNELS, INPUTS)
        if linear is not None:
            value += load_tile(linear, pixel, inside, out, channels).to(tl.float32)
        if log_gain is not None:
            value *= tl.exp(tl.load(log_gain + out, mask=known, other=0.0).to(tl.float32))[None, :]
        if gain is not None:
            value /= divisor[:, None]
        if base is not None:
            value += load_tile(base, pixel, inside, out, channels).to(tl.float32)
        stored = value.to(y.dtype.element_ty)
        if scale is not None:
            # Threads may share an element; all must have read it before one writes it in place.
            tl.debug_barrier()
        store_tile(y, stored, pixel, inside, out, channels)
        if scale is not None:
            # Every 64th coefficient is the mean of a colour plane, which hides nothing.
            unit = tl.load(scale + out, mask=known & (out % 64 != 0), other=0.0).to(tl.float32)
            coefficient = stored.to(tl.float32) * unit[None, :]
            energy += tl.sum(coefficient * coefficient, axis=1)
    if scale is not None:
        deviation = tl.sqrt(energy / channels)
        value = tl.exp2(EXPONENT * tl.log2((0.1 + FLOOR) / (deviation + FLOOR)))
        tl.store(next_gain + pixel, value.to(next_gain.dtype.element_ty), mask=inside)


def launch_reconstruct(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    linear: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    scale: Tensor | None,
    y_out: Tensor,
    gain_out: Tensor | None,
    tiles: Tiles | None = None,
) -> None:
    """Write to ``y_out`` and ``gain_out``; arguments as in :mod:`recodec.ops.reconstruct`, sizes unchecked."""
    n, inputs, height, width = x.shape
    channels = weight.shape[0]
    masking = scale is not None
    # A program that masks takes the planes of three colours one after the other.
    sizes = {"pixels": n * height * width, "channels": 64 if masking else channels, "inputs": inputs}
    sizes["masking"] = int(masking)
    tiles = tiles or tiles_for("reconstruct", sizes, x.dtype, x.device)
    blocks = triton.cdiv(channels, tiles.channels) if masking else 1
    grid = (triton.cdiv(sizes["pixels"], tiles.pixels),) if masking else grid_of(sizes, tiles)
    x, weight, linear, gain, base = in_nhwc(x, weight, linear, gain, base)
    bias, log_gain, scale = contiguous(bias, log_gain, scale)
    with on_device(x), outputs_in_nhwc(y_out, gain_out) as (y, next_gain):
        reconstruct_fwd_kernel[grid](
            x, weight, bias, linear, log_gain, gain, base, scale, y, next_gain,
            sizes["pixels"], inputs, channels, EXPONENT=EXPONENT, FLOOR=FLOOR,
            BLOCKS=blocks, **tiles.constants(), **tiles.options(),
        )  # fmt: skip


def compile_cases() -> Iterator[CompileCase]:
    """The first iteration of rnn-1, before which nothing is decoded, later ones, and those of the paper."""
    carried = dict.fromkeys(("log_gain", "gain", "base", "scale", "y", "next_gain"), "*fp32:16")
    for layer, dtype in layers_of("reconstruct"):
        channels = guess("reconstruct", layer.sizes(), dtype).channels
        blocks = triton.cdiv(layer.channels, channels) if layer.masking else 1
        constants = {"inputs": layer.inputs, "channels": layer.channels, "BLOCKS": blocks}
        constants |= {"EXPONENT": EXPONENT, "FLOOR": FLOOR}
        parts = {"first": ["gain", "base"], "later": []}
        if not layer.masking:
            parts = {"": ["linear", "log_gain", "gain", "scale", "next_gain"]}
        for label, absent in parts.items():
            yield compile_case(layer, dtype, reconstruct_fwd_kernel, constants, absent, label, **carried)
