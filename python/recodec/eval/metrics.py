"""Distortion between two 8-bit RGB pictures."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from recodec.errors import ImageError
from recodec.eval import ssim

Pixels: TypeAlias = NDArray[np.uint8]


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


def ms_ssim(a: Pixels, b: Pixels) -> float | None:
    """MS-SSIM on RGB with the customary five scales and weights; see :func:`recodec.eval.ssim.ms_ssim`.

    None if the shorter side is 160 pixels or less, where the coarsest scale does not exist.
    """
    _check(a, b)
    x, y = (torch.tensor(array).permute(2, 0, 1)[None].float() / 255 for array in (a, b))
    if ssim.fitting_scales(x) < len(ssim.SCALE_WEIGHTS):
        return None
    return float(ssim.ms_ssim(x, y))
