"""What a file holds that an encoded one has no place for is named: segments, chunks, boxes, texts, data behind it."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, TiffImagePlugin

import recodec
from tests.io.images import with_chunks
from tests.io.test_hidden_contents import icns, ico
from tests.io.test_raw_profiles import png
from tests.io.test_reduced_inputs import jpeg_with, said, saved, xmp

# Tests and what they say of a picture are by the small model.
pytestmark = pytest.mark.usefixtures("tiny_model")


def samsung(*names: bytes) -> bytes:
    """What telephones append: parts, then an index of them from its own start backwards."""
    parts = [struct.pack("<HHI", 0, 0x0A01, len(name)) + name + b"of it" for name in names]
    back, entries = 0, b""
    for part in reversed(parts):
        back += len(part)
        entries = struct.pack("<HHII", 0, 0x0A01, back, len(part)) + entries
    index = b"SEFH" + struct.pack("<II", 106, len(parts)) + entries
    return b"".join(parts) + index + struct.pack("<I", len(index)) + b"SEFT"


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        ((0xE1, b"FLIR\0\1" + bytes(99)), "APP1 FLIR"),
        ((0xE3, b"_JPSJPS_" + bytes(9)), "APP3 _JPSJPS_"),
        ((0xE3, bytes(200)), "APP3"),
        ((0xE6, b"GoPro\0"), "APP6 GoPro"),
        ((0xE2, b"FPXR\0\0"), "APP2 FPXR"),
    ],
)
def test_segments_of_jpeg(picture: Image.Image, segment: tuple[int, bytes], name: str) -> None:
    file = jpeg_with(picture, segment)
    assert said(file) == [f"of the image, segments of JPEG ({name}) are not in the file"]
    assert said(Image.open(file)) == said(file)
    assert said(file, strip=True) == []


def test_segments_that_are_kept_or_say_how_it_was_coded(picture: Image.Image) -> None:
    known = (0xE0, b"JFXX\0\x13\1\1\0\0\0"), (0xEC, b"Ducky\0\1"), xmp("")
    assert said(jpeg_with(picture, *known)) == []


def test_paths(picture: Image.Image) -> None:
    path = b"8BIM" + struct.pack(">H", 2000) + b"\5Path1" + struct.pack(">I", 26) + bytes(26)
    assert said(jpeg_with(picture, (0xED, b"Photoshop 3.0\0" + path))) == [
        "of the image, its paths are not in the file"
    ]


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_comments(picture: Image.Image, kind: str) -> None:
    image = picture if kind == "JPEG" else picture.convert("P")
    assert said(saved(image, kind, comment=b"seen at dawn")) == [
        "of the image, its comment is not in the file"
    ]
    assert said(saved(image, kind, comment=b"Created with GIMP")) == []
    assert said(saved(picture, "JPEG2000")) == []


def test_texts_and_chunks_of_png(picture: Image.Image) -> None:
    texts = (b"tEXt", b"parameters\0a cat"), (b"iTXt", b"Title\0\0\0\0\0x"), (b"tEXt", b"Software\0y")
    assert said(io.BytesIO(with_chunks(png(picture), *texts))) == [
        "of the image, texts (Title, parameters) are not in the file"
    ]
    behind = png(picture)
    assert behind.endswith(end := behind[-12:])
    # Where Pillow reads it last.
    late = with_chunks(behind[:33], texts[0])[33:]
    assert said(io.BytesIO(behind[:-12] + late + end)) == [
        "of the image, texts (parameters) are not in the file"
    ]
    chunks = (b"sTER", b"\1"), (b"npTc", bytes(4)), (b"tIME", bytes(7)), (b"sBIT", b"\5\6\5")
    assert said(io.BytesIO(with_chunks(png(picture), *chunks))) == [
        "of the image, chunks of PNG (npTc, sTER) are not in the file"
    ]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "PPM"])
def test_data_behind_the_picture(picture: Image.Image, kind: str) -> None:
    data = saved(picture, kind).getvalue()
    assert said(io.BytesIO(data + bytes(3000))) == []
    assert said(io.BytesIO(data + b"PK\3\4" + bytes(30))) == [
        "of the image, 34 bytes behind the picture are not in the file"
    ]


@pytest.mark.parametrize(("mode", "dtype"), [("1", None), ("L", None), ("I;16", np.uint16), ("RGB", None)])
def test_another_picture_behind_one_of_netpbm(picture: Image.Image, mode: str, dtype: Any) -> None:
    grey = np.asarray(picture.convert("L"))
    image = picture.convert(mode) if dtype is None else Image.fromarray(grey.astype(dtype) * 257)
    data = saved(image, "PPM").getvalue()
    assert said(io.BytesIO(data), convert=True) == []
    (message,) = said(io.BytesIO(data * 2), convert=True)
    assert f"{len(data)} bytes behind" in message


def test_progressive_scans_are_one_picture(picture: Image.Image) -> None:
    data = saved(picture, "JPEG", progressive=True, restart_marker_blocks=1).getvalue()
    assert said(io.BytesIO(data)) == []
    assert "9 bytes behind" in said(io.BytesIO(data + b"some data"))[0]


def test_what_samsungs_telephones_append(picture: Image.Image) -> None:
    data = saved(picture, "JPEG").getvalue()
    assert said(io.BytesIO(data + samsung(b"MotionPhoto_Data", b"Image_UTC_Data"))) == [
        "of the image, Samsung's data behind the picture (Image_UTC_Data, MotionPhoto_Data) are not in the file"
    ]
    damaged = data + samsung(b"MotionPhoto_Data")[:-8] + b"\xff\xff\xff\x7fSEFT"
    assert "bytes behind the picture" in said(io.BytesIO(damaged))[0]


def test_pictures_behind_one_are_named_once(picture: Image.Image) -> None:
    file = saved(picture, "MPO", save_all=True, append_images=[picture])
    (message,) = said(file)
    assert "1 further picture" in message


def test_boxes_and_colours_of_jpeg_2000(picture: Image.Image) -> None:
    data = saved(picture, "JPEG2000").getvalue()
    box = struct.pack(">I4s", 8 + 6, b"xml ") + b"<gml/>"
    assert said(io.BytesIO(data + box)) == ["of the image, boxes of JPEG 2000 (xml) are not in the file"]
    colours = b"colr\1\0\0" + struct.pack(">I", 16)
    assert colours in data
    romm = data.replace(colours, b"colr\1\0\0" + struct.pack(">I", 21))
    assert "number 21" in said(io.BytesIO(romm))[0]


def profile_of(file: io.BytesIO) -> Any:
    return recodec.decode(recodec.encode(file, model="tiny", iterations=8)).info.get("icc_profile")


@pytest.mark.parametrize("icon", [ico, icns])
def test_colours_and_resolution_in_icons(picture: Image.Image, icon: Any) -> None:
    inner = png(picture.resize((64, 64)))
    gamma = (b"gAMA", struct.pack(">I", 100000))
    linear = with_chunks(inner, gamma)
    assert profile_of(icon(linear)) == profile_of(io.BytesIO(linear)) is not None
    # As in a file of its own, code points count more than a profile.
    both = (b"cICP", bytes((12, 13, 0, 1))), (b"iCCP", b"p\0\0x\x9c\x03\0\0\0\0\x01")
    p3 = profile_of(io.BytesIO(with_chunks(inner, *both)))
    assert profile_of(icon(with_chunks(inner, *both))) == p3
    assert p3 is not None
    dense = icon(with_chunks(inner, (b"pHYs", struct.pack(">IIB", 11811, 11811, 1))))
    exif = recodec.decode(recodec.encode(dense, model="tiny", iterations=8)).getexif()
    assert abs(exif[ExifTags.Base.XResolution] - 300) < 0.01


@pytest.mark.parametrize(
    ("space", "index", "is_adobe"),
    [(2, None, True), (0xFFFF, "R03", True), (0xFFFF, "R98", False), (1, None, False)],
)
def test_adobe_rgb_of_cameras(picture: Image.Image, space: int, index: str | None, is_adobe: bool) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = space
    if index is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: index}
    file = saved(picture, "JPEG", exif=exif)
    profile = profile_of(file)
    assert (profile is not None) == is_adobe
    if is_adobe:
        adobe = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
        chunks = (b"cHRM", struct.pack(">8I", *adobe)), (b"gAMA", struct.pack(">I", 45471))
        same = profile_of(io.BytesIO(with_chunks(png(picture), *chunks)))
        assert len(profile) == len(same)
        assert sum(a != b for a, b in zip(profile, same, strict=True)) < 8  # roundings
        assert (
            profile_of(saved(picture, "JPEG", exif=exif, icc_profile=b"one of its own")) == b"one of its own"
        )


def tiff(image: Image.Image, **tags: Any) -> io.BytesIO:
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        directory[ExifTags.Base[name]] = value
    return saved(image, "TIFF", tiffinfo=directory)


def test_primaries_of_tiff(picture: Image.Image) -> None:
    white, p3 = (0.3127, 0.329), (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    (message,) = said(tiff(picture, WhitePoint=white, PrimaryChromaticities=p3))
    assert "primaries" in message
    srgb = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
    assert said(tiff(picture, WhitePoint=white, PrimaryChromaticities=srgb)) == []


def test_stacks_of_imagej(picture: Image.Image) -> None:
    (message,) = said(tiff(picture, ImageDescription="ImageJ=1.54f\nimages=50\nslices=50\n"))
    assert "49 further pictures" in message
    assert said(tiff(picture, ImageDescription="ImageJ=1.54f\nunit=cm\n")) == []


def test_the_depth_that_tiff_declares_by_its_largest_sample(picture: Image.Image) -> None:
    grey = np.asarray(picture.convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) << 4)
    maximum = 281
    directory = TiffImagePlugin.ImageFileDirectory_v2()

    def shown(most: int) -> float:
        directory[maximum] = most
        file = saved(deep, "TIFF", tiffinfo=directory)
        return float(
            recodec.decode(
                recodec.encode(file, model="tiny", iterations=8, convert=True), like="numpy"
            ).mean()
        )

    assert abs(shown(4095) - grey.mean()) < 5
    # The largest that there is says nothing of a depth.
    assert shown(4000) < grey.mean() / 8
