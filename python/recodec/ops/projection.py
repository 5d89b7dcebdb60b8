"""The 1×1 convolution between codes and features: W∗x + b, then depth-to-space by ``factor``.

It is the shortcut and the embedding of :class:`recodec.networks.pixel.recurrent.Decoder`; the caller passes the
weights of the iteration.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.ops.backend import (
    Backend,
    allocate,
    expect,
    outputs_apart,
    recompute_one,
    require,
    use_backend,
    use_kernels,
)
from recodec.ops.rearrange import depth_to_space


def reference(x: Tensor, weight: Tensor, bias: Tensor | None, factor: int) -> Tensor:
    """The definition."""
    y = F.conv2d(x, weight, bias)
    return y if factor == 1 else depth_to_space(y, factor)


def projection(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, factor: int = 1, *, backend: Backend | None = None
) -> Tensor:
    """Map (N, width_in, H, W) to (N, width_out/factor², factor·H, factor·W).

    ``weight`` is (width_out, width_in, 1, 1), ``bias`` (width_out,). The order of channels is that of
    :func:`recodec.ops.rearrange.depth_to_space`. ``backend`` None is what
    :func:`~recodec.ops.backend.use_backend` says.
    """
    with use_backend(backend):
        body = _returning if use_kernels(x) else reference
        y: Tensor = body(x, weight, bias, factor)
        return y


def projection_(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y_out: Tensor,
    factor: int = 1,
    *,
    backend: Backend | None = None,
) -> None:
    """:func:`projection` into a buffer, without gradients; one that is channels_last is not copied."""
    with use_backend(backend):
        _writing(x, weight, bias, y_out, factor)


def _shape(x: Tensor, weight: Tensor, bias: Tensor | None, factor: int) -> list[int]:
    """The shape of the result, once it is sure that all arguments fit together."""
    n, inputs, height, width = x.shape
    channels = weight.shape[0]
    expect("weight", weight, x, channels, inputs, 1, 1)
    expect("bias", bias, x, channels)
    require(channels % factor**2 == 0, f"{channels} channels are no multiple of factor {factor} squared")
    return [n, channels // factor**2, factor * height, factor * width]


def _returns(x: Tensor, weight: Tensor, bias: Tensor | None, factor: int) -> Tensor:
    return allocate(x, _shape(x, weight, bias, factor))


def _return(x: Tensor, weight: Tensor, bias: Tensor | None, factor: int) -> Tensor:
    y = _returns(x, weight, bias, factor)
    _write(x, weight, bias, y, factor)
    return y


def _write(x: Tensor, weight: Tensor, bias: Tensor | None, y_out: Tensor, factor: int) -> None:
    expect("y_out", y_out, x, *_shape(x, weight, bias, factor))
    outputs_apart([y_out], [x, weight, bias])
    if use_kernels(x):
        from recodec.kernels.projection import launch_projection

        launch_projection(x, weight, bias, y_out, factor)
    else:
        y_out.copy_(reference(x, weight, bias, factor))


_returning = torch.library.custom_op("recodec::projection", _return, mutates_args=())
_returning.register_fake(_returns)
_setup, _backward = recompute_one(reference)
_returning.register_autograd(_backward, setup_context=_setup)
_writing = torch.library.custom_op("recodec::projection_", _write, mutates_args=("y_out",))
