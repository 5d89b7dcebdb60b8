"""Decoded pictures made smaller: whole, with a filter that has no aliases, never larger, their shape kept."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from recodec.container.targets import positive_int
from recodec.errors import TargetError

# Pixels of the longer side at most, or of width and height.
MaxSize: TypeAlias = int | tuple[int, int]


def check_max_size(wanted: Any) -> tuple[int, int] | None:
    """Width and height at most. Raises :class:`TargetError` for what is neither one whole number nor two."""
    if wanted is None:
        return None
    sides = tuple(wanted) if isinstance(wanted, tuple | list) else (wanted, wanted)
    if len(sides) != 2:
        raise TargetError(f"max_size is {wanted!r}; give one number for the longer side, or (width, height)")
    return positive_int("max_size", sides[0]), positive_int("max_size", sides[1])


def reduced_size(width: int, height: int, most: tuple[int, int]) -> tuple[int, int]:
    """The largest width and height of the same shape that keep to the most of each; the same where they do already."""
    scale = min(most[0] / width, most[1] / height)
    if scale >= 1:
        return width, height
    return tuple(
        max(1, min(limit, round(side * scale))) for side, limit in zip((width, height), most, strict=True)
    )  # type: ignore[return-value]


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
