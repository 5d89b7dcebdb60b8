"""HEIF by a plugin for Pillow: depth, colours, further pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

import recodec
import recodec.pillow
from recodec.errors import ImageError, InputWarning

pillow_heif = pytest.importorskip(
    "pillow_heif", reason="HEIF is read by the package pillow-heif, which is not here"
)


@pytest.fixture(autouse=True)
def _opener() -> Iterator[None]:
    """Pillow reads HEIF during a test, and not after it."""
    # Before, since Pillow registers its own formats but once.
    Image.init()
    tables = [Image.ID, Image.OPEN, Image.SAVE, Image.SAVE_ALL, Image.MIME, Image.EXTENSION]
    before: list[Any] = [table.copy() for table in tables]
    pillow_heif.register_heif_opener()
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.extend(content) if isinstance(table, list) else table.update(content)


def heif(image: Image.Image, **options: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, **options)
    return io.BytesIO(buffer.getvalue())


def test_ten_bits_want_an_explicit_choice(tiny_model: str, picture: Image.Image) -> None:
    deep = (np.asarray(picture).astype(np.uint16) * 257).tobytes()
    buffer = io.BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=picture.size, data=deep).save(buffer)
    for source in (buffer, Image.open(buffer)):
        with pytest.raises(ImageError, match="more than 8 bits"):
            recodec.encode(source, model=tiny_model)
    with pytest.raises(OSError, match="more than 8 bits"):
        Image.open(buffer).save(io.BytesIO(), "RECODEC", model=tiny_model)
    assert recodec.encode(buffer, model=tiny_model, convert=True)


def test_colours(tiny_model: str, picture: Image.Image) -> None:
    def metadata(**options: int) -> tuple[str, ...]:
        return recodec.info(recodec.encode(heif(picture, **options), model=tiny_model, iterations=1)).metadata

    assert metadata() == ()
    assert metadata(color_primaries=12, transfer_characteristics=13) == ("icc",)
    with pytest.warns(InputWarning, match="primaries 9 and transfer 18"):
        assert metadata(color_primaries=9, transfer_characteristics=18) == ()


def test_depth_and_auxiliary_pictures(tiny_model: str, picture: Image.Image) -> None:
    image = Image.open(heif(picture))
    image.info["aux"] = {"urn:com:apple:photo:2020:aux:hdrgainmap": [2]}
    with pytest.warns(InputWarning, match=r"auxiliary pictures \(urn:com:apple:photo:2020:aux:hdrgainmap\)"):
        recodec.encode(image, model=tiny_model)
    image = Image.open(heif(picture))
    image.info["depth_images"] = [object()]
    with pytest.warns(InputWarning, match=r"auxiliary pictures \(depth\)"):
        recodec.encode(image, model=tiny_model)


def test_alpha_is_no_auxiliary_picture(tiny_model: str, picture: Image.Image) -> None:
    picture.putalpha(Image.radial_gradient("L").resize(picture.size))
    assert recodec.info(recodec.encode(heif(picture), model=tiny_model)).mode == "RGBA"


def test_several_pictures_are_refused(tiny_model: str, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "HEIF", save_all=True, append_images=[picture])
    with pytest.raises(ImageError, match="2 frames"):
        recodec.encode(buffer, model=tiny_model)


def test_the_container_says_how_it_is_turned(tiny_model: str, picture: Image.Image) -> None:
    for xmp in (b"<x tiff:Orientation='6'/>", b'<x tiff:Orientation="6"/>'):
        picture.save(buffer := io.BytesIO(), "HEIF", xmp=xmp)
        shown = Image.open(buffer).size
        info = recodec.info(recodec.encode(buffer, model=tiny_model))
        assert (info.width, info.height) == shown
