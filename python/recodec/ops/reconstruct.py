"""The decoder's last 1×1 convolution, all that makes a reconstruction of it, and the masking gain of that.

y = base + (W∗x + b + linear)·exp(log_gain)/gain, after the recurrent layers of
:meth:`recodec.networks.pixel.recurrent.Decoder.step`. The paper's last layer, to three colours and without a
nonlinearity here, needs no more of it than ``base``. Masking is :class:`recodec.networks.pixel.gains.Masking`.

Reconstruction and gain are float32 where x is float16 or bfloat16: iterations add to what is decoded, and another
decoder, in float32, does the same to its own.
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
    recompute_through,
    require,
    use_backend,
    use_kernels,
    write_results,
)
from recodec.ops.feedback import expect_terms, provisional

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
    y = reconstruction(F.conv2d(x, weight, bias), linear, log_gain, gain, base)
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
    terms = (linear, log_gain, gain, base, scale)
    with use_backend(backend):
        body = _returning if use_kernels(x) else reference
        y, *rest = body(x, weight, bias, *terms)
    return y, rest[0].detach() if rest else None


def reconstruct_(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y_out: Tensor,
    gain_out: Tensor | None = None,
    *,
    linear: Tensor | None = None,
    log_gain: Tensor | None = None,
    gain: Tensor | None = None,
    base: Tensor | None = None,
    scale: Tensor | None = None,
    backend: Backend | None = None,
) -> None:
    """:func:`reconstruct` into buffers, without gradients; those that are channels_last are not copied.

    ``gain_out`` is None if and only if ``scale`` is. ``y_out`` may be ``base`` and ``gain_out`` may be
    ``gain``: a position's values depend on no other's, so what is decoded can be updated in place.
    """
    arguments = (x, weight, bias, linear, log_gain, gain, base, scale, y_out, gain_out)
    with use_backend(backend):
        _writing(*arguments)


def _shapes(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    linear: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    scale: Tensor | None,
) -> list[list[int]]:
    """The shapes of the results, once it is sure that all arguments fit together."""
    n, inputs, height, width = x.shape
    channels = weight.shape[0]
    shape = [n, channels, height, width]
    expect("weight", weight, x, channels, inputs, 1, 1)
    expect("bias", bias, x, channels)
    expect("linear", linear, x, *shape)
    expect_terms(x, shape, log_gain, gain, base)
    expect("scale", scale, x, _WIDTH, any_type=True)
    if scale is None:
        return [shape]
    require(channels == _WIDTH, f"masking needs {_WIDTH} channels, not {channels}")
    return [shape, [n, 1, height, width]]


def _returns(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    linear: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    scale: Tensor | None,
) -> list[Tensor]:
    shapes = _shapes(x, weight, bias, linear, log_gain, gain, base, scale)
    return [allocate(x, shape, carried_type(x.dtype)) for shape in shapes]


def _return(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    linear: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    scale: Tensor | None,
) -> list[Tensor]:
    arguments = (x, weight, bias, linear, log_gain, gain, base, scale)
    results = _returns(*arguments)
    _write(*arguments, results[0], results[1] if len(results) == 2 else None)
    return results


def _write(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    linear: Tensor | None,
    log_gain: Tensor | None,
    gain: Tensor | None,
    base: Tensor | None,
    scale: Tensor | None,
    y_out: Tensor,
    gain_out: Tensor | None,
) -> None:
    shapes = _shapes(x, weight, bias, linear, log_gain, gain, base, scale)
    expect("y_out", y_out, x, *shapes[0], any_type=True)
    require((scale is None) == (gain_out is None), "scale and gain_out must both be None or neither")
    if gain_out is not None:
        expect("gain_out", gain_out, x, *shapes[1], any_type=True)
    outputs_apart([y_out, gain_out], [x, weight, bias, linear, log_gain, scale])
    outputs_apart([y_out], [gain])
    outputs_apart([gain_out], [base])
    if use_kernels(x):
        from recodec.kernels.reconstruct import launch_reconstruct

        terms = (linear, log_gain, gain, base, scale)
        launch_reconstruct(x, weight, bias, *terms, y_out, gain_out)
    else:
        results = reference(x, weight, bias, linear, log_gain, gain, base, scale)
        write_results(results, (y_out, gain_out))


_returning = torch.library.custom_op("recodec::reconstruct", _return, mutates_args=())
_returning.register_fake(_returns)
_setup, _backward = recompute_through(reference)
_returning.register_autograd(_backward, setup_context=_setup)
_writing = torch.library.custom_op("recodec::reconstruct_", _write, mutates_args=("y_out", "gain_out"))
