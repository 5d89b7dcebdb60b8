"""What of a folder is not a picture, or one that cannot be read here: left out by name, or refused with a remedy."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import struct
from pathlib import Path

import pytest
from PIL import Image, TiffImagePlugin

import recodec
from recodec.errors import ImageError
from recodec.io import folders, picture_kinds
from tests.cli.running import error_line, run

HEIC = struct.pack(">I4s4s", 24, b"ftyp", b"heic") + bytes(40)
JXL = b"\xff\x0a" + bytes(20)


@pytest.fixture
def photos(photo: Path) -> Path:
    """A folder of one photograph that can be read, and one that has no suffix."""
    folder = photo.parent / "photos"
    folder.mkdir()
    shutil.copy(photo, folder / "a.png")
    shutil.copy(photo, folder / "bare")
    return folder


@pytest.fixture
def photo(tiny_model: str, picture: Image.Image, tmp_path: Path) -> Path:
    picture.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_of_other_kinds_are_listed(photos: Path, out: Path) -> None:
    for name in ("a.txt", "b.TXT", "a.xmp", "a.json", "a.rcd", ".hidden", "notes"):
        (photos / name).write_text("no picture")
    command = ("encode", photos, "--output-dir", out, "--model", "tiny", "--iterations", 1)
    line = "7 files left out: .txt 2, no suffix 2, .json 1, .rcd 1, .xmp 1"
    assert run(*command).stderr.splitlines()[-1] == line
    assert names(out) == ["a.rcd", "bare.rcd"]
    result = run(*command, "--json")
    found = {record["file"]: record for record in map(json.loads, result.stdout.splitlines())}
    assert found[str(photos / "b.TXT")] == {"file": str(photos / "b.TXT"), "left_out": ".txt"}
    assert found[str(photos / "notes")]["left_out"] == "no suffix"
    assert sum("left_out" in record for record in found.values()) == 7
    assert line in result.stderr
    assert "left out" not in run(*command, "-q").output
    back = run("decode", out, photos, "--output-dir", out, code=1)
    assert back.stderr.splitlines()[-1] == "8 files left out: no suffix 3, .txt 2, .json 1, .png 1, .xmp 1"
    (photos / "a.png").unlink()
    (photos / "bare").unlink()
    assert "nothing to do in" in (said := run(*command, code=2).stderr)
    assert ".txt 2" in said


def test_a_file_without_suffix_is_what_it_holds(photos: Path, out: Path) -> None:
    (photos / "phone").write_bytes(HEIC)
    run("encode", photos / "a.png", photos / "coded.rcd", "--model", "tiny")
    (photos / "coded.rcd").rename(photos / "coded")
    result = run("encode", photos, "--output-dir", out, "--model", "tiny", code=1)
    assert names(out) == ["a.rcd", "bare.rcd"]
    assert f"recodec: {photos / 'phone'}: the data is not an image" in result.stderr
    assert "1 file left out: no suffix 1" in result.stderr
    run("decode", photos, "--output-dir", out)
    assert names(out) == ["a.rcd", "bare.rcd", "coded.png"]


def test_long_lists_of_kinds_are_cut() -> None:
    left_out = [folders.LeftOut(f"a.{n}", f".{n}") for n in range(12)]
    assert folders.summary(left_out).endswith(".5 1, others 4")


@pytest.mark.parametrize(
    ("suffix", "remedy"),
    [
        (".heic", "install pillow-heif"),
        (".HIF", "install pillow-heif"),
        (".jxl", "install pillow-jxl-plugin"),
        *(
            (suffix, "develop it first")
            for suffix in (".dng", ".NEF", ".cr2", ".cr3", ".arw", ".orf", ".rw2")
        ),
        (".raf", "develop it first"),
    ],
)
def test_photographs_that_cannot_be_read_fail_with_a_remedy(
    photos: Path, out: Path, suffix: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_plugins(monkeypatch)
    shutil.copy(photos / "a.png", path := photos / f"b{suffix}")
    result = run("encode", photos, "--output-dir", out, "--model", "tiny", "--json", code=1)
    found = {record["file"]: record for record in map(json.loads, result.stdout.splitlines())}
    assert found[str(path)]["error"] == "ImageError"
    assert remedy in found[str(path)]["message"]
    assert f"recodec: {path}: it cannot be read: " in result.stderr
    assert names(out) == ["a.rcd", "bare.rcd"]


def without_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where Pillow has no plugins, whether some are installed or not."""
    monkeypatch.setattr(picture_kinds, "register_plugins", lambda: None)
    kinds = {
        suffix: name for suffix, name in Image.registered_extensions().items() if name not in ("HEIF", "JXL")
    }
    monkeypatch.setattr(Image, "EXTENSION", kinds)


def test_suffixes_are_those_that_pillow_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert picture_kinds.advice_by_suffix("a.jxl") or ".jxl" in picture_kinds.image_suffixes()
    monkeypatch.setitem(Image.EXTENSION, ".jxl", "PNG")
    monkeypatch.setitem(Image.EXTENSION, ".dng", "TIFF")
    assert not picture_kinds.advice_by_suffix("a.jxl")
    assert "develop" in picture_kinds.advice_by_suffix("a.dng")


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        (JXL, "install pillow-jxl-plugin"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0" + bytes(40), "develop it first"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(40), "develop it first"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "develop it first"),
        (b"just text", "Pillow can read"),
    ],
)
def test_a_file_that_is_named_tells_by_its_content(
    photos: Path, data: bytes, remedy: str, tiny_model: str
) -> None:
    (photos / "x").write_bytes(data)
    assert remedy in error_line(run("encode", photos / "x", photos / "x.rcd", code=3))
    with pytest.raises(ImageError, match=remedy):
        recodec.encode(io.BytesIO(data), model=tiny_model)


def test_the_preview_in_raw_data_is_not_the_picture(tiny_model: str, picture: Image.Image) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254], tags[330] = 1, 8
    picture.save(data := io.BytesIO(), "TIFF", tiffinfo=tags)
    with pytest.raises(ImageError, match="raw photograph"):
        recodec.encode(data, model=tiny_model)
    with Image.open(data) as image, pytest.raises(ImageError, match="raw photograph"):
        recodec.encode(image, model=tiny_model)
    picture.save(data := io.BytesIO(), "TIFF", tiffinfo={254: 1})
    recodec.encode(data, model=tiny_model)


def test_a_recodec_file_is_no_input(photo: Path, tmp_path: Path) -> None:
    run("encode", photo, tmp_path / "a.rcd", "--model", "tiny")
    line = error_line(run("encode", tmp_path / "a.rcd", tmp_path / "b.rcd", "--model", "tiny", code=3))
    assert "a recodec file already; truncate shortens it" in line
    with pytest.raises(ImageError, match="truncate"):
        recodec.encode(tmp_path / "a.rcd", model="tiny")


def test_what_is_no_file(photos: Path, out: Path) -> None:
    os.mkfifo(photos / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(photos)  # for a short name
        listener.bind("socket.png")
        os.chdir(here)
    (photos / "dangling.png").symlink_to("nowhere")
    (photos / "circle.png").symlink_to("circle.png")
    (photos / "dangling").symlink_to("nowhere")
    (photos / "dangling.txt").symlink_to("nowhere")
    (photos / "again").symlink_to(photos)
    result = run("encode", photos, "--output-dir", out, "--model", "tiny", code=1)
    assert names(out) == ["a.rcd", "bare.rcd"]
    lines = result.stderr.splitlines()
    assert f"recodec: {photos / 'dangling.png'}: broken link: No such file or directory" in lines
    assert f"recodec: {photos / 'circle.png'}: broken link: {os.strerror(40)}" in lines
    assert lines[-1] == "5 files left out: special file 2, .txt 1, broken link 1, linked folder 1"
