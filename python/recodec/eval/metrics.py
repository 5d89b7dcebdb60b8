"""Distortion between two 8-bit RGB pictures."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recodec.errors import ImageError, RecodecError

Pixels: TypeAlias = NDArray[np.uint8]

# Five scales, each half the one before, under a window of 11 pixels: (11 - 1) * 2**4.
MS_SSIM_SIDE_ABOVE = 160


def _check(a: Pixels, b: Pixels) -> None:
    for array in (a, b):
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
            raise ImageError(f"the array is {array.dtype} of shape {array.shape}; give uint8 H x W x 3")
    if a.shape != b.shape:
        raise ImageError(f"the pictures differ in shape: {a.shape} and {b.shape}")


def psnr(a: Pixels, b: Pixels) -> float:
    """10 log10(255² / MSE) in dB, the mean taken over all pixels and channels; infinite if equal."""
    _check(a, b)
    mse = float(np.mean(np.square(a.astype(np.float32) - b), dtype=np.float64))
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def require_ms_ssim() -> None:
    """Raise :class:`RecodecError` if MS-SSIM cannot be computed here."""
    try:
        import pytorch_msssim  # noqa: F401
    except ModuleNotFoundError as error:
        raise RecodecError(
            'MS-SSIM needs the package pytorch-msssim; install it with pip install "recodec[metrics]"'
        ) from error


def ms_ssim(a: Pixels, b: Pixels) -> float | None:
    """MS-SSIM on RGB with the customary five scales and weights.

    None if the shorter side is 160 pixels or less, where the coarsest scale does not exist.
    Raises :class:`RecodecError` if the extra ``metrics`` is not installed.
    """
    _check(a, b)
    require_ms_ssim()
    if min(a.shape[:2]) <= MS_SSIM_SIDE_ABOVE:
        return None
    import torch
    from pytorch_msssim import ms_ssim as compute

    x, y = (torch.tensor(array).permute(2, 0, 1)[None].float() for array in (a, b))
    return float(compute(x, y, data_range=255))
