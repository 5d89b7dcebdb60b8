"""Training photographs: tar shards or folders in, random crops out."""

from __future__ import annotations

import io
import queue
import tarfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from recodec.errors import ImageError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def _members(source: Path) -> Iterator[tuple[str, bytes]]:
    if source.suffix == ".tar":
        with tarfile.open(source) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None and Path(member.name).suffix.lower() in _SUFFIXES:
                    yield f"{source}:{member.name}", file.read()
    else:
        for path in sorted(source.rglob("*")):
            if path.suffix.lower() in _SUFFIXES:
                yield str(path), path.read_bytes()


def random_crop(
    image: Image.Image, size: int, scale: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """A random square of ``size`` pixels, taken from the image shrunk by a random factor, maybe mirrored.

    Shrinking hides the artefacts of photographs that were JPEG-coded before.
    """
    factor = max(rng.uniform(*scale), size / min(image.size))
    side = min(int(size / factor), *image.size)
    left = int(rng.integers(image.width - side + 1))
    top = int(rng.integers(image.height - side + 1))
    box = (left, top, left + side, top + side)
    crop = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def to_pixels(batch: np.ndarray) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float in [−0.5, 0.5]."""
    return torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2).float() / 255 - 0.5


class Photographs:
    """Decoded photographs from tar shards or folders, held in memory as RGB.

    ``unreadable`` names the files that were skipped. Raises :class:`ImageError` if nothing is left.
    """

    def __init__(self, sources: Sequence[Path]):
        self.images: list[Image.Image] = []
        self.unreadable: list[str] = []
        for source in sources:
            for name, data in _members(source):
                try:
                    self.images.append(Image.open(io.BytesIO(data)).convert("RGB"))
                except (UnidentifiedImageError, OSError):
                    self.unreadable.append(name)
        if not self.images:
            raise ImageError(
                f"no photograph could be read from {[str(s) for s in sources]}; give tar shards or folders"
            )

    def batch(self, count: int, size: int, scale: tuple[float, float], rng: np.random.Generator) -> Tensor:
        """Random crops of random photographs: (count, 3, size, size) float in [−0.5, 0.5]."""
        picks = rng.integers(len(self.images), size=count)
        return to_pixels(np.stack([random_crop(self.images[i], size, scale, rng) for i in picks]))

    def sample(self, count: int, size: int, scale: tuple[float, float], seed: int) -> Tensor:
        """Like :meth:`batch`, the same for the same seed."""
        return self.batch(count, size, scale, np.random.default_rng(seed))


class CropStream:
    """Endless batches of random crops, prepared in a background thread until :meth:`close`."""

    def __init__(
        self, photographs: Photographs, batch: int, size: int, scale: tuple[float, float], seed: int
    ):
        rng = np.random.default_rng(seed)

        def make() -> Tensor:
            return photographs.batch(batch, size, scale, rng)

        self._make = make
        self._queue: queue.Queue[Tensor] = queue.Queue(maxsize=8)
        self._closed = threading.Event()
        threading.Thread(target=self._fill, daemon=True).start()

    def _fill(self) -> None:
        while not self._closed.is_set():
            batch = self._make()
            while not self._closed.is_set():
                try:
                    self._queue.put(batch, timeout=0.5)
                    break
                except queue.Full:
                    continue

    def next(self) -> Tensor:
        """(batch, 3, size, size) float in [−0.5, 0.5]."""
        return self._queue.get()

    def close(self) -> None:
        """Let the background thread end."""
        self._closed.set()
