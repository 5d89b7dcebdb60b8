"""What file managers are told: the type of files, and the command that makes a thumbnail."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

import recodec
import recodec.pillow  # registers the type
from recodec import _core
from tests.cli.running import run

SHARE = Path(__file__).parents[2] / "share"
NAMESPACE = {"mime": "http://www.freedesktop.org/standards/shared-mime-info"}

pytestmark = pytest.mark.skipif(not SHARE.is_dir(), reason="share/ is not here; run from a checkout")


def entry() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(SHARE / "thumbnailers" / "recodec.thumbnailer")
    return parser["Thumbnailer Entry"]


def test_the_entry_makes_a_png_of_the_size_it_is_asked_for(coded: Path, tmp_path: Path) -> None:
    # File managers call it for what they have under other names, and with a file that is there and empty.
    source, target = tmp_path / "a file to thumbnail", tmp_path / "made.tmp"
    shutil.copy(coded, source)
    target.touch()
    values = {"%i": str(source), "%o": str(target), "%s": "20"}
    program, *arguments = shlex.split(entry()["Exec"])
    assert program == entry()["TryExec"] == "recodec"
    assert not run(*(values.get(argument, argument) for argument in arguments)).output
    with Image.open(target) as image:
        assert (image.format, image.size) == ("PNG", (20, 15))
        assert image.convert("RGB") == recodec.decode(coded, max_size=20, draft=True)


def test_nothing_is_left_of_what_cannot_be_shown(tmp_path: Path) -> None:
    (tmp_path / "a.rcd").write_bytes(b"no picture")
    values = {"%i": str(tmp_path / "a.rcd"), "%o": str(tmp_path / "a.png"), "%s": "20"}
    _, *arguments = shlex.split(entry()["Exec"])
    run(*(values.get(argument, argument) for argument in arguments), code=3)
    assert [path.name for path in tmp_path.iterdir()] == ["a.rcd"]


def test_type_magic_and_suffix_are_those_of_the_format() -> None:
    tree = ElementTree.parse(SHARE / "mime" / "packages" / "recodec.xml")
    (found,) = tree.findall("mime:mime-type", NAMESPACE)
    assert found.get("type") == Image.MIME["RECODEC"]
    assert entry()["MimeType"] == f"{Image.MIME['RECODEC']};"
    (match,) = found.findall("mime:magic/mime:match", NAMESPACE)
    value = str(match.get("value")).encode("latin-1").decode("unicode_escape").encode("latin-1")
    assert (match.get("type"), match.get("offset"), value) == ("string", "0", _core.MAGIC)
    globs = [glob.get("pattern") for glob in found.findall("mime:glob", NAMESPACE)]
    assert globs == [
        f"*{suffix}" for suffix, name in Image.registered_extensions().items() if name == "RECODEC"
    ]


@pytest.mark.skipif(shutil.which("update-mime-database") is None, reason="needs shared-mime-info")
def test_the_database_of_types_takes_it(tmp_path: Path) -> None:
    shutil.copytree(SHARE / "mime", tmp_path / "mime")
    done = subprocess.run(
        ["update-mime-database", str(tmp_path / "mime")], capture_output=True, text=True, check=True
    )
    assert "rror" not in done.stderr
    assert "image/x-recodec:*.rcd" in (tmp_path / "mime" / "globs2").read_text()
    assert b"\x00\x04" + _core.MAGIC in (tmp_path / "mime" / "magic").read_bytes()
