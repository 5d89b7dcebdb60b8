"""Square crops of photographs in an endless, reproducible sequence of batches."""

from __future__ import annotations

import io
import itertools
import queue
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from recodec.errors import ImageError, RecodecError
from recodec.train.photographs import Photographs

Selection = Literal["random", "high-entropy"]

_MAX_SCALE = 4.0
_MAX_DRAWS = 100
_BATCHES_AHEAD = 4
_POLL_SECONDS = 0.1
# Pillow stores three channels in four bytes.
_BYTES_PER_PIXEL = 4

_Images: TypeAlias = tuple[Image.Image, ...]


@dataclass(frozen=True, slots=True)
class CropOptions:
    """How crops are taken from photographs.

    ``scale`` bounds the random factor by which a photograph is shrunk first, which hides the artefacts of
    earlier JPEG coding; a photograph smaller than a crop is enlarged. "random" takes a square anywhere.
    "high-entropy" cuts the photograph into tiles and takes one of the share ``keep`` that PNG compresses
    worst (Toderici et al., "Full Resolution Image Compression with Recurrent Neural Networks", 2017,
    section 4: 100 of the 880 tiles of a 1280x720 picture). ``mirror`` flips half of the crops.

    Raises ``ValueError`` unless 0 < low <= high <= 4 for ``scale`` and 0 < keep <= 1.
    """

    scale: tuple[float, float] = (0.4, 0.9)
    selection: Selection = "random"
    keep: float = 0.11
    mirror: bool = True

    def __post_init__(self) -> None:
        if len(self.scale) != 2:
            raise ValueError(f"scale is {self.scale}; it must be two factors, lowest and highest")
        low, high = self.scale
        if not 0 < low <= high <= _MAX_SCALE:
            raise ValueError(f"scale is {low} to {high}; it must be 0 < low <= high <= {_MAX_SCALE:g}")
        if self.selection not in get_args(Selection):
            choices = ", ".join(get_args(Selection))
            raise ValueError(f"selection is {self.selection!r}; it must be one of {choices}")
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep is {self.keep}; it must be above 0 and at most 1")


class Crop(NamedTuple):
    """(3, size, size) uint8 pixels, and names of photographs that were drawn before but are unreadable."""

    pixels: Tensor
    unreadable: tuple[str, ...]


class CropBatch(NamedTuple):
    """(N, 3, size, size) uint8 pixels, and names of unreadable photographs that were met on the way."""

    pixels: Tensor
    unreadable: frozenset[str]


class Crops(Dataset[Crop]):
    """Crop number i of an endless sequence: a pure function of (seed, i).

    So any process can resume the sequence anywhere. ``cache_bytes`` bounds the decoded photographs, or
    tiles, that each process keeps, as decoding one costs ten times a crop; results do not depend on it.

    Raises ``ValueError`` if ``size`` is below 1 or a seed or ``cache_bytes`` negative. Taking a crop raises
    :class:`ImageError` if one photograph after another turns out to be unreadable.
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

    def __getitem__(self, index: int) -> Crop:
        rng = np.random.default_rng([*self.seed, index])
        unreadable: dict[str, ImageError] = {}
        for _ in range(_MAX_DRAWS):
            photograph = int(rng.integers(len(self.photographs)))
            try:
                images = self._cache.get(photograph, self._prepare)
            except ImageError as error:
                unreadable[self.photographs.names[photograph]] = error
                continue
            pixels = self._take(images, rng)
            if self.options.mirror and rng.random() < 0.5:
                pixels = pixels[:, ::-1]
            return Crop(torch.from_numpy(pixels.transpose(2, 0, 1).copy()), tuple(unreadable))
        last = list(unreadable.values())[-1]
        raise ImageError(
            f"{_MAX_DRAWS} photographs drawn in a row are unreadable, the last because of {last}"
        ) from last

    def _prepare(self, photograph: int) -> _Images:
        """What is kept of a photograph: itself or its tiles of high entropy."""
        image = self.photographs.read(photograph)
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


def random_crop(
    image: Image.Image, size: int, scale: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A random square from the image shrunk by a random factor: (size, size, 3) uint8."""
    factor = max(rng.uniform(*scale), size / min(image.size))
    side = min(max(int(size / factor), 1), *image.size)
    left = int(rng.integers(image.width - side + 1))
    top = int(rng.integers(image.height - side + 1))
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


def high_entropy_tiles(image: Image.Image, size: int, keep: float) -> tuple[Image.Image, ...]:
    """The share ``keep``, at least one, of the tiles of ``size`` pixels that PNG compresses worst.

    Tiles do not overlap and start at the top left; the image must hold at least one.
    """
    tiles = [
        image.crop((left, top, left + size, top + size))
        for top in range(0, image.height - size + 1, size)
        for left in range(0, image.width - size + 1, size)
    ]
    largest = sorted(tiles, key=_png_bytes, reverse=True)
    return tuple(largest[: max(1, round(keep * len(tiles)))])


def _png_bytes(tile: Image.Image) -> int:
    file = io.BytesIO()
    tile.save(file, "PNG", compress_level=6)
    return file.tell()


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


def to_pixels(batch: Tensor) -> Tensor:
    """(N, 3, H, W) uint8 to float32 in [−0.5, 0.5], on the same device."""
    return batch.float() / 255 - 0.5


def crop_batches(
    crops: Crops,
    batch: int,
    *,
    start: int = 0,
    rank: int = 0,
    processes: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
) -> Generator[CropBatch]:
    """Endless batches, number n of crops n * batch to (n + 1) * batch - 1, from n = ``start``.

    Of each batch, which all ``processes`` share, process ``rank`` gets its consecutive part. They are
    prepared ahead by ``workers`` processes, or by a thread if that is 0, from the first ``next`` until
    ``close``. ``pin_memory`` puts them where an accelerator, if there is one, copies from fastest.

    Raises ``ValueError`` if numbers are out of range or ``processes`` does not divide ``batch``; ``next``
    raises what taking a crop raises.
    """
    for name, value, least in [
        ("batch", batch, 1),
        ("start", start, 0),
        ("rank", rank, 0),
        ("processes", processes, 1),
        ("workers", workers, 0),
    ]:
        if value < least:
            raise ValueError(f"{name} is {value}; it must be at least {least}")
    if rank >= processes:
        raise ValueError(f"rank is {rank}; it must be below the number of processes, {processes}")
    if batch % processes:
        raise ValueError(f"batch is {batch}; it must be a multiple of the number of processes, {processes}")
    parts = _Parts(crops, batch, rank, processes)
    batches = _from_processes(parts, start, workers) if workers else _from_thread(parts, start)
    return _pinned(batches) if pin_memory and torch.accelerator.is_available() else batches


class _Parts(Dataset["CropBatch | RecodecError"]):
    """The part of each batch that belongs to one process."""

    def __init__(self, crops: Crops, batch: int, rank: int, processes: int):
        self.crops = crops
        self._batch = batch
        self._part = batch // processes
        self._rank = rank

    def indices(self, number: int) -> range:
        first = number * self._batch + self._rank * self._part
        return range(first, first + self._part)

    def __getitem__(self, number: int) -> CropBatch | RecodecError:
        try:
            return _merge(self.crops[index] for index in self.indices(number))
        # Returned, as the loader would raise it again with a traceback for its message.
        except RecodecError as error:
            return error


def _merge(crops: Iterable[Crop]) -> CropBatch:
    pixels, unreadable = zip(*crops, strict=True)
    return CropBatch(torch.stack(pixels), frozenset(itertools.chain(*unreadable)))


def _from_thread(parts: _Parts, start: int) -> Generator[CropBatch]:
    ready: queue.Queue[CropBatch | BaseException] = queue.Queue(_BATCHES_AHEAD)
    closed = threading.Event()

    def wanted() -> bool:
        # An abandoned thread must not keep an ending program waiting.
        return not closed.is_set() and threading.main_thread().is_alive()

    def put(item: CropBatch | BaseException) -> None:
        while wanted():
            with suppress(queue.Full):
                return ready.put(item, timeout=_POLL_SECONDS)

    def fill() -> None:
        try:
            for number in itertools.count(start):
                crops = []
                for index in parts.indices(number):
                    if not wanted():
                        return
                    crops.append(parts.crops[index])
                put(_merge(crops))
        except BaseException as error:  # noqa: BLE001 - raised again in the other thread
            put(error)

    thread = threading.Thread(target=fill, name="crops")
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        closed.set()
        thread.join()


def _ignore_interrupts(worker: int) -> None:
    """Leave it to the process that trains when to stop: Ctrl-C reaches the whole group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _from_processes(parts: _Parts, start: int, workers: int) -> Generator[CropBatch]:
    loader = DataLoader(
        parts,
        batch_size=None,
        sampler=itertools.count(start),
        num_workers=workers,
        # Forking a process that has threads is unsafe.
        multiprocessing_context="forkserver",
        prefetch_factor=_BATCHES_AHEAD,
        worker_init_fn=_ignore_interrupts,
        # Else starting would draw from the generator of the training itself.
        generator=torch.Generator(),
    )
    batches = iter(loader)
    try:
        for batch in batches:
            if isinstance(batch, RecodecError):
                raise batch
            yield batch
    finally:
        # The garbage collector may come much later, for example if a traceback holds the iterator.
        batches._shutdown_workers()  # type: ignore[attr-defined]


def _pinned(batches: Generator[CropBatch]) -> Generator[CropBatch]:
    try:
        for batch in batches:
            yield batch._replace(pixels=batch.pixels.pin_memory())
    finally:
        batches.close()
