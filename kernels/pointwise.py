"""1×1 convolution as a matrix product, which the kernels around the codes are made of; weights are (out, in).

Products are taken in the type of the feature map, everything else is float32.
"""

# Constants of a kernel are in capitals, as Triton's own documentation has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import triton
import triton.language as tl

from recodec.kernels.feature_maps import load_tile
from recodec.kernels.layers import LINEAR, Linear
from recodec.kernels.tuning import TYPE_NAMES, CompileCase, guess


@triton.jit
def load_weight(weight, taken, inputs: tl.constexpr, out, channels: tl.constexpr, stride):
    """(inputs, outputs) of a matrix of ``channels`` rows, ``stride`` apart, 0 where there is nothing."""
    kept = (taken < inputs)[:, None] & (out < channels)[None, :]
    return tl.load(weight + out[None, :] * stride + taken[:, None], mask=kept, other=0.0)


@triton.jit
def project(
    x,
    weight,
    bias,
    pixel,
    inside,
    out,
    inputs: tl.constexpr,
    channels: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """W∗x + b at these positions, in float32; ``out`` are rows of the weights, ``bias`` may be None."""
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for start in range(0, inputs, INPUTS):
        taken = start + tl.arange(0, INPUTS)
        features = load_tile(x, pixel, inside, taken, inputs)
        factor = load_weight(weight, taken, inputs, out, channels, inputs)
        # TF32 would be coarser than the reference's float32.
        total = tl.dot(features, factor, total, input_precision="ieee")
    if bias is not None:
        total += tl.load(bias + out, mask=out < channels, other=0.0).to(tl.float32)[None, :]
    return total


def layers_of(operator: str) -> Iterator[tuple[Linear, str]]:
    """Those that have the operator, in every number type."""
    for layer in LINEAR:
        if layer.operator == operator:
            yield from ((layer, dtype) for dtype in TYPE_NAMES)


def compile_case(
    layer: Linear,
    dtype: str,
    function: Any,
    constants: Mapping[str, float],
    absent: Sequence[str] = (),
    label: str = "",
    **types: str,
) -> CompileCase:
    """One without ``absent`` arguments; those that are no sizes and have no type are pointers to ``dtype``."""
    known = {**dict.fromkeys(("count", "area", "height", "width"), "i32"), **types}
    names = [name for name in function.arg_names if name not in (*constants, *absent) and name.islower()]
    signature = {name: known.get(name, f"*{TYPE_NAMES[dtype]}:16") for name in names}
    name = " ".join(filter(None, (layer.operator, layer.name, label, dtype)))
    return CompileCase(name, function, signature, constants, guess(layer.operator, layer.sizes(), dtype))
