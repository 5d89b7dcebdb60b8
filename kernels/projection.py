"""The 1×1 convolution between codes and features, stored by depth-to-space.

The definition is the reference body in :mod:`recodec.ops.projection`.
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
    grid_of,
    in_nhwc,
    outputs_in_nhwc,
    positions,
    store_in_space,
    store_tile,
    tile_of,
)
from recodec.kernels.pointwise import compile_case, layers_of, project
from recodec.kernels.tuning import CompileCase, Tiles, on_device, tiles_for


@triton.jit
def projection_fwd_kernel(
    x,
    weight,
    bias,
    y,
    count,
    height,
    width,
    inputs: tl.constexpr,
    channels: tl.constexpr,
    FACTOR: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """W∗x + b, stored by depth-to-space; ``bias`` may be None."""
    tile, first = tile_of(channels, CHANNELS)
    out = first + tl.arange(0, CHANNELS)
    pixel, inside, picture, row, column = positions(tile, count, height, width, PIXELS)
    total = project(x, weight, bias, pixel, inside, out, inputs, channels, PIXELS, CHANNELS, INPUTS)
    if FACTOR == 1:
        store_tile(y, total, pixel, inside, out, channels)
    else:
        store_in_space(y, total, inside, picture, row, column, out, height, width, channels, FACTOR)


def launch_projection(
    x: Tensor, weight: Tensor, bias: Tensor | None, y_out: Tensor, factor: int, tiles: Tiles | None = None
) -> None:
    """Write the projection to ``y_out``; arguments as in :mod:`recodec.ops.projection`, sizes unchecked."""
    n, inputs, height, width = x.shape
    sizes = {"pixels": n * height * width, "channels": weight.shape[0], "inputs": inputs, "factor": factor}
    tiles = tiles or tiles_for("projection", sizes, x.dtype, x.device)
    x, weight = in_nhwc(x, weight)
    (bias,) = contiguous(bias)
    with on_device(x), outputs_in_nhwc(y_out) as (y,):
        projection_fwd_kernel[grid_of(sizes, tiles)](
            x, weight, bias, y, sizes["pixels"], height, width, inputs, sizes["channels"],
            FACTOR=factor, **tiles.constants(), **tiles.options(),
        )  # fmt: skip


def compile_cases() -> Iterator[CompileCase]:
    """The layers of rnn-1, of which the shortcut has no bias."""
    for layer, dtype in layers_of("projection"):
        constants = {"inputs": layer.inputs, "channels": layer.channels, "FACTOR": layer.factor}
        yield compile_case(layer, dtype, projection_fwd_kernel, constants, ["bias"] * (layer.factor > 1))
