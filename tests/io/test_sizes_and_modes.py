"""Every mode and size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

import recodec
from recodec.errors import ImageError
from recodec.io.pictures import read_picture
from tests.conftest import any_size

MODES = ("L", "LA", "RGB", "RGBA")


_RANDOM = np.random.default_rng(12)


EXTREME_SIZES = [(1, 1), (1, 999), (17, 31), (999, 1)]


SIZES = [*EXTREME_SIZES, *map(tuple, _RANDOM.integers(1, 70, (12, 2)).tolist())]


@pytest.mark.parametrize("size", SIZES)
def test_every_mode_and_size(tiny_model: str, size: tuple[int, int]) -> None:
    width, height = size
    rng = np.random.default_rng(size)
    for channels, mode in enumerate(MODES, 1):
        array = rng.integers(0, 256, (height, width, channels), np.uint8)
        if width % 2:  # runs and slopes, which PNG filters are for
            array[..., -1] = np.add.outer(np.arange(height), np.arange(width)) // 3 % 256
        image = Image.fromarray(array[..., 0] if channels == 1 else array)
        assert image.mode == mode
        data = recodec.encode(image, iterations=2, model=tiny_model)
        assert recodec.encode(array, iterations=2, model=tiny_model) == data
        tensor = torch.from_numpy(array).permute(2, 0, 1)
        assert recodec.encode(tensor, iterations=2, model=tiny_model) == data
        assert recodec.encode(tensor / 255, iterations=2, model=tiny_model) == data
        info = recodec.info(data)
        assert (info.mode, info.width, info.height, info.iterations) == (mode, width, height, 2)
        decoded = recodec.decode(data)
        assert (decoded.mode, decoded.size) == (mode, size)
        out = recodec.decode(data, like="numpy")
        assert out.shape == (height, width, channels)
        np.testing.assert_array_equal(np.asarray(decoded).reshape(out.shape), out)
        np.testing.assert_array_equal(recodec.decode(data, like="torch").permute(1, 2, 0).numpy(), out)
        if mode.endswith("A"):
            np.testing.assert_array_equal(out[..., -1], array[..., -1])
            for partial in recodec.progressive(data, like="numpy"):
                np.testing.assert_array_equal(partial[..., -1], array[..., -1])


@pytest.mark.parametrize("mode", MODES)
def test_round_trips_of_five_hundred_sizes(
    tiny_model: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recodec.families.recurrent.encoder.TILE_SIDE", 16)
    channels = MODES.index(mode) + 1
    # Most are small, some have several positions along a side, a few are cut into tiles.
    sides = np.exp(_RANDOM.uniform(0, np.log(160), (500, 2))).astype(int)
    for width, height in [*EXTREME_SIZES, *sides.tolist()]:
        ramp = np.add.outer(np.arange(height), np.arange(width)) % 256
        array = np.repeat(ramp[..., None], channels, axis=2).astype(np.uint8)
        array[..., -1] = 255 - array[..., -1]
        data = recodec.encode(array, iterations=1, model=tiny_model)
        decoded = recodec.decode(data)
        assert (decoded.mode, decoded.size) == (mode, (width, height))
        out = np.asarray(decoded).reshape(array.shape)
        if mode.endswith("A"):
            np.testing.assert_array_equal(out[..., -1], array[..., -1])


@pytest.mark.parametrize(
    ("mode", "key", "expected"),
    [
        ("1", None, "L"),
        ("1", 255, "LA"),
        ("L", 7, "LA"),
        ("RGB", (1, 2, 3), "RGBA"),
        ("RGBX", None, "RGB"),
        ("P", None, "RGB"),
        ("P", 3, "RGBA"),
        ("P", bytes([0, 100, 255]), "RGBA"),
        ("PA", None, "RGBA"),
        ("La", None, "LA"),
        ("RGBa", None, "RGBA"),
    ],
)
def test_equivalent_modes(picture: Image.Image, mode: str, key: Any, expected: str) -> None:
    through = {"RGBa": "RGBA", "La": "LA"}.get(mode)
    image = (picture.convert(through) if through else picture).convert(mode)
    if key is not None:
        image.info["transparency"] = key
    plain = image.convert(expected)
    read = read_picture(image, any_size)
    assert read.channels == (3 if "RGB" in expected else 1)
    array = np.asarray(plain).reshape(45, 61, -1)
    np.testing.assert_array_equal(read.samples.permute(1, 2, 0).numpy(), array[..., : read.channels])
    if expected.endswith("A"):
        assert read.alpha is not None
        np.testing.assert_array_equal(read.alpha, array[..., -1])
    else:
        assert read.alpha is None


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "I;16B"])
def test_other_modes_want_an_explicit_choice(tiny_model: str, mode: str) -> None:
    image = Image.new(mode, (8, 8), 40 if mode[0] in "IF" else None)
    with pytest.raises(ImageError, match=f"mode {mode}; .*convert=True .--convert"):
        recodec.encode(image, model=tiny_model)
    grey = mode[0] in "IF"
    data = recodec.encode(image, convert=True, iterations=1, model=tiny_model)
    assert recodec.info(data).mode == ("L" if grey else "RGB")


def test_whole_numbers_must_lie_in_the_range_of_eight_bits() -> None:
    image = Image.fromarray(np.array([[0, 255, 1]], np.int32))
    assert read_picture(image, any_size, convert=True).samples.tolist() == [[[0, 255, 1]]]
    for bad in (-1, 256):
        with pytest.raises(ImageError, match=r"outside 0\.\.255"):
            read_picture(Image.new("I", (2, 2), bad), any_size, convert=True)


def test_float_arrays_lie_in_0_to_1(tiny_model: str, picture: Image.Image) -> None:
    array = np.asarray(picture)
    scaled = recodec.encode(array / 255, convert=True, iterations=1, model=tiny_model)
    assert scaled == recodec.encode(array, iterations=1, model=tiny_model)
    with pytest.raises(ImageError, match="outside"):
        recodec.encode(array.astype(np.float32), convert=True, model=tiny_model)


def test_a_profile_of_other_colours_is_used_and_not_kept(picture: Image.Image) -> None:
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(picture, srgb, lab, outputMode="LAB")
    assert image is not None
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(lab).tobytes()
    read = read_picture(image, any_size, convert=True)
    assert read.metadata == {}
    difference = read.samples.permute(1, 2, 0).numpy().astype(int) - np.asarray(picture)
    assert np.abs(difference).mean() < 3
    cmyk = picture.convert("CMYK")
    cmyk.info["icc_profile"] = b"not a profile"
    plain = read_picture(cmyk, any_size, convert=True)
    assert plain.metadata == {}
    np.testing.assert_array_equal(plain.samples.permute(1, 2, 0).numpy(), np.asarray(cmyk.convert("RGB")))
