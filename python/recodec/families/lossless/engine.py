"""Encoders and decoders of strips, as everything else knows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recodec import _core
from recodec.container.core import MAX_ITERATIONS
from recodec.errors import ImageError
from recodec.families.lossless.header import StripFileHeader, write_fields
from recodec.families.lossless.strips import Samples, encode_strip, memory_of
from recodec.io.pictures import Picture
from recodec.limits import Limits, check_pixels, too_much_memory
from recodec.ops.backend import Backend
from recodec.runtime.tiling import Region

if TYPE_CHECKING:
    from recodec.families.lossless.family import LosslessFamily
    from recodec.weights import Model

# Of a strip, about: so large that what it learns anew does not count, and several to show and to hold in memory.
_STRIP_PIXELS = 1 << 20


class LosslessEngine:
    """The codec "lossless": integers on the CPU."""

    id, hash = "lossless", bytes(8)
    model: Model | None = None
    backend: Backend = "reference"
    iterations, at_once, exact = MAX_ITERATIONS, 1, True

    def __init__(self, family: LosslessFamily):
        self.family = family
        self.device, self.dtype = torch.device("cpu"), torch.uint8

    def require(self, header: StripFileHeader) -> None:
        """Every file of the family is its own."""

    def check_size(self, width: int, height: int, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels."""
        check_pixels(width, height, limits.max_pixels)

    def encoder(
        self, picture: Picture, header: _core.Header, limits: Limits, **options: Any
    ) -> LosslessEncoder:
        """Begin a picture. Raises :class:`ImageError` for samples that are no whole numbers."""
        return LosslessEncoder(picture, limits)

    def decoder(
        self, header: StripFileHeader, limits: Limits, *, progressive: bool = False, threads: int = 1
    ) -> LosslessDecoder:
        """Begin a file."""
        return LosslessDecoder(header, threads)

    def encode_together(self, encoders: Sequence[Any], chunks: int) -> None:
        """Nothing is."""

    def decode_together(self, decoders: Sequence[Any]) -> None:
        """Nothing is."""


class LosslessEncoder:
    """Of one picture, strip by strip."""

    batch_key = None

    def __init__(self, picture: Picture, limits: Limits):
        least = -(-picture.height // MAX_ITERATIONS)
        self._rows = min(picture.height, max(least, -(-_STRIP_PIXELS // picture.width)))
        needed = memory_of(picture.width, picture.height, self._rows, picture.channels)
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)
        self._samples = _whole(picture.samples)
        self._done = 0

    @property
    def fields(self) -> bytes:
        """Version and rows of a strip."""
        return write_fields(self._rows)

    def next(self) -> bytes | None:
        """Payload of the next strip."""
        if self._done == len(self._samples):
            return None
        strip = self._samples[self._done : self._done + self._rows]
        self._done += len(strip)
        return encode_strip(np.ascontiguousarray(strip), torch.get_num_threads())

    def squared_error(self) -> float:
        """Nothing, once all strips are there; without some the picture is none."""
        return 0.0 if self._done == len(self._samples) else 255.0**2

    def least_error(self) -> float:
        """Everything can be said."""
        return 0.0


def _whole(samples: Tensor) -> Samples:
    """(C, H, W) samples as (H, W, C) bytes, if they are whole numbers of 1/255."""
    samples = samples.detach().cpu()
    if samples.dtype != torch.uint8:
        scaled = samples.double() * 255
        levels = scaled.round()
        if bool(((scaled - levels).abs() > 1e-3).any()):
            raise ImageError(
                "the picture has samples between the 256 levels, which no lossless file keeps; round them to uint8"
            )
        samples = levels.to(torch.uint8)
    return np.ascontiguousarray(samples.permute(1, 2, 0).numpy())


class LosslessDecoder:
    """Of one file."""

    batch_key = None

    def __init__(self, header: StripFileHeader, threads: int):
        self._strips = header.decoder(threads)
        self._common = header.common

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the strips that come next."""
        self._strips.take(payloads)

    def show(self) -> Iterator[tuple[Region, Tensor]]:
        """The picture as far as it is known, grey below."""
        region = Region(0, 0, self._common.height, self._common.width)
        yield region, torch.from_numpy(self._strips.samples).permute(2, 0, 1)
