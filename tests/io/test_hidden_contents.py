"""What files hold where Pillow does not look: inside icons, in other boxes and resources, behind the picture."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

import recodec
from recodec.errors import ImageError
from tests.io.images import deep_png, with_chunks
from tests.io.test_raw_profiles import png
from tests.io.test_reduced_inputs import jpeg_with, said, saved, xmp
from tests.io.test_resolution import stored
from tests.pillow.test_saving import with_exif

PROFILE = b"a profile"
EXIF = with_exif(Orientation=6, Artist="somebody").tobytes().removeprefix(b"Exif\0\0")


def ico(*files: bytes) -> io.BytesIO:
    """An icon of whole PNG files."""
    entries, at = b"", 6 + 16 * len(files)
    for file in files:
        width, height = struct.unpack(">II", file[16:24])
        entries += struct.pack("<4B2H2I", width % 256, height % 256, 0, 0, 1, 32, len(file), at)
        at += len(file)
    return io.BytesIO(struct.pack("<3H", 0, 1, len(files)) + entries + b"".join(files))


def icns(file: bytes) -> io.BytesIO:
    """An icon of a PNG file of 64 x 64 pixels."""
    block = b"icp6" + struct.pack(">I", 8 + len(file)) + file
    return io.BytesIO(b"icns" + struct.pack(">I", 8 + len(block)) + block)


@pytest.mark.parametrize("icon", [ico, icns])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_in_icons_are_noticed(tiny_model: str, icon: type, channels: int) -> None:
    samples = np.random.default_rng(1).integers(0, 65536, (64, 64, channels), np.uint16)
    file = icon(deep_png(samples))
    for source in (file, Image.open(file)):
        with pytest.raises(ImageError, match="more than 8 bits"):
            recodec.encode(source, model="tiny")
    assert recodec.decode(recodec.encode(file, model="tiny", convert=True)).size == (64, 64)


@pytest.mark.parametrize("icon", [ico, icns])
def test_metadata_in_icons_are_kept(tiny_model: str, picture: Image.Image, icon: type) -> None:
    inner = png(picture.resize((64, 64)))
    chunks = (b"iCCP", b"p\0\0" + zlib.compress(PROFILE)), (b"eXIf", EXIF)
    file = icon(with_chunks(inner, *chunks, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")))
    found = recodec.decode(recodec.encode(file, model="tiny", iterations=8))
    assert (found.info["icc_profile"], found.info["xmp"]) == (PROFILE, b"<x/>")
    assert dict(found.getexif()) == {ExifTags.Base.Artist: "somebody", ExifTags.Base.Orientation: 1}
    upright = Image.open(io.BytesIO(inner)).transpose(Image.Transpose.ROTATE_270)
    expected = recodec.decode(recodec.encode(upright, model="tiny", iterations=8), like="numpy")
    np.testing.assert_array_equal(np.asarray(found.convert("RGB")), expected)


def test_sizes_of_icons(tiny_model: str, picture: Image.Image) -> None:
    small, large = (png(picture.resize((side, side))) for side in (16, 64))
    assert said(ico(large)) == said(icns(large)) == []
    assert said(ico(small, large)) == ["of the image, further sizes of the icon (1) are not in the file"]
    picture.resize((64, 64)).save(file := io.BytesIO(), "ICNS")
    assert said(file) == ["of the image, further sizes of the icon (7) are not in the file"]


def test_transparency_of_icons_that_pillow_does_not_read(tiny_model: str, picture: Image.Image) -> None:
    picture.resize((32, 32)).quantize(9).save(file := io.BytesIO(), "PNG", transparency=3)
    assert "transparency of the icon" in said(ico(file.getvalue()))[0]


def test_surfaces_of_dds(tiny_model: str, picture: Image.Image) -> None:
    data = bytearray(saved(picture, "DDS").getvalue())
    assert said(io.BytesIO(data)) == []
    for flag, words in ((0x200, "faces of its cube"), (0x200000, "slices of its volume")):
        data[112:116] = flag.to_bytes(4, "little")
        assert words in said(io.BytesIO(data))[0]


def test_colours_that_bitmaps_describe(tiny_model: str, picture: Image.Image) -> None:
    plain = saved(picture, "BMP").getvalue()
    for kind, rest, words in (
        (b"KNIL", bytes(64), "ICC profile is in another file"),
        (bytes(4), b"\1" * 64, "calibration in the bitmap"),
        (bytes(4), bytes(64), None),
        (b"BGRs", b"\1" * 64, None),
    ):
        header = struct.pack("<I", 124) + plain[18:54] + bytes(16) + kind + rest
        data = plain[:2] + struct.pack("<I4xI", len(plain) + 84, 138) + header + plain[54:]
        found = said(io.BytesIO(data))
        assert (words in found[0]) if words else found == []


def test_pictures_of_a_container(tiny_model: str, picture: Image.Image) -> None:
    listed = 'Item:Semantic="Primary" Item:Semantic="Depth" Item:Semantic="Original"'
    (message,) = said(jpeg_with(picture, xmp(listed)))
    assert "pictures that its XMP lists (Depth, Original) are not in the file" in message
    assert said(jpeg_with(picture, xmp('Item:Semantic="Primary"'))) == []


def test_content_credentials(tiny_model: str, picture: Image.Image) -> None:
    box = b"\0\0\0\x1ejumb\0\0\0\x16jumdc2pa"
    for file in (
        jpeg_with(picture, (0xEB, b"JP\0\1\0\0\0\1" + box)),
        io.BytesIO(with_chunks(png(picture), (b"caBX", box))),
    ):
        assert said(file) == ["of the image, its content credentials (C2PA) are not in the file"]
    (message,) = said(jpeg_with(picture, (0xEB, b"JP\0\1\0\0\0\1 other")))
    assert message == "of the image, segments of JPEG (APP11) are not in the file"


def psd(picture: Image.Image, channels: int, resources: bytes = b"") -> io.BytesIO:
    planes = np.asarray(picture).transpose(2, 0, 1).tobytes() + bytes(
        (channels - 3) * picture.width * picture.height
    )
    head = struct.pack(">4sH6x", b"8BPS", 1)
    head += struct.pack(">HIIHH", channels, picture.height, picture.width, 8, 3)
    return io.BytesIO(
        head + bytes(4) + struct.pack(">I", len(resources)) + resources + bytes(4) + bytes(2) + planes
    )


def test_channels_and_resolution_of_psd(tiny_model: str, picture: Image.Image) -> None:
    assert said(psd(picture, 3)) == []
    assert "further channel" in said(psd(picture, 5))[0]
    content = struct.pack(">IHHIHH", 300 << 16, 1, 2, 600 << 16, 1, 2)
    resource = struct.pack(">4sHHI", b"8BIM", 1005, 0, len(content)) + content
    assert stored(psd(picture, 3, resource)) == (300, 600, 2)


def test_resolution_of_jpeg_2000_for_display(tiny_model: str, picture: Image.Image) -> None:
    data = saved(picture, "JPEG2000").getvalue()
    at = data.index(b"jp2h") - 4
    (size,) = struct.unpack_from(">I", data, at)
    fields = struct.pack(">4H2b", 11811, 1, 23622, 2, 0, 0)
    box = struct.pack(">I4sI4s", 8 + 8 + len(fields), b"res ", 8 + len(fields), b"resd") + fields
    data = data[:at] + struct.pack(">I", size + len(box)) + data[at + 4 : at + size] + box + data[at + size :]
    found = stored(io.BytesIO(data))
    assert found == pytest.approx((300, 300, 2), abs=0.01)


def test_aspect_of_gif(tiny_model: str, picture: Image.Image) -> None:
    data = bytearray(saved(picture, "GIF").getvalue())
    assert stored(io.BytesIO(data)) is None
    data[12] = 113
    found = stored(io.BytesIO(data))
    assert found is not None
    assert found[2] == 1
    assert found[1] / found[0] == 2


@pytest.mark.parametrize(
    "keyword", ["icc_profile", "exif", "xmp", "transparency", "interlace", "dpi", "gamma"]
)
def test_text_with_the_name_of_something_else_is_text(keyword: str) -> None:
    image, text = Image.new("RGB", (8, 8), (10, 200, 30)), PngImagePlugin.PngInfo()
    text.add_text(keyword, "hello")
    file, plain = io.BytesIO(), io.BytesIO()
    image.save(file, "PNG", pnginfo=text)
    image.save(plain, "PNG")
    assert recodec.encode(file) == recodec.encode(plain)
