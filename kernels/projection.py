"""1×1 convolutions around the codes, each in one kernel with all that happens before and after it.

Feature maps are N H W C in memory, weights (out, in). Products are taken in the type of the input, everything
else is float32. The definitions are the reference bodies in :mod:`recodec.ops.projection`.
"""

# Constants of a kernel are in capitals, as Triton has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import triton
import triton.language as tl
from recodec.kernels.implicit_gemm import grid_of, in_nhwc, outputs_in_nhwc, positions, store_in_space
from recodec.kernels.tuning import TYPE_NAMES, Specimen, Tiles, guess, on_device, tiles_for
from torch import Tensor


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


@triton.jit
def tile_of(channels: tl.constexpr, CHANNELS: tl.constexpr):
    """The tile of positions and the first channel of this program; those of one tile lie side by side."""
    columns = tl.cdiv(channels, CHANNELS)
    tile = tl.program_id(0) // columns
    return tile, (tl.program_id(0) - tile * columns) * CHANNELS


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
    tile, first = tile_of(channels, CHANNELS)
    out = first + tl.arange(0, CHANNELS)
    pixel = tile.to(tl.int64) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < count
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


def contiguous(*tensors: Tensor | None) -> list[Any]:
    """Vectors as kernels read them, copied where they have gaps."""
    return [None if t is None else t.contiguous() for t in tensors]


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


def specimen(
    name: str,
    function: Any,
    sizes: dict[str, int],
    dtype: str,
    constants: dict[str, int],
    absent: Sequence[str] = (),
    types: Mapping[str, str] = MappingProxyType({}),
) -> Specimen:
    """One for a kernel without ``absent`` arguments; those without a type are pointers to ``dtype``."""
    operator = name.split()[0]
    known = {"count": "i32", "area": "i32", "height": "i32", "width": "i32", **types}
    names = [argument for argument in function.arg_names if argument not in (*constants, *absent)]
    signature = {
        argument: known.get(argument, f"*{TYPE_NAMES[dtype]}:16") for argument in names if argument.islower()
    }
    return Specimen(f"{name} {dtype}", function, signature, constants, guess(operator, sizes, dtype))


def specimens() -> Iterator[Specimen]:
    """The kernels as rnn-1 has them, 96 codes and 192 features, for a picture of 768x512 pixels."""
    shortcut = {"pixels": 1536, "channels": 768, "inputs": 96, "factor": 2}
    embedding = {"pixels": 1536, "channels": 96, "inputs": 96, "factor": 1}
    feedback = {"pixels": 6144, "channels": 64, "inputs": 192}
    for dtype in TYPE_NAMES:
        for name, sizes, absent in (("shortcut", shortcut, ["bias"]), ("embedding", embedding, [])):
            constants = {"inputs": 96, "channels": sizes["channels"], "FACTOR": sizes["factor"]}
            label = f"projection rnn-1-{name}"
            yield specimen(label, projection_fwd_kernel, sizes, dtype, constants, absent)
        for name, absent in (("first", ["gain", "base"]), ("later", [])):
            constants = {"inputs": 192, "channels": 64}
            label = f"feedback rnn-1 {name}"
            types = dict.fromkeys(("log_gain", "gain", "base"), "*fp32:16")
            yield specimen(label, feedback_fwd_kernel, feedback, dtype, constants, absent, types)
