"""The binarizer: features and codes are N H W C in memory. Its definition is in :mod:`recodec.ops.binarizer`."""

# Constants of a kernel are in capitals, as Triton has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator

import triton
import triton.language as tl
from torch import Tensor

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
from recodec.kernels.pointwise import compile_case, layers_of, project
from recodec.kernels.tuning import CompileCase, Tiles, on_device, tiles_for


@triton.jit
def binarize_fwd_kernel(
    x,
    weight,
    bias,
    zone,
    noise,
    codes,
    count,
    inputs: tl.constexpr,
    depth: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """Codes of W∗x + b: two symbols without ``zone``, to which ``noise`` may be added; three with it."""
    pixel, inside, first = flat_tile(count, depth, PIXELS, CHANNELS)
    out = first + tl.arange(0, CHANNELS)
    value = project(x, weight, bias, pixel, inside, out, inputs, depth, PIXELS, CHANNELS, INPUTS)
    if zone is not None:
        width = tl.load(zone).to(tl.float32)
        symbol = tl.where(value > width, 1.0, tl.where(value < -width, -1.0, 0.0))
    else:
        if noise is not None:
            value = tanh(value) + load_tile(noise, pixel, inside, out, depth).to(tl.float32)
        symbol = tl.where(value < 0, -1.0, 1.0)
    store_tile(codes, symbol, pixel, inside, out, depth)


def launch_binarize(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    zone: Tensor | None,
    noise: Tensor | None,
    codes_out: Tensor,
    tiles: Tiles | None = None,
) -> None:
    """Write codes to ``codes_out``; arguments as in :mod:`recodec.ops.binarizer`, sizes unchecked."""
    n, inputs, height, width = x.shape
    sizes = {"pixels": n * height * width, "channels": weight.shape[0], "inputs": inputs}
    tiles = tiles or tiles_for("binarize", sizes, x.dtype, x.device)
    x, weight, noise = in_nhwc(x, weight, noise)
    (bias,) = contiguous(bias)
    with on_device(x), outputs_in_nhwc(codes_out) as (codes,):
        binarize_fwd_kernel[grid_of(sizes, tiles)](
            x, weight, bias, zone, noise, codes, sizes["pixels"], inputs, sizes["channels"],
            **tiles.constants(), **tiles.options(),
        )  # fmt: skip


def compile_cases() -> Iterator[CompileCase]:
    """Three symbols for rnn-1, two for the paper, with noise in training."""
    for layer, dtype in layers_of("binarize"):
        constants = {"inputs": layer.inputs, "depth": layer.channels}
        three = layer.name.startswith("rnn-1")
        parts = {"": ["noise"]} if three else {"": ["zone", "noise"], "training": ["zone"]}
        for label, absent in parts.items():
            yield compile_case(layer, dtype, binarize_fwd_kernel, constants, absent, label)
