"""What an input holds and a file does not is refused or said."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import recodec
import recodec.pillow
from recodec.errors import ImageError, InputWarning
from tests.io.test_orientation import Entry, block


def saved(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return io.BytesIO(buffer.getvalue())


def said(source: Any, **options: Any) -> list[str]:
    """What is reported of a picture."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        recodec.encode(source, model="tiny", iterations=1, **options)
    assert all(warning.category is InputWarning for warning in found)
    return [str(warning.message) for warning in found]


def with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> io.BytesIO:
    """A JPEG file with more segments, behind its first marker."""
    added = b"".join(struct.pack(">HH", 0xFF00 | marker, 2 + len(body)) + body for marker, body in segments)
    return io.BytesIO(jpeg[:2] + added + jpeg[2:])


def jpeg_with(image: Image.Image, *segments: tuple[int, bytes]) -> io.BytesIO:
    return with_segments(saved(image, "JPEG").getvalue(), *segments)


def xmp(text: str) -> tuple[int, bytes]:
    return 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + f"<x:xmpmeta {text}/>".encode()


@pytest.mark.parametrize(("count", "words"), [(1, "1 further picture,"), (2, "2 further pictures")])
def test_further_pictures_are_named(tiny_model: str, picture: Image.Image, count: int, words: str) -> None:
    file = saved(picture, "MPO", save_all=True, append_images=[picture] * count)
    (message,) = said(Image.open(file))
    assert words in message
    file.seek(0)
    assert said(file) == [message]
    # By Pillow, which has loaded it by then.
    file.seek(0)
    with pytest.warns(InputWarning, match=words):
        Image.open(file).save(io.BytesIO(), "RECODEC", model=tiny_model, iterations=1)


def test_one_picture_is_no_further_picture(tiny_model: str, picture: Image.Image) -> None:
    for file in (saved(picture, "JPEG"), saved(picture, "MPO")):
        assert said(file) == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_ultra_hdr(tiny_model: str, picture: Image.Image, order: str) -> None:
    """Pillow opens it as a plain JPEG, with the index of two pictures."""
    index = block(order, [(0xB001, 4, struct.pack(order + "I", 2)), (0xB002, 7, bytes(32))])
    promise = xmp('xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"')
    file = jpeg_with(picture, promise, (0xE2, b"MPF\0" + index))
    assert Image.open(file).format == "JPEG"
    (message,) = said(file)
    assert "1 further picture" in message


def test_what_only_promises_a_gain_map(tiny_model: str, picture: Image.Image) -> None:
    segment = 0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
    for file in (jpeg_with(picture, xmp('hdrgm:Version="1.0"')), jpeg_with(picture, segment)):
        assert said(file) == ["of the image, the gain map, which makes it HDR, is not in the file"]


def test_the_video_of_a_motion_photo(tiny_model: str, picture: Image.Image) -> None:
    for name in ("GCamera:MotionPhoto", "Camera:MotionPhoto", "GCamera:MicroVideo"):
        assert "video" in said(jpeg_with(picture, xmp(f'{name}="1"')))[0]
    assert said(jpeg_with(picture, xmp('GCamera:MotionPhoto="0"'))) == []


def test_extended_xmp(tiny_model: str, picture: Image.Image) -> None:
    guid = b"0123456789ABCDEF" * 2
    more = 0xE1, b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", 10, 0) + b"<x/>" * 3
    file = jpeg_with(picture, xmp(f'xmpNote:HasExtendedXMP="{guid.decode()}"'), more, more)
    for source in (file, Image.open(file), Image.open(file).copy()):
        assert said(source) == [
            "of the image, the extended part of its XMP is not in the file, though XMP names it"
        ]
    assert said(file, strip=True) == []


def iptc(*datasets: tuple[int, int, bytes]) -> bytes:
    return b"".join(struct.pack(">BBBH", 0x1C, *names, len(text)) + text for *names, text in datasets)


def photoshop(number: int, content: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + b"\0" * (len(content) % 2)


VERSIONS = iptc((1, 90, b"\x1b%G"), (2, 0, b"\0\4"))
CAPTION = VERSIONS + iptc((2, 120, "José".encode()))


@pytest.mark.parametrize(
    ("content", "reported"), [(CAPTION, True), (b"odd", True), (VERSIONS, False), (b"", False)]
)
def test_captions_of_iptc(tiny_model: str, picture: Image.Image, content: bytes, reported: bool) -> None:
    expected = ["of the image, IPTC captions are not in the file"] if reported else []
    resource = photoshop(0x0404, content)
    file = jpeg_with(picture, (0xED, b"Photoshop 3.0\0" + photoshop(0x040C, bytes(9)) + resource))
    assert said(file) == expected
    assert said(file, strip=True) == []
    text = PngImagePlugin.PngInfo()
    hexadecimal = f"\niptc\n{len(resource):8}\n{resource.hex()}\n"
    text.add_text("Raw profile type iptc", hexadecimal)
    if content:
        assert said(saved(picture, "PNG", pnginfo=text)) == expected


def raw_photograph(*tags: tuple[int, int, int], sub: list[Entry] | None = None) -> bytes:
    """A TIFF file of 8x6 RGB whose first directory has more tags, and another directory below it."""
    pixels = bytes(8 * 6 * 3)
    directory = b"" if sub is None else block("<", sub)[8:]
    start = 8 + len(pixels)
    more = [(330, 4, start)] if sub is not None else []
    entries = sorted(
        [
            *((tag, 3, value) for tag, value in ((256, 8), (257, 6), (259, 1), (262, 2), (277, 3), (278, 6))),
            *((273, 4, 8), (279, 4, len(pixels))),
            *tags,
            *more,
        ]
    )
    body = struct.pack("<H", len(entries) + 1)
    first = start + len(directory)
    values = first + 2 + 12 * (len(entries) + 1) + 4
    packed = [struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries]
    packed.append(struct.pack("<HHII", 258, 3, 3, values))
    body += b"".join(sorted(packed, key=lambda entry: struct.unpack_from("<H", entry))) + bytes(4)
    return b"II*\0" + struct.pack("<I", first) + pixels + directory + body + struct.pack("<3H", 8, 8, 8)


def size(width: int, height: int, photometric: int) -> list[Entry]:
    numbers = ((256, width), (257, height), (262, photometric))
    return [(tag, 4, struct.pack("<I", number)) for tag, number in numbers]


RAW = {
    "DNG or NEF": raw_photograph((254, 4, 1), sub=size(4000, 3000, 32803)),
    "larger": raw_photograph(sub=size(9, 6, 2)),
    "sensor": raw_photograph(sub=size(8, 6, 32803)),
    "old mark": raw_photograph((255, 3, 2), sub=size(4, 3, 2)),
}


@pytest.mark.parametrize("name", RAW)
def test_previews_that_stand_in_for_photographs_are_refused(
    tiny_model: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a.dng").write_bytes(RAW[name])
    loaded = Image.open(tmp_path / "a.dng")
    loaded.load()
    for source in (tmp_path / "a.dng", io.BytesIO(RAW[name]), loaded):
        with pytest.raises(ImageError, match=r"raw photograph.* reads a preview; develop it first"):
            recodec.encode(source, model=tiny_model, convert=True)
    assert recodec.encode(loaded.copy(), model=tiny_model)


def test_previews_below_a_picture_are_no_loss(tiny_model: str) -> None:
    for tags in ((), ((254, 4, 0),)):
        assert said(io.BytesIO(raw_photograph(*tags, sub=size(4, 3, 2)))) == []
    # A reduced picture that is all there is.
    assert said(io.BytesIO(raw_photograph((254, 4, 1)))) == []


def test_further_channels_are_named(tiny_model: str) -> None:
    # Colours and infrared, which Pillow skips; colours and alpha, which it takes.
    for kind, expected in (
        (0, ["of the image, a further channel, such as infrared, is not in the file"]),
        (2, []),
    ):
        tags = {256: 8, 257: 6, 259: 1, 262: 2, 273: 8, 277: 4, 278: 6, 279: 192, 338: kind}
        entries = {tag: struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()}
        end = 8 + 192 + 2 + 12 * (len(tags) + 1) + 4
        entries[258] = struct.pack("<HHII", 258, 3, 4, end)
        directory = (
            struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
        )
        data = b"II*\0" + struct.pack("<I", 200) + bytes(192) + directory + struct.pack("<4H", 8, 8, 8, 8)
        assert said(io.BytesIO(data)) == expected


@pytest.mark.parametrize(("name", "words"), [(b"XMP DataXMP", "XMP"), (b"ICCRGBG1012", "ICC profile")])
def test_what_gif_files_hold(tiny_model: str, picture: Image.Image, name: bytes, words: str) -> None:
    data = saved(picture, "GIF").getvalue()
    # Behind the palette of 256 colours.
    at = 13 + 3 * 256
    extended = data[:at] + b"\x21\xff\x0b" + name + b"\x04<x/>\0" + data[at:]
    assert said(io.BytesIO(extended)) == [f"of the image, the {words} of a GIF file is not in the file"]
    assert said(io.BytesIO(data)) == []


def test_warnings_pickle() -> None:
    warning = InputWarning("of the image, something")
    again = pickle.loads(pickle.dumps(warning))
    assert (type(again), str(again)) == (InputWarning, str(warning))


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


def test_a_damaged_second_picture_is_none(tiny_model: str, picture: Image.Image) -> None:
    """Pillow's reader raises TypeError for a directory without a size."""
    picture.save(data := io.BytesIO(), "TIFF")
    content = bytearray(data.getvalue())
    first = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[first : first + 2], "little")
    link = first + 2 + 12 * entries
    content[link : link + 4] = len(content).to_bytes(4, "little")
    content += b"\1\0" + b"\xff\xff\3\0\1\0\0\0\0\0\0\0" + bytes(4)
    assert recodec.decode(recodec.encode(io.BytesIO(bytes(content)), model=tiny_model)).size == picture.size
    with Image.open(io.BytesIO(bytes(content))) as image:
        image.save(io.BytesIO(), "RECODEC", model=tiny_model)
