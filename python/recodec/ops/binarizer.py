"""The binarizer: 1×1 convolution, tanh, then one code per value.

With y = W∗x + b, codes are −1 and +1, the sign of y with 0 → +1 (for training, of tanh y + noise), or −1, 0
and +1: the sign of y where |y| exceeds the dead zone, else 0. tanh keeps the sign, so inference does without
it. The gradient goes straight through the rounding: that of tanh y, or of tanh(y/2z) with a zone z.

In float16 and bfloat16, y is taken from the sum to the codes in float32: inputs and weights are of the type,
but neither the sum nor what it is compared with is rounded to it.
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
from recodec.ops.bits import bits_reference, expect_bits

# Where the dead zone ends on the axis of the tanh whose gradient codes have.
ZONE_IN_TANH = 0.5


def signs(y: Tensor) -> Tensor:
    """Sign with 0 → +1, so that there are exactly two symbols. Any shape in, same shape out."""
    return torch.where(y < 0, -1.0, 1.0).to(y.dtype)


def ternarize(y: Tensor, zone: float | Tensor) -> Tensor:
    """Sign where |y| > ``zone``, else 0. Any shape in, same shape out."""
    return torch.sign(y) * (y.abs() > zone)


def reference(
    x: Tensor, weight: Tensor, bias: Tensor | None, zone: Tensor | None, noise: Tensor | None
) -> Tensor:
    """The definition of codes, with their gradient."""
    wide = torch.promote_types(x.dtype, torch.float32)
    features = F.conv2d(x.to(wide), weight.to(wide), None if bias is None else bias.to(wide))
    if zone is not None:
        zone = zone.to(wide)
        codes = ternarize(features, zone)
    else:
        codes = signs(features if noise is None else torch.tanh(features) + noise)
    if features.requires_grad:
        y = torch.tanh(features if zone is None else features * (ZONE_IN_TANH / zone))
        # Exactly the codes, as y − y is 0.
        codes = codes + (y - y.detach())
    return codes.to(x.dtype)


def binarize(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    zone: Tensor | None = None,
    noise: Tensor | None = None,
    backend: Backend | None = None,
) -> Tensor:
    """Codes (N, depth, H, W) in the type of ``x``, with a gradient, from (N, width, H, W) features.

    ``weight`` is (depth, width, 1, 1), ``bias`` (depth,). A ``zone``, one value above 0 without a gradient,
    makes three symbols, else there are two, before which ``noise`` (N, depth, H, W) may be added to tanh:
    uniform in [−1, 1], it makes the mean of the codes that tanh (Toderici et al. 2016, section 3.2).
    ``backend`` None is what :func:`~recodec.ops.backend.use_backend` says.
    """
    with use_backend(backend):
        body = _returning if use_kernels(x) else reference
        codes: Tensor = body(x, weight, bias, zone, noise)
        return codes


def binarize_to_bits(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    zone: Tensor | None = None,
    backend: Backend | None = None,
) -> Tensor:
    """The bits of the codes of :func:`binarize`, 1/8 byte per code, or 2/8 with a ``zone``; no gradient."""
    with use_backend(backend):
        if use_kernels(x):
            bits: Tensor = _returning_bits(x, weight, bias, zone)
            return bits
        return bits_reference(reference(x, weight, bias, zone, None), 2 if zone is None else 3)


def binarize_(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    codes_out: Tensor | None,
    bits_out: Tensor | None,
    *,
    zone: Tensor | None = None,
    noise: Tensor | None = None,
    backend: Backend | None = None,
) -> None:
    """Codes for the decoder, bits for the way to the entropy coder, or both, into buffers; without gradients.

    ``codes_out`` is in the type of ``x`` and not copied if it is channels_last, ``bits_out`` contiguous
    uint8.
    """
    with use_backend(backend):
        _writing(x, weight, bias, zone, noise, codes_out, bits_out)


def _shape(
    x: Tensor, weight: Tensor, bias: Tensor | None, zone: Tensor | None, noise: Tensor | None
) -> list[int]:
    """The shape of the codes, once it is sure that all arguments fit together."""
    n, inputs, height, width = x.shape
    depth = weight.shape[0]
    expect("weight", weight, x, depth, inputs, 1, 1)
    expect("bias", bias, x, depth)
    if zone is not None:
        require(zone.numel() == 1 and zone.device == x.device, f"the zone must be one value on {x.device}")
    require(zone is None or noise is None, "a zone leaves no place for noise; pass one of them")
    expect("noise", noise, x, n, depth, height, width)
    return [n, depth, height, width]


def _bits_shape(shape: list[int], zone: Tensor | None) -> list[int]:
    n, depth, height, width = shape
    return [n, 1 if zone is None else 2, height, width, (depth + 7) // 8]


def _returns(
    x: Tensor, weight: Tensor, bias: Tensor | None, zone: Tensor | None, noise: Tensor | None
) -> Tensor:
    return allocate(x, _shape(x, weight, bias, zone, noise))


def _return(
    x: Tensor, weight: Tensor, bias: Tensor | None, zone: Tensor | None, noise: Tensor | None
) -> Tensor:
    codes = _returns(x, weight, bias, zone, noise)
    _write(x, weight, bias, zone, noise, codes, None)
    return codes


def _returns_bits(x: Tensor, weight: Tensor, bias: Tensor | None, zone: Tensor | None) -> Tensor:
    return x.new_empty(_bits_shape(_shape(x, weight, bias, zone, None), zone), dtype=torch.uint8)


def _return_bits(x: Tensor, weight: Tensor, bias: Tensor | None, zone: Tensor | None) -> Tensor:
    bits = _returns_bits(x, weight, bias, zone)
    _write(x, weight, bias, zone, None, None, bits)
    return bits


def _write(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    zone: Tensor | None,
    noise: Tensor | None,
    codes_out: Tensor | None,
    bits_out: Tensor | None,
) -> None:
    shape = _shape(x, weight, bias, zone, noise)
    if codes_out is not None:
        expect("codes_out", codes_out, x, *shape)
    if bits_out is not None:
        expect_bits(bits_out, x.device, _bits_shape(shape, zone))
    outputs_apart([codes_out, bits_out], [x, weight, bias, zone, noise])
    if use_kernels(x):
        from recodec.kernels.binarizer import launch_binarize

        launch_binarize(x, weight, bias, zone, noise, codes_out, bits_out)
    else:
        codes = reference(x, weight, bias, zone, noise)
        bits = None if bits_out is None else bits_reference(codes, 1 + bits_out.shape[1])
        for buffer, result in ((codes_out, codes), (bits_out, bits)):
            if buffer is not None and result is not None:
                buffer.copy_(result)


_returning = torch.library.custom_op("recodec::binarize", _return, mutates_args=())
_returning.register_fake(_returns)
_setup, _backward = recompute_one(reference)
_returning.register_autograd(_backward, setup_context=_setup)
_returning_bits = torch.library.custom_op("recodec::binarize_to_bits", _return_bits, mutates_args=())
_returning_bits.register_fake(_returns_bits)
_writing = torch.library.custom_op("recodec::binarize_", _write, mutates_args=("codes_out", "bits_out"))
