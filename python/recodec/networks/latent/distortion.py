"""What the latent codec minimises beside the rate, in training and in the search for one picture's latents."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from recodec.ssim import fitting_scales, ms_ssim

# 1 − MS-SSIM of photographs is about so many times their squared error on pixels in [0, 1].
_MS_SSIM_PER_MSE = 48.8
# What a crop of 128 has room for.
_SCALES = 4
# Along a side, of areas whose mean colour is looked at.
_AREA = 16


class Measured(NamedTuple):
    """Squared error, MS-SSIM and the weighted distortion of each picture (N,)."""

    error: Tensor
    similarity: Tensor
    distortion: Tensor


def measure(shown: Tensor, pixels: Tensor, shares: tuple[float, float], colour: float = 0.0) -> Measured:
    """Of pictures (N, 3, H, W) in [−0.5, 0.5], with the shares of squared error and of 1 − MS-SSIM.

    ``colour`` is the share of the squared error of means over 16×16 pixels: a faint wrong colour of a large area is
    plain to see, and next to nothing by the other two.
    """
    error = (shown - pixels).square().mean((1, 2, 3))
    similarity = ms_ssim(pixels + 0.5, shown + 0.5, scales=min(_SCALES, fitting_scales(pixels)))
    distortion = shares[0] * error + shares[1] * (1 - similarity) / _MS_SSIM_PER_MSE
    if colour:
        means = F.avg_pool2d(shown - pixels, _AREA, ceil_mode=True)
        distortion = distortion + colour * means.square().mean((1, 2, 3))
    return Measured(error, similarity, distortion)
