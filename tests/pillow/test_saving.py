"""The Pillow plugin: saving, metadata, copies."""

from __future__ import annotations

import base64
import copy
import io
import pickle
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

import recodec
import recodec.pillow
from tests.io.test_bit_depth import TEN_BITS
from tests.pillow.files import opened, same

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><note>kept</note></x:xmpmeta>'


def saved(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "RECODEC", **{"model": "tiny", "iterations": 2} | options)
    return buffer.getvalue()


def with_exif(**tags: Any) -> Image.Exif:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[ExifTags.Base[name]] = value
    return exif


def test_save_to_paths_and_file_objects(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    expected = recodec.encode(picture, model=tiny_model, iterations=2)
    assert saved(picture) == expected
    picture.save(tmp_path / "a.rcd", model="tiny", iterations=2)
    assert (tmp_path / "a.rcd").read_bytes() == expected
    with open(tmp_path / "b", "wb") as file:
        picture.save(file, "RECODEC", model="tiny", iterations=2)
        assert not file.closed
    assert (tmp_path / "b").read_bytes() == expected


@pytest.mark.parametrize(
    "options",
    [{}, {"quality": 20}, {"bpp": 0.6}, {"max_bytes": 300}, {"psnr": 12.0}, {"iterations": 5}],
    ids=lambda options: "".join(options),
)
def test_save_takes_the_targets_of_encode(
    tiny_model: str, picture: Image.Image, options: dict[str, Any]
) -> None:
    expected = recodec.encode(picture, model=tiny_model, **options)
    assert saved(picture, **{"iterations": None} | options) == expected


@pytest.mark.parametrize("options", [{"quality": 101}, {"bpp": -1}, {"iterations": 99}, {"model": "none"}])
def test_failed_save_leaves_no_file(
    tiny_model: str, picture: Image.Image, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(recodec.RecodecError):
        picture.save(tmp_path / "a.rcd", **{"model": "tiny"} | options)
    assert not list(tmp_path.iterdir())


def test_an_equivalent_mode_is_converted(tiny_model: str, picture: Image.Image) -> None:
    assert saved(picture.convert("RGBX")) == saved(picture)


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "CMYK"])
def test_other_colours_want_an_explicit_choice(tiny_model: str, picture: Image.Image, mode: str) -> None:
    odd = picture.convert(mode)
    with pytest.raises(OSError, match=f"mode {mode} .*convert=True"):
        saved(odd)
    assert saved(odd, convert=True) == saved(odd.convert("RGB"))


@pytest.mark.parametrize("name", TEN_BITS)
def test_more_than_eight_bits_want_an_explicit_choice(tiny_model: str, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(base64.b85decode(TEN_BITS[name]))
    with Image.open(tmp_path / name) as image:
        with pytest.raises(OSError, match=r"more than 8 bits.*convert=True"):
            image.save(tmp_path / "a.rcd", model="tiny")
        assert not (tmp_path / "a.rcd").exists()
        image.save(tmp_path / "a.rcd", model="tiny", convert=True)


def test_damage_behind_the_codes_is_named(tiny_model: str, picture: Image.Image) -> None:
    data = bytearray(saved(picture, xmp=b"<x:xmpmeta/>"))
    data[data.index(b"<x:xmpmeta/>")] ^= 1
    with pytest.raises(OSError, match="xmp chunk is damaged") as caught:
        Image.open(io.BytesIO(data))
    assert not isinstance(caught.value, UnidentifiedImageError)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_stays_grey(tiny_model: str, picture: Image.Image, mode: str) -> None:
    with Image.open(io.BytesIO(saved(picture.convert(mode)))) as image:
        assert image.mode == "L"
        image.load()
        assert image.mode == "L"


@pytest.mark.parametrize("mode", ["LA", "RGBA", "La", "RGBa", "PA"])
def test_alpha_is_kept(tiny_model: str, picture: Image.Image, mode: str) -> None:
    alpha = Image.radial_gradient("L").resize(picture.size)
    through = picture.convert("L") if mode in ("LA", "La") else picture
    through = through.convert("LA" if mode in ("LA", "La") else "RGBA")
    through.putalpha(alpha)
    if mode == "PA":
        through = picture.quantize().convert("PA")
        through.putalpha(alpha)
    stored = opened(saved(through.convert(mode)))
    expected = "LA" if mode in ("LA", "La") else "RGBA"
    assert (stored.mode, stored.n_iterations) == (expected, 2)
    assert stored.tobytes()
    assert stored.mode == expected
    assert same(stored.getchannel("A"), alpha)


def test_transparent_palette(tiny_model: str) -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(0, (0, 0, 10, 20))
    assert opened(saved(image)).mode == "RGB"
    image.info["transparency"] = 0
    stored = opened(saved(image))
    assert stored.mode == "RGBA"
    assert stored.getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("mode", ["F", "I", "I;16", "CMYK"])
def test_other_modes_are_converted_on_request(tiny_model: str, mode: str) -> None:
    stored = opened(saved(Image.new(mode, (20, 20)), convert=True))
    assert stored.mode == ("RGB" if mode == "CMYK" else "L")


@pytest.mark.parametrize("mode", ["F", "I", "I;16", "CMYK"])
def test_modes_that_would_lose_something_are_refused(tiny_model: str, tmp_path: Path, mode: str) -> None:
    with pytest.raises(OSError, match=f"cannot write mode {mode} as RECODEC"):
        Image.new(mode, (20, 20)).save(tmp_path / "a.rcd", model="tiny")
    assert not list(tmp_path.iterdir())


def test_current_frame_of_an_animation_is_saved(tiny_model: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    with Image.open(buffer) as image:
        image.seek(1)
        assert saved(image) == saved(image.convert("RGB"))


def test_metadata_round_trip(tiny_model: str, picture: Image.Image) -> None:
    exif = with_exif(Artist="somebody")
    data = saved(picture, icc_profile=b"a profile", exif=exif, xmp=XMP.decode())
    for image in (opened(data), opened(data)):
        assert image.info == {"icc_profile": b"a profile", "exif": exif.tobytes(), "xmp": XMP}
        assert image.getexif()[ExifTags.Base.Artist] == "somebody"
    image.load()
    assert set(image.info) == {"icc_profile", "exif", "xmp"}
    assert saved(image) == saved(recodec.decode(data))
    with Image.open(io.BytesIO(saved(image))) as again:
        assert again.info == image.info


def test_metadata_of_other_formats_is_kept(tiny_model: str, picture: Image.Image) -> None:
    # How the writers of PNG and TIFF take XMP; TIFF's then ignores EXIF.
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    special: dict[str, dict[str, Any]] = {
        "PNG": {"pnginfo": text},
        "TIFF": {"tiffinfo": {700: XMP, 315: "somebody"}},
    }
    for other in ("JPEG", "PNG", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        exif = with_exif(Artist="somebody")
        options = {"xmp": XMP} | special.get(other, {})
        picture.save(buffer, other, icc_profile=b"a profile", exif=exif, **options)
        with Image.open(buffer) as image:
            copied = opened(saved(image))
        assert copied.info["icc_profile"] == b"a profile", other
        assert dict(copied.getexif()) == {ExifTags.Base.Artist: "somebody"}, other
        assert ET.fromstring(copied.info["xmp"]).findtext("note") == "kept", other


@pytest.mark.parametrize("nothing", [None, b""])
def test_metadata_can_be_removed(tiny_model: str, picture: Image.Image, nothing: bytes | None) -> None:
    data = saved(picture, icc_profile=b"a profile", exif=with_exif(Artist="somebody"), xmp=XMP)
    for names in (["icc_profile"], ["exif"], ["xmp"], ["icc_profile", "exif", "xmp"]):
        left = opened(saved(opened(data), **dict.fromkeys(names, nothing))).info
        assert set(left) == {"icc_profile", "exif", "xmp"} - set(names)


def test_all_metadata_can_be_stripped(tiny_model: str, picture: Image.Image) -> None:
    picture.info["icc_profile"] = b"a profile"
    assert opened(saved(picture, exif=with_exif(Artist="somebody"), strip=True)).info == {}


def test_removal_reaches_what_png_calls_otherwise(tiny_model: str, picture: Image.Image) -> None:
    picture.info |= {"XML:com.adobe.xmp": XMP.decode(), "xmp": XMP, "Raw profile type exif": "\nexif\n0\n"}
    assert opened(saved(picture, exif=None, xmp=None)).info == {}


def test_edited_exif_is_saved(tiny_model: str, picture: Image.Image) -> None:
    image = opened(saved(picture, exif=with_exif(Artist="somebody")))
    image.getexif()[ExifTags.Base.Artist] = "somebody else"
    assert opened(saved(image)).getexif()[ExifTags.Base.Artist] == "somebody else"


def test_orientation_is_applied_once(tiny_model: str, picture: Image.Image) -> None:
    exif = with_exif(Orientation=6, Artist="somebody")
    turned = opened(saved(picture, exif=exif))
    assert turned.size == (45, 61)
    assert dict(turned.getexif()) == {ExifTags.Base.Artist: "somebody", ExifTags.Base.Orientation: 1}
    assert turned.tobytes() == opened(saved(picture.transpose(Image.Transpose.ROTATE_270))).tobytes()
    assert same(ImageOps.exif_transpose(turned), turned)
    # The image that was saved is left as it was.
    assert picture.size == (61, 45)
    assert "exif" not in picture.info


def test_copies_and_pickles(data: bytes) -> None:
    expected = recodec.decode(data)
    image = opened(data)
    for other in (image.copy(), copy.copy(opened(data)), pickle.loads(pickle.dumps(opened(data)))):
        assert same(other, expected)
        other.load()
    assert image.convert("L").mode == "L"
    assert image.crop((0, 0, 5, 5)).size == (5, 5)


def test_threads_share_the_model(data: bytes) -> None:
    expected = recodec.decode(data).tobytes()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: opened(data).tobytes(), range(32))) == [expected] * 32
        assert len(set(pool.map(lambda _: saved(opened(data)), range(16)))) == 1


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_opening_many_files_leaks_nothing(path: Path) -> None:
    code = """
import resource, sys, recodec.pillow
from PIL import Image

def open_and_load():
    with Image.open(sys.argv[1]) as image:
        image.load()

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

for _ in range(20):
    open_and_load()
before = resident()
for _ in range(50):
    open_and_load()
print(resident() - before)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2**20


@pytest.mark.parametrize(
    ("name", "value", "types"),
    [
        ("exif", {1: 2}, "bytes or Image.Exif"),
        ("exif", "abc", "bytes or Image.Exif"),
        ("exif", 7, "bytes or Image.Exif"),
        ("icc_profile", "sRGB", "bytes or a profile of ImageCms"),
        ("icc_profile", 7, "bytes or a profile of ImageCms"),
        ("xmp", {"rating": 5}, "bytes or str"),
    ],
)
def test_metadata_of_the_wrong_type_is_named(
    tiny_model: str, picture: Image.Image, name: str, value: Any, types: str
) -> None:
    with pytest.raises(recodec.ImageError) as caught:
        saved(picture, **{name: value})
    assert str(caught.value) == f"{name} is of type {type(value).__name__}; {name} must be {types}"
    picture.info[name] = value
    for function in (lambda: recodec.encode(picture, model="tiny"), lambda: saved(picture)):
        with pytest.raises((recodec.ImageError, OSError), match=f"{name} must be {types}"):
            function()


def test_metadata_of_other_types_are_taken(tiny_model: str, picture: Image.Image) -> None:
    srgb = ImageCms.createProfile("sRGB")
    profile = ImageCms.ImageCmsProfile(srgb)
    for value in (srgb, profile, profile.tobytes()):
        assert opened(saved(picture, icc_profile=value)).info["icc_profile"] == profile.tobytes()
    exif = with_exif(Artist="José").tobytes()
    assert opened(saved(picture, xmp="<x>José</x>")).info["xmp"] == "<x>José</x>".encode()
    for value in (exif, bytearray(exif), memoryview(exif), exif.removeprefix(b"Exif\0\0")):
        assert opened(saved(picture, exif=value)).info["exif"] == exif
    given = with_exif(Artist="José")
    before = given.tobytes()
    assert opened(saved(picture, exif=given)).getexif()[ExifTags.Base.Artist] == "José"
    assert given.tobytes() == before


def test_what_is_given_counts_and_the_image_stays(tiny_model: str, picture: Image.Image) -> None:
    original = with_exif(Orientation=6, Artist="somebody").tobytes()
    picture.save(buffer := io.BytesIO(), "JPEG", exif=original)
    for given, size in (
        (with_exif(Orientation=1), (61, 45)),
        (with_exif(Artist="me"), (61, 45)),
        (None, (45, 61)),
    ):
        with Image.open(buffer) as image:
            assert opened(saved(image, exif=given)).size == size
            assert (image.info["exif"], image.size) == (original, (61, 45))
    # What cannot be read turns nothing, and is kept.
    stored = opened(saved(picture, exif=b"no TIFF header"))
    assert (stored.size, stored.info["exif"]) == ((61, 45), b"Exif\0\0no TIFF header")


def test_orientation_in_xmp_is_applied_once(tiny_model: str, picture: Image.Image) -> None:
    for quote in "\"'":
        xmp = f"<x tiff:Orientation={quote}6{quote}/>".encode()
        picture.save(buffer := io.BytesIO(), "JPEG", xmp=xmp)
        stored = opened(saved(Image.open(buffer)))
        assert (stored.size, stored.info["xmp"]) == ((45, 61), xmp.replace(b"6", b"1"))
