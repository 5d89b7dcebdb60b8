"""Alpha and metadata on their way through."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.errors import TargetError


def test_orientation_turns_alpha_too(tiny_model: str, picture: Image.Image) -> None:
    image = picture.convert("RGBA")
    image.putalpha(picture.getchannel(0))
    image.getexif()[0x0112] = 6
    decoded = recodec.decode(recodec.encode(image, iterations=1, model=tiny_model))
    turned = picture.getchannel(0).transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_array_equal(np.asarray(decoded.getchannel("A")), np.asarray(turned))
    assert 0x0112 not in decoded.getexif()


def test_opaque_alpha_is_kept_and_cheap(tiny_model: str, picture: Image.Image) -> None:
    plain = recodec.encode(picture, iterations=1, model=tiny_model)
    opaque = recodec.encode(picture.convert("RGBA"), iterations=1, model=tiny_model)
    assert recodec.decode(opaque).mode == "RGBA"
    assert len(opaque) - len(plain) <= 100


def test_alpha_has_no_limit_of_pillow(
    tiny_model: str, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = recodec.encode(picture.convert("LA"), iterations=1, model=tiny_model)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert recodec.decode(data).mode == "LA"
    assert recodec.verify(data).alpha


def test_metadata_is_stripped_on_request(tiny_model: str, picture: Image.Image) -> None:
    plain = recodec.encode(picture, iterations=1, model=tiny_model)
    picture.info.update(icc_profile=b"profile", xmp=b"<x/>")
    picture.getexif()[0x010F] = "maker"
    assert recodec.info(recodec.encode(picture, iterations=1, model=tiny_model)).metadata == (
        "icc",
        "exif",
        "xmp",
    )
    assert recodec.encode(picture, iterations=1, strip=True, model=tiny_model) == plain


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
    from recodec.container.core import ICC, attached_chunk

    data = recodec.encode(picture, iterations=2, model=tiny_model)
    info = recodec.info(data)
    late = data[: info.prefix_bytes(2)] + attached_chunk(ICC, b"late") + data[info.prefix_bytes(2) :]
    assert "icc_profile" not in recodec.decode(late).info
    start = info.header_bytes
    twice = data[:start] + attached_chunk(ICC, b"first") + attached_chunk(ICC, b"second") + data[start:]
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
