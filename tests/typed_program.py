"""A user's program, whose types a checker holds to what functions give; nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

import recodec
from recodec import Codec, Info


class Photographs(Dataset[Image.Image]):
    """A map-style Dataset."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Image.Image:
        return Image.open("photo.jpg")


def encode(
    codec: Codec,
    image: Image.Image,
    path: Path,
    array: npt.NDArray[np.uint8],
    tensor: Tensor,
    dataset: Photographs,
) -> list[bytes]:
    assert_type(recodec.encode(image, bpp=0.5), bytes)
    assert_type(recodec.encode("photo.jpg"), bytes)
    assert_type(recodec.encode(b"bytes of a file", quality=60.0), bytes)
    assert_type(codec.encode(path, lossless=True, effort="best"), bytes)
    assert_type(codec.encode(image, effort=9), bytes)
    assert_type(codec.encode([path, path], batch_size=2), list[bytes])
    assert_type(codec.encode((image, "photo.jpg", array)), list[bytes])
    assert_type(recodec.encode([image, "photo.jpg"]), list[bytes])
    assert_type(recodec.encode([image, b"bytes of a file", tensor], bpp=1), list[bytes])
    assert_type(codec.encode([tensor]), list[bytes])
    assert_type(codec.encode(dataset, bpp=0.5), list[bytes])
    assert_type(recodec.encode(name for name in ("a.png", "b.png")), list[bytes])
    one: bytes = codec.encode(tensor)
    one = recodec.encode(array)
    batch: list[bytes] = recodec.encode(tensor, model="rnn-1")
    images: list[Image.Image] = [image]
    assert_type(recodec.encode(image, out=path), bytes)
    assert_type(recodec.encode(images, out=[path]), list[bytes])
    assert_type(recodec.encode(images), list[bytes])
    return [one, *batch]


def decode(codec: Codec, data: bytes, path: Path, tensor: Tensor, array: npt.NDArray[np.uint8]) -> None:
    assert_type(recodec.decode(data), Image.Image)
    assert_type(recodec.decode(path, like="torch"), Tensor)
    assert_type(codec.decode(tensor, iterations=2), Image.Image)
    assert_type(codec.decode(array, like="torch"), Tensor)
    assert_type(recodec.decode([data, data]), list[Image.Image])
    assert_type(codec.decode((data, path)), list[Image.Image])
    assert_type(recodec.decode(iter([data, data]), like="torch"), list[Tensor])
    assert_type(codec.decode([data, path], like="torch", strict=True), list[Tensor])
    assert_type(recodec.decode(data, like="torch", out="picture.png"), Tensor)
    assert_type(recodec.decode([data], like="torch", out=["picture.png"]), list[Tensor])
    assert_type(recodec.decode(data, like="torch", dtype=torch.float32), Tensor)
    assert_type(recodec.decode(data, like="numpy", dtype="float32"), npt.NDArray[np.float32])
    assert_type(codec.decode([path], like="numpy", dtype=np.float32), list[npt.NDArray[np.float32]])
    assert_type(codec.decode(data, like="numpy", dtype=np.uint8), npt.NDArray[np.uint8 | np.uint16])
    assert_type(codec.decode([path], dtype="uint8", batch_size=4), list[Image.Image])
    shown: list[npt.NDArray[np.uint8 | np.uint16]] = recodec.decode([path], like="numpy")
    assert_type(shown[0].dtype, np.dtype[np.uint8 | np.uint16])


def watch(codec: Codec, data: bytes) -> None:
    for shown in recodec.progressive(data, max_size=(320, 240), out="shown.png"):
        assert_type(shown, Image.Image)
    for array in codec.progressive(data, like="numpy", dtype="float32"):
        assert_type(array, npt.NDArray[np.float32])
    for tensor in codec.progressive(data, like="torch", max_size=320, max_pixels=None):
        assert_type(tensor, Tensor)


def look(data: bytes, path: Path, files: list[bytes], mixed: tuple[bytes | Path, ...]) -> None:
    assert_type(recodec.info(data), Info)
    assert_type(recodec.info([data, path]), list[Info])
    assert_type(recodec.verify(files, max_pixels=None), list[Info])
    assert_type(recodec.verify(path), Info)
    assert_type(recodec.truncate(data, bpp=0.1), bytes)
    assert_type(recodec.truncate(mixed, iterations=1), list[bytes])


def failures(error: recodec.BatchError) -> None:
    assert_type(error.errors, dict[int, Exception])
    assert_type(error.results, list[Any])
