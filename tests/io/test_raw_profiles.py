"""Metadata of PNG in other places than most: texts that hold profiles in hexadecimal, chunks behind the pixels."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import ExifTags, Image

import recodec
import recodec.pillow
from recodec.errors import InputWarning
from tests.io.images import with_chunks
from tests.io.test_reduced_inputs import CAPTION, photoshop, said
from tests.pillow.test_saving import saved, with_exif

EXIF = with_exif(Orientation=6, Artist="somebody").tobytes()
XMP = b'<x:xmpmeta tiff:Orientation="6"/>'
IN_APP1 = b"http://ns.adobe.com/xap/1.0/\0" + XMP
PROFILE = b"a profile"


def png(image: Image.Image) -> bytes:
    image.save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def text(name: str, content: bytes, *, compressed: bool = False) -> tuple[bytes, bytes]:
    """As ImageMagick and ExifTool write it."""
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    body = f"\n{name}\n{len(content):8}\n{lines}\n".encode()
    key = f"Raw profile type {name}".encode() + b"\0"
    return (b"zTXt", key + b"\0" + zlib.compress(body)) if compressed else (b"tEXt", key + body)


def behind(data: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG file with a chunk behind its pixels."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:-12] + chunk + data[-12:]


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize(
    "chunk",
    [
        text("exif", EXIF),
        text("APP1", EXIF),
        text("APP1", EXIF, compressed=True),
        text("exif", EXIF.removeprefix(b"Exif\0\0")),
        (b"eXIf", EXIF.removeprefix(b"Exif\0\0")),
    ],
    ids=["exif", "APP1", "zTXt", "no prefix", "eXIf"],
)
def test_exif(tiny_model: str, picture: Image.Image, chunk: tuple[bytes, bytes], last: bool) -> None:
    data = behind(png(picture), *chunk) if last else with_chunks(png(picture), chunk)
    for coded in (
        recodec.encode(io.BytesIO(data), model="tiny", iterations=1),
        recodec.encode(Image.open(io.BytesIO(data)), model="tiny", iterations=1),
        saved(Image.open(io.BytesIO(data))),
    ):
        found = recodec.decode(coded)
        assert found.size == (45, 61)
        assert dict(found.getexif()) == {ExifTags.Base.Artist: "somebody", ExifTags.Base.Orientation: 1}


@pytest.mark.parametrize(
    "chunk",
    [text("xmp", XMP), text("APP1", IN_APP1), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)],
    ids=["xmp", "APP1", "iTXt"],
)
def test_xmp_and_its_orientation(tiny_model: str, picture: Image.Image, chunk: tuple[bytes, bytes]) -> None:
    for data in (with_chunks(png(picture), chunk), behind(png(picture), *chunk)):
        found = recodec.decode(recodec.encode(io.BytesIO(data), model="tiny", iterations=1))
        assert (found.size, found.info["xmp"]) == ((45, 61), XMP.replace(b"6", b"1"))


def test_orientation_of_xmp_that_is_given(tiny_model: str, picture: Image.Image) -> None:
    assert recodec.info(saved(picture, xmp=XMP)).width == 45
    image = Image.open(io.BytesIO(with_chunks(png(picture), text("xmp", XMP))))
    assert recodec.info(saved(image, xmp=None)).width == 45
    assert recodec.info(saved(image, xmp=XMP.replace(b"6", b"1"))).width == 61


@pytest.mark.parametrize("name", ["icc", "icm"])
def test_profile(tiny_model: str, picture: Image.Image, name: str) -> None:
    data = with_chunks(png(picture), text(name, PROFILE))
    found = recodec.decode(recodec.encode(io.BytesIO(data), model="tiny", iterations=1))
    assert found.info == {"icc_profile": PROFILE}


@pytest.mark.parametrize("name", ["iptc", "8bim"])
def test_captions(tiny_model: str, picture: Image.Image, name: str) -> None:
    data = with_chunks(png(picture), text(name, photoshop(0x0404, CAPTION), compressed=True))
    assert said(io.BytesIO(data)) == ["of the image, IPTC captions are not in the file"]


def test_places_of_their_own_count_first(tiny_model: str, picture: Image.Image) -> None:
    mine, other = (with_exif(Artist=name).tobytes() for name in ("me", "another"))
    chunks = [(b"eXIf", mine.removeprefix(b"Exif\0\0")), text("APP1", other), text("exif", other)]
    chunks += [(b"iCCP", b"p\0\0" + zlib.compress(PROFILE)), text("icc", b"another")]
    data = with_chunks(png(picture), *chunks)
    found = recodec.decode(recodec.encode(io.BytesIO(data), model="tiny", iterations=1))
    assert found.info == {"exif": mine, "icc_profile": PROFILE}


@pytest.mark.parametrize("broken", [b"\nexif\n 4\nzz", b"\nexif\n 4\nabc", b"nothing", b""])
def test_what_cannot_be_read_is_said(tiny_model: str, picture: Image.Image, broken: bytes) -> None:
    for name in ("exif", "APP1", "xmp"):
        data = with_chunks(png(picture), (b"tEXt", f"Raw profile type {name}".encode() + b"\0" + broken))
        expected = f"of the image, its raw profile type '{name}' cannot be read, and is not in the file"
        assert said(io.BytesIO(data)) == [expected]
        with pytest.warns(InputWarning, match=name):
            saved(Image.open(io.BytesIO(data)))
