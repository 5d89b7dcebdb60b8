"""Training losses on pixels in [−0.5, 0.5]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_C1, _C2 = 0.01**2, 0.03**2


def _similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term over 8×8 windows, four pixels apart."""
    moments = F.avg_pool2d(torch.cat([x, y, x * x, y * y, x * y]), kernel_size=8, stride=4)
    mean_x, mean_y, square_x, square_y, product = moments.chunk(5)
    variance = (square_x - mean_x * mean_x) + (square_y - mean_y * mean_y)
    contrast = (2 * (product - mean_x * mean_y) + _C2) / (variance + _C2)
    # Pixels are centred on zero here; the luminance term is defined on [0, 1].
    mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    return (luminance * contrast).mean(), contrast.mean()


def dissimilarity(picture: Tensor, target: Tensor, scales: int = 3) -> Tensor:
    """1 − SSIM of (N, C, H, W) pixels, averaged over ``scales`` dyadic scales.

    Wang et al. 2003 with two changes that training wants: flat windows, many times cheaper than the
    Gaussian, and an arithmetic mean over scales, because crops are too small for all five and a product
    has no useful gradient while one factor is near zero.
    """
    terms = []
    for scale in range(scales):
        ssim, contrast = _similarity(picture, target)
        terms.append(ssim if scale == scales - 1 else contrast)
        if scale < scales - 1:
            picture, target = F.avg_pool2d(picture, 2), F.avg_pool2d(target, 2)
    return 1 - torch.stack(terms).mean()


def reconstruction_losses(pictures: list[Tensor], target: Tensor, ssim_weight: float) -> Tensor:
    """Loss of each iteration: mean absolute error plus ``ssim_weight`` times the dissimilarity."""
    losses = []
    for picture in pictures:
        loss = (picture - target).abs().mean()
        if ssim_weight:
            loss = loss + ssim_weight * dissimilarity(picture, target)
        losses.append(loss)
    return torch.stack(losses)
