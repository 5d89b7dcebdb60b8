"""A family in as few lines as there can be: one chunk, the samples as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from recodec import _core
from recodec.container.core import ALPHA_AS_PNG, CHECKSUM_BYTES, CODES, checksum
from recodec.container.info import Details
from recodec.errors import ChecksumError
from recodec.io.pictures import Picture
from recodec.limits import Limits, check_pixels
from recodec.runtime.tiling import Region

NUMBER = 200


class Raw:
    """Family, header, engine, encoder, decoder: all in one, since none of them holds more than a picture."""

    number, name, id, hash = NUMBER, "raw", "raw", bytes(8)
    model, device, dtype, iterations, at_once, fields = None, torch.device("cpu"), torch.uint8, 1, 1, b""
    batch_key, details, backend, exact = None, Details(), "reference", False
    alpha_method = ALPHA_AS_PNG

    def __init__(self, common: _core.Header | None = None, samples: Tensor | None = None):
        self.common, self.samples, self.family = common, samples, self
        self.original = samples

    def read(self, header: _core.Header) -> Raw:
        return Raw(header)

    def engine(self, *_: object) -> Raw:
        return self

    def check(self, limits: Limits) -> None:
        check_pixels(self.common.width, self.common.height, limits.max_pixels)

    def check_size(self, width: int, height: int, limits: Limits) -> None:
        check_pixels(width, height, limits.max_pixels)

    def require(self, header: Raw) -> None:
        """Every file of the family is its own."""

    encoder_options: frozenset[str] = frozenset()

    def encoder(self, picture: Picture, header: _core.Header, limits: Limits) -> Raw:
        return Raw(header, picture.samples)

    def next(self) -> bytes | None:
        samples, self.samples = self.samples, None
        if samples is None:
            return None
        content = np.ascontiguousarray(samples).tobytes()
        return checksum(CODES, content) + content

    def least_error(self) -> float:
        """Everything can be said."""
        return 0.0

    def squared_error(self) -> float:
        return 0.0

    def shown(self) -> Tensor:
        return self.original

    def decoder(self, header: Raw, limits: Limits, **_: object) -> Raw:
        return Raw(header.common)

    def checker(self, limits: Limits) -> Raw:
        return Raw(self.common)

    def take(self, payloads: Sequence[bytes]) -> None:
        (payload,) = payloads
        if checksum(CODES, payload[CHECKSUM_BYTES:]) != payload[:CHECKSUM_BYTES]:
            raise ChecksumError("the samples are damaged")
        shape = self.common.channels, self.common.height, self.common.width
        self.samples = torch.from_numpy(np.frombuffer(payload, np.uint8, offset=4).copy().reshape(shape))

    def show(self) -> Iterator[tuple[Region, Tensor]]:
        yield Region(0, 0, self.common.height, self.common.width), self.samples


RAW = Raw()
