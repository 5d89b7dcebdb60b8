"""The 1×1 convolution between codes and features: W∗x + b, then depth-to-space by ``factor``.

It is the shortcut and the embedding of :class:`recodec.networks.pixel.recurrent.Decoder`; the caller passes the
weights of the iteration.
"""

from __future__ import annotations

from torch import Tensor

from recodec.ops.backend import Backend, allocate, expect, require, use_backend
from recodec.ops.convolution import same_convolution
from recodec.ops.rearrange import depth_to_space
from recodec.ops.registration import Operator


def reference(x: Tensor, weight: Tensor, bias: Tensor | None, factor: int) -> list[Tensor]:
    """The definition."""
    y = same_convolution(x, weight, bias)
    return [y if factor == 1 else depth_to_space(y, factor)]


def projection(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, factor: int = 1, *, backend: Backend | None = None
) -> Tensor:
    """Map (N, width_in, H, W) to (N, width_out/factor², factor·H, factor·W).

    ``weight`` is (width_out, width_in, 1, 1), ``bias`` (width_out,). The order of channels is that of
    :func:`recodec.ops.rearrange.depth_to_space`. ``backend`` None is what
    :func:`~recodec.ops.backend.use_backend` says.
    """
    with use_backend(backend):
        (y,) = _project(x, weight, bias, factor)
    return y


def _allocate(x: Tensor, weight: Tensor, bias: Tensor | None, factor: int) -> list[Tensor]:
    n, inputs, height, width = x.shape
    channels = weight.shape[0]
    expect("weight", weight, x, channels, inputs, 1, 1)
    expect("bias", bias, x, channels)
    require(channels % factor**2 == 0, f"{channels} channels are no multiple of factor {factor} squared")
    return [allocate(x, (n, channels // factor**2, factor * height, factor * width))]


def _launch(x: Tensor, weight: Tensor, bias: Tensor | None, factor: int, outputs: list[Tensor]) -> None:
    from recodec.kernels.projection import launch_projection

    launch_projection(x, weight, bias, outputs[0], factor)


_project = Operator("projection", reference, _allocate, _launch)
