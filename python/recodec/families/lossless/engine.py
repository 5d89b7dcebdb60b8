"""Encoders and decoders of strips, as everything else knows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recodec import _core
from recodec.container.core import CODES, MAX_ITERATIONS
from recodec.families.lossless.fields import DEFAULT_EFFORT, StripFields, least_rows
from recodec.families.lossless.header import StripFileHeader
from recodec.families.lossless.strips import Samples, Workers, encode_strip, of_depth
from recodec.io.pictures import Picture
from recodec.limits import PLAIN_BYTES, Limits, check_pixels, too_much_memory
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

    @property
    def encoder_options(self) -> frozenset[str]:
        """How hard strips are worked on."""
        return frozenset({"effort"})

    def encoder(self, picture: Picture, header: _core.Header, limits: Limits, **options: Any) -> StripEncoder:
        """Begin a picture; ``effort``, which counts in EFFORTS, is the only option."""
        memory = limits.max_memory - PLAIN_BYTES
        encoder = StripEncoder(picture, threads=torch.get_num_threads(), max_memory=memory, **options)
        needed = PLAIN_BYTES + encoder.memory
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)
        return encoder

    def decoder(
        self, header: StripFileHeader, limits: Limits, *, progressive: bool = False, threads: int = 1
    ) -> LosslessDecoder:
        """Begin a file."""
        return LosslessDecoder(header, limits, threads)

    def encode_together(self, encoders: Sequence[Any], chunks: int) -> None:
        """Nothing is."""

    def decode_together(self, decoders: Sequence[Any]) -> None:
        """Nothing is."""


class StripEncoder:
    """Of one picture, strip by strip, as chunks of a type.

    As many strips at once as there are ``threads`` for and ``max_memory`` (bytes) has room for, one at least.
    """

    batch_key = None

    def __init__(
        self,
        picture: Picture,
        effort: int = DEFAULT_EFFORT,
        chunk_type: int = CODES,
        *,
        threads: int,
        max_memory: int,
    ):
        width, height = picture.width, picture.height
        rows = min(height, max(least_rows(width, height), -(-_STRIP_PIXELS // width)))
        # Behind a preview, whose ALPHA chunk has it, only where its 8 bits are not all.
        self._with_alpha = picture.alpha is not None and (
            chunk_type == CODES or picture.alpha.dtype != np.uint8
        )
        self._fields = StripFields(rows, effort, picture.channels + self._with_alpha, picture.depth)
        self._picture, self._chunk_type = picture, chunk_type
        at_once = self._fields.at_once(width, height, threads, max_memory)
        self._workers = Workers(at_once, threads)
        self._done = 0

    @property
    def fields(self) -> bytes:
        """Those of strips."""
        return self._fields.to_bytes()

    @property
    def memory(self) -> int:
        """Bytes that it takes beside what the process has."""
        return self._fields.memory(self._picture.width, self._picture.height, self._workers.at_once)

    @cached_property
    def _samples(self) -> Samples:
        samples, alpha = self._picture.samples.permute(1, 2, 0).cpu().numpy(), self._picture.alpha
        if self._with_alpha and alpha is not None:
            samples = np.dstack([samples, of_depth(alpha, self._fields.depth)])
        return np.ascontiguousarray(samples)

    @property
    def _strips(self) -> int:
        return self._fields.strips(self._picture.height)

    @cached_property
    def _payloads(self) -> Iterator[bytes]:
        return self._workers.map(self._encode, range(self._strips))

    def _encode(self, number: int, threads: int) -> bytes:
        top, rows = number * self._fields.strip_rows, self._fields.strip_rows
        return encode_strip(self._samples[top : top + rows], number, self._fields, threads, self._chunk_type)

    def next(self) -> bytes | None:
        """Payload of the next strip."""
        payload = next(self._payloads, None)
        self._done += payload is not None
        return payload

    def squared_error(self) -> float:
        """Nothing, once all strips are there; without some the picture is none."""
        return 0.0 if self._done == self._strips else 255.0**2

    def shown(self) -> Tensor:
        """What it was given: files without loss take no targets, so that nobody asks."""
        return self._picture.samples

    def least_error(self) -> float:
        """Everything can be said."""
        return 0.0


class LosslessDecoder:
    """Of one file."""

    batch_key = None

    def __init__(self, header: StripFileHeader, limits: Limits, threads: int):
        self._strips = header.decoder(limits, threads)
        self._common = header.common

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the strips that come next."""
        self._strips.take(payloads)

    def show(self) -> Iterator[tuple[Region, Tensor]]:
        """The picture as far as it is known, grey below."""
        region = Region(0, 0, self._common.height, self._common.width)
        yield region, torch.from_numpy(self._strips.samples).permute(2, 0, 1)
