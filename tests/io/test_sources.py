"""Encoded bytes are taken from memory, paths and files as they stand; what cannot be read says why."""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import recodec
from recodec.errors import SourceError

READERS: dict[str, Callable[[Any], object]] = {
    "decode": recodec.decode,
    "info": recodec.info,
    "verify": recodec.verify,
    "truncate": lambda source: recodec.truncate(source, iterations=1),
    "progressive": lambda source: list(recodec.progressive(source)),
}


@pytest.fixture
def data(tiny_model: str, picture: Image.Image) -> bytes:
    return recodec.encode(picture, model=tiny_model)


@pytest.fixture(params=READERS)
def read(request: pytest.FixtureRequest) -> Callable[[Any], object]:
    return READERS[request.param]


def test_a_memory_map_can_be_used_twice_and_closed(
    data: bytes, read: Callable[[Any], object], tmp_path: Path
) -> None:
    path = tmp_path / "file.rcd"
    path.write_bytes(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped.seek(7)
        assert read(mapped) == read(mapped) == read(data)
        assert mapped.tell() == 7


def test_a_file_is_read_from_where_it_stands(data: bytes, read: Callable[[Any], object]) -> None:
    file = io.BytesIO(b"before" + data)
    file.seek(6)
    assert read(file) == read(data)


def test_a_file_at_its_end_says_so(data: bytes, read: Callable[[Any], object]) -> None:
    file = io.BytesIO(data)
    read(file)
    file.seek(0, io.SEEK_END)
    with pytest.raises(SourceError, match=rf"at its end, position {len(data)}.*seek\(0\)"):
        read(file)


def test_what_cannot_be_read_says_why(data: bytes, read: Callable[[Any], object], tmp_path: Path) -> None:
    path = tmp_path / "file.rcd"
    path.write_bytes(data)
    with path.open("rb") as closed:
        pass
    with path.open() as text, (tmp_path / "new.rcd").open("wb") as written:
        for source, why in (
            (closed, "closed file"),
            (text, "binary mode"),
            (io.StringIO("text"), "binary mode"),
            (written, "cannot be read"),
            ("a\0b", "null"),
            (tmp_path, "directory"),
            (5, "int holds no encoded file"),
            ({"a": data}, "dict holds no encoded file"),
        ):
            with pytest.raises(SourceError, match=why):
                read(source)
