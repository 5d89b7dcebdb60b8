"""The decoder's last 1×1 convolution, all that makes a reconstruction of it, and the masking gain of that.

y = base + (W∗x + b + linear)·exp(log_gain)/gain, after the recurrent layers of
:meth:`recodec.networks.pixel.recurrent.Decoder.step`. The paper's last layer, to three colours and without a
nonlinearity here, needs no more of it than ``base``. Masking is :class:`recodec.networks.pixel.gains.Masking`.

Reconstruction and gain are float32 where x is float16 or bfloat16: iterations add to what is decoded, and another
decoder, in float32, does the same to its own.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from recodec.ops.backend import Backend, allocate, carried_type, expect, require, use_backend
from recodec.ops.convolution import same_convolution
from recodec.ops.feedback import expect_terms, provisional
from recodec.ops.registration import Operator

# 64 coefficients of each of three colours.
_WIDTH = 192

# Of masking: how much contrast hides, and how little of it counts as none.
EXPONENT, FLOOR = 0.6, 0.05


def masking_gain(features: Tensor, scale: Tensor) -> Tensor:
    """(N, 192, H, W) DCT features, in units of ``scale``, to (N, 1, H, W) gains; no gradient goes through."""
    squares = (features.detach() * scale[:, None, None]).square()
    count, _, height, width = squares.shape
    energy = squares.view(count, 3, 64, height, width)[:, :, 1:].sum((1, 2))
    deviation = (energy / _WIDTH).sqrt()[:, None]
    gains: Tensor = ((0.1 + FLOOR) / (deviation + FLOOR)) ** EXPONENT
    return gains.to(features.dtype)


def reconstruction(
    y: Tensor, linear: Tensor | None, log_gain: Tensor | None, gain: Tensor | None, base: Tensor | None
) -> Tensor:
    """What the last convolution's output becomes part of."""
    y = y.to(carried_type(y.dtype))
    return provisional(y if linear is None else y + linear, log_gain, gain, base)


def reference(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    linear: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    scale: Tensor | None,
) -> list[Tensor]:
    """The definition: the reconstruction and, with a ``scale``, its masking gain."""
    y = reconstruction(same_convolution(x, weight, bias), linear, log_gain, gain, base)
    return [y] if scale is None else [y, masking_gain(y, scale)]


def reconstruct(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    linear: Tensor | None = None,
    log_gain: Tensor | None = None,
    gain: Tensor | None = None,
    base: Tensor | None = None,
    scale: Tensor | None = None,
    backend: Backend | None = None,
) -> tuple[Tensor, Tensor | None]:
    """The (N, width, H, W) reconstruction, and its (N, 1, H, W) masking gain if there is a ``scale``.

    ``x`` is (N, width_in, H, W), ``weight`` (width, width_in, 1, 1), ``bias`` (width,), ``linear`` and
    ``base`` (N, width, H, W), ``log_gain`` (width,) and ``gain`` (N, 1, H, W). What is None is left out.
    ``scale`` (192,) is that of :class:`recodec.networks.pixel.transforms.BlockDCT`; masking gains have no gradient.
    ``log_gain``, ``gain``, ``base`` and ``scale`` may be of a wider type than the others.
    ``backend`` None is what :func:`~recodec.ops.backend.use_backend` says.
    """
    with use_backend(backend):
        y, *rest = _reconstruct(x, weight, bias, linear, log_gain, gain, base, scale)
    return y, rest[0].detach() if rest else None


def _allocate(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    linear: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    scale: Tensor | None,
) -> list[Tensor]:
    n, inputs, height, width = x.shape
    channels = weight.shape[0]
    shape = [n, channels, height, width]
    expect("weight", weight, x, channels, inputs, 1, 1)
    expect("bias", bias, x, channels)
    expect("linear", linear, x, *shape)
    expect_terms(x, shape, log_gain, gain, base)
    expect("scale", scale, x, _WIDTH, any_type=True)
    require(scale is None or channels == _WIDTH, f"masking needs {_WIDTH} channels, not {channels}")
    shapes = [shape] if scale is None else [shape, [n, 1, height, width]]
    return [allocate(x, each, carried_type(x.dtype)) for each in shapes]


def _launch(*arguments: Any) -> None:
    from recodec.kernels.reconstruct import launch_reconstruct

    *inputs, outputs = arguments
    launch_reconstruct(*[*inputs, outputs[0], outputs[1] if len(outputs) == 2 else None])


_reconstruct = Operator("reconstruct", reference, _allocate, _launch)
