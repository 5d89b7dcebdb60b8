"""Pictures in and out, of every kind and size, and those that are refused."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
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


def test_arrays_of_any_layout_are_the_same_picture(tiny_model: str, picture: Image.Image) -> None:
    array = np.asarray(picture)
    expected = recodec.encode(array, iterations=1, model=tiny_model)
    mirrored = np.ascontiguousarray(array[::-1])[::-1]
    wide = np.repeat(array, 2, axis=1)[:, ::2]
    for same in (mirrored, wide, np.asfortranarray(array)):
        assert recodec.encode(same, iterations=1, model=tiny_model) == expected
    tensor = torch.tensor(array).float().div(255).permute(2, 0, 1)
    for other in (tensor.double(), tensor.clone().requires_grad_(), tensor.contiguous()):
        assert recodec.encode(other, iterations=1, model=tiny_model) == expected


def test_decoded_tensors_are_ordinary(tiny_model: str, picture: Image.Image) -> None:
    data = recodec.encode(picture, iterations=1, model=tiny_model)
    for tensor in (recodec.decode(data, like="torch"), next(recodec.progressive(data, like="torch"))):
        assert not tensor.is_inference()
        tensor.add_(1)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_refused(tiny_model: str, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("png"):
        rows = b"".join(b"\0" + bytes(range(24)) for _ in range(2))
        chunks = [
            (b"IHDR", struct.pack(">IIBBBBB", 4, 2, 16, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows)),
            (b"IEND", b""),
        ]
        data = b"\x89PNG\r\n\x1a\n"
        for kind, body in chunks:
            data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        path.write_bytes(data)
    else:
        Image.fromarray(np.zeros((4, 4), np.uint16)).save(path)
    with pytest.raises(ImageError, match=r"16 bits|mode I;16"):
        recodec.encode(path, model=tiny_model)


def test_animations_are_refused(tiny_model: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="3 frames"):
        recodec.encode(tmp_path / "a.gif", model=tiny_model)


def test_the_remedy_for_transparency_works(tiny_model: str, picture: Image.Image) -> None:
    keyed = picture.copy()
    keyed.info["transparency"] = (1, 2, 3)
    with pytest.raises(ImageError, match=r"convert\('RGBA'\).convert\('RGB'\)"):
        recodec.encode(keyed, model=tiny_model)
    assert recodec.encode(keyed.convert("RGBA").convert("RGB"), iterations=1, model=tiny_model)


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


@pytest.mark.parametrize("size", [(1, 1), (1, 99), (99, 1), (16, 16), (17, 31), (15, 33)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_size(tiny_model: str, size: tuple[int, int], mode: str) -> None:
    rng = np.random.default_rng(size[0])
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)
    data = recodec.encode(image, iterations=2, model=tiny_model)
    channels = 3 if mode == "RGB" else 1
    assert recodec.decode(data).size == size
    assert recodec.decode(data).mode == mode
    assert recodec.decode(data, like="numpy").shape == (size[1], size[0], channels)
    assert recodec.decode(data, like="torch").shape == (channels, size[1], size[0])
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
