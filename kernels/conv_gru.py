"""One step of a plain or residual convolutional GRU, in two kernels.

The candidate reads r·h of neighbouring positions, so the first kernel finishes z and r·h for all positions; the
second does the rest. Without a state there is no r·h, and the second does it alone. The definitions are the
reference bodies in :mod:`recodec.ops.conv_gru` and :mod:`recodec.ops.residual_conv_gru`. Products are taken in the
type of the weights, everything else in float32.
"""

# Constants of a kernel are in capitals, as Triton's own documentation has them; its arguments have no Python types.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
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
from recodec.kernels.layers import PAPER, SHIPPED
from recodec.kernels.tuning import TYPE_NAMES, CompileCase, Tiles, guess, on_device, tiles_for


@triton.jit
def conv_gru_gates_fwd_kernel(
    x,
    h,
    weight,
    bias,
    hidden_weight,
    z_out,
    rh_out,
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
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """Store z and r·h, both (count, channels)."""
    pixel, inside, picture, row, column, first = program_tile(
        count, height, width, channels, PIXELS, CHANNELS
    )

    # One product for both gates of each channel.
    gate = tl.arange(0, 2 * CHANNELS) // CHANNELS
    of_gate = first + tl.arange(0, 2 * CHANNELS) % CHANNELS
    known = of_gate < channels
    out = gate * channels + of_gate
    total = tl.zeros((PIXELS, 2 * CHANNELS), tl.float32)
    total = convolve(
        total, x, weight, inside, picture, row, column, out, known,
        in_height, in_width, inputs, KERNEL, STRIDE, INPUTS,
    )  # fmt: skip
    total = convolve(
        total, h, hidden_weight, inside, picture, row, column, out, known,
        height, width, channels, HIDDEN_KERNEL, 1, INPUTS,
    )  # fmt: skip
    total = biased(total, bias, out, known)
    z, r = tl.split(tl.permute(tl.reshape(total, (PIXELS, 2, CHANNELS)), (0, 2, 1)))

    channel = first + tl.arange(0, CHANNELS)
    before = load_tile(h, pixel, inside, channel, channels).to(tl.float32)
    store_tile(z_out, tl.sigmoid(z), pixel, inside, channel, channels)
    store_tile(rh_out, tl.sigmoid(r) * before, pixel, inside, channel, channels)


@triton.jit
def conv_gru_candidate_fwd_kernel(
    x,
    h,
    z,
    rh,
    weight,
    bias,
    candidate_weight,
    input_path,
    state_path,
    h_out,
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
    SHARE: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """The new state and the output for the next layer.

    h, z and rh are None at the zero state, the paths in the plain GRU, y_out where it would be the state.
    """
    pixel, inside, picture, row, column, first = program_tile(
        count, height, width, channels, PIXELS, CHANNELS
    )
    channel = first + tl.arange(0, CHANNELS)
    known = channel < channels

    if h is not None:
        out = 2 * channels + channel
        total = tl.zeros((PIXELS, CHANNELS), tl.float32)
        total = convolve(
            total, x, weight, inside, picture, row, column, out, known,
            in_height, in_width, inputs, KERNEL, STRIDE, INPUTS,
        )  # fmt: skip
        total = convolve(
            total, rh, candidate_weight, inside, picture, row, column, channel, known,
            height, width, channels, HIDDEN_KERNEL, 1, INPUTS,
        )  # fmt: skip
        total = biased(total, bias, out, known)
        share = load_tile(z, pixel, inside, channel, channels).to(tl.float32)
        before = load_tile(h, pixel, inside, channel, channels).to(tl.float32)
        after = (1.0 - share) * before + share * tanh(total)
        if state_path is not None:
            carried = tl.zeros((PIXELS, CHANNELS), tl.float32)
            carried = convolve(
                carried, h, state_path, inside, picture, row, column, channel, known,
                height, width, channels, 1, 1, INPUTS,
            )  # fmt: skip
            after += SHARE * carried
    else:
        # z and the candidate: the first and the third of three gates.
        gate = tl.arange(0, 2 * CHANNELS) // CHANNELS
        of_gate = first + tl.arange(0, 2 * CHANNELS) % CHANNELS
        out = 2 * gate * channels + of_gate
        total = tl.zeros((PIXELS, 2 * CHANNELS), tl.float32)
        total = convolve(
            total, x, weight, inside, picture, row, column, out, of_gate < channels,
            in_height, in_width, inputs, KERNEL, STRIDE, INPUTS,
        )  # fmt: skip
        total = biased(total, bias, out, of_gate < channels)
        share, candidate = tl.split(tl.permute(tl.reshape(total, (PIXELS, 2, CHANNELS)), (0, 2, 1)))
        after = tl.sigmoid(share) * tanh(candidate)

    store_tile(h_out, after, pixel, inside, channel, channels)
    if y_out is not None:
        if input_path is not None:
            passed = tl.zeros((PIXELS, CHANNELS), tl.float32)
            passed = convolve(
                passed, x, input_path, inside, picture, row, column, channel, known,
                in_height, in_width, inputs, 1, STRIDE, INPUTS,
            )  # fmt: skip
            after += SHARE * passed
        store_in_space(y_out, after, inside, picture, row, column, channel, height, width, channels, FACTOR)


def launch_conv_gru_step(
    x: Tensor,
    h: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    candidate_weight: Tensor,
    paths: tuple[Tensor, Tensor] | None,
    h_out: Tensor,
    y_out: Tensor | None,
    stride: int,
    factor: int,
    share: float = 0.0,
    tiles: tuple[Tiles, Tiles] | None = None,
) -> None:
    """Write the step to h_out and y_out; arguments as in :mod:`recodec.ops.conv_gru`, sizes unchecked.

    ``paths`` are the weights (input, state) of the residual GRU, None in the plain one, ``share`` is what of
    them is added. ``tiles`` are those of the two kernels.
    """
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
    if tiles is None:
        tiles = (
            tiles_for("conv_gru_gates", sizes, x.dtype, x.device),
            tiles_for(candidate_name(paths is not None), sizes, x.dtype, x.device),
        )
    x, h, weight, hidden_weight, candidate_weight = in_nhwc(x, h, weight, hidden_weight, candidate_weight)
    shape = (sizes["pixels"], *x.shape[2:], height, width)
    constants = {
        "inputs": x.shape[1],
        "channels": channels,
        "KERNEL": weight.shape[2],
        "HIDDEN_KERNEL": hidden_weight.shape[2],
        "STRIDE": stride,
    }
    with on_device(x), outputs_in_nhwc(h_out, y_out) as outputs:
        z = rh = None
        if h is not None:
            z, rh = torch.empty_like(h), torch.empty_like(h)
            conv_gru_gates_fwd_kernel[grid_of(sizes, tiles[0])](
                x, h, weight, bias, hidden_weight, z, rh, *shape,
                **constants, **tiles[0].constants(), **tiles[0].options(),
            )  # fmt: skip
        conv_gru_candidate_fwd_kernel[grid_of(sizes, tiles[1])](
            x, h, z, rh, weight, bias, candidate_weight, *(in_nhwc(*paths) if paths else (None, None)),
            *outputs, *shape, **constants, FACTOR=factor, SHARE=share,
            **tiles[1].constants(), **tiles[1].options(),
        )  # fmt: skip


def candidate_name(residual: bool) -> str:
    """Under which name the tiles of the second kernel are."""
    return "residual_conv_gru_candidate" if residual else "conv_gru_candidate"


def compile_cases() -> Iterator[CompileCase]:
    """The kernels as the shipped model and the paper's layers need them, with and without a state."""
    for layer, (dtype, short) in product((*SHIPPED, *PAPER), TYPE_NAMES.items()):
        data = f"*{short}:16"
        constants = {
            "inputs": layer.inputs,
            "channels": layer.channels,
            "KERNEL": layer.kernel,
            "HIDDEN_KERNEL": layer.hidden_kernel,
            "STRIDE": layer.stride,
        }
        both = dict.fromkeys(("x", "weight", "bias"), data)
        both |= dict.fromkeys(("count", "in_height", "in_width", "height", "width"), "i32")
        yield CompileCase(
            f"conv_gru_gates {layer.name} {dtype}",
            conv_gru_gates_fwd_kernel,
            both | dict.fromkeys(("h", "hidden_weight", "z_out", "rh_out"), data),
            constants,
            guess("conv_gru_gates", layer.sizes(), dtype),
        )
        for residual, state in product((True, False), (True, False)):
            pointers = ["h_out", "candidate_weight"]
            pointers += ["h", "z", "rh"] if state else []
            pointers += ["input_path", "state_path"] if residual else []
            pointers += ["y_out"] if residual or layer.factor > 1 else []
            name = candidate_name(residual)
            yield CompileCase(
                f"{name} {layer.name} {dtype}{'' if state else ' zero-state'}",
                conv_gru_candidate_fwd_kernel,
                both | dict.fromkeys(pointers, data),
                {**constants, "FACTOR": layer.factor, "SHARE": 0.1},
                guess(name, layer.sizes(state=state), dtype),
            )
