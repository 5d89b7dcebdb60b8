"""Square crops of photographs in an endless, reproducible sequence."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from recodec.errors import ImageError
from recodec.train.data.colours import jittered
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from recodec.train.data.synthetic import synthetic_picture
from recodec.train.data.tiles import high_entropy_tiles, random_crop

_MAX_DRAWS = 100
# Pillow stores three channels in four bytes.
_BYTES_PER_PIXEL = 4

_Images: TypeAlias = tuple[Image.Image, ...]


class Crop(NamedTuple):
    """(3, size, size) uint8 pixels, and names of photographs that were drawn before but cannot be used."""

    pixels: Tensor
    skipped: tuple[str, ...]


class Crops(Dataset[Crop]):
    """Crop number i of an endless sequence: a pure function of (seed, i).

    So any process can resume the sequence anywhere. Photographs that are unreadable, or too small for
    ``options``, are skipped by name. ``cache_bytes`` bounds the decoded photographs, or tiles, that each
    process keeps, as decoding one costs ten times a crop; results do not depend on it.

    Raises ``ValueError`` if ``size`` is below 1 or a seed or ``cache_bytes`` negative. Taking a crop raises
    :class:`ImageError` if one photograph after another has to be skipped.
    """

    def __init__(
        self,
        photographs: Photographs,
        size: int,
        options: CropOptions,
        seed: Sequence[int] | int,
        cache_bytes: int = 1 << 30,
    ):
        self.photographs = photographs
        self.size = size
        self.options = options
        self.seed = (seed,) if isinstance(seed, int) else tuple(seed)
        for name, value, least in [
            ("size", size, 1),
            ("cache_bytes", cache_bytes, 0),
            *(("seed", value, 0) for value in self.seed),
        ]:
            if value < least:
                raise ValueError(f"{name} is {value}; it must be at least {least}")
        self._cache = _Cache(cache_bytes)
        # Whole numbers, as sums of real ones are rounded.
        self._areas = photographs.areas().cumsum() if options.weighting == "area" else None

    def __getitem__(self, index: int) -> Crop:
        rng, options = np.random.default_rng([*self.seed, index]), self.options
        # Nothing is drawn for an option that is off, so that recipes without it see what they always saw.
        if options.synthetic and rng.random() < options.synthetic:
            return Crop(_to_tensor(synthetic_picture(self.size, rng)), ())
        skipped: dict[str, ImageError] = {}
        for _ in range(_MAX_DRAWS):
            photograph = self._draw(rng)
            name = self.photographs.names[photograph]
            try:
                images = self._cache.get(photograph, self._prepare)
            except ImageError as error:
                skipped[name] = error
                continue
            if not images:
                most = f"even {options.scale[1]:g} times its size"
                skipped[name] = ImageError(f"{name} is smaller, {most}, than a crop of {self.size} pixels")
                continue
            return Crop(_to_tensor(self._vary(self._take(images, rng), rng)), tuple(skipped))
        last = list(skipped.values())[-1]
        raise ImageError(
            f"{_MAX_DRAWS} photographs drawn in a row cannot be used, the last because of {last}"
        ) from last

    def _draw(self, rng: np.random.Generator) -> int:
        if self._areas is None:
            return int(rng.integers(len(self.photographs)))
        return int(np.searchsorted(self._areas, rng.integers(self._areas[-1]), side="right"))

    def _vary(self, pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        options = self.options
        if options.mirror and rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        if options.transpose and rng.random() < options.transpose:
            pixels = pixels.swapaxes(0, 1)
        if options.jitter and rng.random() < options.jitter:
            pixels = jittered(pixels, rng)
        return pixels

    def _prepare(self, photograph: int) -> _Images:
        """What is kept of a photograph: itself, its tiles of high entropy, or nothing if it is too small."""
        image = self.photographs.read(photograph)
        if not self.options.enlarge and self.size / min(image.size) > self.options.scale[1]:
            return ()
        if self.options.selection == "random":
            return (image,)
        # A spawned seed cannot coincide with that of a crop.
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(photograph,)))
        factor = max(rng.uniform(*self.options.scale), self.size / min(image.size))
        width, height = (max(self.size, round(side * factor)) for side in image.size)
        shrunk = image.resize((width, height), Image.Resampling.BICUBIC)
        return high_entropy_tiles(shrunk, self.size, self.options.keep)

    def _take(self, images: _Images, rng: np.random.Generator) -> NDArray[np.uint8]:
        if self.options.selection == "random":
            return random_crop(images[0], self.size, self.options.scale, rng)
        return np.asarray(images[int(rng.integers(len(images)))])


def _to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


class _Cache:
    """The images of the photographs used last, of ``limit`` bytes at most; empty in another process."""

    def __init__(self, limit: int):
        self.limit = limit
        self.held = 0
        self._entries: OrderedDict[int, _Images] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[_Cache], tuple[int]]:
        return type(self), (self.limit,)

    def get(self, key: int, make: Callable[[int], _Images]) -> _Images:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        images = make(key)
        with self._lock:
            # Another thread may have made it in the meantime.
            if key not in self._entries and _bytes(images) <= self.limit:
                self._entries[key] = images
                self.held += _bytes(images)
                while self.held > self.limit:
                    self.held -= _bytes(self._entries.popitem(last=False)[1])
        return images


def _bytes(images: _Images) -> int:
    return sum(image.width * image.height for image in images) * _BYTES_PER_PIXEL
