"""The binarizer: 1×1 convolution, tanh, then one code per value.

With y = W∗x + b, codes are −1 and +1, the sign of y with 0 → +1 (for training, of tanh y + noise), or −1, 0
and +1: the sign of y where |y| exceeds the dead zone, else 0. tanh keeps the sign, so inference does without
it. The gradient goes straight through the rounding: that of tanh y, or of tanh(y/2z) with a zone z.

In float16 and bfloat16, y is taken from the sum to the codes in float32: inputs and weights are of the type,
but neither the sum nor what it is compared with is rounded to it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.ops.backend import Backend, allocate, expect, require, use_backend
from recodec.ops.registration import Operator

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
) -> list[Tensor]:
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
    return [codes.to(x.dtype)]


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
        (codes,) = _binarize(x, weight, bias, zone, noise)
    return codes


def _allocate(
    x: Tensor, weight: Tensor, bias: Tensor | None, zone: Tensor | None, noise: Tensor | None
) -> list[Tensor]:
    n, inputs, height, width = x.shape
    depth = weight.shape[0]
    expect("weight", weight, x, depth, inputs, 1, 1)
    expect("bias", bias, x, depth)
    if zone is not None:
        require(zone.numel() == 1 and zone.device == x.device, f"the zone must be one value on {x.device}")
    require(zone is None or noise is None, "a zone leaves no place for noise; pass one of them")
    expect("noise", noise, x, n, depth, height, width)
    return [allocate(x, (n, depth, height, width))]


def _launch(*arguments: Any) -> None:
    from recodec.kernels.binarizer import launch_binarize

    *inputs, outputs = arguments
    launch_binarize(*[*inputs, outputs[0]])


_binarize = Operator("binarize", reference, _allocate, _launch)
