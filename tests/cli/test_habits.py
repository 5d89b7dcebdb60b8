"""What hands know from other programs: -o, no output at all, -q 60, -V, folders; and mistakes told at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import recodec
from tests.cli.running import error_line, run


@pytest.fixture
def photo(picture: Image.Image, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    picture.save(path)
    return path


@pytest.fixture
def coded(tiny_model: str, photo: Path) -> Path:
    path = photo.with_name("coded.rcd")
    recodec.encode(photo, model=tiny_model, iterations=3, out=path)
    return path


TINY = ("--model", "tiny", "--iterations", 3)


@pytest.mark.parametrize("flag", ["-o", "--output"])
def test_an_output_may_have_a_flag(coded: Path, photo: Path, tmp_path: Path, flag: str) -> None:
    run("encode", photo, flag, tmp_path / "a.rcd", *TINY)
    assert (tmp_path / "a.rcd").read_bytes() == coded.read_bytes()
    run("decode", flag, tmp_path / "a.webp", coded)
    run("truncate", coded, flag, tmp_path / "b.rcd", "--quality", 0)
    assert (tmp_path / "b.rcd").read_bytes() == recodec.truncate(coded, quality=0)
    assert run("truncate", coded, "-o", "-", "--iterations", 3).stdout_bytes == coded.read_bytes()
    for command, why in (
        (("encode", photo, tmp_path / "c.rcd", "-o", tmp_path / "d.rcd"), "for a single input"),
        (("encode", photo, "--output-dir", tmp_path, "-o", tmp_path / "d.rcd"), "exclude each other"),
        (("encode", photo, "-o", ""), "is empty"),
        (("encode", photo, "-o", tmp_path / "d.png"), "should end in .rcd"),
        (("decode", coded, "-o", coded), "also an input"),
        (("truncate", coded, coded, "-o", tmp_path / "d.rcd", "--iterations", 1), "one input and one output"),
    ):
        assert why in run(*command, code=2).stderr


def test_one_input_alone_becomes_a_file_beside_it(
    coded: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    result = run("encode", photo, *TINY)
    target = photo.with_suffix(".rcd")
    assert f"{photo} -> {target}: " in result.stderr
    assert target.read_bytes() == coded.read_bytes()
    assert f"{coded} -> {coded.with_suffix('.png')}" in run("decode", coded).stderr
    run("decode", coded, "--format", "webp")
    with Image.open(coded.with_suffix(".webp")) as image:
        assert image.format == "WEBP"
    assert not list(elsewhere.iterdir())


def test_an_output_that_nobody_named_replaces_nothing(coded: Path, photo: Path) -> None:
    before = photo.read_bytes()
    other = photo.with_suffix(".rcd")
    other.write_bytes(coded.read_bytes())
    # The picture that the file was made of lies beside it.
    line = error_line(run("decode", other, code=1))
    assert f"the output {str(photo)!r} exists and was not named" in line
    assert photo.read_bytes() == before
    (record,) = map(json.loads, run("encode", photo, *TINY, "--json", code=1).stdout.splitlines())
    assert record["error"] == "OutputError"
    assert "skipped" in run("encode", photo, *TINY, "--resume").stderr
    assert "also an input" in run("encode", coded, code=2).stderr
    assert "name an output file" in run("encode", "-", code=2).stderr
    assert "is a folder" in run("encode", photo.parent, code=2).stderr


def test_a_quality_after_q_is_told_apart(
    coded: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.rcd"
    for command in (
        ("encode", photo, target, "-q", "60"),
        ("encode", "-q", "60", photo, target),
        ("encode", photo, "-q", "60"),
        ("decode", coded, tmp_path / "a.jpg", "-q", "60"),
        ("truncate", coded, target, "-q", "60"),
        ("encode", photo, "-q", "7.5", "--output-dir", tmp_path),
    ):
        number = next(argument for argument in command if argument in ("60", "7.5"))
        result = run(*command, code=2)
        assert (
            f"there is no file {number!r}: -q is --quiet; for a quality give --quality {number}"
            in result.stderr
        )
    (folder := tmp_path / "numbers").mkdir()
    monkeypatch.chdir(folder)
    (folder / "60").write_bytes(photo.read_bytes())
    run("encode", "-q", "60", target, *TINY)
    assert target.read_bytes() == coded.read_bytes()


def test_short_version_and_all_jobs(coded: Path, photo: Path, tmp_path: Path) -> None:
    assert run("-V").stdout == run("--version").stdout
    assert run("-V").stdout.endswith(f" {recodec.__version__}\n")
    run("encode", photo, "--output-dir", tmp_path / "new", "--jobs", "all", *TINY)
    for wrong in ("0", "most"):
        run("encode", photo, "--output-dir", tmp_path / "new", "--jobs", wrong, code=2)


def test_folders_for_outputs_are_made(coded: Path, photo: Path, tmp_path: Path) -> None:
    run("encode", photo, "--output-dir", tmp_path / "deep" / "new", *TINY)
    assert (tmp_path / "deep" / "new" / "photo.rcd").read_bytes() == coded.read_bytes()
    run("decode", coded, "--output-dir", tmp_path / "shown")
    assert (tmp_path / "shown" / "coded.png").exists()
    run("encode", tmp_path / "missing.png", "--output-dir", tmp_path / "unused", *TINY, code=1)
    assert not (tmp_path / "unused").exists()


def test_folders_are_looked_into(coded: Path, photo: Path, tmp_path: Path) -> None:
    (below := tmp_path / "a" / "b").mkdir(parents=True)
    (below / "deep.rcd").write_bytes(coded.read_bytes())
    (below / "broken.rcd").write_bytes(coded.read_bytes()[:-9])
    result = run("info", tmp_path / "a", coded)
    assert [line for line in result.stdout.splitlines() if not line.startswith(" ")] == [
        *map(str, (below / "broken.rcd", below / "deep.rcd", coded))
    ]
    result = run("verify", tmp_path, "--json", code=1)
    records = {record["file"]: record for record in map(json.loads, result.stdout.splitlines())}
    assert records[str(below / "deep.rcd")]["ok"]
    assert records[str(below / "broken.rcd")]["error"] == "TruncatedError"
    assert records[str(photo)] == {"file": str(photo), "left_out": ".png"}
    assert "1 file left out: .png 1" in run("verify", tmp_path, code=1).stderr
    assert "left out" not in run("verify", "-q", tmp_path, code=1).stderr
    (empty := tmp_path / "empty").mkdir()
    for command in ("info", "verify"):
        assert "nothing to do" in run(command, empty, code=2).stderr


MISTAKES: dict[str, tuple[list[str], int, str]] = {
    "missing picture": (["encode", "nosuch.png", "a.rcd"], 1, "No such file"),
    "missing pictures": (
        ["encode", "nosuch.png", "none.png", "--output-dir", ".", "--jobs", "2"],
        1,
        "No such",
    ),
    "folder as output": (["encode", "photo.png", "folder.rcd"], 1, "is a folder"),
    "output that is kept": (["encode", "photo.png", "coded.rcd", "--no-overwrite"], 1, "--no-overwrite"),
    "output without name": (["decode", "photo.rcd"], 1, "was not named"),
    "folder of outputs": (["encode", "photo.png", "none/a.rcd"], 1, "does not exist"),
    "unknown model": (["encode", "photo.png", "a.rcd", "--model", "nosuch"], 4, "there is no model"),
    "missing weights": (["encode", "photo.png", "a.rcd", "--model", "no/x.safetensors"], 4, "No such file"),
    "missing file": (["decode", "nosuch.rcd", "a.png"], 1, "No such file"),
    "picture that is kept": (["decode", "coded.rcd", "photo.png", "--no-overwrite"], 1, "--no-overwrite"),
    "no file of ours": (["decode", "photo.png", "a.png"], 3, "recodec file"),
    "file of an unknown model": (["decode", "coded.rcd", "a.png"], 4, "there is no model"),
    "folder of weights": (["encode", "photo.png", "a.rcd"], 2, "RECODEC_WEIGHTS"),
    "number behind -q": (["encode", "photo.png", "-q", "60"], 2, "--quality 60"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_found_before_torch_is_loaded(
    coded: Path, photo: Path, tmp_path: Path, name: str
) -> None:
    arguments, code, words = MISTAKES[name]
    (tmp_path / "folder.rcd").mkdir()
    (tmp_path / "photo.rcd").write_bytes(coded.read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from recodec.cli import main\n"
        f"result = CliRunner().invoke(main, {arguments!r})\n"
        "print(result.exit_code, 'torch' in sys.modules)\n"
        "print(result.output)\n"
    )
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("RECODEC_WEIGHTS")
    if name == "folder of weights":
        environment["RECODEC_WEIGHTS"] = str(tmp_path / "nowhere")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    first, _, said = done.stdout.partition("\n")
    assert words in said
    assert first == f"{code} False"
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
