"""Resolution goes into EXIF that has none, and all other bytes stay."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

import recodec
import recodec.pillow
from recodec.container.core import EXIF
from recodec.errors import InputWarning, MetadataDroppedWarning
from recodec.io.directories import directories
from recodec.io.pictures import read_picture
from recodec.io.resolution import Resolution, with_resolution
from tests.conftest import any_size
from tests.io.images import with_chunks
from tests.io.test_orientation import ARTIST, MAKE, RESOLUTION, Entry, block, blocks, damaged

X, Y, UNIT = 0x011A, 0x011B, 0x0128


def saved(image: Image.Image, kind: str, **options: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return io.BytesIO(buffer.getvalue())


def stored(source: Any, **options: Any) -> tuple[float, float, int] | None:
    """Both densities and their unit, from EXIF."""
    exif = recodec.decode(recodec.encode(source, model="tiny", **{"iterations": 1} | options)).getexif()
    return (float(exif[X]), float(exif[Y]), exif[UNIT]) if X in exif else None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "PCX"])
@pytest.mark.parametrize("dpi", [(300, 300), (600, 300)])
def test_every_formats_resolution(
    tiny_model: str, picture: Image.Image, kind: str, dpi: tuple[int, int]
) -> None:
    source = saved(picture, kind, dpi=dpi)
    if kind == "PCX":
        # Pillow writes 100.
        dpi = (100, 100)
    found = stored(source)
    assert found is not None
    assert found == pytest.approx((*dpi, 2), abs=0.02)


def test_per_centimetre(tiny_model: str, picture: Image.Image) -> None:
    data = bytearray(saved(picture, "JPEG", dpi=(118, 118)).getvalue())
    at = data.index(b"JFIF\0") + 7
    assert data[at] == 1
    data[at] = 2
    assert stored(io.BytesIO(data)) == (118 * 2.54, 118 * 2.54, 2)


@pytest.mark.parametrize("dpi", [(72, 72), (96, 96), (1, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_what_is_written_by_default_says_nothing(
    tiny_model: str, picture: Image.Image, kind: str, dpi: tuple[int, int]
) -> None:
    data = recodec.encode(saved(picture, kind, dpi=dpi), model=tiny_model)
    assert recodec.info(data).metadata == ()


@pytest.mark.parametrize("density", [(1, 1), (0, 0), (2, 1)])
def test_a_ratio_of_sides(tiny_model: str, picture: Image.Image, density: tuple[int, int]) -> None:
    data = bytearray(saved(picture, "JPEG").getvalue())
    at = data.index(b"JFIF\0") + 7
    data[at : at + 5] = struct.pack(">BHH", 0, *density)
    expected = (2, 1, 1) if density == (2, 1) else None
    assert stored(io.BytesIO(data)) == expected
    png = with_chunks(saved(picture, "PNG").getvalue(), (b"pHYs", struct.pack(">IIB", *density, 0)))
    assert stored(io.BytesIO(png)) == expected


def test_it_turns_with_the_picture(tiny_model: str, picture: Image.Image) -> None:
    exif = b"Exif\0\0" + blocks(6)["UTF-8"]
    assert stored(saved(picture, "JPEG", dpi=(600, 300), exif=exif)) == (300, 600, 2)


@damaged
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("odd", [b"", b"x"])
def test_what_exif_holds_stays_where_it_was(tiny_model: str, order: str, odd: bytes) -> None:
    entries: list[Entry] = [
        (MAKE, 2, b"Maker of things\0"),
        (UNIT, 3, struct.pack(order + "H", 3)),
        (ARTIST, 2, "© José Ñandú".encode() + b"\0"),
        (0x927C, 7, bytes(range(64))),
    ]
    thumbnail: list[Entry] = [(0x0201, 4, bytes(4))]
    original = block(order, entries, thumbnail, private=b"pointed at" + odd)
    added, said = with_resolution(original, Resolution(300, 299.9994, 2))
    assert added is not None
    assert said == []
    # The header points elsewhere, and that is all.
    assert added[8 : len(original)] == original[8:]
    found, before = Image.Exif(), Image.Exif()
    found.load(added)
    before.load(original)
    assert dict(found) == dict(before) | {X: 300, Y: pytest.approx(299.9994), UNIT: 2}
    tags = [entry.tag for entry in next(directories(added, order, 1)).entries]
    assert tags == sorted(tags)
    # The thumbnail's directory is still the next.
    assert found.get_ifd(ExifTags.IFD.IFD1) == before.get_ifd(ExifTags.IFD.IFD1) != {}
    # Nothing more to add.
    assert with_resolution(added, Resolution(300, 299.9994, 2)) == (added, [])


@damaged
@pytest.mark.parametrize("name", blocks(1))
def test_any_exif_is_added_to_or_it_is_said(name: str) -> None:
    original = blocks(1)[name]
    added, said = with_resolution(original, Resolution(300, 300, 2))
    assert added is not None
    if said or added == original:
        assert added == original
        assert name in ("cut", "wrong type", "zero denominator"), said
        return
    exif = Image.Exif()
    exif.load(added)
    assert (exif[X], exif[Y], exif[UNIT]) == (300, 300, 2)
    assert added[8 : len(original)] == original[8:]


def test_what_is_no_exif_is_kept_and_it_is_said(tiny_model: str, picture: Image.Image) -> None:
    with pytest.warns(InputWarning, match=r"the resolution, 300 x 300 dpi, is not in the file"):
        data = recodec.encode(
            saved(picture, "JPEG", dpi=(300, 300), exif=b"Exif\0\0not one"), model=tiny_model
        )
    assert recodec.decode(data).info["exif"] == b"Exif\0\0not one"


def test_exif_that_says_otherwise_stays(tiny_model: str, picture: Image.Image) -> None:
    entries: list[Entry] = [(tag, 5, struct.pack("<II", 150, 1)) for tag in (RESOLUTION, Y)]
    exif = block("<", entries)
    for dpi in ((150, 150), (72, 72)):
        assert stored_exif(saved(picture, "JPEG", dpi=dpi, exif=b"Exif\0\0" + exif)) == exif
    with pytest.warns(
        InputWarning, match=r"300 x 300 dpi, is not in the file, whose EXIF says 150 x 150 dpi"
    ):
        assert stored_exif(saved(picture, "JPEG", dpi=(300, 300), exif=b"Exif\0\0" + exif)) == exif


def stored_exif(source: Any) -> bytes:
    decoded = recodec.decode(recodec.encode(source, model="tiny", iterations=1))
    return bytes(decoded.info["exif"]).removeprefix(b"Exif\0\0")


@pytest.mark.parametrize(
    "dpi", [None, "300", (300,), (0, 300), (-1, 5), (float("nan"), 300), ("a", "b"), (1e300, 1e300)], ids=str
)
def test_what_is_no_resolution_is_passed_over(tiny_model: str, picture: Image.Image, dpi: Any) -> None:
    picture.info["dpi"] = dpi
    assert stored(picture) is None


def test_a_size_limit_counts_it(tiny_model: str, picture: Image.Image) -> None:
    plain = recodec.encode(picture, model=tiny_model, iterations=1)
    picture.info["dpi"] = (300, 300)
    with pytest.warns(MetadataDroppedWarning, match="exif"):
        data = recodec.encode(picture, model=tiny_model, max_bytes=len(plain))
    assert data == plain
    for limit in range(len(plain) + 60, len(plain) + 120, 7):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetadataDroppedWarning)
            assert len(recodec.encode(picture, model=tiny_model, max_bytes=limit)) <= limit


def test_stripped_and_left_out(tiny_model: str, picture: Image.Image) -> None:
    picture.info["dpi"] = (300, 300)
    assert stored(picture, strip=True) is None
    for options, metadata in (({}, {"exif"}), ({"exif": None}, set()), ({"exif": b""}, set())):
        picture.save(buffer := io.BytesIO(), "RECODEC", model=tiny_model, iterations=1, **options)
        assert set(Image.open(buffer).info) == metadata


@damaged
def test_damaged_exif_turn_no_picture_away(tiny_model: str, picture: Image.Image) -> None:
    random = np.random.default_rng(8)
    for number, original in enumerate(list(blocks(6).values()) * 8):
        exif = np.frombuffer(original, np.uint8).copy()
        exif[random.integers(0, exif.size, 4)] = random.choice([0, 1, 255, 42], 4)
        source = saved(picture, "JPEG", dpi=(300, 300), exif=b"Exif\0\0" + exif.tobytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            assert read_picture(source, any_size).metadata.keys() == {EXIF}, number
