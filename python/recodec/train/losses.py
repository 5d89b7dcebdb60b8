"""Training losses on pixels in [−0.5, 0.5]."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from recodec.errors import ImageError
from recodec.ssim import ms_ssim, ssim_terms

_PATCH = 8


@dataclass(frozen=True, slots=True)
class LossWeights:
    """What each term of :class:`ReconstructionLoss` counts; a term of weight 0 costs nothing.

    Raises ``ValueError`` if a weight is negative or not finite, or if all are 0.
    """

    l1: float = 1.0
    mse: float = 0.0
    log_mse: float = 0.0
    ssim: float = 0.0
    ms_ssim: float = 0.0
    ssim_weighted_l1: float = 0.0

    def __post_init__(self) -> None:
        weights = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, weight in weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"the loss weight {name} is {weight}; it must be finite and at least 0")
        if not any(weights.values()):
            raise ValueError(f"the loss weights {', '.join(weights)} are all 0; one must be above 0")


class ReconstructionLoss(nn.Module):
    """Weighted sum of distortion terms, one value per iteration.

    The SSIM-weighted L1 of Johnston et al. 2018 (arXiv 1703.10114) remembers the moving average S̄ of the
    patches' dissimilarity; that is its only state, and part of ``state_dict()``.
    """

    average_dissimilarity: Tensor

    def __init__(self, weights: LossWeights, decay: float = 0.99):
        super().__init__()
        self.weights, self.decay = weights, decay
        # Zero is also "none yet": were S̄ truly 0, every picture so far would have been perfect.
        self.register_buffer("average_dissimilarity", torch.zeros(()))

    def forward(self, pictures: list[Tensor], target: Tensor) -> Tensor:
        """Losses (T,) of T pictures (N, C, H, W) in about [−0.5, 0.5] against one target, at least float32.

        Raises :class:`ImageError` if the crop is too small for a term, or not made of whole 8×8 patches.
        """
        with torch.autocast(target.device.type, enabled=False):
            y = target.to(torch.promote_types(target.dtype, torch.float32))
            x = torch.stack(pictures).to(y.dtype)
            iterations = len(x)
            y = y.expand_as(x).flatten(0, 1)
            x = x.flatten(0, 1)
            terms = {
                "l1": absolute_error,
                "mse": squared_error,
                "log_mse": log_squared_error,
                "ssim": dissimilarity,
                "ms_ssim": ms_dissimilarity,
                "ssim_weighted_l1": self._ssim_weighted_l1,
            }
            weighted = [
                weight * term(x, y) for name, term in terms.items() if (weight := getattr(self.weights, name))
            ]
            return torch.stack(weighted).sum(0).view(iterations, -1).mean(1)

    def _ssim_weighted_l1(self, picture: Tensor, target: Tensor) -> Tensor:
        s = patch_dissimilarity(picture.detach(), target.detach())
        self._remember(s.mean())
        average = self.average_dissimilarity.to(s.dtype).clamp_min(torch.finfo(s.dtype).tiny)
        error = F.avg_pool2d((picture - target).abs(), _PATCH)
        return (s / average * error).mean((1, 2, 3))

    def _remember(self, dissimilarity: Tensor) -> None:
        average = self.average_dissimilarity
        dissimilarity = dissimilarity.to(average.dtype)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(dissimilarity)
            dissimilarity /= distributed.get_world_size()
        average.copy_(torch.where(average == 0, dissimilarity, average.lerp(dissimilarity, 1 - self.decay)))


def absolute_error(picture: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of (N, C, H, W) pixels: (N,)."""
    return (picture - target).abs().mean((1, 2, 3))


def squared_error(picture: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of (N, C, H, W) pixels: (N,)."""
    return (picture - target).square().mean((1, 2, 3))


def log_squared_error(picture: Tensor, target: Tensor) -> Tensor:
    """log(1 + MSE in squared levels of 255) of (N, C, H, W) pixels, (N,): what a mean of pictures' PSNR asks for."""
    return torch.log1p(255**2 * squared_error(picture, target))


def dissimilarity(picture: Tensor, target: Tensor, scales: int = 3) -> Tensor:
    """1 − SSIM of (N, C, H, W) pixels, averaged over ``scales`` dyadic scales, fewer if they do not fit: (N,).

    Wang et al. 2003 with two changes that training wants: flat 8×8 windows four pixels apart, many times
    cheaper than the Gaussian, and an arithmetic mean over scales, because crops are too small for all five
    and a product has no useful gradient while one factor is near zero. Raises :class:`ImageError` if no
    window fits.
    """
    height, width = target.shape[-2:]
    if min(height, width) < _PATCH:
        raise ImageError(f"the crop is {height} x {width}; SSIM needs sides of at least {_PATCH} pixels")
    scales = min(scales, (min(height, width) // _PATCH).bit_length())
    picture, target = picture + 0.5, target + 0.5
    terms = []
    for scale in range(scales):
        luminance, contrast = ssim_terms(picture, target, lambda maps: F.avg_pool2d(maps, _PATCH, stride=4))
        last = scale == scales - 1
        terms.append((luminance * contrast if last else contrast).mean((1, 2, 3)))
        if not last:
            picture, target = F.avg_pool2d(picture, 2), F.avg_pool2d(target, 2)
    return 1 - torch.stack(terms).mean(0)


def ms_dissimilarity(picture: Tensor, target: Tensor) -> Tensor:
    """1 − MS-SSIM of (N, C, H, W) pixels, with as many of the five scales as the crop has room for: (N,)."""
    return 1 - ms_ssim(picture + 0.5, target + 0.5)


def patch_dissimilarity(picture: Tensor, target: Tensor) -> Tensor:
    """S = (1 − SSIM)/2 of each 8×8 patch and channel: (N, C, H, W) to (N, C, H/8, W/8) in [0, 1].

    Johnston et al. 2018, with patches side by side and all their pixels counting alike. Raises
    :class:`ImageError` if a side is no multiple of 8.
    """
    height, width = target.shape[-2:]
    if height % _PATCH or width % _PATCH:
        raise ImageError(f"the crop is {height} x {width}; its patches need multiples of {_PATCH} pixels")
    luminance, contrast = ssim_terms(picture + 0.5, target + 0.5, lambda maps: F.avg_pool2d(maps, _PATCH))
    # Rounding may put equal patches a little below 0.
    return ((1 - luminance * contrast) / 2).clamp_min(0)
