"""The decoder's view of the provisional reconstruction, a 1×1 convolution before its layers run.

With p = base + linear·exp(log_gain)/gain, the reconstruction so far plus what the shortcut alone adds to it,
it is W∗[p, linear] + b. Neither p nor the two maps side by side need memory of their own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recodec.ops.backend import Backend, allocate, carried_type, expect, use_backend
from recodec.ops.convolution import same_convolution
from recodec.ops.registration import Operator


def provisional(y: Tensor, log_gain: Tensor | None, gain: Tensor | None, base: Tensor | None) -> Tensor:
    """``base`` + ``y``·exp(``log_gain``)/``gain``, without what is None."""
    if log_gain is not None:
        y = y * log_gain.exp()[:, None, None]
    if gain is not None:
        y = y / gain
    return y if base is None else base + y


def feedback_input(
    linear: Tensor, log_gain: Tensor | None, gain: Tensor | None, base: Tensor | None
) -> Tensor:
    """What the convolution sees."""
    shown = provisional(linear.to(carried_type(linear.dtype)), log_gain, gain, base)
    return torch.cat([shown.to(linear.dtype), linear], dim=1)


def reference(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
) -> list[Tensor]:
    """The definition."""
    return [same_convolution(feedback_input(linear, log_gain, gain, base), weight, bias)]


def feedback(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    log_gain: Tensor | None = None,
    gain: Tensor | None = None,
    base: Tensor | None = None,
    backend: Backend | None = None,
) -> Tensor:
    """Map ``linear`` and ``base``, both (N, width, H, W), to (N, width_out, H, W).

    ``weight`` is (width_out, 2·width, 1, 1), ``bias`` (width_out,), ``log_gain`` (width,) and ``gain``
    (N, 1, H, W). What is None is left out of the equation; these last three may be of a wider type than
    the others. ``backend`` None is what :func:`~recodec.ops.backend.use_backend` says.
    """
    with use_backend(backend):
        (y,) = _feedback(linear, weight, bias, log_gain, gain, base)
    return y


def expect_terms(
    like: Tensor, shape: list[int], log_gain: Tensor | None, gain: Tensor | None, base: Tensor | None
) -> None:
    """Refuse what cannot be part of a provisional reconstruction of a shape."""
    n, channels, height, width = shape
    expect("log_gain", log_gain, like, channels, any_type=True)
    expect("gain", gain, like, n, 1, height, width, any_type=True)
    expect("base", base, like, n, channels, height, width, any_type=True)


def _allocate(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
) -> list[Tensor]:
    n, inputs, height, width = linear.shape
    channels = weight.shape[0]
    expect("weight", weight, linear, channels, 2 * inputs, 1, 1)
    expect("bias", bias, linear, channels)
    expect_terms(linear, [n, inputs, height, width], log_gain, gain, base)
    return [allocate(linear, (n, channels, height, width))]


def _launch(*arguments: Any) -> None:
    from recodec.kernels.feedback import launch_feedback

    *inputs, outputs = arguments
    launch_feedback(*[*inputs, outputs[0]])


_feedback = Operator("feedback", reference, _allocate, _launch)
