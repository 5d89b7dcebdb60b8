"""What goes into files of every format, and what cannot."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec
from tests.cli.running import error_line, pixels, run


@pytest.fixture
def cut(coded: Path) -> Path:
    """A file that ends in the middle of its third chunk."""
    info = recodec.info(coded)
    path = coded.with_name("cut.rcd")
    path.write_bytes(coded.read_bytes()[: info.prefix_bytes(2) + 5])
    return path


def test_decode_formats(coded: Path, tmp_path: Path) -> None:
    run("decode", coded, "-", code=2)
    run("decode", coded, tmp_path / "a.unknown", code=2)
    run("decode", coded, tmp_path / "no-extension", code=2)
    run("decode", coded, "--output-dir", tmp_path, "--format", "webp")
    with Image.open(tmp_path / "coded.webp") as image:
        assert image.format == "WEBP"


def test_metadata_that_a_format_cannot_hold(picture: Image.Image, tiny_model: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    picture.save(tmp_path / "a.png", exif=exif)
    run("encode", tmp_path / "a.png", tmp_path / "a.rcd", "--model", tiny_model)
    line = error_line(run("decode", tmp_path / "a.rcd", tmp_path / "a.jpg", code=1))
    assert "cannot be written as JPEG" in line
    assert "choose png" in line
    assert not (tmp_path / "a.jpg").exists()
    run("decode", tmp_path / "a.rcd", tmp_path / "b.png")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_modes_go_from_file_to_file(
    picture: Image.Image, tiny_model: str, tmp_path: Path, mode: str, kind: str
) -> None:
    source, coded, back = tmp_path / f"in.{kind}", tmp_path / "x.rcd", tmp_path / "x.png"
    alpha = picture.getchannel(1)
    image = picture.convert(mode)
    if mode.endswith("A"):
        image.putalpha(alpha)
    image.save(source, **({"lossless": True, "exact": True} if kind == "webp" else {}))
    run("encode", source, coded, "--model", tiny_model, "--iterations", 2)
    run("decode", coded, back)
    with Image.open(source) as original, Image.open(back) as decoded:
        # WebP has no grey.
        assert decoded.mode == original.mode == (mode if kind != "webp" else mode.replace("L", "RGB"))
        if mode.endswith("A"):
            assert decoded.getchannel("A").tobytes() == alpha.tobytes()
    run("decode", coded, tmp_path / "x.webp")
    run("verify", coded)
    assert f"{decoded.mode} of 8 bits" in run("info", coded).stdout


def test_convert_allows_other_kinds(picture: Image.Image, tiny_model: str, tmp_path: Path) -> None:
    picture.convert("CMYK").save(tmp_path / "print.jpg")
    Image.fromarray(np.zeros((5, 6), np.uint16)).save(tmp_path / "deep.png")
    for name, mode in (("print.jpg", "RGB"), ("deep.png", "L")):
        command = ("encode", tmp_path / name, tmp_path / "a.rcd", "--model", tiny_model)
        assert "--convert" in error_line(run(*command, code=3))
        run(*command, "--convert")
        assert recodec.info(tmp_path / "a.rcd").mode == mode


def test_strip(photo: Path) -> None:
    command = ("encode", photo, photo.with_suffix(".rcd"), "--model", "tiny", "--iterations", 1)
    run(*command)
    assert recodec.info(photo.with_suffix(".rcd")).metadata == ("icc",)
    run(*command, "--strip")
    assert recodec.info(photo.with_suffix(".rcd")).metadata == ()


def test_dropped_metadata_is_reported(photo: Path, tmp_path: Path) -> None:
    target = photo.with_suffix(".rcd")
    command = ("encode", photo, target, "--model", "tiny", "--json")
    assert json.loads(run(*command).stdout)["dropped"] == []
    least = recodec.info(recodec.truncate(target, iterations=1)).file_bytes
    for arguments in ((*command,), ("truncate", target, tmp_path / "short.rcd", "--json")):
        result = run(*arguments, "--max-bytes", least - 1)
        assert json.loads(result.stdout)["dropped"] == ["icc"]
        assert "no room for metadata (icc)" in error_line(result)
        run("encode", photo, target, "--model", "tiny", "-q")


def test_alpha_that_a_format_cannot_hold(picture: Image.Image, tiny_model: str, tmp_path: Path) -> None:
    coded = tmp_path / "a.rcd"
    coded.write_bytes(recodec.encode(picture.convert("RGBA"), model=tiny_model, iterations=1))
    for suffix in ("jpg", "bmp", "gif", "ppm"):
        line = error_line(run("decode", coded, tmp_path / f"a.{suffix}", code=1))
        assert "choose png or webp" in line
        assert not (tmp_path / f"a.{suffix}").exists()


def test_decode_fewer_iterations(coded: Path, tmp_path: Path) -> None:
    run("decode", coded, tmp_path / "a.png", "--iterations", 2)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), pixels(coded, iterations=2))


def test_cut_file(cut: Path, tmp_path: Path) -> None:
    result = run("decode", cut, tmp_path / "a.png", "-q")
    assert "was cut; decoded the 2 iterations" in error_line(result)
    error_line(run("decode", cut, tmp_path / "b.png", "--strict", code=3))
    assert not (tmp_path / "b.png").exists()


def test_info(coded: Path, cut: Path) -> None:
    text = run("info", coded).stdout
    assert "61 x 45" in text
    assert "tiny" in text
    assert "complete (not checked: see recodec verify)" in text
    assert "cut before its end" in run("info", cut).stdout
    first, second = (json.loads(line) for line in run("info", coded, cut, "--json").stdout.splitlines())
    assert first == json.loads(json.dumps({"file": str(coded), **recodec.info(coded).to_dict()}))
    assert second["truncated"]


def test_verify(coded: Path, tmp_path: Path) -> None:
    assert "sound" in run("verify", coded).stdout
    damaged = tmp_path / "damaged.rcd"
    data = bytearray(coded.read_bytes())
    data[recodec.info(coded).prefix_bytes(1) + 20] ^= 1
    damaged.write_bytes(data)
    result = run("verify", coded, damaged, "--json", code=1)
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert good["ok"]
    assert (bad["file"], bad["error"]) == (str(damaged), "ChecksumError")
    error_line(run("verify", damaged, code=3))


def test_truncate(coded: Path, tmp_path: Path) -> None:
    target = tmp_path / "short.rcd"
    run("truncate", coded, target, "--max-bytes", recodec.info(coded).file_bytes - 1)
    assert target.read_bytes() == recodec.truncate(coded, iterations=3)
    assert not recodec.info(target).truncated
    run("truncate", coded, target, code=2)
    run("truncate", coded, target, "--bpp", 1, "--iterations", 1, code=2)
    run("truncate", coded, "-", "--iterations", 1, "--json", code=2)


def test_errors_of_outputs_name_them(
    photo: Path, coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    for command in (
        ("encode", photo, tmp_path / "a.rcd", "--model", "tiny"),
        ("decode", coded, tmp_path / "a.png"),
        ("truncate", coded, tmp_path / "a.rcd", "--iterations", 1),
    ):
        line = error_line(run(*command, code=1))
        assert f"the output {str(command[2])!r} cannot be written: No space left" in line
    monkeypatch.undo()
    long = tmp_path / ("n" * 300 + ".rcd")
    line = error_line(run("truncate", coded, long, "--iterations", 1, code=1))
    assert f"the output {str(long)!r} cannot be written: File name too long" in line


def test_what_of_an_input_is_not_kept_is_reported(
    tiny_model: str, picture: Image.Image, tmp_path: Path
) -> None:
    picture.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[picture])
    command = ("encode", tmp_path / "a.jpg", tmp_path / "a.rcd", "--model", "tiny")
    message = "of the image, 1 further picture, a preview, a second view or a gain map, is not in the file"
    result = run(*command)
    (line,) = (line for line in result.stderr.splitlines() if "further" in line)
    assert message in line
    assert json.loads(run(*command, "--json").stdout)["warnings"] == [message]
