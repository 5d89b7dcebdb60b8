"""The Pillow plugin: opening, loading, drafts, damage."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

import recodec
import recodec.pillow
from recodec.pillow import RecodecImageFile
from tests.conftest import GOLDEN
from tests.pillow.files import opened, same


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make loading a model, or decoding codes, an error."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("must not be called")

    monkeypatch.setattr("recodec.api._codec", fail)
    monkeypatch.setattr("recodec.weights.load_model", fail)
    monkeypatch.setattr("recodec.families.recurrent.planes.PlaneDecoder.decode", fail)


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


@pytest.mark.parametrize(
    ("size", "iterations", "drafted"),
    [
        ((61, 45), 8, (61, 45)),
        ((200, 200), 8, (61, 45)),
        ((31, 23), 5, (31, 23)),
        ((31, 1), 5, (31, 23)),
        ((1, 22.5), 4, (31, 23)),
        ((30, 45), 8, (61, 45)),
        ((15, 11), 2, (15, 11)),
        ((1, 1), 1, (1, 1)),
        ((0, 0), 1, (1, 1)),
    ],
)
def test_draft_takes_pixels_and_iterations_in_proportion(
    data: bytes, size: Any, iterations: int, drafted: tuple[int, int]
) -> None:
    image = opened(data)
    assert image.draft("L", size) == ("RGB", (0, 0, *drafted))
    assert (image.iterations, image.size) == (iterations, drafted)
    assert same(image, recodec.decode(data, iterations=iterations, max_size=drafted))
    assert image.size == drafted
    assert image.draft(None, (1, 1)) is None


def test_no_draft_makes_a_picture_larger_again(data: bytes) -> None:
    image = opened(data)
    image.draft(None, (20, 15))
    assert image.draft(None, (40, 30)) == ("RGB", (0, 0, 20, 15))
    assert image.draft(None, (10, 5)) == ("RGB", (0, 0, 10, 7))
    assert image.iterations == 2
    assert same(image, recodec.decode(data, iterations=2, max_size=10))


def test_drafts_of_files_without_loss_have_all_rows(picture: Image.Image) -> None:
    data = recodec.encode(picture, lossless=True)
    image = opened(data)
    image.draft(None, (15, 11))
    assert same(image, recodec.decode(data, max_size=(15, 11)))


def test_drafts_show_what_is_sound_of_a_damaged_file(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    at = recodec.info(data).prefix_bytes(2) - 1
    image = opened(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    image.draft(None, (31, 23))
    assert same(image, recodec.decode(data, iterations=1, max_size=(31, 23)))


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
    drafted = recodec.decode(data, iterations=3, max_size=(22, 16))
    assert drafted.size == (22, 16)
    assert same(image, drafted.resize((8, 6), Image.Resampling.BICUBIC, reducing_gap=2.0))
