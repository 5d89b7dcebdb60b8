"""One step of a convolutional LSTM: Zaremba et al. 2014 without peepholes, as in Toderici et al. 2017.

With ∗ for convolution, [f, i, o, j] = W∗x + b + U∗h, c' = σ(f)·c + σ(i)·tanh(j), h' = σ(o)·tanh(c'). W has the
stride, U works at the size of the output. The output for the next layer is h' after depth-to-space by
``factor``, or h' itself. Without a state, which is the zero state, U∗h and σ(f)·c are left out.

x, h and the weights are of one type. c is carried in float32 where that is float16 or bfloat16: it adds up
over iterations.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recodec.ops.backend import Backend, allocate, carried_type, expect, require, use_backend
from recodec.ops.convolution import same_convolution, step_shapes
from recodec.ops.rearrange import depth_to_space
from recodec.ops.registration import Operator

LSTMState = tuple[Tensor, Tensor]


def lstm_gates(gates: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
    """Gate arithmetic of the LSTM without peepholes; Zaremba et al. 2014, as in the paper.

    ``gates`` is (N, 4·width, H, W) before the nonlinearities, in the order f, i, o, j; ``c`` is
    (N, width, H, W), or None for the zero state. Returns ``(h, c)``, h in the type of ``gates`` and c at
    least in float32.
    """
    f, i, o, j = gates.to(carried_type(gates.dtype)).chunk(4, dim=1)
    update = torch.sigmoid(i) * torch.tanh(j)
    c = update if c is None else torch.sigmoid(f) * c + update
    return (torch.sigmoid(o) * torch.tanh(c)).to(gates.dtype), c


def reference(
    x: Tensor,
    h: Tensor | None,
    c: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    stride: int,
    factor: int,
) -> list[Tensor]:
    """The definition: h', c' and, if ``factor`` is above 1, the output for the next layer."""
    gates = same_convolution(x, weight, bias, stride)
    if h is not None:
        gates = gates + same_convolution(h, hidden_weight)
    h, c = lstm_gates(gates, c)
    return [h, c] if factor == 1 else [h, c, depth_to_space(h, factor)]


def conv_lstm_step(
    x: Tensor,
    state: LSTMState | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    *,
    stride: int = 1,
    factor: int = 1,
    backend: Backend | None = None,
) -> tuple[Tensor, LSTMState]:
    """One iteration: the output for the next layer and the new state ``(h, c)``.

    ``x`` is (N, width_in, H, W), the state (N, width, ⌈H/stride⌉, ⌈W/stride⌉) twice, the output
    (N, width/factor², factor·⌈H/stride⌉, factor·⌈W/stride⌉); with ``factor`` 1 it is the new h. ``weight``
    is (4·width, width_in, k, k), ``hidden_weight`` (4·width, width, k', k'), ``bias`` (4·width,), in the order
    f, i, o, j. ``backend`` None is what :func:`~recodec.ops.backend.use_backend` says.
    """
    h, c = (None, None) if state is None else state
    with use_backend(backend):
        h, c, *y = _step(x, h, c, weight, bias, hidden_weight, stride, factor)
    return (y[0] if y else h), (h, c)


def _allocate(
    x: Tensor,
    h: Tensor | None,
    c: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    stride: int,
    factor: int,
) -> list[Tensor]:
    shape, y_shape = step_shapes(x, weight.shape[0] // 4, stride, factor)
    width = shape[1]
    require((h is None) == (c is None), "one of h and c is None; both or neither must be")
    require(width % factor**2 == 0, f"width {width} is no multiple of factor {factor} squared")
    expect("weight", weight, x, 4 * width, x.shape[1], *weight.shape[2:3] * 2)
    expect("bias", bias, x, 4 * width)
    expect("hidden_weight", hidden_weight, x, 4 * width, width, *hidden_weight.shape[2:3] * 2)
    expect("h", h, x, *shape)
    expect("c", c, x, *shape, any_type=True)
    state = [allocate(x, shape), allocate(x, shape, carried_type(x.dtype))]
    return state if factor == 1 else [*state, allocate(x, y_shape)]


def _launch(*arguments: Any) -> None:
    from recodec.kernels.conv_lstm import launch_conv_lstm_step

    *inputs, stride, factor, outputs = arguments
    y = outputs[2] if factor > 1 else None
    launch_conv_lstm_step(*[*inputs, outputs[0], outputs[1], y, stride, factor])


_step = Operator("conv_lstm_step", reference, _allocate, _launch)
