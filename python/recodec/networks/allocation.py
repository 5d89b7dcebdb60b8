"""Spatially adaptive bit rates: positions that look right already get no codes.

Johnston et al. 2018, "Improved Lossy Image Compression with Priming and Spatially Adaptive Bit Rates for
Recurrent Networks", do this to the codes of a finished network. Here networks are trained with it: codes of
positions that are not sent are 0, a third symbol.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

# Of the range of pixels. Errors hide in texture, so that as much of one is needed less there; above this
# they count as they are.
_VISIBLE_DEVIATION = 0.2


def need(picture: Tensor, target: Tensor, stride: int) -> Tensor:
    """How much each position still needs: its mean absolute error, divided by how busy the target is there.

    Both pictures are (N, C, H, W) with sides that are multiples of ``stride``; returns
    (N, 1, H/stride, W/stride).
    """
    error = F.avg_pool2d((picture - target).abs().mean(1, keepdim=True), stride)
    mean = F.avg_pool2d(target, stride)
    variance = (F.avg_pool2d(target.square(), stride) - mean.square()).clamp_min(0)
    return error / (variance.mean(1, keepdim=True).sqrt() + _VISIBLE_DEVIATION)


def neediest(needs: Tensor, share: float) -> Tensor:
    """1 for the ``share`` of all values that are largest, 0 for the others; any shape in, same shape out."""
    if share >= 1:
        return needs.new_ones(needs.shape)
    return (needs > needs.quantile(1 - share)).to(needs.dtype)
