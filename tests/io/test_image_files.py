"""What image formats hold of a decoded picture, and what is said where they do not."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, features

import recodec
from recodec.errors import OutputError
from recodec.io import picture_kinds
from recodec.io.image_files import to_bytes
from tests.cli.running import error_line, run

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/" a="é"/>'.encode()


def needs(feature: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not features.check(feature), reason=f"this Pillow has no {feature}")


@pytest.fixture
def full(picture: Image.Image) -> Image.Image:
    exif = Image.Exif()
    exif[0x013B] = "somebody"
    picture.info |= {"icc_profile": PROFILE, "exif": exif.tobytes(), "xmp": XMP}
    return picture


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_formats_that_hold_all_metadata(full: Image.Image, kind: str) -> None:
    data, lost = to_bytes(full, kind)
    assert lost == []
    with Image.open(io.BytesIO(data)) as written:
        assert written.info["icc_profile"] == PROFILE
        assert written.info["xmp"] == XMP
        assert written.getexif()[0x013B] == "somebody"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("BMP", ["icc", "exif", "xmp"]),
        ("PPM", ["icc", "exif", "xmp"]),
        ("TGA", ["icc", "exif", "xmp"]),
        ("GIF", ["icc", "exif", "xmp", "more than 256 colours"]),
        *((kind, ["icc", "exif", "xmp"]) for kind in ("SGI", "DDS", "ICO", "PCX", "QOI", "EPS", "PDF")),
        pytest.param("JPEG2000", ["icc", "exif", "xmp"], marks=needs("jpg_2000")),
    ],
)
def test_others_say_what_they_lose(full: Image.Image, kind: str, expected: list[str]) -> None:
    assert to_bytes(full, kind)[1] == expected


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "WEBP", "AVIF"])
def test_formats_lose_next_to_nothing_of_the_picture(photo: Image.Image, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip(f"this Pillow has no {kind}")
    best, least = (
        np.asarray(Image.open(io.BytesIO(to_bytes(photo, kind, quality)[0])).convert("RGB"), float)
        for quality in (None, 30)
    )
    error, worse = (np.square(shown - np.asarray(photo)).mean() for shown in (best, least))
    assert error <= 65025 / 10**4.2, "42 dB"
    assert worse > 2 * error


@pytest.fixture
def photo() -> Image.Image:
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as image:
        return image.convert("RGB").crop((200, 100, 400, 260))


def test_a_format_that_shrinks_pictures_is_refused() -> None:
    with pytest.raises(OutputError, match="holds 128 x 64 pixels of this picture's 400 x 200"):
        to_bytes(Image.new("RGB", (400, 200)), "ICO")


def test_colours_of_a_grey_format_are_refused(picture: Image.Image) -> None:
    with pytest.raises(OutputError, match="SPIDER file cannot hold colours"):
        to_bytes(picture, "SPIDER")
    assert to_bytes(picture.convert("L"), "SPIDER")[1] == []


def test_few_colours_are_no_loss() -> None:
    for mode in ("L", "RGB"):
        assert to_bytes(Image.linear_gradient("L").convert(mode), "GIF")[1] == []


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "TGA", "DDS", "QOI", "SGI", "ICO"])
def test_what_is_transparent_keeps_its_colours(picture: Image.Image, kind: str) -> None:
    picture.putalpha(Image.linear_gradient("L").resize(picture.size).point(lambda value: max(0, value - 99)))
    with Image.open(io.BytesIO(to_bytes(picture, kind)[0])) as written:
        assert written.convert("RGBA").tobytes() == picture.tobytes()


@pytest.mark.filterwarnings("ignore:IM image format is deprecated")
@pytest.mark.parametrize("size", [(70000, 1), (1, 70000)])
def test_sizes_that_a_format_cannot_hold_are_refused(size: tuple[int, int]) -> None:
    Image.init()
    picture = Image.new("RGB", size, (1, 2, 3))
    refused = set()
    for kind in Image.SAVE:
        try:
            data = to_bytes(picture, kind)[0]
        except OutputError:
            refused.add(kind)
            continue
        with Image.open(io.BytesIO(data)) as written:
            assert written.size == size, kind
    assert {"GIF", "ICO", "JPEG", "PCX", "SGI", "TGA", "WEBP"} <= refused
    assert not {"PNG", "TIFF", "BMP", "PPM"} & refused


def test_plugins_write_nearly_without_loss(photo: Image.Image) -> None:
    pytest.importorskip("pillow_heif")
    picture_kinds.register_plugins()
    with Image.open(io.BytesIO(to_bytes(photo, "HEIF")[0])) as written:
        error = np.square(np.asarray(written.convert("RGB"), float) - np.asarray(photo)).mean()
    assert error <= 65025 / 10**4.2, "42 dB"


def test_the_command_reads_and_writes_what_plugins_do(
    tiny_model: str, photo: Image.Image, tmp_path: Path
) -> None:
    pytest.importorskip("pillow_heif")
    picture_kinds.register_plugins()
    photo.save(tmp_path / "a.heic")
    (tmp_path / "out").mkdir()
    run("encode", tmp_path, "--output-dir", tmp_path / "out", "--model", tiny_model)
    run("decode", tmp_path / "out" / "a.rcd", tmp_path / "b.heic", "--quality", 80)
    with Image.open(tmp_path / "b.heic") as written:
        assert written.size == photo.size


def test_the_command_tells(tiny_model: str, full: Image.Image, tmp_path: Path) -> None:
    source = tmp_path / "a.rcd"
    source.write_bytes(recodec.encode(full, model=tiny_model))
    done = run("decode", source, tmp_path / "a.bmp", "--json")
    assert json.loads(done.stdout)["lost"] == ["icc", "exif", "xmp"]
    assert "a BMP file cannot hold its icc, exif, xmp" in error_line(done)
    assert run("decode", source, tmp_path / "a.png").stderr.count("cannot hold") == 0
    sizes = []
    for quality in (20, 90):
        run("decode", source, tmp_path / "a.jpg", "--quality", quality)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    refused = run("decode", source, tmp_path / "a.png", "--quality", 20, code=2)
    assert "--quality is for JPEG, MPO, PDF, WEBP, AVIF, HEIF, JXL; PNG has none" in refused.stderr
