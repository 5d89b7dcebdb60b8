"""The Pillow plugin, along the list of tests of Pillow's own AVIF and WebP plugins."""

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

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile, ImageOps, PngImagePlugin, UnidentifiedImageError

import recodec
import recodec.pillow
from recodec.pillow import RecodecImageFile

from .conftest import GOLDEN
from .test_images import TEN_BITS

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><note>kept</note></x:xmpmeta>'


@pytest.fixture
def data(tiny_model: str, picture: Image.Image) -> bytes:
    return recodec.encode(picture, model=tiny_model, iterations=8)


@pytest.fixture
def path(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "picture.rcd"
    path.write_bytes(data)
    return path


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make loading a model, or decoding codes, an error."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("must not be called")

    monkeypatch.setattr("recodec.api._codec", fail)
    monkeypatch.setattr("recodec.weights.load_model", fail)
    monkeypatch.setattr("recodec.families.recurrent.planes.PlaneDecoder.decode", fail)


def opened(data: bytes) -> RecodecImageFile:
    image = Image.open(io.BytesIO(data))
    assert isinstance(image, RecodecImageFile)
    return image


def saved(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "RECODEC", **{"model": "tiny", "iterations": 2} | options)
    return buffer.getvalue()


def same(a: Image.Image, b: Image.Image) -> bool:
    return a.mode == b.mode and np.array_equal(np.asarray(a), np.asarray(b))


def with_exif(**tags: Any) -> Image.Exif:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[ExifTags.Base[name]] = value
    return exif


# --- registration and opening


def test_is_registered() -> None:
    assert Image.registered_extensions()[".rcd"] == "RECODEC"
    assert Image.MIME["RECODEC"] == "image/x-recodec"
    assert "RECODEC" in Image.OPEN
    assert "RECODEC" in Image.SAVE


def test_importing_and_opening_load_no_torch(path: Path) -> None:
    code = (
        "import sys, recodec.pillow; from PIL import Image; "
        "print(Image.open(sys.argv[1]).size, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["(61,", "45)", "False"]


@pytest.mark.usefixtures("no_weights")
def test_open_reads_no_codes(tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1) -> bytes:
            block = super().read(size)
            self.count += len(block)
            return block

    # Large chunks, so that reading them would show.
    large = (GOLDEN / "good" / "metadata.rcd").read_bytes()
    info = recodec.info(large)
    cut = info.prefix_bytes(1)
    from recodec import _core

    large = large[:cut] + _core.write_chunk(99, bytes(100_000)) + large[cut:]
    file = Counting(large)
    # Readers of other formats, if they are loaded, look at the first bytes too.
    with Image.open(file, formats=["RECODEC"]) as image:
        assert isinstance(image, RecodecImageFile)
        assert (image.size, image.mode, image.format) == ((40, 30), "RGB", "RECODEC")
        assert image.get_format_mimetype() == "image/x-recodec"
        assert (image.n_iterations, image.iterations, image.truncated) == (3, 3, False)
        assert set(image.info) == {"icc_profile", "exif"}
        assert image.getexif()[ExifTags.Base.ImageDescription] == "a golden file"
    assert file.count < 2000


def test_load_is_what_decode_gives(data: bytes) -> None:
    image = opened(data)
    assert same(image, recodec.decode(data))
    image.putpixel((0, 0), (1, 2, 3))
    assert image.getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("name", ["colour", "grey", "pixel", "metadata", "unknown-chunk", "colour-cut"])
def test_golden_files_open(tiny_model: str, name: str) -> None:
    good = GOLDEN / "good" / f"{name}.rcd"
    with Image.open(good) as image:
        assert isinstance(image, RecodecImageFile)
        info = recodec.info(good)
        assert (image.n_iterations, image.truncated) == (info.iterations, info.truncated)
        decoded = recodec.decode(good)
        assert same(image, decoded)
        assert image.info == decoded.info


@pytest.mark.parametrize("bad", sorted((GOLDEN / "bad").glob("*.rcd")), ids=lambda bad: str(bad.stem))
def test_bad_files_raise_oserror(tiny_model: str, bad: Path) -> None:
    # UnidentifiedImageError is one: the plugin raised SyntaxError. The huge one meets Pillow's own limit.
    with pytest.raises((OSError, Image.DecompressionBombError), match=r"\S"), Image.open(bad) as image:
        image.load()


@pytest.mark.parametrize("content", [b"", b"\x8eRCD", b"\x8eRCD" + bytes(600), b"GIF87a"])
def test_invalid_file_is_a_syntax_error(content: bytes) -> None:
    with pytest.raises(SyntaxError):
        RecodecImageFile(io.BytesIO(content))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(content))


def test_endless_chunk_size_is_named(data: bytes) -> None:
    start = recodec.info(data).header_bytes
    with pytest.raises(OSError, match="exceeds 32 bits"):
        RecodecImageFile(io.BytesIO(data[:start] + b"\x01" + b"\xff" * 5 + data[start:]))


# --- sources and files left as they were


def test_paths_file_objects_and_bytes(path: Path, data: bytes) -> None:
    expected = recodec.decode(data)
    for source in (path, str(path), io.BytesIO(data)):
        with Image.open(source) as image:
            assert same(image, expected)
    with open(path, "rb") as file, Image.open(file) as image:
        assert same(image, expected)


def test_file_pointer_can_be_reused_and_stays_open(path: Path) -> None:
    with open(path, "rb") as file:
        for _ in range(2):
            Image.open(file).load()
        assert not file.closed


def test_own_file_is_closed_after_load(path: Path) -> None:
    image = Image.open(path)
    file = image.fp
    assert file is not None
    image.load()
    assert file.closed
    # On a system that locks open files this would fail.
    path.unlink()
    assert image.getpixel((0, 0))


def test_closed_image_says_so(path: Path) -> None:
    with Image.open(path) as image:
        pass
    with pytest.raises(ValueError, match="closed"):
        image.load()


def test_incremental_parser(data: bytes) -> None:
    parser = ImageFile.Parser()
    for start in range(0, len(data), 50):
        parser.feed(data[start : start + 50])
    assert same(parser.close(), recodec.decode(data))


# --- cut and damaged files


def test_cut_file_loads_what_is_there(data: bytes) -> None:
    cut = data[: recodec.info(data).prefix_bytes(2) + 3]
    image = opened(cut)
    assert (image.n_iterations, image.truncated) == (2, True)
    assert same(image, recodec.decode(data, iterations=2))


def test_no_whole_chunk_is_an_oserror(data: bytes) -> None:
    image = opened(data[: recodec.info(data).prefix_bytes(1) - 1])
    assert (image.size, image.n_iterations) == ((61, 45), 0)
    with pytest.raises(OSError, match="before its first code chunk"):
        image.load()


def test_damage_is_an_error_unless_the_user_wants_what_is_sound(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = recodec.info(data).prefix_bytes(4) - 1
    damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with pytest.raises(OSError, match="code chunk 4 is damaged"):
        opened(damaged).load()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert same(opened(damaged), recodec.decode(data, iterations=3))
    start = recodec.info(data).header_bytes
    with pytest.raises(OSError, match="code chunk 1 is damaged"):
        opened(data[: start + 3] + bytes([data[start + 3] ^ 1]) + data[start + 4 :]).load()
    endless = data[: recodec.info(data).prefix_bytes(2)] + b"\x01" + b"\xff" * 5
    assert same(opened(endless), recodec.decode(data, iterations=2))


def test_verify(path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECODEC_WEIGHTS")
    with Image.open(path) as image:
        image.verify()
        assert image.fp is None
    at = recodec.info(data).prefix_bytes(3) - 1
    for bad in (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], data[:-1]):
        with pytest.raises(OSError, match=r"damaged|cut"):
            opened(bad).verify()


def test_missing_model_is_an_oserror(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECODEC_WEIGHTS")
    image = opened(data)
    with pytest.raises(OSError, match="no model 'tiny'"):
        image.load()


def test_limit_on_pixels(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recodec.pillow, "MAX_PIXELS", 1000)
    with pytest.raises(OSError, match="raise max_pixels"):
        opened(data).load()


# --- fewer iterations


@pytest.mark.parametrize(
    ("size", "iterations"),
    [((61, 45), 8), ((200, 200), 8), ((31, 23), 5), ((30, 45), 8), ((15, 11), 2), ((1, 1), 1), ((0, 0), 1)],
)
def test_draft_takes_iterations_in_proportion(data: bytes, size: tuple[int, int], iterations: int) -> None:
    image = opened(data)
    assert image.draft("L", size) == ("RGB", (0, 0, 61, 45))
    assert image.iterations == iterations
    assert same(image, recodec.decode(data, iterations=iterations))
    assert image.draft(None, (1, 1)) is None


def test_draft_without_size_changes_nothing(data: bytes) -> None:
    image = opened(data)
    image.draft("RGB", None)
    assert image.iterations == 8


def test_iterations_can_be_set(data: bytes) -> None:
    image = opened(data)
    image.iterations = 3
    assert same(image, recodec.decode(data, iterations=3))


def test_thumbnail_drafts(data: bytes) -> None:
    image = opened(data)
    image.thumbnail((8, 8))
    assert image.size == (8, 6)
    assert image.iterations == 3


# --- saving


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


def test_unknown_options_are_ignored_as_pillow_does(tiny_model: str, picture: Image.Image) -> None:
    assert saved(picture, optimize=True, dpi=(72, 72)) == saved(picture)


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


# --- metadata


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
    assert dict(turned.getexif()) == {ExifTags.Base.Artist: "somebody"}
    assert turned.tobytes() == opened(saved(picture.transpose(Image.Transpose.ROTATE_270))).tobytes()
    assert same(ImageOps.exif_transpose(turned), turned)
    # The image that was saved is left as it was.
    assert picture.size == (61, 45)
    assert "exif" not in picture.info


# --- life of an image


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
