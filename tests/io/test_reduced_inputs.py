"""What an input holds and a file does not is refused or said."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.errors import ImageError, InputWarning


def saved(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return io.BytesIO(buffer.getvalue())


def test_further_pictures_are_named(tiny_model: str, picture: Image.Image) -> None:
    file = saved(picture, "MPO", save_all=True, append_images=[picture, picture])
    with pytest.warns(InputWarning, match="2 further pictures"):
        recodec.encode(Image.open(file), model=tiny_model)
    file.seek(0)
    with pytest.warns(InputWarning, match="2 further pictures"):
        recodec.encode(file, model=tiny_model)


def test_one_picture_is_no_further_picture(tiny_model: str, picture: Image.Image) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        recodec.encode(saved(picture, "JPEG"), model=tiny_model)
    assert [warning.message for warning in found] == []


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_an_image_that_was_loaded_and_closed(tiny_model: str, picture: Image.Image, kind: str) -> None:
    with Image.open(saved(picture, kind)) as image:
        image.load()
    assert recodec.info(recodec.encode(image, model=tiny_model)).width == picture.width


def test_sixteen_bits_of_sgi_are_noticed(tiny_model: str, picture: Image.Image) -> None:
    file = saved(picture, "SGI", bpc=2)
    with pytest.raises(ImageError, match="more than 8 bits"):
        recodec.encode(file, model=tiny_model)
    file.seek(0)
    recodec.encode(file, convert=True, model=tiny_model)


def test_a_depth_that_a_plugin_tells_is_noticed(tiny_model: str, picture: Image.Image) -> None:
    picture.info["bit_depth"] = 10
    with pytest.raises(ImageError, match="more than 8 bits"):
        recodec.encode(picture, model=tiny_model)
    picture.info["bit_depth"] = 8
    recodec.encode(picture, model=tiny_model)


@pytest.mark.parametrize("kind", [">u2", "<u2", ">f4", "<f4", ">f8"])
def test_arrays_of_either_byte_order(tiny_model: str, picture: Image.Image, kind: str) -> None:
    pixels = np.asarray(picture)
    scaled = (pixels / 255).astype(kind) if "f" in kind else (pixels.astype(np.uint16) * 257).astype(kind)
    assert recodec.encode(scaled, convert=True, model=tiny_model) == recodec.encode(picture, model=tiny_model)
