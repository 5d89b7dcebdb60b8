"""Writing results: all or nothing, and as a plain write would leave them."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from recodec.cli import output


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_failed_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    def fail(*_: object) -> None:
        raise interruption

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(interruption):
        output.write(str(tmp_path / "a"), b"data")
    assert not list(tmp_path.iterdir())


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
