"""Whole folders with the command: several processes, resuming, and what may go wrong meanwhile."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import recodec
from recodec import files
from recodec.cli import main
from tests.cli.running import RECODEC

needs_proc = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command in a session of its own, so that a signal for its group reaches nothing else."""
    command = [*RECODEC, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    return output, errors


def records(output: str) -> dict[str, dict[str, Any]]:
    return {record["file"]: record for record in map(json.loads, output.splitlines())}


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Ids of the processes that a command has started and that have come as far as to load torch."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in found if "libtorch" in Path(f"/proc/{child}/maps").read_text()]


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def photos(tiny_model: str, picture: Image.Image, tmp_path: Path) -> Path:
    """Four pictures in three folders, and a file of another kind."""
    folder = tmp_path / "photos"
    (folder / "a" / "b.c").mkdir(parents=True)
    for number, name in enumerate(("1.png", "a/2.PNG", "a/b.c/3.jpg", "a/b.c/4.d.png")):
        picture.crop((number, 0, 61, 45)).save(folder / name)
    (folder / "a" / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def large(photos: Path) -> list[Path]:
    """Two more pictures, the first of all, which take much longer than to find the process at work on them."""
    paths = [photos / "0-large.png", photos / "0-larger.png"]
    for path in paths:
        Image.new("L", (6000, 6000)).save(path)
    return paths


ENCODED = {"1.rcd", "a/2.rcd", "a/b.c/3.rcd", "a/b.c/4.d.rcd"}


def test_there_and_back_in_two_processes(photos: Path, out: Path, tmp_path: Path) -> None:
    (photos / "a" / "broken.png").write_bytes(b"\x89PNG and no more")
    options = ("--output-dir", out, "--model", "tiny", "--iterations", 2)
    output, errors = finish(start("encode", photos, *options, "--jobs", 2, "--json"), code=1)
    assert "broken.png" in errors
    assert "Traceback" not in errors
    assert files_below(out) == ENCODED
    found = records(output)
    assert found.pop(str(photos / "a" / "broken.png"))["error"] == "ImageError"
    assert found.pop(str(photos / "a" / "notes.txt"))["left_out"] == ".txt"
    for source, record in found.items():
        data = Path(record["output"]).read_bytes()
        assert len(data) == record["bytes"]
        assert data == recodec.encode(source, model="tiny", iterations=2)

    again = tmp_path / "again"
    again.mkdir()
    assert (
        "4 done, 0 skipped, 1 failed"
        in run("encode", photos, *options[2:], "--output-dir", again, code=1).stderr
    )
    assert {name: (again / name).read_bytes() for name in ENCODED} == {
        name: (out / name).read_bytes() for name in ENCODED
    }

    decoded = tmp_path / "decoded"
    decoded.mkdir()
    picture_before = (photos / "1.png").read_bytes()
    (decoded / "1.webp").write_bytes(picture_before)
    command = ("decode", out, "--output-dir", decoded, "--format", "webp", "--jobs", 2, "--resume")
    assert "3 done, 1 skipped, 0 failed" in finish(start(*command))[1]
    assert (decoded / "1.webp").read_bytes() == picture_before
    assert files_below(decoded) == {name.removesuffix("rcd") + "webp" for name in ENCODED}


def test_resuming_skips_what_is_sound(photos: Path, out: Path, tmp_path: Path) -> None:
    command = ("encode", photos, "--output-dir", out, "--model", "tiny", "--resume")
    assert "4 done, 0 skipped, 0 failed" in run(*command).stderr
    whole = {name: (out / name).read_bytes() for name in ENCODED}
    (out / "1.rcd").unlink()
    (out / "a" / "2.rcd").write_bytes(whole["a/2.rcd"][:-1])
    kept = (out / "a" / "b.c" / "3.rcd").stat()
    found = records(run(*command, "--json", "--bpp", 1).stdout)
    skipped = {Path(record["output"]).name for record in found.values() if record.get("skipped")}
    assert skipped == {"3.rcd", "4.d.rcd"}
    assert (out / "a" / "b.c" / "3.rcd").stat() == kept
    assert recodec.verify(out / "a" / "2.rcd").bpp <= 1

    (tmp_path / "decoded").mkdir()
    back = ("decode", out, "--output-dir", tmp_path / "decoded", "--resume", "--format", "jpg")
    run(*back)
    (tmp_path / "decoded" / "1.jpg").write_bytes((tmp_path / "decoded" / "1.jpg").read_bytes()[:-30])
    assert "1 done, 3 skipped, 0 failed" in run(*back).stderr
    run("encode", photos / "1.png", out / "1.rcd", "--resume", "--no-overwrite", code=2)


def test_what_counts_as_sound(picture: Image.Image, tmp_path: Path) -> None:
    for suffix in ("png", "jpg", "webp", "tif"):
        path = tmp_path / f"a.{suffix}"
        picture.save(path)
        assert files.is_sound(path)
        assert not files.is_sound(path, max_pixels=1000)
        path.write_bytes(path.read_bytes()[:-40])
        assert not files.is_sound(path)
    assert not files.is_sound(tmp_path)
    assert not files.is_sound(tmp_path / "missing.rcd")


def test_an_output_folder_within_the_input_is_not_searched(photos: Path) -> None:
    (photos / "out").mkdir()
    (photos / "out" / "old.png").write_bytes((photos / "1.png").read_bytes())
    # A name for it that only the file system knows to be the same.
    (photos / "link").symlink_to(photos / "out")
    run("encode", photos, "--output-dir", photos / "link", "--model", "tiny", "-q")
    assert files_below(photos / "out") == {*ENCODED, "old.png"}


def test_files_and_folders_together(photos: Path, out: Path) -> None:
    run("encode", photos / "1.png", photos / "a", "--output-dir", out, "--model", "tiny", "-q")
    assert files_below(out) == {"1.rcd", "2.rcd", "b.c/3.rcd", "b.c/4.d.rcd"}


def test_two_images_for_one_output(photos: Path, out: Path) -> None:
    (photos / "a" / "2.jpg").touch()
    result = run("encode", photos, "--output-dir", out, "--model", "tiny", code=1)
    assert result.stderr.count("would both become") == 2
    assert "3 done, 0 skipped, 2 failed" in result.stderr
    assert files_below(out) == ENCODED - {"a/2.rcd"}


def test_wrong_usage_of_folders(photos: Path, out: Path) -> None:
    assert "--output-dir" in run("encode", photos, out / "a.rcd", code=2).stderr
    assert "nothing to do" in run("decode", photos, "--output-dir", out, code=2).stderr


def test_a_folder_that_cannot_be_listed_is_reported(
    photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, scandir = str(photos / "a" / "b.c"), os.scandir

    def refuse(path: str) -> Any:
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    # Permissions do not stop those who may do anything, as tests often may.
    monkeypatch.setattr(os, "scandir", refuse)
    result = run("encode", photos, "--output-dir", out, "--model", "tiny", code=1)
    assert f"recodec: {locked}: " in result.stderr
    assert "2 done, 0 skipped, 1 failed" in result.stderr
    assert files_below(out) == {"1.rcd", "a/2.rcd"}


@needs_proc
def test_a_lost_process_costs_its_file_only(photos: Path, out: Path, large: list[Path]) -> None:
    process = start("encode", photos, "--output-dir", out, "--model", "tiny", "--jobs", 2, "--json")
    wait_for(lambda: len(workers(process)) == 2)
    for worker in workers(process):
        os.kill(worker, signal.SIGKILL)
    output, errors = finish(process, code=1)
    found = records(output)
    for path in large:
        record = found.pop(str(path))
        assert record["error"] == "LostWorkerError"
        assert "SIGKILL" in record["message"]
        assert f"recodec: {path}: {record['message']}" in errors.splitlines()
    assert found.pop(str(photos / "a" / "notes.txt"))["left_out"] == ".txt"
    assert {record["output"] for record in found.values()} == {str(out / name) for name in ENCODED}
    assert files_below(out) == ENCODED


@needs_proc
@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupted(photos: Path, out: Path, large: list[Path], jobs: int) -> None:
    # Of the large pictures, one follows the others.
    large[0].rename(photos / "z.png")
    if jobs == 1:
        large[1].unlink()
    process = start("encode", photos, "--output-dir", out, "--model", "tiny", "--jobs", jobs)
    wait_for(lambda: files_below(out) == ENCODED)
    # A file is there a moment before it counts.
    time.sleep(0.5)
    at_work = workers(process)
    assert len(at_work) == (jobs if jobs > 1 else 0)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = finish(process, code=1)
    assert "Aborted" in errors
    assert f"4 done, 0 skipped, 0 failed, {jobs} of {4 + jobs} left; --resume goes on" in errors
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{worker}").exists() for worker in at_work)
    assert files_below(out) == ENCODED
