"""One step of a convolutional LSTM: both convolutions, the gates, the new state and depth-to-space in one kernel.

The definition is the reference body in :mod:`recodec.ops.conv_lstm`. Products are taken in the type of the weights,
everything else in float32.
"""

# Constants of a kernel are in capitals, as Triton's own documentation has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import triton
import triton.language as tl
from torch import Tensor

from recodec.kernels.activations import tanh
from recodec.kernels.feature_maps import (
    grid_of,
    in_nhwc,
    load_tile,
    outputs_in_nhwc,
    program_tile,
    store_in_space,
    store_tile,
)
from recodec.kernels.implicit_gemm import biased, convolve
from recodec.kernels.layers import FOLDED, PAPER
from recodec.kernels.tuning import TYPE_NAMES, CompileCase, Tiles, guess, on_device, tiles_for


@triton.jit
def conv_lstm_step_fwd_kernel(
    x,
    h,
    c,
    weight,
    bias,
    hidden_weight,
    h_out,
    c_out,
    y_out,
    count,
    in_height,
    in_width,
    height,
    width,
    inputs: tl.constexpr,
    channels: tl.constexpr,
    KERNEL: tl.constexpr,
    HIDDEN_KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    FACTOR: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """``height``, ``width`` and ``channels`` are those of the state; h, c and y_out may be None."""
    pixel, inside, picture, row, column, first = program_tile(
        count, height, width, channels, PIXELS, CHANNELS
    )

    # One product for the four gates of each channel, which the update needs together.
    gate = tl.arange(0, 4 * CHANNELS) // CHANNELS
    of_gate = first + tl.arange(0, 4 * CHANNELS) % CHANNELS
    known = of_gate < channels
    out = gate * channels + of_gate
    total = tl.zeros((PIXELS, 4 * CHANNELS), tl.float32)
    total = convolve(
        total, x, weight, inside, picture, row, column, out, known,
        in_height, in_width, inputs, KERNEL, STRIDE, INPUTS,
    )  # fmt: skip
    if h is not None:
        total = convolve(
            total, h, hidden_weight, inside, picture, row, column, out, known,
            height, width, channels, HIDDEN_KERNEL, 1, INPUTS,
        )  # fmt: skip
    total = biased(total, bias, out, known)
    # The last axis comes to be (f, i, o, j), as pairs of pairs: f and o, i and j are split first.
    pairs = tl.permute(tl.reshape(total, (PIXELS, 2, 2, CHANNELS)), (0, 3, 1, 2))
    f_and_o, i_and_j = tl.split(pairs)
    f, o = tl.split(f_and_o)
    i, j = tl.split(i_and_j)

    channel = first + tl.arange(0, CHANNELS)
    after = tl.sigmoid(i) * tanh(j)
    if c is not None:
        after += tl.sigmoid(f) * load_tile(c, pixel, inside, channel, channels).to(tl.float32)
    store_tile(c_out, after, pixel, inside, channel, channels)
    shown = tl.sigmoid(o) * tanh(after)
    store_tile(h_out, shown, pixel, inside, channel, channels)
    if y_out is not None:
        store_in_space(y_out, shown, inside, picture, row, column, channel, height, width, channels, FACTOR)


def launch_conv_lstm_step(
    x: Tensor,
    h: Tensor | None,
    c: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    h_out: Tensor,
    c_out: Tensor,
    y_out: Tensor | None,
    stride: int,
    factor: int,
    tiles: Tiles | None = None,
) -> None:
    """Write the step to h_out, c_out and y_out; arguments as in :mod:`recodec.ops.conv_lstm`, sizes unchecked."""
    n, channels, height, width = h_out.shape
    sizes = {
        "pixels": n * height * width,
        "channels": channels,
        "inputs": x.shape[1],
        "kernel": weight.shape[2],
        "hidden_kernel": 0 if h is None else hidden_weight.shape[2],
        "stride": stride,
        "factor": factor,
    }
    tiles = tiles or tiles_for("conv_lstm_step", sizes, x.dtype, x.device)
    x, h, c, weight, hidden_weight = in_nhwc(x, h, c, weight, hidden_weight)
    with on_device(x), outputs_in_nhwc(h_out, c_out, y_out) as outputs:
        conv_lstm_step_fwd_kernel[grid_of(sizes, tiles)](
            x, h, c, weight, bias, hidden_weight, *outputs,
            sizes["pixels"], *x.shape[2:], height, width, inputs=x.shape[1], channels=channels,
            KERNEL=weight.shape[2], HIDDEN_KERNEL=hidden_weight.shape[2], STRIDE=stride, FACTOR=factor,
            **tiles.constants(), **tiles.options(),
        )  # fmt: skip


def compile_cases() -> Iterator[CompileCase]:
    """The kernel as the paper's layers need it, with and without a state, in every number type."""
    for layer, (dtype, short), state in product((*PAPER, FOLDED), TYPE_NAMES.items(), (True, False)):
        data = f"*{short}:16"
        signature = dict.fromkeys(("x", "weight", "bias", "hidden_weight", "h_out"), data) | {
            "c_out": "*fp32:16"
        }
        signature |= dict.fromkeys(("count", "in_height", "in_width", "height", "width"), "i32")
        signature |= {"h": data, "c": "*fp32:16"} if state else {}
        signature |= {"y_out": data} if layer.factor > 1 else {}
        sizes = layer.sizes(state=state)
        yield CompileCase(
            f"conv_lstm_step {layer.name} {dtype}{'' if state else ' zero-state'}",
            conv_lstm_step_fwd_kernel,
            signature,
            {
                "inputs": layer.inputs,
                "channels": layer.channels,
                "KERNEL": layer.kernel,
                "HIDDEN_KERNEL": layer.hidden_kernel,
                "STRIDE": layer.stride,
                "FACTOR": layer.factor,
            },
            guess("conv_lstm_step", sizes, dtype),
        )
