"""Distortion between two 8-bit RGB pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec import ssim
from recodec.errors import ImageError

Pixels: TypeAlias = NDArray[np.uint8]

# Y' of Rec. 601, full range and not rounded.
_LUMA = np.array([0.299, 0.587, 0.114])
# Table K.1 of ITU-T T.81: the quantisation of luma that JPEG suggests.
JPEG_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
# The published table of sensitivities is this number over JPEG's table, rounded to six digits.
_SENSITIVITY = 25.735088 / JPEG_LUMA
_BLOCK = 8


def _check(a: Pixels, b: Pixels) -> None:
    for array in (a, b):
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
            raise ImageError(f"the array is {array.dtype} of shape {array.shape}; give uint8 H x W x 3")
    if a.shape != b.shape:
        raise ImageError(f"the pictures differ in shape: {a.shape} and {b.shape}")


def _tensors(a: Pixels, b: Pixels) -> tuple[Tensor, Tensor]:
    """(1, 3, H, W) in [0, 1]."""
    _check(a, b)
    x, y = (torch.tensor(array).permute(2, 0, 1)[None].float() / 255 for array in (a, b))
    return x, y


def psnr(a: Pixels, b: Pixels) -> float:
    """10 log10(255² / MSE) in dB, the mean taken over all pixels and channels; infinite if equal."""
    _check(a, b)
    mse = float(np.mean(np.square(a.astype(np.float32) - b), dtype=np.float64))
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def mean_ssim(a: Pixels, b: Pixels) -> float | None:
    """SSIM on RGB, the mean over pixels and channels; see :func:`recodec.ssim.mean_ssim`.

    None if the shorter side is less than the window's 11 pixels.
    """
    x, y = _tensors(a, b)
    return float(ssim.mean_ssim(x, y)) if ssim.fitting_scales(x) else None


def ms_ssim(a: Pixels, b: Pixels) -> float | None:
    """MS-SSIM on RGB with the customary five scales and weights; see :func:`recodec.ssim.ms_ssim`.

    None if the shorter side is 160 pixels or less, where the coarsest scale does not exist.
    """
    x, y = _tensors(a, b)
    if ssim.fitting_scales(x) < len(ssim.SCALE_WEIGHTS):
        return None
    return float(ssim.ms_ssim(x, y))


def to_db(similarity: float) -> float:
    """−10 log10(1 − s): spreads MS-SSIM near 1. Infinite at 1."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


def psnr_hvs(a: Pixels, b: Pixels) -> float | None:
    """PSNR-HVS of luma in dB (Egiazarian et al. 2006): the error's 8×8 DCT weighted by sensitivity.

    Whole blocks only, without masking (that would be PSNR-HVS-M). None if no block fits. Its weights come
    from JPEG's own table, so it favours JPEG; the "PSNR-HVS" of Toderici et al. 2017 is another metric.
    """
    _check(a, b)
    error = (a.astype(np.float64) - b) @ _LUMA
    rows, columns = (side // _BLOCK for side in error.shape)
    if not rows or not columns:
        return None
    blocks = error[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
    mse = float(np.mean(np.square(_DCT @ blocks @ _DCT.T * _SENSITIVITY)))
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def _orthonormal_dct(size: int) -> NDArray[np.float64]:
    k, n = np.arange(size)[:, None], np.arange(size)
    basis: NDArray[np.float64] = np.sqrt(2 / size) * np.cos(np.pi * (2 * n + 1) * k / (2 * size))
    basis[0] /= np.sqrt(2)
    return basis


_DCT = _orthonormal_dct(_BLOCK)


def ssimulacra2(a: Pixels, b: Pixels) -> float | None:
    """SSIMULACRA 2 by the package of that name: 100 is equal, 90 hard to tell apart, 50 medium, 30 low.

    None if the shorter side is less than 8 pixels. Takes about a second per megapixel.
    """
    _check(a, b)
    if min(a.shape[:2]) < _BLOCK:
        return None
    from ssimulacra2 import compute_ssimulacra2

    # It reads files, or what Pillow takes for one.
    return float(compute_ssimulacra2(_in_memory(a), _in_memory(b)))


def _in_memory(pixels: Pixels) -> io.BytesIO:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PPM")
    buffer.seek(0)
    return buffer


@dataclass(frozen=True, slots=True)
class Metric:
    """How a distortion is measured and written; larger is better."""

    label: str
    unit: str
    digits: int
    measure: Callable[[Pixels, Pixels], float | None]
    package: str | None = None

    def unavailable(self) -> str | None:
        """Why it cannot be measured here; None if it can."""
        if self.package is None or find_spec(self.package):
            return None
        return f"{self.package} is not installed; install recodec with the extra eval"


METRICS = {
    "psnr": Metric("PSNR", "dB", 2, psnr),
    "ssim": Metric("SSIM", "", 4, mean_ssim),
    "ms_ssim": Metric("MS-SSIM", "", 4, ms_ssim),
    "psnr_hvs": Metric("PSNR-HVS", "dB", 2, psnr_hvs),
    "ssimulacra2": Metric("SSIMULACRA 2", "", 2, ssimulacra2, "ssimulacra2"),
}


def measure_all(names: Iterable[str], a: Pixels, b: Pixels) -> dict[str, float | None]:
    """Some of :data:`METRICS`; None where a picture is too small or the value not finite."""
    found = {name: METRICS[name].measure(a, b) for name in names}
    return {
        name: value if value is not None and math.isfinite(value) else None for name, value in found.items()
    }
