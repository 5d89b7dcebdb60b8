"""What files hold in places where Pillow does not look."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image, features

import recodec
from recodec.errors import InputWarning
from recodec.io.boxes import boxes, items
from recodec.io.further_pictures import further_pictures
from tests.io.test_orientation import ARTIST, ORIENTATION, block

EXIF = block("<", [(ARTIST, 2, "José".encode() + b"\0")])
XMP = b"<x:xmpmeta/>"


def box(kind: bytes, *content: bytes, full: bool = False) -> bytes:
    body = bytes(4) * full + b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def heif(*kinds: bytes, auxiliary: bytes = b"") -> bytes:
    """The boxes of a file with items of these types, the first of them its picture, of 10 bits; no samples."""
    entries = [
        box(b"infe", b"\2\0\0\0", struct.pack(">HH4s", number, 0, kind), b"\0")
        for number, kind in enumerate(kinds, 1)
    ]
    properties = [
        box(b"av1C", b"\x81\x00\x40\x00"),
        box(b"colr", b"nclx", struct.pack(">HHHB", 12, 13, 0, 0x80)),
        box(b"auxC", auxiliary, b"\0", full=True) if auxiliary else b"",
        box(b"av1C", b"\x81\x00\x00\x00"),
    ]
    associations = struct.pack(">IHBBB", 1, 1, 2, 0x81, 0x82)
    meta = box(
        b"meta",
        box(b"pitm", struct.pack(">H", 1), full=True),
        box(b"iinf", struct.pack(">H", len(entries)), *entries, full=True),
        box(b"iprp", box(b"ipco", *properties), box(b"ipma", associations, full=True)),
        full=True,
    )
    return box(b"ftyp", b"avif", bytes(4)) + meta


def test_items_of_a_picture() -> None:
    found = items(io.BytesIO(heif(b"av01", b"tmap")))
    assert found.kinds == (b"av01", b"tmap")
    assert found.get(b"av1C") == [b"\x81\x00\x40\x00"]
    assert found.get(b"colr")[0].startswith(b"nclx")
    # A picture of several parts has none itself.
    assert len(found.all_properties[b"av1C"]) == 2


def test_gain_maps_and_depth_are_named() -> None:
    image = Image.new("L", (8, 8))
    plain = items(io.BytesIO(heif(b"av01")))
    assert further_pictures(image, b"", plain) == []
    (gain_map,) = further_pictures(image, b"", items(io.BytesIO(heif(b"av01", b"tmap"))))
    assert "gain map" in gain_map
    depth = b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth"
    (message,) = further_pictures(image, b"", items(io.BytesIO(heif(b"av01", auxiliary=depth))))
    assert depth.decode() in message
    alpha = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
    assert further_pictures(image, b"", items(io.BytesIO(heif(b"av01", auxiliary=alpha)))) == []


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_boxes_are_left_out(damage: str) -> None:
    data = heif(b"av01", b"tmap", auxiliary=b"urn")
    for at in range(len(data)):
        bad = data[:at] if damage == "cut" else data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        found = items(io.BytesIO(bad))
        assert len(found.kinds) <= 3
        assert all(part.end <= len(bad) for part in boxes(io.BytesIO(bad)))


@pytest.mark.skipif(not features.check("avif"), reason="needs a Pillow that reads AVIF")
def test_alpha_of_avif_is_the_pictures_own(tiny_model: str, picture: Image.Image) -> None:
    picture.putalpha(Image.radial_gradient("L").resize(picture.size))
    picture.save(buffer := io.BytesIO(), "AVIF")
    assert recodec.info(recodec.encode(buffer, model=tiny_model)).mode == "RGBA"


@pytest.mark.skipif(not features.check("avif"), reason="needs a Pillow that reads AVIF")
@pytest.mark.parametrize("turned", [False, True])
def test_exif_of_avif_is_kept_as_it_is(tiny_model: str, picture: Image.Image, turned: bool) -> None:
    text = "José".encode()
    exif = Image.Exif()
    # Pillow moves the orientation to where AVIF has it, and writes no other text than ASCII by then.
    exif[ARTIST], exif[ORIENTATION] = "J!!!!", 6 if turned else 1
    picture.save(buffer := io.BytesIO(), "AVIF", exif=exif)
    data = buffer.getvalue().replace(b"J!!!!", text)
    for source in (io.BytesIO(data), Image.open(io.BytesIO(data))):
        decoded = recodec.decode(recodec.encode(source, model=tiny_model))
        assert decoded.size == (picture.size[::-1] if turned else picture.size)
        assert text in decoded.info["exif"]


def psd(*resources: tuple[int, bytes]) -> bytes:
    """A Photoshop file of 8x6 black with resources and no layers."""
    blocks = b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + bytes(len(body) % 2)
        for number, body in resources
    )
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 6, 8, 8, 3)
    return header + bytes(4) + struct.pack(">I", len(blocks)) + blocks + bytes(4) + bytes(2 + 8 * 6 * 3)


def test_metadata_of_photoshop_files(tiny_model: str) -> None:
    data = recodec.encode(io.BytesIO(psd((1039, b"profile!"), (1058, EXIF), (1060, XMP))), model=tiny_model)
    info = recodec.decode(data).info
    assert info == {"icc_profile": b"profile!", "exif": b"Exif\0\0" + EXIF, "xmp": XMP}
    with pytest.warns(InputWarning, match="IPTC"):
        recodec.encode(io.BytesIO(psd((1028, b"\x1c\2\x78\0\4text"))), model=tiny_model)


def test_an_orientation_there_is_applied(tiny_model: str) -> None:
    for value in (1, 6):
        exif = block("<", [(ORIENTATION, 3, struct.pack("<H", value))])
        decoded = recodec.decode(recodec.encode(io.BytesIO(psd((1058, exif))), model=tiny_model))
        assert decoded.size == ((6, 8) if value == 6 else (8, 6))
        assert decoded.getexif()[ORIENTATION] == 1


def test_the_profile_of_a_bitmap(tiny_model: str) -> None:
    pixels, profile = bytes(8 * 3 * 6), b"a profile"
    header = struct.pack("<IiiHHIIiiII", 124, 8, 6, 1, 24, 0, len(pixels), 0, 0, 0, 0) + bytes(16) + b"DEBM"
    header += bytes(48) + struct.pack("<IIII", 4, 124 + len(pixels), len(profile), 0)
    start = 14 + len(header)
    data = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + pixels + profile
    decoded = recodec.decode(recodec.encode(io.BytesIO(data), model=tiny_model))
    assert decoded.info == {"icc_profile": profile}
    decoded = recodec.decode(recodec.encode(io.BytesIO(data.replace(b"DEBM", b"BGRs")), model=tiny_model))
    assert decoded.info == {}
