"""EXIF and XMP travel as bytes: nothing but the orientation is other than it was."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

import recodec
import recodec.pillow
from recodec.errors import InputWarning
from recodec.io.orientation import upright_exif, upright_xmp

# Pillow warns of them.
damaged = pytest.mark.filterwarnings("ignore:(Truncated File Read|Corrupt EXIF data):UserWarning")
Entry = tuple[int, int, bytes]
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 8: 2, 9: 4, 10: 8}
ORIENTATION, MAKE, ARTIST, RESOLUTION, MAKER_NOTE, GPS = 0x0112, 0x010F, 0x013B, 0x011A, 0x927C, 0x8825
IPTC, CAMERA_OWNER = 33723, 0xA430


def block(order: str, *directories: list[Entry], private: bytes = b"") -> bytes:
    """EXIF data with directories in a chain, ``private`` bytes after them; a directory's values follow it."""
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    for number, entries in enumerate(directories):
        start, values = len(data), b""
        head = struct.pack(order + "H", len(entries))
        at = start + 2 + 12 * len(entries) + 4
        for tag, kind, content in entries:
            stored = content.ljust(4, b"\0")
            if len(content) > 4:
                stored = struct.pack(order + "I", at + len(values))
                values += content + b"\0" * (len(content) % 2)
            head += struct.pack(order + "HHI", tag, kind, len(content) // SIZES[kind]) + stored
        following = at + len(values) if number + 1 < len(directories) else 0
        data += head + struct.pack(order + "I", following) + values
    return data + private


def turned(order: str, value: int, kind: int = 3) -> Entry:
    return ORIENTATION, kind, struct.pack(order + {3: "H", 4: "I", 8: "h", 9: "i"}[kind], value)


def blocks(value: int) -> dict[str, bytes]:
    """Such as cameras, editors and bugs write, with an orientation."""
    note = b"Maker\0" + struct.pack("<I", 0x1A2) + bytes(range(64))
    return {
        "little endian": block("<", [turned("<", value)]),
        "big endian": block(">", [(MAKE, 2, b"Maker\0"), turned(">", value)]),
        "long": block("<", [turned("<", value, 4)]),
        "signed": block(">", [turned(">", value, 8)]),
        "UTF-8": block("<", [turned("<", value), (ARTIST, 2, "© José Ñandú".encode() + b"\0")]),
        "latin-1": block(">", [turned(">", value), (ARTIST, 2, "© José".encode("latin-1") + b"\0")]),
        "wrong type": block("<", [turned("<", value), (RESOLUTION, 2, b"72/1\0"), (GPS, 2, b"here\0")]),
        "zero denominator": block("<", [turned("<", value), (RESOLUTION, 5, struct.pack("<II", 0, 0))]),
        "maker note": block("<", [turned("<", value), (MAKER_NOTE, 7, note)], private=b"pointed at"),
        "thumbnail": block("<", [turned("<", value)], [turned("<", value), (0x0201, 4, bytes(4))]),
        "unsorted, twice": block(">", [turned(">", value), (MAKE, 2, b"a\0"), turned(">", value)]),
        "cut": block("<", [turned("<", value), (ARTIST, 2, b"longer than four\0")])[:-9],
    }


def opened(exif: bytes = b"", kind: str = "JPEG", **options: Any) -> Image.Image:
    """24×16, dark on the left."""
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:, 12:] = 220
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, exif=b"Exif\0\0" + exif if exif else b"", **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def stored_exif(image: Image.Image, model: str) -> bytes:
    decoded = recodec.decode(recodec.encode(image, model=model, iterations=1))
    return bytes(decoded.info["exif"]).removeprefix(b"Exif\0\0")


@damaged
@pytest.mark.parametrize("name", list(blocks(1)))
@pytest.mark.parametrize("value", [1, 3, 6])
def test_all_bytes_but_the_orientation_stay(tiny_model: str, name: str, value: int) -> None:
    original = blocks(value)[name]
    assert stored_exif(opened(original), tiny_model) == blocks(1)[name]
    assert len(original) == len(blocks(1)[name])


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_formats_keep_theirs_too(tiny_model: str, kind: str) -> None:
    name = "UTF-8"
    assert stored_exif(opened(blocks(8)[name], kind), tiny_model) == blocks(1)[name]


@pytest.mark.parametrize("value", range(9))
def test_the_picture_is_turned_as_it_says(tiny_model: str, value: int) -> None:
    image = opened(blocks(value)["little endian"])
    info = recodec.info(recodec.encode(image, model=tiny_model, iterations=1))
    assert (info.width, info.height) == ((16, 24) if value >= 5 else (24, 16))


def test_without_an_orientation_all_stays(tiny_model: str) -> None:
    plain = block("<", [(ARTIST, 2, b"somebody\0"), (ORIENTATION, 2, b"6\0")])
    image = opened(plain)
    assert stored_exif(image, tiny_model) == plain
    assert recodec.info(recodec.encode(image, model=tiny_model)).width == 24


def test_the_callers_image_is_left_alone(tiny_model: str) -> None:
    image = opened(blocks(6)["little endian"])
    before = dict(image.getexif()), image.getexif().tobytes(), dict(image.info), image.size
    files = [recodec.encode(image, model=tiny_model), *recodec.encode([image, image], model=tiny_model)]
    assert files[0] == files[1] == files[2]
    assert (dict(image.getexif()), image.getexif().tobytes(), dict(image.info), image.size) == before


def test_a_tiffs_tags_are_left_alone(tiny_model: str) -> None:
    tags = Image.Exif()
    tags[ARTIST], tags[ORIENTATION] = "somebody", 6
    buffer = io.BytesIO()
    opened().save(buffer, "TIFF", exif=tags)
    image = Image.open(buffer)
    # Pillow turns TIFF files itself.
    image.load()
    before = dict(image.getexif())
    data = recodec.encode(image, model=tiny_model)
    assert recodec.encode(image, model=tiny_model) == data
    assert dict(image.getexif()) == before
    assert dict(recodec.decode(data).getexif()) == {ARTIST: "somebody"}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_text_in_tiffs_tags_is_kept(tiny_model: str, encoding: str) -> None:
    text, iptc = "© José Ñandú".encode(encoding), b"\x1c\x02\x78\0\4text"
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[ARTIST], tags[IPTC] = text, iptc
    tags.tagtype[IPTC] = 7
    image = opened(kind="TIFF", tiffinfo=tags)
    assert text + b"\0" in stored_exif(image, tiny_model)
    assert recodec.decode(recodec.encode(image, model=tiny_model)).getexif()[IPTC] == iptc


@pytest.mark.parametrize("text", ["© José", "日本"])
def test_text_that_was_set_is_kept(tiny_model: str, text: str) -> None:
    image = opened(blocks(6)["little endian"])
    image.getexif()[ARTIST] = text
    image.getexif().get_ifd(0x8769)[CAMERA_OWNER] = text
    decoded = recodec.decode(recodec.encode(image, model=tiny_model)).getexif()
    for found in (decoded[ARTIST], decoded.get_ifd(0x8769)[CAMERA_OWNER]):
        # Pillow reads UTF-8 as Latin-1.
        assert text in (found, found.encode("latin-1").decode(errors="replace"))


def test_tags_that_were_edited_are_written(tiny_model: str) -> None:
    image = opened(blocks(6)["little endian"])
    image.getexif()[ARTIST] = "me"
    decoded = recodec.decode(recodec.encode(image, model=tiny_model))
    assert dict(decoded.getexif()) == {ARTIST: "me"}
    assert decoded.size == (16, 24)


def test_tags_that_cannot_be_written_are_named(tiny_model: str) -> None:
    image = opened()
    exif = image.getexif()
    exif[ARTIST], exif[RESOLUTION] = "me", "72/1"
    with pytest.warns(InputWarning, match="EXIF tags 0x011a cannot be written"):
        data = recodec.encode(image, model=tiny_model)
    assert dict(recodec.decode(data).getexif()) == {ARTIST: "me"}


@pytest.mark.parametrize("options", [{}, {"exif": None}, {"exif": b""}, {"strip": True}])
def test_pillow_saves_upright(tiny_model: str, options: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    opened(blocks(6)["UTF-8"]).save(buffer, "RECODEC", model=tiny_model, iterations=1, **options)
    image = Image.open(buffer)
    assert image.size == (16, 24)
    stored = image.info.get("exif", b"").removeprefix(b"Exif\0\0")
    assert stored == (b"" if options else blocks(1)["UTF-8"])


XMP = {
    "attribute": '<x tiff:Orientation="6" a="tiff:Orientation">ñ</x>',
    "single quotes": "<x tiff:Orientation = '6'/>",
    "element": "<x><tiff:Orientation>6</tiff:Orientation></x>",
    "element with attributes": "<x><tiff:Orientation a='b'>\n 6 </tiff:Orientation ></x>",
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("form", XMP)
def test_the_orientation_in_xmp(tiny_model: str, form: str, encoding: str) -> None:
    xmp, upright = (text.encode(encoding) for text in (XMP[form], XMP[form].replace("6", "1")))
    assert upright_xmp(xmp) == upright
    # Part of a character, as damage leaves it.
    assert upright_xmp(xmp + b"\xfe") == upright + b"\xfe"
    for kind in ("WEBP", "JPEG"):
        decoded = recodec.decode(recodec.encode(opened(xmp=xmp, kind=kind), model=tiny_model))
        assert decoded.info["xmp"] == upright
        assert decoded.size == (16, 24)


def test_exif_counts_where_xmp_says_otherwise(tiny_model: str) -> None:
    for form in XMP.values():
        image = opened(blocks(1)["UTF-8"], xmp=form.encode())
        assert recodec.decode(recodec.encode(image, model=tiny_model)).size == (24, 16)


def test_what_is_no_orientation_in_xmp_stays() -> None:
    for other in ('<x a="tiff:Orientation">6</x>', '<x tiff:Orientation="16"/>', "<tiff:Orientations>6</x>"):
        assert upright_xmp(other.encode()) == other.encode()


@damaged
def test_data_that_are_no_exif_are_passed_on(tiny_model: str) -> None:
    assert upright_exif(b"no TIFF header") is None
    assert upright_exif(b"II*\0\xff\xff\xff\xff") == b"II*\0\xff\xff\xff\xff"
    assert stored_exif(opened(b"II*\0\xff\xff\xff\xffmore"), tiny_model) == b"II*\0\xff\xff\xff\xffmore"
