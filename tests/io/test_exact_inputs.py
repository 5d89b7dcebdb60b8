"""What is encoded without loss is what was given: what would be rounded on the way in is refused, with the reason."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
import recodec.pillow
from recodec.io.pictures import Picture, read_picture
from tests.conftest import any_size

LEVELS = (np.arange(30 * 40 * 3) * 7 % 256).astype(np.uint8).reshape(30, 40, 3)
DEEP = (np.arange(30 * 40) * 53 % 65536).astype(np.uint16).reshape(30, 40)


def exactly(image: Any, **options: Any) -> bytes:
    return recodec.encode(image, lossless=True, **options)


def read(image: Any, **options: Any) -> Picture:
    return read_picture(image, any_size, exact=True, **options)


@pytest.mark.parametrize("convert", [False, True])
@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "La", "RGBa"])
def test_colours_that_would_be_rounded(mode: str, convert: bool) -> None:
    image = Image.fromarray(LEVELS)
    made = {
        "LAB": lambda: Image.merge("LAB", image.split()),
        "La": lambda: image.convert("LA").convert("La"),
        "RGBa": lambda: image.convert("RGBA").convert("RGBa"),
    }.get(mode, lambda: image.convert(mode))()
    with pytest.raises(recodec.ImageError, match=f"mode {mode}, which becomes .* by rounding"):
        exactly(made, convert=convert)
    with pytest.raises(OSError, match="by rounding"):
        made.save(io.BytesIO(), "RECODEC", lossless=True, convert=convert)


def test_a_cmyk_file_is_refused(tmp_path: Path) -> None:
    Image.fromarray(LEVELS).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(recodec.ImageError, match="mode CMYK"):
        exactly(tmp_path / "a.jpg", convert=True)


FLOATS = {
    "fractions": LEVELS / 256,
    "NaN": np.where(LEVELS == 7, np.nan, LEVELS / 255),
    "negative": LEVELS / 255 - 1e-2,
    "bright": LEVELS / 255 + 1e-2,
    "infinite": np.where(LEVELS == 7, np.inf, LEVELS / 255),
}


@pytest.mark.parametrize("kind", FLOATS)
def test_floats_that_are_no_levels(kind: str) -> None:
    values = FLOATS[kind]
    for image in (
        values,
        torch.from_numpy(values).permute(2, 0, 1),
        torch.from_numpy(values).permute(2, 0, 1).float(),
    ):
        with pytest.raises(recodec.ImageError, match=r"none of the 256 levels|NaN or values outside"):
            exactly(image, convert=True)
    with pytest.raises(recodec.ImageError, match=r"none of the 256 levels|mode F"):
        exactly(Image.fromarray(values[:, :, 0].astype(np.float32)), convert=True)


def test_alpha_that_is_no_level() -> None:
    tensor = torch.from_numpy(np.concatenate([LEVELS, LEVELS[:, :, :1]], 2)).permute(2, 0, 1) / 255
    assert torch.equal((tensor * 255).round().to(torch.uint8), recodec.decode(exactly(tensor), like="torch"))
    tensor[3] *= 0.999
    with pytest.raises(recodec.ImageError, match="none of the 256 levels"):
        exactly(tensor)


def test_levels_of_any_type_are_kept() -> None:
    channels = torch.from_numpy(LEVELS).permute(2, 0, 1)
    for image in (LEVELS / 255, (LEVELS / 255).astype(np.float32), channels / 255, channels.double() / 255):
        np.testing.assert_array_equal(recodec.decode(exactly(image, convert=True), like="numpy"), LEVELS)
    grey = LEVELS[:, :, 0]
    for image in (grey.astype(np.float32), grey.astype(np.float32) / 255, grey.astype(np.int32)):
        found = recodec.decode(exactly(Image.fromarray(image), convert=True), like="numpy")
        np.testing.assert_array_equal(found[:, :, 0], grey)


@pytest.mark.parametrize("convert", [False, True])
def test_sixteen_bits_are_read_whole_and_never_reduced(convert: bool, tmp_path: Path) -> None:
    Image.fromarray(DEEP).save(tmp_path / "a.png")
    for image in (DEEP, torch.from_numpy(DEEP)[None], Image.fromarray(DEEP), tmp_path / "a.png"):
        picture = read(image, convert=convert)
        assert picture.depth == 16
        np.testing.assert_array_equal(picture.samples[0].numpy(), DEEP)
        np.testing.assert_array_equal(picture.of_eight_bits().samples[0].numpy(), (DEEP + 128.0) // 257)
        found = recodec.decode(exactly(image, convert=convert), like="numpy")
        np.testing.assert_array_equal(found[:, :, 0], DEEP)


def test_sixteen_bits_of_which_pillow_reads_eight(tmp_path: Path) -> None:
    colour = np.stack([DEEP] * 3, axis=2)
    header = b"P6 40 30 65535 "
    (tmp_path / "a.ppm").write_bytes(header + colour.astype(">u2").tobytes())
    with pytest.raises(recodec.ImageError, match="16 bits per sample, of which Pillow reads 8"):
        exactly(tmp_path / "a.ppm", convert=True)


def test_one_transparent_grey_of_sixteen_bits(tmp_path: Path) -> None:
    Image.fromarray(DEEP).save(tmp_path / "a.png", transparency=int(DEEP[3, 4]))
    picture = read(tmp_path / "a.png")
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, np.where(DEEP[3, 4] == DEEP, 0, 255))
    np.testing.assert_array_equal(picture.of_eight_bits().alpha, picture.alpha)


def test_alpha_of_sixteen_bits() -> None:
    levels = DEEP % 256
    picture = read(np.stack([DEEP, levels * 257], axis=2))
    np.testing.assert_array_equal(picture.alpha, levels)  # type: ignore[arg-type]
    picture = read(np.stack([DEEP, DEEP], axis=2))
    np.testing.assert_array_equal(picture.alpha, DEEP)  # type: ignore[arg-type]
    np.testing.assert_array_equal(picture.of_eight_bits().alpha, (DEEP + 128.0) // 257)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["1", "P", "PA", "RGBX"])
def test_modes_that_only_look_otherwise_are_kept(mode: str) -> None:
    image = Image.fromarray(LEVELS).convert("P" if mode == "PA" else mode).convert(mode)
    stored = image.convert({"1": "L", "PA": "RGBA"}.get(mode, "RGB"))
    assert recodec.decode(exactly(image)).tobytes() == stored.tobytes()
