"""Every kind of image goes in, comes out, or is refused by name."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import ImageError, LimitError
from recodec.io.pictures import read_picture
from tests.conftest import any_size
from tests.io.images import deep_png


def test_a_transparent_colour_of_sixteen_bits(tmp_path: Path) -> None:
    grey = np.array([[[7], [8], [300]]], np.uint16)
    path = tmp_path / "keyed.png"
    path.write_bytes(deep_png(grey, (b"tRNS", struct.pack(">H", 8))))
    alpha = read_picture(path, any_size, convert=True).alpha
    assert alpha is not None
    np.testing.assert_array_equal(alpha, [[255, 0, 255]])
    path.write_bytes(deep_png(np.repeat(grey, 3, axis=2), (b"tRNS", struct.pack(">HHH", 8, 8, 8))))
    with pytest.raises(ImageError, match="alpha channel first"):
        read_picture(path, any_size, convert=True)


def test_animations_are_refused(tiny_model: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="3 frames"):
        recodec.encode(tmp_path / "a.gif", model=tiny_model)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "ppm", "webp", "gif", "bmp", "avif"])
def test_broken_image_files_are_image_errors(
    tiny_model: str, tmp_path: Path, picture: Image.Image, suffix: str
) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, Image.registered_extensions()[f".{suffix}"])
    rng = np.random.default_rng(4)
    path = tmp_path / f"broken.{suffix}"
    for _ in range(40):
        data = bytearray(buffer.getvalue())
        for _ in range(6):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(1, len(data) + 1))])
        with contextlib.suppress(ImageError, LimitError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recodec.encode(path, iterations=1, model=tiny_model)
    path.write_bytes(b"II*\0")
    with pytest.raises(ImageError, match=path.name):
        recodec.encode(path, model=tiny_model)


def test_tiff_keeps_its_exif(tiny_model: str, tmp_path: Path, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 6
    picture.save(tmp_path / "p.tif", exif=exif)
    decoded = recodec.decode(recodec.encode(tmp_path / "p.tif", iterations=1, model=tiny_model))
    assert decoded.size == (45, 61)
    assert dict(decoded.getexif()) == {0x010F: "Maker"}


def test_all_kinds_of_input_make_the_same_file(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    array = np.asarray(picture)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    picture.save(tmp_path / "p.png")
    files = [
        recodec.encode(item, iterations=3, model=tiny_model)
        for item in (
            picture,
            array,
            tensor,
            tensor.float() / 255,
            tmp_path / "p.png",
            str(tmp_path / "p.png"),
        )
    ]
    assert len(set(files)) == 1


def test_all_kinds_of_output_agree(tiny_model: str, picture: Image.Image) -> None:
    data = recodec.encode(picture, iterations=2, model=tiny_model)
    array = recodec.decode(data, like="numpy")
    assert array.shape == (45, 61, 3)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(recodec.decode(data)), array)
    tensor = recodec.decode(data, like="torch")
    assert tensor.dtype == torch.uint8
    np.testing.assert_array_equal(tensor.permute(1, 2, 0).numpy(), array)


def test_batches_and_lists_make_lists(tiny_model: str, picture: Image.Image) -> None:
    codec = recodec.load(tiny_model)
    tensor = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)
    single = codec.encode(tensor, iterations=2)
    assert codec.encode(torch.stack([tensor, tensor]), iterations=2) == [single, single]
    mixed = codec.encode([picture, picture.crop((0, 0, 9, 30))], iterations=2)
    assert mixed[0] == single
    assert [image.size for image in codec.decode(mixed)] == [(61, 45), (9, 30)]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 3), np.uint16), "uint16"),
        (np.zeros((4, 4, 3), np.uint16), "convert=True"),
        (np.zeros((4, 4, 3), np.int64), "int64; give uint8 in 0..255$"),
        (torch.zeros(3, 4, 4, dtype=torch.uint16), "convert=True"),
        (torch.zeros(5, 4, 4), r"\(5, 4, 4\)"),
        (np.zeros((4, 4, 5), np.uint8), r"\(4, 4, 5\)"),
        (np.zeros((4,), np.uint8), "the data is not an image"),
        (np.zeros((4,), np.float32), r"\(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (torch.zeros(4, 4), r"\(4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int32), "int32"),
        (torch.full((3, 4, 4), float("nan")), "NaN"),
        (torch.full((3, 4, 4), 1.5), "outside"),
        (torch.full((3, 4, 4), -0.1), "outside"),
        ({"not": "an image"}, "dict"),
        (b"of no file", "the data is not an image"),
        (io.StringIO("text"), "Binary data"),
    ],
)
def test_impossible_inputs_are_refused(tiny_model: str, bad: object, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        recodec.encode(bad, model=tiny_model)  # type: ignore[arg-type]


def test_unreadable_files_are_refused(tiny_model: str, tmp_path: Path, picture: Image.Image) -> None:
    (tmp_path / "text.png").write_text("hello")
    buffer = io.BytesIO()
    picture.save(buffer, "png")
    (tmp_path / "cut.png").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    for path in (tmp_path / "text.png", tmp_path / "cut.png", tmp_path / "missing.png", tmp_path):
        with pytest.raises(ImageError, match=path.name):
            recodec.encode(path, model=tiny_model)


def test_pictures_over_the_limit_are_refused(tiny_model: str, picture: Image.Image) -> None:
    for item in (picture, np.asarray(picture), torch.zeros(3, 45, 61)):
        with pytest.raises(LimitError, match="max_pixels"):
            recodec.encode(item, model=tiny_model, max_pixels=45 * 61 - 1)
    coded = 48 * 64
    with pytest.raises(LimitError, match="rounded up to multiples of 16"):
        recodec.encode(picture, model=tiny_model, max_pixels=coded - 1)
    data = recodec.encode(picture, iterations=8, model=tiny_model, max_pixels=coded)
    assert recodec.decode(data, max_pixels=coded).size == picture.size
    assert len(list(recodec.progressive(data, max_pixels=coded))) == 8
    recodec.verify(data, max_pixels=coded)
    for function in (recodec.decode, recodec.verify, lambda d, **k: list(recodec.progressive(d, **k))):
        with pytest.raises(LimitError, match="max_pixels"):
            function(data, max_pixels=coded - 1)


def test_long_thin_pictures_cost_what_they_take(tiny_model: str) -> None:
    line = np.zeros((1, 4096, 3), np.uint8)
    with pytest.raises(LimitError, match="65536 with sides"):
        recodec.encode(line, model=tiny_model, max_pixels=65535)
    data = recodec.encode(line, iterations=8, model=tiny_model, max_pixels=65536)
    assert recodec.decode(data, like="numpy", max_pixels=65536).shape == (1, 4096, 3)
