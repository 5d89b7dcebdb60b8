"""Pictures in and out, of every kind and size, and those that are refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import ImageError, LimitError, TargetError


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
def test_modes_come_back_as_colour_or_grey(tiny_model: str, picture: Image.Image, mode: str) -> None:
    data = recodec.encode(picture.convert(mode), iterations=1, model=tiny_model)
    decoded = recodec.decode(data)
    assert decoded.mode == ("L" if mode in ("L", "1") else "RGB")
    assert decoded.size == picture.size


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr"])
def test_other_modes_are_refused_with_a_remedy(tiny_model: str, mode: str) -> None:
    with pytest.raises(ImageError, match="convert"):
        recodec.encode(Image.new(mode, (8, 8)), model=tiny_model)


def test_transparent_palette_is_refused(tiny_model: str, picture: Image.Image) -> None:
    palette = picture.convert("P")
    palette.info["transparency"] = 3
    with pytest.raises(ImageError, match="transparency"):
        recodec.encode(palette, model=tiny_model)


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
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (np.zeros((4,), np.uint8), r"\(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (torch.zeros(4, 4), r"\(4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int32), "int32"),
        (torch.full((3, 4, 4), float("nan")), "NaN"),
        (torch.full((3, 4, 4), 1.5), "outside"),
        (torch.full((3, 4, 4), -0.1), "outside"),
        ({"not": "an image"}, "dict"),
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
    assert recodec.encode(picture, model=tiny_model, max_pixels=45 * 61)


@pytest.mark.parametrize("size", [(1, 1), (1, 99), (99, 1), (16, 16), (17, 31), (15, 33)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_size(tiny_model: str, size: tuple[int, int], mode: str) -> None:
    rng = np.random.default_rng(size[0])
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)
    data = recodec.encode(image, iterations=2, model=tiny_model)
    for like in ("pil", "numpy", "torch"):
        decoded = recodec.decode(data, like=like)
        assert (decoded.size if like == "pil" else None) in (size, None)
    assert recodec.decode(data).mode == mode
    assert recodec.info(data).iterations == 2


def test_metadata_is_kept_and_counted(tiny_model: str, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x010F] = "recodec"
    buffer = io.BytesIO()
    picture.save(buffer, "png", exif=exif, icc_profile=b"profile" * 50)
    original = Image.open(buffer)
    data = recodec.encode(original, iterations=2, model=tiny_model)
    plain = recodec.encode(picture, iterations=2, model=tiny_model)
    assert recodec.info(data).metadata == ("icc", "exif")
    assert len(data) > len(plain) + 350
    decoded = recodec.decode(data)
    assert decoded.info["icc_profile"] == b"profile" * 50
    assert decoded.getexif()[0x010F] == "recodec"
    assert b"Exif\0\0" not in data
    assert decoded.info["exif"].startswith(b"Exif\0\0")
    buffer = io.BytesIO()
    decoded.save(buffer, "jpeg", exif=decoded.info["exif"])
    assert Image.open(buffer).getexif()[0x010F] == "recodec"
    small = recodec.truncate(data, iterations=1)
    assert recodec.info(small).metadata == ("icc", "exif")
    assert recodec.info(recodec.truncate(data, max_bytes=len(small))).iterations == 1


def test_late_and_second_profiles_are_ignored(tiny_model: str, picture: Image.Image) -> None:
    from recodec.bitstream import ICC, metadata_chunk

    data = recodec.encode(picture, iterations=2, model=tiny_model)
    info = recodec.info(data)
    late = data[: info.prefix_bytes(2)] + metadata_chunk(ICC, b"late") + data[info.prefix_bytes(2) :]
    assert "icc_profile" not in recodec.decode(late).info
    start = info.header_bytes
    twice = data[:start] + metadata_chunk(ICC, b"first") + metadata_chunk(ICC, b"second") + data[start:]
    assert recodec.decode(twice).info["icc_profile"] == b"first"
    assert [image.info["icc_profile"] for image in recodec.progressive(twice)] == [b"first"] * 2


def test_orientation_goes_into_the_pixels(tiny_model: str, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture.save(buffer, "png", exif=exif)
    decoded = recodec.decode(recodec.encode(Image.open(buffer), iterations=1, model=tiny_model))
    assert decoded.size == (45, 61)
    assert decoded.getexif().get(0x0112, 1) == 1


def test_unknown_kind_of_output_is_refused(tiny_model: str, picture: Image.Image) -> None:
    data = recodec.encode(picture, iterations=1, model=tiny_model)
    with pytest.raises(TargetError, match="'jax'"):
        recodec.decode(data, like="jax")
