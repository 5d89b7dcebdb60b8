"""The decoder's view of the provisional reconstruction, made and convolved in one kernel.

The definition is the reference body in :mod:`recodec.ops.feedback`.
"""

# Constants of a kernel are in capitals, as Triton's own documentation has them; its arguments have no Python types.
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
from recodec.kernels.pointwise import compile_case, layers_of, load_weight
from recodec.kernels.tuning import CompileCase, Tiles, on_device, tiles_for


@triton.jit
def feedback_fwd_kernel(
    linear,
    weight,
    bias,
    log_gain,
    gain,
    base,
    y,
    count,
    inputs: tl.constexpr,
    channels: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """W∗[base + linear·exp(log_gain)/gain, linear] + b; what is None is left out."""
    pixel, inside, first = flat_tile(count, channels, PIXELS, CHANNELS)
    out = first + tl.arange(0, CHANNELS)
    if gain is not None:
        divisor = tl.load(gain + pixel, mask=inside, other=1.0).to(tl.float32)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for start in range(0, inputs, INPUTS):
        taken = start + tl.arange(0, INPUTS)
        features = load_tile(linear, pixel, inside, taken, inputs)
        provisional = features.to(tl.float32)
        if log_gain is not None:
            own = tl.load(log_gain + taken, mask=taken < inputs, other=0.0).to(tl.float32)
            provisional *= tl.exp(own)[None, :]
        if gain is not None:
            provisional /= divisor[:, None]
        if base is not None:
            provisional += load_tile(base, pixel, inside, taken, inputs).to(tl.float32)
        factor = load_weight(weight, taken, inputs, out, channels, 2 * inputs)
        total = tl.dot(provisional.to(features.dtype), factor, total, input_precision="ieee")
        factor = load_weight(weight + inputs, taken, inputs, out, channels, 2 * inputs)
        total = tl.dot(features, factor, total, input_precision="ieee")
    if bias is not None:
        total += tl.load(bias + out, mask=out < channels, other=0.0).to(tl.float32)[None, :]
    store_tile(y, total, pixel, inside, out, channels)


def launch_feedback(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    y_out: Tensor,
    tiles: Tiles | None = None,
) -> None:
    """Write the feedback to ``y_out``; arguments as in :mod:`recodec.ops.feedback`, sizes unchecked."""
    n, inputs, height, width = linear.shape
    sizes = {"pixels": n * height * width, "channels": weight.shape[0], "inputs": inputs}
    tiles = tiles or tiles_for("feedback", sizes, linear.dtype, linear.device)
    linear, weight, gain, base = in_nhwc(linear, weight, gain, base)
    bias, log_gain = contiguous(bias, log_gain)
    with on_device(linear), outputs_in_nhwc(y_out) as (y,):
        feedback_fwd_kernel[grid_of(sizes, tiles)](
            linear, weight, bias, log_gain, gain, base, y, sizes["pixels"], inputs, sizes["channels"],
            **tiles.constants(), **tiles.options(),
        )  # fmt: skip


def compile_cases() -> Iterator[CompileCase]:
    """The first iteration, before which nothing is decoded, and later ones."""
    carried = dict.fromkeys(("log_gain", "gain", "base"), "*fp32:16")
    for layer, dtype in layers_of("feedback"):
        constants = {"inputs": layer.inputs, "channels": layer.channels}
        for label, absent in (("first", ["gain", "base"]), ("later", [])):
            yield compile_case(layer, dtype, feedback_fwd_kernel, constants, absent, label, **carried)
