"""One step of the paper's residual GRU: a convolutional GRU with linear paths around it; Toderici et al. 2017.

With h' of :mod:`recodec.ops.conv_gru` the new state is h° = h' + 0.1·P∗h and what is shown is h° + 0.1·Q∗x; P and
Q are 1×1, Q has the stride of W. The output for the next layer is what is shown, after depth-to-space by
``factor``. Without a state, which is the zero state, all that has h in it is left out. All tensors are of one type.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from recodec.ops.backend import Backend, allocate, expect, use_backend
from recodec.ops.conv_gru import Convolution, GRUState, expect_fit, gru_update
from recodec.ops.convolution import same_convolution
from recodec.ops.rearrange import depth_to_space
from recodec.ops.registration import Operator

# How much of the linear paths is added (the paper's alpha_h and alpha_x).
RESIDUAL_SHARE = 0.1


def residual_gru_update(
    x: Tensor,
    h: Tensor | None,
    input: Convolution,
    hidden: Convolution,
    candidate: Convolution,
    input_path: Convolution,
    state_path: Convolution,
) -> tuple[Tensor, Tensor]:
    """What is shown, and the new state."""
    after = gru_update(x, h, input, hidden, candidate)
    if h is not None:
        after = after + RESIDUAL_SHARE * state_path(h)
    return after + RESIDUAL_SHARE * input_path(x), after


def reference(
    x: Tensor,
    h: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    candidate_weight: Tensor,
    input_path: Tensor,
    state_path: Tensor,
    stride: int,
    factor: int,
) -> list[Tensor]:
    """The definition: the new state and the output for the next layer."""
    y, h = residual_gru_update(
        x,
        h,
        partial(same_convolution, weight=weight, bias=bias, stride=stride),
        partial(same_convolution, weight=hidden_weight),
        partial(same_convolution, weight=candidate_weight),
        partial(same_convolution, weight=input_path, stride=stride),
        partial(same_convolution, weight=state_path),
    )
    return [h, y if factor == 1 else depth_to_space(y, factor)]


def residual_conv_gru_step(
    x: Tensor,
    state: GRUState | None,
    weight: Tensor,
    bias: Tensor,
    hidden_weight: Tensor,
    candidate_weight: Tensor,
    input_path: Tensor,
    state_path: Tensor,
    *,
    stride: int = 1,
    factor: int = 1,
    backend: Backend | None = None,
) -> tuple[Tensor, GRUState]:
    """One iteration: the output for the next layer and the new state ``(h,)``.

    ``x`` is (N, width_in, H, W), the state (N, width, ⌈H/stride⌉, ⌈W/stride⌉), the output
    (N, width/factor², factor·⌈H/stride⌉, factor·⌈W/stride⌉). ``weight`` is (3·width, width_in, k, k) in the order
    z, r, candidate, ``bias`` (3·width,), ``hidden_weight`` (2·width, width, k', k'), ``candidate_weight``
    (width, width, k', k'), ``input_path`` (width, width_in, 1, 1), ``state_path`` (width, width, 1, 1).
    ``backend`` None is what :func:`~recodec.ops.backend.use_backend` says.
    """
    h = None if state is None else state[0]
    weights = (weight, bias, hidden_weight, candidate_weight, input_path, state_path)
    with use_backend(backend):
        h, y = _step(x, h, *weights, stride, factor)
    return y, (h,)


def _allocate(x: Tensor, h: Tensor | None, *others: Any) -> list[Tensor]:
    weight, bias, hidden, candidate, input_path, state_path, stride, factor = others
    shape, y_shape = expect_fit(x, h, weight, bias, hidden, candidate, stride, factor)
    expect("input_path", input_path, x, shape[1], x.shape[1], 1, 1)
    expect("state_path", state_path, x, shape[1], shape[1], 1, 1)
    return [allocate(x, shape), allocate(x, y_shape)]


def _launch(*arguments: Any) -> None:
    from recodec.kernels.conv_gru import launch_conv_gru_step

    *inputs, input_path, state_path, stride, factor, outputs = arguments
    launch_conv_gru_step(*[*inputs, (input_path, state_path), *outputs, stride, factor, RESIDUAL_SHARE])


_step = Operator("residual_conv_gru_step", reference, _allocate, _launch)
