"""Encoders and decoders of planes, as everything else knows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recodec import _core
from recodec.errors import DeadNetworkWarning, ImageError
from recodec.families.protocol import Family
from recodec.io.pictures import Picture
from recodec.limits import TORCH_BYTES, Limits, check_pixels, too_much_memory
from recodec.notices import warn
from recodec.ops.backend import Backend
from recodec.runtime.tiling import Region
from recodec.weights import Model
from recodec.zoo.mlp.header import MlpFileHeader, Settings, memory_of
from recodec.zoo.mlp.planes import ORDER, Samples, encode_plane
from recodec.zoo.mlp.training import TRAINING_BYTES, fit


def engine(family: Family, system: str, settings: Settings) -> MlpEngine:
    """The codec "mlp", which is the only such ``system``, with some settings."""
    return MlpEngine(family, settings)


class MlpEngine:
    """The codec "mlp": integers on the CPU, but for training."""

    id, hash = "mlp", bytes(8)
    model: Model | None = None
    backend: Backend = "reference"
    iterations, at_once, exact = 3, 1, True

    def __init__(self, family: Family, settings: Settings):
        self.family, self._settings = family, settings
        self.device, self.dtype = torch.device("cpu"), torch.uint8

    def require(self, header: MlpFileHeader) -> None:
        """Every file of the system is its own."""

    def check_size(self, width: int, height: int, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels."""
        check_pixels(width, height, limits.max_pixels)

    @property
    def encoder_options(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def encoder(self, picture: Picture, header: _core.Header, limits: Limits, **options: Any) -> MlpEncoder:
        """Begin a picture. Raises :class:`ImageError` for samples of 16 bits."""
        return MlpEncoder(picture, self._settings, limits)

    def decoder(
        self, header: MlpFileHeader, limits: Limits, *, progressive: bool = False, threads: int = 1
    ) -> MlpDecoder:
        """Begin a file."""
        return MlpDecoder(header)

    def encode_together(self, encoders: Sequence[Any], chunks: int) -> None:
        """Nothing is."""

    def decode_together(self, decoders: Sequence[Any]) -> None:
        """Nothing is."""


class MlpEncoder:
    """Of one picture, plane by plane; each trains a network of its own."""

    batch_key = None

    def __init__(self, picture: Picture, settings: Settings, limits: Limits):
        alpha = picture.alpha
        if picture.depth != 8 or (alpha is not None and alpha.dtype != np.uint8):
            raise ImageError(
                "the picture has more than 8 bits per sample, which this system does not keep; use "
                "lossless=True, which does, or reduce it yourself"
            )
        needed = TORCH_BYTES + TRAINING_BYTES + memory_of(picture.width, picture.height, picture.channels)
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)
        self._settings = settings
        self._planes: Samples = picture.samples.cpu().numpy()[list(ORDER[picture.channels])]
        self._done = 0

    @property
    def fields(self) -> bytes:
        """Version and flags."""
        return self._settings.form.to_bytes()

    def next(self) -> bytes | None:
        """Payload of the next plane."""
        if self._done == len(self._planes):
            return None
        self._done += 1
        planes = np.ascontiguousarray(self._planes[: self._done])
        weights, lives = fit(planes, self._settings)
        if not lives:
            warn(DeadNetworkWarning(self._done))
        form = self._settings.form
        return encode_plane(planes, weights, raw=form.raw, linear=form.linear, contexts=form.contexts)

    def squared_error(self) -> float:
        """Nothing, once all planes are there; without some the picture is none."""
        return 0.0 if self._done == len(self._planes) else 255.0**2

    def shown(self) -> Tensor:
        """What it was given: files without loss take no targets, so that nobody asks."""
        return torch.from_numpy(self._planes)

    def least_error(self) -> float:
        """Everything can be said."""
        return 0.0


class MlpDecoder:
    """Of one file."""

    batch_key = None

    def __init__(self, header: MlpFileHeader):
        self._planes = header.decoder()
        self._common = header.common

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the planes that come next."""
        self._planes.take(payloads)

    def show(self) -> Iterator[tuple[Region, Tensor]]:
        """The picture; grey as long as its first plane is all that is known."""
        region = Region(0, 0, self._common.height, self._common.width)
        yield region, torch.from_numpy(self._planes.samples)
