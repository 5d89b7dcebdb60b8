"""One step of a convolutional GRU: Cho et al. 2014, as in Toderici et al. 2017.

With ∗ for convolution, [a, b, d] = W∗x + bias + [U∗h, 0], z = σ(a), r = σ(b) and
h' = (1 − z)·h + z·tanh(d + V∗(r·h)). W has the stride, U and V work at the size of the output. The output for
the next layer is h' after depth-to-space by ``factor``, or h' itself. Without a state, which is the zero
state, all that has h in it is left out. All tensors are of one type.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from recodec.ops.backend import Backend, allocate, expect, require, use_backend
from recodec.ops.convolution import same_convolution, step_shapes
from recodec.ops.rearrange import depth_to_space
from recodec.ops.registration import Operator

Convolution = Callable[[Tensor], Tensor]
GRUState = tuple[Tensor]


def gru_update(
    x: Tensor, h: Tensor | None, input: Convolution, hidden: Convolution, candidate: Convolution
) -> Tensor:
    """The new state; ``h`` None is the zero state. The reset gate multiplies h before the convolution."""
    z, r, j = input(x).chunk(3, dim=1)
    if h is None:
        return torch.sigmoid(z) * torch.tanh(j)
    z_hidden, r_hidden = hidden(h).chunk(2, dim=1)
    z, r = torch.sigmoid(z + z_hidden), torch.sigmoid(r + r_hidden)
    return (1 - z) * h + z * torch.tanh(j + candidate(r * h))


def reference(
    x: Tensor,
    h: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    candidate_weight: Tensor,
    stride: int,
    factor: int,
) -> list[Tensor]:
    """The definition: the new state and, if ``factor`` is above 1, the output for the next layer."""
    h = gru_update(
        x,
        h,
        partial(same_convolution, weight=weight, bias=bias, stride=stride),
        partial(same_convolution, weight=hidden_weight),
        partial(same_convolution, weight=candidate_weight),
    )
    return [h] if factor == 1 else [h, depth_to_space(h, factor)]


def conv_gru_step(
    x: Tensor,
    state: GRUState | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    candidate_weight: Tensor,
    *,
    stride: int = 1,
    factor: int = 1,
    backend: Backend | None = None,
) -> tuple[Tensor, GRUState]:
    """One iteration: the output for the next layer and the new state ``(h,)``.

    ``x`` is (N, width_in, H, W), the state (N, width, ⌈H/stride⌉, ⌈W/stride⌉), the output
    (N, width/factor², factor·⌈H/stride⌉, factor·⌈W/stride⌉); with ``factor`` 1 it is the new h. ``weight``
    is (3·width, width_in, k, k) in the order z, r, candidate, ``bias`` (3·width,), ``hidden_weight``
    (2·width, width, k', k'), ``candidate_weight`` (width, width, k', k'). ``backend`` None is what
    :func:`~recodec.ops.backend.use_backend` says.
    """
    h = None if state is None else state[0]
    with use_backend(backend):
        h, *y = _step(x, h, weight, bias, hidden_weight, candidate_weight, stride, factor)
    return (y[0] if y else h), (h,)


def expect_fit(
    x: Tensor,
    h: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    candidate_weight: Tensor,
    stride: int,
    factor: int,
) -> tuple[list[int], list[int]]:
    """Refuse tensors that do not fit together; returns the shapes of the state and of the output."""
    shape, y_shape = step_shapes(x, weight.shape[0] // 3, stride, factor)
    width = shape[1]
    require(width % factor**2 == 0, f"width {width} is no multiple of factor {factor} squared")
    expect("weight", weight, x, 3 * width, x.shape[1], *weight.shape[2:3] * 2)
    expect("bias", bias, x, 3 * width)
    expect("hidden_weight", hidden_weight, x, 2 * width, width, *hidden_weight.shape[2:3] * 2)
    expect("candidate_weight", candidate_weight, x, width, *hidden_weight.shape[1:])
    expect("h", h, x, *shape)
    return shape, y_shape


def _allocate(x: Tensor, *others: Any) -> list[Tensor]:
    shape, y_shape = expect_fit(x, *others)
    return [allocate(x, shape)] if others[-1] == 1 else [allocate(x, shape), allocate(x, y_shape)]


def _launch(*arguments: Any) -> None:
    from recodec.kernels.conv_gru import launch_conv_gru_step

    *inputs, stride, factor, outputs = arguments
    y = outputs[1] if factor > 1 else None
    launch_conv_gru_step(*[*inputs, None, outputs[0], y, stride, factor])


_step = Operator("conv_gru_step", reference, _allocate, _launch)
