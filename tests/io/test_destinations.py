"""``out``: results in files, whole or not at all, beside what is returned."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.errors import BatchError, OptionError, OutputError, OutputWarning, TargetError
from recodec.io.destinations import deliver


@pytest.fixture
def data(tiny_model: str, picture: Image.Image) -> bytes:
    return recodec.encode(picture, model=tiny_model, iterations=2)


def test_files_are_written_beside_what_is_returned(data: bytes, picture: Image.Image, tmp_path: Path) -> None:
    path, buffer = tmp_path / "a.rcd", io.BytesIO()
    for use in (
        recodec.load("tiny").encode,
        lambda image, **options: recodec.encode(image, model="tiny", **options),
    ):
        assert use(picture, iterations=2, out=path) == path.read_bytes() == data
        path.unlink()
        assert use(picture, iterations=2, out=str(path)) == path.read_bytes()
    assert recodec.truncate(path, iterations=1, out=buffer) == buffer.getvalue()
    assert recodec.truncate(data, iterations=1, out=path) == path.read_bytes() == buffer.getvalue()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("like", ["pil", "numpy", "torch"])
def test_pictures_are_written_in_the_format_of_their_name(data: bytes, tmp_path: Path, like: str) -> None:
    expected = np.asarray(recodec.decode(data))
    for name, kind in (("a.png", "PNG"), ("a.webp", "WEBP"), ("A.TIF", "TIFF"), ("plain", "PNG")):
        shown = recodec.decode(data, like=like, out=tmp_path / name)
        assert type(shown) is type(recodec.decode(data, like=like))
        with Image.open(tmp_path / name) as image:
            assert image.format == kind
            assert np.array_equal(np.asarray(image), expected)
    with (tmp_path / "b.webp").open("wb") as file:
        recodec.load("tiny").decode(data, like=like, out=file)
    buffer = io.BytesIO()
    recodec.decode(data, like=like, out=buffer)
    assert Image.open(io.BytesIO((tmp_path / "b.webp").read_bytes())).format == "WEBP"
    assert Image.open(buffer).format == "PNG"


def test_metadata_are_written_and_what_has_no_room_is_said(
    tiny_model: str, picture: Image.Image, tmp_path: Path
) -> None:
    picture.info["xmp"] = b"<x/>"
    data = recodec.encode(picture, model=tiny_model)
    recodec.decode(data, like="numpy", out=tmp_path / "a.png")
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).info["xmp"] == b"<x/>"
    with pytest.warns(OutputWarning, match="a BMP file cannot hold the picture's xmp"):
        recodec.decode(data, out=tmp_path / "a.bmp")


def test_lists_are_written_to_lists(data: bytes, picture: Image.Image, tmp_path: Path) -> None:
    coded = [tmp_path / "a.rcd", tmp_path / "b.rcd"]
    with pytest.raises(BatchError):
        recodec.encode([b"no image", picture], model="tiny", iterations=2, out=coded)
    assert [path.exists() for path in coded] == [False, True]
    assert coded[1].read_bytes() == data
    shown = [tmp_path / "a.png", tmp_path / "b.png"]
    for decode in (recodec.decode, recodec.load("tiny").decode):
        decode([data, data], out=tuple(shown))
        assert all(Image.open(io.BytesIO(path.read_bytes())).size == picture.size for path in shown)
        for path in shown:
            path.unlink()
    small = recodec.truncate([data, data], iterations=1, out=coded)
    assert [path.read_bytes() for path in coded] == small


def test_what_cannot_be_written_is_found_first(
    data: bytes, picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("it was decoded")

    uses: list[Callable[[Any], object]] = [
        lambda out: recodec.encode(never, model="tiny", out=out),  # type: ignore[call-overload]
        lambda out: recodec.decode(data, out=out),
        lambda out: recodec.truncate(b"no file", iterations=1, out=out),
    ]
    monkeypatch.setattr("recodec.decoding._read", never)
    for use in uses:
        with pytest.raises(OutputError, match="there is no folder") as missing:
            use(tmp_path / "no" / "a.png")
        assert isinstance(missing.value, FileNotFoundError)
        with pytest.raises(OutputError, match="directory") as folder:
            use(tmp_path)
        assert isinstance(folder.value, IsADirectoryError)
        assert folder.value.filename == str(tmp_path)
        for out, why in ((3, "give a path"), (io.StringIO(), "binary mode")):
            with pytest.raises(OptionError, match=why):
                use(out)
    for out, why in ((tmp_path / "a.png", "for a list of 2"), ([tmp_path / "a.png"] * 2, "more than once")):
        with pytest.raises(OptionError, match=why):
            recodec.decode([data, data], out=out)  # type: ignore[call-overload]
    for name in ("a.rcd", "a.xyz"):
        with pytest.raises(OutputError, match="is not an image format that can be written"):
            recodec.decode(data, out=tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_what_was_there(
    data: bytes, picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.rcd"
    path.write_bytes(b"before")
    with pytest.raises(TargetError):
        recodec.encode(picture, model="tiny", max_bytes=3, out=path)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / ".recodec-1.tmp"))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"a\.rcd' cannot be written: No space left") as caught:
        recodec.encode(picture, model="tiny", out=path)
    assert isinstance(caught.value, OSError)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_take_a_part_at_a_time() -> None:
    taken = bytearray()

    class Slow(io.RawIOBase):
        def write(self, data: Any) -> int:
            taken.extend(data[:3])
            return min(3, len(data))

    deliver(Slow(), b"ten bytes!")  # type: ignore[arg-type]
    assert taken == b"ten bytes!"
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(OutputError, match="closed file"):
        deliver(closed, b"data")
