"""Decoded pictures made smaller: whole, with a filter that has no aliases."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from recodec.io.reduced_sizes import reduced_size


def reduced(samples: Tensor, most: tuple[int, int]) -> Tensor:
    """(C, H, W) samples of 8 or 16 bits, made smaller if they are larger; with 2 or 4 channels the last is alpha.

    Cubic, as wide as what one new pixel stands for. What is transparent gives no colour to what is not.
    """
    channels, height, width = samples.shape
    size = reduced_size(width, height, most)
    if size == (width, height):
        return samples
    white = 255 if samples.dtype == torch.uint8 else 65535
    found = torch.empty((channels, size[1], size[0]), dtype=samples.dtype, device=samples.device)
    alpha = samples[-1].float() if channels in (2, 4) else None
    # Of a premultiplied sample; below half a level there is no colour to be seen.
    share = None if alpha is None else _resampled(alpha, size)
    for channel in range(channels):
        plane = samples[channel].float()
        values = _resampled(plane, size)
        if alpha is not None and share is not None and channel < channels - 1:
            values = torch.where(share >= 0.5, _resampled(plane * alpha, size) / share.clamp(min=0.5), values)
        found[channel] = values.round().clamp(0, white).to(samples.dtype)
    return found


def _resampled(plane: Tensor, size: tuple[int, int]) -> Tensor:
    whole = functional.interpolate(plane[None, None], size=size[::-1], mode="bicubic", antialias=True)
    return whole[0, 0]
