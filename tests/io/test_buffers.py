"""Bytes of files in memory, whatever holds them: to encode as to decode."""

from __future__ import annotations

import io
import mmap
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import ImageError, SourceError

HOLDERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "backwards": lambda data: memoryview(data[::-1])[::-1],
    "array": lambda data: array("B", data),
    "file": io.BytesIO,
    "numpy": lambda data: np.frombuffer(data, np.uint8),
    "strided": lambda data: np.repeat(np.frombuffer(data, np.uint8), 2)[::2],
    "torch": lambda data: torch.frombuffer(bytearray(data), dtype=torch.uint8),
    "strided tensor": lambda data: torch.frombuffer(bytearray(data), dtype=torch.uint8).repeat_interleave(2)[
        ::2
    ],
}


@pytest.fixture(params=HOLDERS)
def held(request: pytest.FixtureRequest) -> Callable[[bytes], Any]:
    return HOLDERS[request.param]


@pytest.fixture
def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_image_files_are_encoded_from_memory(
    tiny_model: str, picture: Image.Image, png: bytes, held: Callable[[bytes], Any]
) -> None:
    expected = recodec.encode(picture, model=tiny_model, iterations=2)
    assert recodec.encode(held(png), model=tiny_model, iterations=2) == expected
    assert recodec.load(tiny_model).encode([held(png), picture], iterations=2) == [expected] * 2


def test_coded_files_are_read_from_memory(
    tiny_model: str, picture: Image.Image, held: Callable[[bytes], Any]
) -> None:
    data = recodec.encode(picture, model=tiny_model, iterations=2)
    assert recodec.decode(held(data)) == recodec.decode(data)
    assert recodec.info(held(data)) == recodec.info(data) == recodec.verify(held(data))
    assert recodec.truncate(held(data), iterations=1) == recodec.truncate(data, iterations=1)
    assert len(list(recodec.progressive(held(data)))) == 2


def test_a_memory_map_is_encoded_and_stays_open(
    tiny_model: str, picture: Image.Image, png: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped.seek(7)
        assert recodec.encode(mapped, model=tiny_model) == recodec.encode(picture, model=tiny_model)
        assert mapped.tell() == 7


@pytest.mark.parametrize(
    "image",
    [
        np.zeros(50, np.int8),
        np.zeros(50, np.uint16),
        np.zeros(50, np.float32),
        torch.zeros(50),
        torch.zeros(50, dtype=torch.uint16),
        torch.zeros(50, dtype=torch.uint8, device="meta"),
        array("i", [1, 2, 3]),
        memoryview(np.zeros((5, 5), np.uint8)),
    ],
)
def test_other_things_of_one_axis_are_no_images(tiny_model: str, image: Any) -> None:
    with pytest.raises(ImageError, match=r"has shape|holds values|is not an image; give"):
        recodec.encode(image, model=tiny_model)


def test_bytes_that_are_no_image_say_so(tiny_model: str) -> None:
    with pytest.raises(ImageError, match="the data is not an image that Pillow can read"):
        recodec.encode(np.zeros(50, np.uint8), model=tiny_model)
    with pytest.raises(ImageError, match="recodec file already"):
        recodec.encode(recodec.encode(Image.new("L", (9, 9)), model=tiny_model), model=tiny_model)


@pytest.mark.parametrize(
    "tensor", [torch.zeros(3, 4, 4), torch.zeros(50), torch.zeros(2, 2, dtype=torch.uint8)]
)
def test_tensors_that_hold_no_file_say_so(tensor: torch.Tensor) -> None:
    for read in (recodec.decode, recodec.info, recodec.verify):
        with pytest.raises(SourceError, match=r"a tensor of torch.* holds no encoded file; give its bytes"):
            read(tensor)
