"""Pictures as networks want them, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from recodec.runtime.tiling import Region


class Samples:
    """The samples of a picture as the networks want them, region by region.

    ``samples`` is (C, H, W): uint8, or floating point in [0, 1]; C is 1 or 3.
    """

    def __init__(
        self, samples: Tensor, stride: int, device: torch.device, dtype: torch.dtype = torch.float32
    ):
        self.samples, self._stride, self._device, self._dtype = samples, stride, device, dtype

    def original(self, region: Region) -> Tensor:
        """(C, h, w) samples of a region of positions, as far as the picture goes."""
        box = region.scaled(self._stride)
        part: Tensor = box.of(self.samples)
        return part

    def pixels(self, region: Region) -> Tensor:
        """(3, h, w) in [−0.5, 0.5] for a region of positions, with the last row and column repeated."""
        part = self.original(region).to(self._device)
        values = part.float() / 255 if part.dtype == torch.uint8 else part.float()
        box = region.scaled(self._stride)
        missing = (0, box.width - part.shape[2], 0, box.height - part.shape[1])
        padded = torch.nn.functional.pad(values[None], missing, mode="replicate")[0]
        return (padded - 0.5).to(self._dtype).expand(3, -1, -1)


def to_uint8(pixels: Tensor, channels: int) -> Tensor:
    """(3, H, W) in [−0.5, 0.5] to (channels, H, W) uint8, clamped and rounded."""
    pixels = pixels.float()
    if channels == 1:
        pixels = pixels.mean(dim=0, keepdim=True)
    # One copy, which is then worked on in place: tiles are large.
    return (pixels + 0.5).clamp_(0, 1).mul_(255).round_().to(torch.uint8)
