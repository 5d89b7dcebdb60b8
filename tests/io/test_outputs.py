"""Files that are written: what they replace, and who may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from PIL import Image

import recodec
from recodec.io import outputs
from tests.cli.running import run


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o777, 0o444])
def test_what_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "private"
    path.write_bytes(b"before")
    path.chmod(mode)
    outputs.write(path, b"after")
    assert path.read_bytes() == b"after"
    assert mode_of(path) == mode


def test_what_is_replaced_is_never_open_to_others(tmp_path: Path) -> None:
    path = tmp_path / "private"
    path.write_bytes(b"before")
    path.chmod(0o600)
    seen = []

    def make(temporary: Path) -> None:
        temporary.write_bytes(b"after")
        seen.append(mode_of(temporary))

    outputs.replace(path, make)
    assert seen == [0o600]


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        outputs.write(tmp_path / "new", b"data")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new") == 0o640


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_what_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_bytes(b"before")
    os.chown(path, 1234, 2345)
    path.chmod(0o640)
    outputs.write(path, b"after")
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (1234, 2345, 0o640)


def test_every_command_keeps_modes_and_links(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    (tmp_path / "a.rcd").write_bytes(recodec.encode(picture, model=tiny_model, iterations=2))
    (tmp_path / "out").mkdir()
    commands = {
        "b.rcd": ("encode", tmp_path / "a.png", tmp_path / "b.rcd", "--model", tiny_model),
        "b.png": ("decode", tmp_path / "a.rcd", tmp_path / "b.png"),
        "c.rcd": ("truncate", tmp_path / "a.rcd", tmp_path / "c.rcd", "--iterations", 1),
        "out/a.png": ("decode", tmp_path / "a.rcd", "--output-dir", tmp_path / "out"),
    }
    for name, command in commands.items():
        (path := tmp_path / name).write_bytes(b"before")
        path.chmod(0o600)
        run(*command)
        assert path.stat().st_size > len(b"before")
        assert mode_of(path) == 0o600, name
    (tmp_path / "link.rcd").symlink_to("b.rcd")
    run("encode", tmp_path / "a.png", tmp_path / "link.rcd", "--model", tiny_model)
    assert (tmp_path / "link.rcd").is_symlink()
    assert mode_of(tmp_path / "b.rcd") == 0o600
