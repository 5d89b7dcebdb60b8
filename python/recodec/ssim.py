"""Structural similarity, differentiable, on pixels in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from recodec.errors import ImageError

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_C1, _C2 = 0.01**2, 0.03**2
_WINDOW, _SIGMA = 11, 1.5
# In pixels; a band matrix costs as much as its zeros.
_LARGEST_BAND = 160
# Of windows that are looked at together in whole pictures.
_STRIP_ROWS = 128


def ssim_terms(x: Tensor, y: Tensor, window_mean: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure maps; Wang et al. 2004, whose SSIM (equation 13) is their product.

    ``x`` and ``y`` are (N, C, H, W) in [0, 1]; ``window_mean`` turns (N, 4·C, H, W) into means under the
    windows, whose height and width are those of both results.
    """
    # Float32 loses less in the differences of squares when pixels are centred on zero.
    x, y = x - 0.5, y - 0.5
    moments = window_mean(torch.cat([x, y, x * x + y * y, x * y], dim=1))
    mean_x, mean_y, squares, product = moments.chunk(4, dim=1)
    variances = squares - mean_x * mean_x - mean_y * mean_y
    contrast = (2 * (product - mean_x * mean_y) + _C2) / (variances + _C2)
    mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    return luminance, contrast


def fitting_scales(pixels: Tensor) -> int:
    """How many of the five scales the shorter side of (..., H, W) has room for; 0 if less than a window."""
    shorter_side = min(pixels.shape[-2:])
    return min(len(SCALE_WEIGHTS), ((shorter_side - 1) // (_WINDOW - 1)).bit_length())


def mean_ssim(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of (N, C, H, W) pixels in [0, 1], the mean over windows inside the picture and channels: (N,).

    Wang et al. 2004 with their Gaussian window of 11×11. Raises :class:`ImageError` if the shapes differ or
    no window fits.
    """
    _check_shapes(x, y)
    if not fitting_scales(x):
        raise ImageError(
            f"the picture is {x.shape[-2]} x {x.shape[-1]}; SSIM needs sides of {_WINDOW} pixels"
        )
    luminance, contrast = ssim_terms(x, y, _gaussian_mean)
    return (luminance * contrast).mean((1, 2, 3))


def ms_ssim(x: Tensor, y: Tensor, *, scales: int | None = None) -> Tensor:
    """MS-SSIM of (N, C, H, W) pixels in [0, 1], the mean over channels: (N,) in [0, 1].

    Wang et al. 2003, equation 7, with windows inside the picture only; ``scales`` None is as many of the
    five as fit, and the weights of those used are scaled to the sum of all. Where pooling halves an odd
    side it puts zeros before it, and a scale whose mean is negative counts as zero: both as in
    pytorch-msssim, to be comparable. Such a zero has no gradient, so as a loss this wants company.

    Raises :class:`ImageError` if the shapes differ or the scales do not fit, ``ValueError`` if there is no
    such number of scales.
    """
    _check_shapes(x, y)
    fitting = fitting_scales(x)
    scales = max(1, fitting) if scales is None else scales
    if not 1 <= scales <= len(SCALE_WEIGHTS):
        raise ValueError(f"scales is {scales}; MS-SSIM has 1 to {len(SCALE_WEIGHTS)}")
    if scales > fitting:
        raise ImageError(
            f"the picture is {x.shape[-2]} x {x.shape[-1]}; MS-SSIM with {scales} scales needs sides above "
            f"{(_WINDOW - 1) * 2 ** (scales - 1)} pixels"
        )
    factors = []
    for scale in range(scales):
        luminance, contrast = ssim_terms(x, y, _gaussian_mean)
        last = scale == scales - 1
        factors.append((luminance * contrast if last else contrast).mean((2, 3)))
        if not last:
            x, y = _halved(x), _halved(y)
    # The published weights add up to 1.0001, so normalising to 1 would leave the published numbers.
    weights = x.new_tensor(SCALE_WEIGHTS[:scales]) * (sum(SCALE_WEIGHTS) / sum(SCALE_WEIGHTS[:scales]))
    return _nonnegative_power(torch.stack(factors, dim=-1), weights).prod(-1).mean(1)


def ms_ssim_of_picture(x: Tensor, y: Tensor) -> float:
    """:func:`ms_ssim` of two whole pictures, (C, H, W) of uint8, with as many of the five scales as fit.

    Channel by channel and some rows at a time, so that it takes 9 bytes of memory a pixel whatever the picture. Raises
    :class:`ImageError` if the shapes differ or not even one scale fits.
    """
    _check_shapes(x[None], y[None])
    scales = fitting_scales(x)
    if not scales:
        raise ImageError(
            f"the picture is {x.shape[1]} x {x.shape[2]}; MS-SSIM needs sides of {_WINDOW} pixels"
        )
    weights = [weight * sum(SCALE_WEIGHTS) / sum(SCALE_WEIGHTS[:scales]) for weight in SCALE_WEIGHTS[:scales]]
    values = []
    for pair in zip(x, y, strict=True):
        a, b = (plane.float()[None, None] / 255 for plane in pair)
        value = 1.0
        for scale, weight in enumerate(weights):
            last = scale == scales - 1
            value *= max(0.0, _mean_in_strips(a, b, with_luminance=last)) ** weight
            if not last:
                a, b = _halved(a), _halved(b)
        values.append(value)
    return sum(values) / len(values)


def _mean_in_strips(x: Tensor, y: Tensor, *, with_luminance: bool) -> float:
    """Mean over the windows inside (1, 1, H, W) planes of contrast and structure, or of all three terms."""
    height, width = x.shape[-2:]
    total, places = 0.0, height - _WINDOW + 1
    for top in range(0, places, _STRIP_ROWS):
        rows = slice(top, min(top + _STRIP_ROWS, places) + _WINDOW - 1)
        luminance, contrast = ssim_terms(x[:, :, rows], y[:, :, rows], _gaussian_mean)
        total += float((luminance * contrast if with_luminance else contrast).sum(dtype=torch.float64))
    return total / (places * (width - _WINDOW + 1))


def _check_shapes(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.ndim != 4:
        raise ImageError(f"the shapes are {tuple(x.shape)} and {tuple(y.shape)}; give equal N x C x H x W")


def _gaussian_mean(maps: Tensor) -> Tensor:
    offsets = torch.arange(_WINDOW, dtype=maps.dtype, device=maps.device) - _WINDOW // 2
    window = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    window = window / window.sum()
    if maps.device.type == "cpu" and max(maps.shape[-2:]) <= _LARGEST_BAND:
        # Training crops: two matrix products take a third of the time of the library's convolutions, with gradients.
        rows, columns = (_band(window, side) for side in maps.shape[-2:])
        return rows @ (maps @ columns.mT)
    window = window.expand(maps.shape[1], 1, 1, -1)
    columns = F.conv2d(maps, window.mT, groups=maps.shape[1])
    return F.conv2d(columns, window, groups=maps.shape[1])


def _band(window: Tensor, side: int) -> Tensor:
    """(side − 10, side) matrix whose rows are the window at each of its places."""
    places = side - _WINDOW + 1
    band = window.new_zeros(places, side)
    diagonals = band.as_strided((places, _WINDOW), (side + 1, 1))
    diagonals.copy_(window.expand(places, -1))
    return band


def _halved(pixels: Tensor) -> Tensor:
    height, width = pixels.shape[-2:]
    return F.avg_pool2d(pixels, 2, padding=(height % 2, width % 2))


def _nonnegative_power(base: Tensor, exponent: Tensor) -> Tensor:
    """``relu(base) ** exponent``, but with the gradient 0 rather than NaN where the base is not positive."""
    # Asked this way round, NaN stays NaN.
    floored = base <= 0
    return torch.where(floored, 0, torch.where(floored, 1, base) ** exponent)
