"""Pictures for the benchmarks of the zoo: files, folders, shards, and arrays of small ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from recodec.errors import ImageError
from recodec.eval.curve import load_rgb
from recodec.io.picture_kinds import image_suffixes

Pixels = NDArray[np.uint8]

# JPEG has no more, and a mosaic is to be roughly square.
_LARGEST_SIDE, _LONGEST = 65535, 8


def named_pictures(path: Path, limit: int | None = None) -> dict[str, Pixels]:
    """RGB pictures of a file, a folder or a tar file, by their names, in order."""
    found: dict[str, Pixels] = {}
    for name, source in _sources(path):
        if Path(name).suffix.lower() in image_suffixes():
            found[name] = load_rgb(source)
            if len(found) == limit:
                break
    if not found:
        raise ImageError(f"{path} holds no pictures")
    return found


def _sources(path: Path) -> Iterator[tuple[str, Path | BinaryIO]]:
    if path.is_dir():
        yield from ((file.name, file) for file in sorted(path.iterdir()))
    elif path.suffix == ".tar":
        with tarfile.open(path) as shard:
            for member in sorted(shard.getmembers(), key=lambda member: member.name):
                if (file := shard.extractfile(member)) is not None:
                    yield Path(member.name).name, io.BytesIO(file.read())
    else:
        yield path.name, path


def small_pictures(path: Path) -> Pixels:
    """N×H×W×3 uint8 of an .npy file."""
    pictures: Pixels = np.load(path, allow_pickle=False)
    if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8 or not len(pictures):
        raise ImageError(f"{path} holds {pictures.dtype} of shape {pictures.shape}; give uint8 N x H x W x 3")
    return pictures


def mosaic_shape(count: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns that hold as many of ``count`` pictures as can be, the most square ones of those."""
    for held in range(count, 0, -1):
        shapes = [(rows, held // rows) for rows in range(1, held + 1) if held % rows == 0]
        sides = [(rows * height, columns * width, rows, columns) for rows, columns in shapes]
        fitting = [
            (max(a, b) / min(a, b), -b, rows, columns)
            for a, b, rows, columns in sides
            if max(a, b) <= _LARGEST_SIDE and max(a, b) <= _LONGEST * min(a, b)
        ]
        if fitting:
            return min(fitting)[2:]
    raise ImageError(f"pictures of {width} x {height} make no mosaic")


def mosaic_of(pictures: Pixels, rows: int, columns: int) -> Pixels:
    """The first rows · columns of N×H×W×3 pictures as one, row by row."""
    _, height, width, _ = pictures.shape
    cells = pictures[: rows * columns].reshape(rows, columns, height, width, 3)
    return np.ascontiguousarray(cells.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3))


def cells_of(mosaic: Pixels, rows: int, columns: int) -> Pixels:
    """The pictures of a mosaic again."""
    height, width = mosaic.shape[0] // rows, mosaic.shape[1] // columns
    cells = mosaic.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(cells.reshape(rows * columns, height, width, 3))
