"""The decoder's view of the provisional reconstruction, a 1×1 convolution before its layers run.

With p = base + linear·exp(log_gain)/gain, the reconstruction so far plus what the shortcut alone adds to it,
it is W∗[p, linear] + b. Neither p nor the two maps side by side need memory of their own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.ops.backend import (
    Backend,
    allocate,
    carried_type,
    expect,
    outputs_apart,
    recompute_one,
    use_backend,
    use_kernels,
)


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
) -> Tensor:
    """The definition."""
    return F.conv2d(feedback_input(linear, log_gain, gain, base), weight, bias)


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
        body = _returning if use_kernels(linear) else reference
        y: Tensor = body(linear, weight, bias, log_gain, gain, base)
        return y


def feedback_(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y_out: Tensor,
    *,
    log_gain: Tensor | None = None,
    gain: Tensor | None = None,
    base: Tensor | None = None,
    backend: Backend | None = None,
) -> None:
    """:func:`feedback` into a buffer, without gradients; one that is channels_last is not copied."""
    with use_backend(backend):
        _writing(linear, weight, bias, log_gain, gain, base, y_out)


def expect_terms(
    like: Tensor, shape: list[int], log_gain: Tensor | None, gain: Tensor | None, base: Tensor | None
) -> None:
    """Refuse what cannot be part of a provisional reconstruction of a shape."""
    n, channels, height, width = shape
    expect("log_gain", log_gain, like, channels, any_type=True)
    expect("gain", gain, like, n, 1, height, width, any_type=True)
    expect("base", base, like, n, channels, height, width, any_type=True)


def _shape(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
) -> list[int]:
    """The shape of the result, once it is sure that all arguments fit together."""
    n, inputs, height, width = linear.shape
    channels = weight.shape[0]
    expect("weight", weight, linear, channels, 2 * inputs, 1, 1)
    expect("bias", bias, linear, channels)
    expect_terms(linear, [n, inputs, height, width], log_gain, gain, base)
    return [n, channels, height, width]


def _returns(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
) -> Tensor:
    return allocate(linear, _shape(linear, weight, bias, log_gain, gain, base))


def _return(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
) -> Tensor:
    y = _returns(linear, weight, bias, log_gain, gain, base)
    _write(linear, weight, bias, log_gain, gain, base, y)
    return y


def _write(
    linear: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    y_out: Tensor,
) -> None:
    expect("y_out", y_out, linear, *_shape(linear, weight, bias, log_gain, gain, base))
    outputs_apart([y_out], [linear, weight, bias, log_gain, gain, base])
    if use_kernels(linear):
        from recodec.kernels.feedback import launch_feedback

        launch_feedback(linear, weight, bias, log_gain, gain, base, y_out)
    else:
        y_out.copy_(reference(linear, weight, bias, log_gain, gain, base))


_returning = torch.library.custom_op("recodec::feedback", _return, mutates_args=())
_returning.register_fake(_returns)
_setup, _backward = recompute_one(reference)
_returning.register_autograd(_backward, setup_context=_setup)
_writing = torch.library.custom_op("recodec::feedback_", _write, mutates_args=("y_out",))
