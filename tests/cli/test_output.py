"""Writing results: all or nothing, and as a plain write would leave them."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from recodec.cli import output
from recodec.errors import OutputError


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_failed_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    def fail(*_: object) -> None:
        raise interruption

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt if interruption is KeyboardInterrupt else OutputError):
        output.write(str(tmp_path / "a"), b"data")
    assert not list(tmp_path.iterdir())


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 245 + ".rcd")
    output.write(str(target), b"data")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(sys.platform == "win32", reason="modes, links and pipes of POSIX")
def test_outputs_keep_what_they_are(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        output.write(str(tmp_path / "a"), b"old")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    (tmp_path / "link").symlink_to(tmp_path / "a")
    output.write(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    output.write(str(tmp_path / "pipe"), b"through")
    reader.join()
    assert received == [b"through"]


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="needs /dev/fd")
def test_pipes_without_a_name_of_their_own() -> None:
    reading, writing = os.pipe()
    output.write(f"/dev/fd/{writing}", b"through")
    os.close(writing)
    with open(reading, "rb") as file:
        assert file.read() == b"through"
