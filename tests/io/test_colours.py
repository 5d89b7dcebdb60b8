"""Colours that are described otherwise than by an ICC profile get one that says the same, or are reported."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, features

import recodec
import recodec.pillow
from recodec.errors import InputWarning
from tests.io.images import with_chunks

SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
P3_PRIMARIES = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
# Linear Display P3 to linear sRGB, from both definitions (SMPTE EG 432-1, IEC 61966-2-1).
P3_TO_SRGB = [[1.2249, -0.2249, 0.0], [-0.0421, 1.0421, 0.0], [-0.0196, -0.0786, 1.0983]]
HDR = "CICP primaries 9 and transfer 16"


def gama(gamma: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(gamma * 100000))


def chrm(values: tuple[float, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in values))


def cicp(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, matrix, full_range])


def png(image: Image.Image, *extra: tuple[bytes, bytes], **options: bytes) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return with_chunks(buffer.getvalue(), *extra)


def stored_profile(source: bytes | Image.Image) -> bytes | None:
    image = Image.open(io.BytesIO(source)) if isinstance(source, bytes) else source
    decoded = recodec.decode(recodec.encode(image, model="tiny", iterations=1))
    return decoded.info.get("icc_profile")


def in_srgb(image: Image.Image, profile: bytes) -> NDArray[np.float64]:
    """What a viewer that minds profiles shows, from 0 to 1."""
    converted = ImageCms.profileToProfile(
        image,
        io.BytesIO(profile),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
        flags=ImageCms.Flags.NOOPTIMIZE,
    )
    assert converted is not None
    return np.asarray(converted) / 255


def light(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("extra", [[cicp(12, 13)], [cicp(12, 2)], [chrm(P3_PRIMARIES)]], ids=str)
def test_display_p3(tiny_model: str, picture: Image.Image, extra: list[tuple[bytes, bytes]]) -> None:
    profile = stored_profile(png(picture, *extra))
    assert profile is not None
    shown = in_srgb(picture, profile)
    expected = srgb(light(np.asarray(picture) / 255) @ np.transpose(P3_TO_SRGB))
    np.testing.assert_allclose(shown, expected, atol=1 / 255)


@pytest.mark.parametrize(
    ("extra", "exponent"),
    [
        ([gama(1)], 1.0),
        ([cicp(1, 8)], 1.0),
        ([gama(1), chrm(SRGB_PRIMARIES)], 1.0),
        ([gama(0.5)], 2.0),
        ([cicp(1, 4)], 2.2),
        ([cicp(2, 5)], 2.8),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_curves(
    tiny_model: str, picture: Image.Image, mode: str, extra: list[tuple[bytes, bytes]], exponent: float
) -> None:
    image = picture.convert(mode)
    profile = stored_profile(png(image, *extra))
    assert profile is not None
    colours = image.convert("RGB") if mode == "RGBA" else image
    shown = in_srgb(colours, profile)
    expected = srgb((np.asarray(colours.convert("RGB")) / 255) ** exponent)
    np.testing.assert_allclose(shown, expected, atol=1.5 / 255)


def test_the_curve_of_bt_709(tiny_model: str, picture: Image.Image) -> None:
    grey = picture.convert("L")
    profile = stored_profile(png(grey, cicp(1, 1)))
    assert profile is not None
    v = np.asarray(grey) / 255
    expected = srgb(np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45)))
    np.testing.assert_allclose(in_srgb(grey, profile)[..., 0], expected, atol=1 / 255)


def test_primaries_and_curve_together(tiny_model: str, picture: Image.Image) -> None:
    profile = stored_profile(png(picture, gama(1 / 2.2), chrm(P3_PRIMARIES)))
    assert profile is not None
    expected = srgb((np.asarray(picture) / 255) ** 2.2 @ np.transpose(P3_TO_SRGB))
    np.testing.assert_allclose(in_srgb(picture, profile), expected, atol=1.5 / 255)


@pytest.mark.parametrize(
    "extra",
    [
        [gama(0.45455)],
        [gama(0.45455), chrm(SRGB_PRIMARIES)],
        [gama(0.4545), chrm((0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06))],
        [chrm(SRGB_PRIMARIES)],
        [(b"sRGB", b"\0")],
        [gama(1), (b"sRGB", b"\0")],
        [gama(0)],
        [cicp(1, 13)],
        [cicp(2, 2)],
        [gama(1), cicp(1, 13)],
    ],
    ids=str,
)
def test_srgb_needs_no_profile(
    tiny_model: str, picture: Image.Image, extra: list[tuple[bytes, bytes]]
) -> None:
    assert stored_profile(png(picture, *extra)) is None


def test_grey_has_no_primaries(tiny_model: str, picture: Image.Image) -> None:
    assert stored_profile(png(picture.convert("L"), cicp(12, 13))) is None


def test_what_counts_first(tiny_model: str, picture: Image.Image) -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert stored_profile(png(picture, gama(1), icc_profile=own)) == own
    made = stored_profile(png(picture, cicp(12, 13)))
    assert stored_profile(png(picture, cicp(12, 13), gama(1), icc_profile=own)) == made
    assert stored_profile(png(picture, cicp(1, 13), icc_profile=made or b"")) is None
    assert stored_profile(png(picture, cicp(2, 2), icc_profile=own)) == own
    with pytest.warns(InputWarning, match=f"{HDR}.*those of its ICC profile"):
        assert stored_profile(png(picture, cicp(9, 16), icc_profile=own)) == own


@pytest.mark.parametrize(
    "points",
    [(9, 16), (9, 18), (12, 17), (1, 13, 1), (1, 13, 0, 0), (10, 8), (200, 13)],
    ids=str,
)
def test_what_no_profile_says_is_reported(
    tiny_model: str, picture: Image.Image, points: tuple[int, ...]
) -> None:
    with pytest.warns(InputWarning, match=f"primaries {points[0]} and transfer {points[1]}.*taken for sRGB"):
        assert stored_profile(png(picture, cicp(*points))) is None


@pytest.mark.parametrize("values", [(0.0,) * 8, (0.3, 0.3) * 4, (0.3127, 0.0, *P3_PRIMARIES[2:])], ids=str)
def test_primaries_that_are_none_are_reported(
    tiny_model: str, picture: Image.Image, values: tuple[float, ...]
) -> None:
    with pytest.warns(InputWarning, match="make no ICC profile"):
        assert stored_profile(png(picture, gama(1), chrm(values))) is None


def test_the_callers_file_and_image_stay(tiny_model: str, picture: Image.Image) -> None:
    file = io.BytesIO(png(picture, cicp(12, 13)))
    image = Image.open(file)
    position = file.tell()
    before = dict(image.info)
    first = recodec.encode(image, model=tiny_model, iterations=1)
    # It is loaded now.
    assert recodec.encode(image, model=tiny_model, iterations=1) == first
    assert "icc" in recodec.info(first).metadata
    assert dict(image.info) == before
    assert not file.closed
    assert position > 0


def test_pillow_saves_the_profile_too(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(picture, cicp(12, 13)))
    for source in (tmp_path / "a.png", io.BytesIO(png(picture, cicp(12, 13)))):
        buffer = io.BytesIO()
        with Image.open(source) as image:
            image.save(buffer, "RECODEC", model=tiny_model, iterations=1)
        assert "icc_profile" in Image.open(buffer).info
    with Image.open(tmp_path / "a.png") as image:
        image.save(buffer := io.BytesIO(), "RECODEC", model=tiny_model, iterations=1, icc_profile=None)
    assert "icc_profile" not in Image.open(buffer).info


def test_stripped_pictures_are_silent(tiny_model: str, picture: Image.Image) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = recodec.encode(io.BytesIO(png(picture, cicp(9, 16))), model=tiny_model, strip=True)
    assert recodec.info(data).metadata == ()


@pytest.mark.skipif(not features.check("avif"), reason="needs a Pillow that reads AVIF")
def test_avif(tiny_model: str, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "AVIF")
    plain = b"nclx\0\x01\0\x0d"
    assert buffer.getvalue().count(plain) == 1
    assert stored_profile(buffer.getvalue()) is None
    p3 = stored_profile(buffer.getvalue().replace(plain, b"nclx\0\x0c\0\x0d"))
    assert p3 == stored_profile(png(picture, cicp(12, 13)))
    with pytest.warns(InputWarning, match=HDR):
        stored_profile(buffer.getvalue().replace(plain, b"nclx\0\x09\0\x10"))


@pytest.mark.skipif(not features.check("jpg_2000"), reason="needs a Pillow that reads JPEG 2000")
def test_jpeg_2000(tiny_model: str, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG2000")
    data = buffer.getvalue()
    old = struct.pack(">I4sBBBI", 15, b"colr", 1, 0, 0, 16)
    header = data.index(b"jp2h") - 4
    size = int.from_bytes(data[header : header + 4])
    assert stored_profile(data) is None

    def with_colours(content: bytes) -> bytes:
        box = struct.pack(">I4s", 8 + len(content), b"colr") + content
        grown = struct.pack(">I", size + len(box) - len(old))
        return (data[:header] + grown + data[header + 4 :]).replace(old, box)

    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert stored_profile(with_colours(b"\2\0\0" + own)) == own
    p3 = stored_profile(png(picture, cicp(12, 13)))
    assert stored_profile(with_colours(b"\5\0\0" + struct.pack(">HHHB", 12, 13, 0, 0x80))) == p3
    xmp = b"<x:xmpmeta/>"
    name = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    decoded = recodec.decode(
        recodec.encode(
            io.BytesIO(data + struct.pack(">I4s", 24 + len(xmp), b"uuid") + name + xmp), model="tiny"
        )
    )
    assert decoded.info["xmp"] == xmp
