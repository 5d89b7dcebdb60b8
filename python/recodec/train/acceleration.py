"""Faster ways to compute the same training step."""

from __future__ import annotations

import torch
from torch import Tensor

from recodec.networks.convolution import lay_weights_in_nhwc
from recodec.networks.recurrent import RecurrentCodec
from recodec.networks.stack import Stack, StackState
from recodec.train.gemm_convolution import use_gemm_convolutions
from recodec.train.recipe import Compute

# Encoder and decoder, first and later iterations, with and without gradients, for a few crop sizes.
_GRAPHS = 64


def accelerate(network: RecurrentCodec, compute: Compute, device: torch.device) -> None:
    """Put ``network`` on ``device`` and make its steps as fast as ``compute`` allows."""
    network.to(device)
    lay_weights_in_nhwc(network)
    cuda = device.type == "cuda"
    bfloat16 = compute.precision == "bfloat16" or (compute.precision == "auto" and cuda)
    compiled = compute.compile == "on" or (compute.compile == "auto" and cuda)
    if cuda:
        torch.set_float32_matmul_precision("high")
    elif not (bfloat16 or compiled):
        use_gemm_convolutions(network)
    for stack in (network.encoder.layers, network.decoder.layers):
        if bfloat16:
            _work_in_bfloat16(stack)
        if compiled:
            _compile(stack)


def _work_in_bfloat16(stack: Stack) -> None:
    """Compute the recurrent layers in bfloat16; what is carried and what is added up stays in float32."""
    step = stack.step

    def rounded_step(x: Tensor, states: StackState, side: Tensor | None = None) -> tuple[Tensor, StackState]:
        with torch.autocast(x.device.type, torch.bfloat16):
            y, states = step(x, states, side)
        return y.float(), tuple(state and tuple(part.float() for part in state) for state in states or ())

    stack.step = rounded_step  # type: ignore[method-assign]


def _compile(stack: Stack) -> None:
    """Compile one iteration, never the unrolled loop, whose graph would be as long as all of them."""
    # Gradients of several processes are exchanged between compiled steps, never within one.
    torch._dynamo.config.optimize_ddp = False
    torch._dynamo.config.recompile_limit = max(_GRAPHS, torch._dynamo.config.recompile_limit)
    stack.step = torch.compile(stack.step, dynamic=False)  # type: ignore[method-assign]
