"""Files from anywhere, shown as they arrive, by any number of threads."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec import _core
from recodec.errors import (
    LimitError,
    OptionError,
    OutputError,
    RecodecError,
    SourceError,
    TruncatedError,
)


def test_sources_may_be_bytes_paths_or_files(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.rcd"
    path.write_bytes(data)
    expected = recodec.decode(data, like="numpy")
    with path.open("rb") as file:
        sources = [bytearray(data), memoryview(data), path, str(path), io.BytesIO(data), file]
        for source in sources:
            np.testing.assert_array_equal(recodec.decode(source, like="numpy"), expected)
    assert recodec.info(path) == recodec.info(data)


@pytest.mark.parametrize(
    "source",
    [None, 3, io.StringIO("text"), Path("nowhere.rcd"), Path(), np.zeros(3), ["a list"]],
    ids=["None", "number", "text", "missing", "folder", "array", "list"],
)
def test_impossible_sources_are_named(source: object) -> None:
    for function in (recodec.info, recodec.verify, recodec.decode, lambda s: list(recodec.progressive(s))):
        with pytest.raises(RecodecError) as caught:
            function(source)  # type: ignore[operator]
        assert "\n" not in str(caught.value)


def test_memory_of_any_layout_is_read(data: bytes) -> None:
    doubled = np.repeat(np.frombuffer(data, np.uint8), 2)
    assert recodec.info(memoryview(doubled)[::2]) == recodec.info(data)
    assert recodec.info(np.frombuffer(data, np.uint8)) == recodec.info(data)  # type: ignore[arg-type]


def test_blocking_mode_is_asked_for(data: bytes) -> None:
    class NotReady(Trickle):
        def read(self, size: int = -1) -> bytes:
            return None  # type: ignore[return-value]

    with pytest.raises(SourceError, match="blocking"):
        list(recodec.progressive(NotReady(data, 1)))


class Trickle(io.RawIOBase):
    """A file that hands out a few bytes at a time, and remembers how many."""

    def __init__(self, data: bytes, step: int):
        self.data, self.step, self.given = data, step, 0

    def read(self, size: int = -1) -> bytes:
        block = self.data[self.given : self.given + self.step]
        self.given += len(block)
        return block


@pytest.mark.parametrize("step", [1, 50, 10_000])
def test_progressive_shows_each_chunk_as_it_arrives(data: bytes, step: int) -> None:
    info = recodec.info(data)
    source = Trickle(data, step)
    for k, image in enumerate(recodec.progressive(source, like="numpy"), 1):
        assert source.given - info.prefix_bytes(k) < step
        np.testing.assert_array_equal(image, recodec.decode(data, like="numpy", iterations=k))
    assert k == 8


@pytest.mark.parametrize("like", ["pil", "numpy", "torch"])
def test_progressive_makes_pictures_smaller(tiny_model: str, data: bytes, like: str) -> None:
    for use in (recodec.progressive, recodec.load(tiny_model).progressive):
        shown = list(use(data, like=like, max_size=(20, 9)))
        assert len(shown) == 8
        for k, image in enumerate(shown, 1):
            expected = recodec.decode(data, like=like, iterations=k, max_size=(20, 9))
            np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))
    assert shown[0].size == (12, 9) or tuple(shown[0].shape) in ((9, 12, 3), (3, 9, 12))


def test_each_picture_takes_the_place_of_the_one_before(data: bytes, tmp_path: Path) -> None:
    path, buffer = tmp_path / "shown.webp", io.BytesIO(b"before")
    buffer.seek(6)
    for k, (image, small) in enumerate(
        zip(
            recodec.progressive(data, out=path),
            recodec.progressive(data, like="torch", out=buffer, max_size=9),
            strict=True,
        ),
        1,
    ):
        with Image.open(path) as written:
            np.testing.assert_array_equal(np.asarray(written), np.asarray(image))
        assert buffer.getvalue()[:6] == b"before"
        alone = io.BytesIO()
        np.testing.assert_array_equal(
            small, recodec.decode(data, like="torch", out=alone, iterations=k, max_size=9)
        )
        assert buffer.getvalue()[6:] == alone.getvalue()
    assert [*tmp_path.iterdir()] == [path]


def test_what_progressive_cannot_do_is_said_before_anything_is_read(data: bytes, tmp_path: Path) -> None:
    class Unread(Trickle):
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("must not be called")

    source = Unread(data, 1)
    with pytest.raises(
        OptionError, match=r"progressive\(\) has no option 'maxsize'; did you mean 'max_size'"
    ):
        recodec.progressive(source, maxsize=3)  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="cannot go back to where it stands"):
        recodec.progressive(source, out=NoSeek())
    with pytest.raises(OptionError, match="give a path or an open binary file"):
        recodec.progressive(source, out=[tmp_path / "a.png"])  # type: ignore[call-overload]
    with pytest.raises(OutputError, match="not an image format"):
        recodec.progressive(source, out=tmp_path / "a.rcd")


class NoSeek(io.RawIOBase):
    """What a pipe is: it takes bytes and has no positions."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise AssertionError("must not be called")


def test_progressive_stops_at_the_end_mark(data: bytes) -> None:
    class Open(Trickle):
        def read(self, size: int = -1) -> bytes:
            assert self.given < len(self.data), "read on although the file has ended"
            return super().read(size)

    assert len(list(recodec.progressive(Open(data, 64)))) == 8


def test_endless_chunks_are_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.container.reader._MAX_PENDING_BYTES", 1 << 16)
    endless = (
        data[: recodec.info(data).prefix_bytes(1)] + bytes([77, 0xFF, 0xFF, 0xFF, 0x7F]) + bytes(1 << 20)
    )
    source = Trickle(endless, 4096)
    with pytest.raises(LimitError, match="single chunk"):
        list(recodec.progressive(source))
    assert source.given < 1 << 17


def test_progressive_takes_what_decode_takes(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any number of bytes after the end, a large chunk that is whole, and one that is cut."""
    monkeypatch.setattr("recodec.container.reader._MAX_PENDING_BYTES", 1 << 12)
    third = recodec.info(data).prefix_bytes(3)
    large = _core.write_chunk(99, bytes(1 << 16))
    path = tmp_path / "file.rcd"
    for changed in (data + bytes(1 << 16), data[:third] + large + data[third:], data[:third] + large[:-1]):
        path.write_bytes(changed)
        expected = recodec.decode(changed, like="numpy")
        for source in (changed, path):
            *_, last = recodec.progressive(source, like="numpy")
            np.testing.assert_array_equal(last, expected)
    *_, last = recodec.progressive(io.BytesIO(data + bytes(1 << 16)), like="numpy")
    np.testing.assert_array_equal(last, recodec.decode(data, like="numpy"))


def test_progressive_without_a_chunk_is_an_error(data: bytes) -> None:
    for cut in (b"", data[:20], data[: recodec.info(data).header_bytes + 3]):
        with pytest.raises(TruncatedError):
            list(recodec.progressive(Trickle(cut, 5)))


def test_threads_share_a_codec(tiny_model: str, picture: Image.Image, data: bytes) -> None:
    codec = recodec.load(tiny_model)
    expected = recodec.decode(data, like="numpy")

    def work(_: int) -> tuple[bytes, bool]:
        own = codec.encode(picture, iterations=8)
        return own, bool((codec.decode(own, like="numpy") == expected).all())

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(8)))
    assert set(results) == {(data, True)}


def test_threads_share_the_default_model() -> None:
    codec = recodec.load()
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as photo:
        crops = [photo.crop((x, 100, x + 160, 228)) for x in (0, 200, 400, 600)]
    alone = codec.encode(crops, iterations=8)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda crop: codec.encode(crop, iterations=8), crops * 2)) == alone * 2
