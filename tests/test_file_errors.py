"""A file that cannot be had is an error of ours and of the system: caught by either, with its number and name."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import recodec
from recodec.errors import ImageError, RecodecError, SourceError, WeightsError
from recodec.file_errors import of_file

USES: dict[str, tuple[Callable[[Any], object], type[RecodecError]]] = {
    "encode": (lambda path: recodec.encode(path, model="tiny"), ImageError),
    "decode": (recodec.decode, SourceError),
    "progressive": (lambda path: list(recodec.progressive(path)), SourceError),
    "info": (recodec.info, SourceError),
    "verify": (recodec.verify, SourceError),
    "truncate": (lambda path: recodec.truncate(path, iterations=1), SourceError),
    "load": (recodec.load, WeightsError),
}


@pytest.fixture(params=USES)
def used(
    request: pytest.FixtureRequest, tiny_model: str
) -> tuple[Callable[[Any], object], type[RecodecError]]:
    return USES[request.param]


def check(error: Any, kind: type[RecodecError], system: type[OSError], path: Path) -> None:
    number = {FileNotFoundError: errno.ENOENT, IsADirectoryError: errno.EISDIR, PermissionError: errno.EACCES}
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(one, kind)
        assert isinstance(one, system)
        assert isinstance(one, RecodecError)
        assert one.errno == number[system]
        assert os.fspath(one.filename) == str(path)
        assert one.strerror == os.strerror(one.errno)
        assert type(one).__name__ == kind.__name__
        assert str(one).count(str(path)) == 1
        assert os.strerror(one.errno) in str(one)
        assert "Errno" not in str(one)


@pytest.mark.parametrize("text", [False, True])
def test_a_missing_file(
    used: tuple[Callable[[Any], object], type[RecodecError]], tmp_path: Path, text: bool
) -> None:
    use, kind = used
    path = tmp_path / "nosuch.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        use(str(path) if text else path)
    check(caught.value, kind, FileNotFoundError, path)


def test_a_folder(used: tuple[Callable[[Any], object], type[RecodecError]], tmp_path: Path) -> None:
    use, kind = used
    path = tmp_path / "folder.safetensors"
    path.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        use(path)
    check(caught.value, kind, IsADirectoryError, path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_others(used: tuple[Callable[[Any], object], type[RecodecError]], tmp_path: Path) -> None:
    use, kind = used
    path = tmp_path / "theirs.safetensors"
    path.write_bytes(b"")
    path.chmod(0)
    with pytest.raises(PermissionError) as caught:
        use(path)
    check(caught.value, kind, PermissionError, path)


@pytest.mark.parametrize("kind", [ImageError, SourceError, WeightsError])
def test_what_the_system_forbids(kind: type[RecodecError], tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    number = errno.EACCES
    error = of_file(
        kind, PermissionError(number, os.strerror(number), str(path)), f"{path}: {os.strerror(number)}"
    )
    check(error, kind, PermissionError, path)
    assert type(of_file(kind, PermissionError(number, "", str(path)), "")) is type(error)


def test_the_class_of_an_error_pickles_too() -> None:
    with pytest.raises(recodec.SourceError) as caught:
        recodec.decode("gone.rcd")
    kind = type(caught.value)
    assert pickle.loads(pickle.dumps(kind)) is kind is not recodec.SourceError
    assert isinstance(kind("said anew"), FileNotFoundError)
