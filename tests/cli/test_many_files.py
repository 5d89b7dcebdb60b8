"""Many inputs and outputs, some of which fail."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import recodec
from tests.cli.running import error_line, run


def test_several_inputs(photo: Path, tmp_path: Path) -> None:
    sources = [tmp_path / "one.png", tmp_path / "two.png"]
    for source in sources:
        source.write_bytes(photo.read_bytes())
    folder = tmp_path / "out"
    folder.mkdir()
    result = run("encode", *sources, "--output-dir", folder, "--model", "tiny", "--json", "--iterations", 1)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["file"] for record in records] == [str(source) for source in sources]
    assert [Path(record["output"]).stat().st_size for record in records] == [r["bytes"] for r in records]
    run("decode", *sorted(folder.iterdir()), "--output-dir", folder)
    assert {path.name for path in folder.glob("*.png")} == {"one.png", "two.png"}


def test_one_bad_file_never_stops_the_rest(coded: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.rcd"
    bad.write_bytes(b"no such format")
    (tmp_path / "out").mkdir()
    line = error_line(run("decode", bad, coded, "--output-dir", tmp_path / "out", "-q", code=1))
    assert line.startswith(f"recodec: {bad}: ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["coded.png"]


def test_same_output_name_fails_these_alone(photo: Path, tmp_path: Path) -> None:
    other = photo.with_name("other.png")
    other.write_bytes(photo.read_bytes())
    twins = photo, photo.with_suffix(".jpg")
    command = ("encode", *twins, other, "--output-dir", tmp_path, "--model", "tiny", "--json")
    result = run(*command, code=1)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    for twin, record in zip(twins, found, strict=False):
        assert (record["file"], record["error"]) == (str(twin), "OutputError")
        assert all(repr(str(path)) in record["message"] for path in twins)
        assert "rename" in record["message"]
    assert found[2]["bytes"]
    assert sorted(tmp_path.glob("*.rcd")) == [other.with_suffix(".rcd")]
    # Two names of one file, by a link.
    result = run("encode", photo, other, "--output-dir", tmp_path, "--model", "tiny", "-q")
    (tmp_path / "photo.rcd").unlink()
    (tmp_path / "photo.rcd").symlink_to("other.rcd")
    assert run("encode", photo, other, "--output-dir", tmp_path, code=1).stderr.count("both become") == 2


def test_output_equal_to_input_is_refused(coded: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(coded)
    before = coded.read_bytes()
    for target in (coded, tmp_path / "link"):
        assert "also an input" in run("truncate", coded, target, "--iterations", 1, code=2).stderr
    assert coded.read_bytes() == before


def test_two_photographs_without_output_harm_neither(photo: Path, tmp_path: Path) -> None:
    other = photo.with_name("other.png")
    other.write_bytes(photo.read_bytes())
    result = run("encode", photo, other, "--model", "tiny", code=2)
    assert (
        f"the output {str(other)!r} should end in .rcd; for several inputs use --output-dir" in result.stderr
    )
    run("encode", photo, tmp_path / "new", "--model", "tiny", code=2)
    assert other.read_bytes() == photo.read_bytes()
    assert sorted(tmp_path.iterdir()) == [other, photo]
    run("encode", photo, tmp_path / "CAPITAL.RCD", "--model", "tiny")
    run("encode", photo, os.devnull, "--model", "tiny")


def test_outputs_of_the_other_kind_are_refused(coded: Path, tmp_path: Path) -> None:
    other = coded.with_name("other.rcd")
    other.write_bytes(coded.read_bytes())
    assert "--output-dir" in run("decode", coded, other, "--format", "png", code=2).stderr
    run("truncate", coded, tmp_path / "a.png", "--iterations", 1, code=2)
    assert sorted(tmp_path.iterdir()) == [coded, other]


def test_empty_names_are_refused(coded: Path) -> None:
    for command in (
        ("encode", coded, ""),
        ("encode", coded, "--output-dir", ""),
        ("decode", coded, ""),
        ("truncate", coded, "", "--bpp", 1),
    ):
        assert "empty" in run(*command, code=2).stderr


def test_number_of_paths_is_checked(photo: Path, tmp_path: Path) -> None:
    assert "one input and one output" in run("encode", photo, photo, photo, code=2).stderr
    for paths in ((photo,), (photo, photo, photo)):
        result = run("truncate", *paths, "--iterations", 1, code=2)
        assert "one input and one output" in result.stderr
    assert "standard input" in run("encode", "-", "--output-dir", tmp_path, code=2).stderr


def test_missing_output_folder_is_named(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    assert str(folder) in error_line(run("encode", photo, folder / "a.rcd", code=1))
    assert "is not a folder" in error_line(run("encode", photo, "--output-dir", photo, code=1))


def test_errors_before_the_first_file_are_recorded(photo: Path, tmp_path: Path) -> None:
    photos = (photo, tmp_path / "other.png", "--output-dir")
    model = run("encode", *photos, tmp_path, "--model", "no-such", "--json", code=4)
    folder = run("encode", *photos, photo, "--json", code=1)
    for result, kind in ((model, "WeightsError"), (folder, "OutputError")):
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert [record["file"] for record in records] == [str(path) for path in photos[:2]]
        assert {record["error"] for record in records} == {kind}
        assert all(record["message"] in error_line(result) for record in records)


def test_unreadable_inputs(tiny_model: str, tmp_path: Path) -> None:
    assert "No such file" in error_line(run("info", tmp_path / "missing", code=1))
    text = tmp_path / "text"
    text.write_text("not an image, not a file of ours")
    error_line(run("encode", text, tmp_path / "a.rcd", "--model", tiny_model, code=3))
    for command in (("decode", text, tmp_path / "a.png"), ("info", text), ("verify", text)):
        error_line(run(*command, code=3))
    assert list(tmp_path.iterdir()) == [text]


def test_unknown_model_is_named(photo: Path) -> None:
    assert "no-such" in error_line(
        run("encode", photo, photo.with_suffix(".rcd"), "--model", "no-such", code=4)
    )


def test_numbers_of_another_type_are_recorded(photo: Path) -> None:
    file, half = photo.with_suffix(".rcd"), photo.with_suffix(".half.rcd")
    run("encode", photo, file, "--model", "tiny")
    run("encode", photo, half, "--model", "tiny", "--dtype", "bfloat16")
    assert recodec.info(file).details.arithmetic == "float32"
    assert recodec.info(half).details.arithmetic == "bfloat16"
    for dtype in ("float32", "float16"):
        run("decode", half, photo.with_suffix(".ppm"), "--dtype", dtype)
    result = run("decode", half, photo.with_suffix(".ppm"), "--dtype", "int8", code=2)
    assert "int8" in result.stderr


def test_unknown_device_is_wrong_usage(photo: Path) -> None:
    for device in ("no-such-device", "cuda:99"):
        result = run(
            "encode", photo, photo.with_suffix(".rcd"), "--model", "tiny", "--device", device, code=2
        )
        assert device in result.stderr


def test_missing_model_of_a_file(coded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(coded.parent))
    assert "tiny" in error_line(run("decode", coded, coded.with_suffix(".png"), code=4))
    run("info", coded)
    run("verify", coded)


def test_max_pixels(photo: Path, coded: Path) -> None:
    limits = ("--max-pixels", "1k")
    for command in (
        ("encode", photo, photo.with_suffix(".rcd"), "--model", "tiny"),
        ("decode", coded, coded.with_suffix(".png")),
        ("verify", coded),
    ):
        assert "the limit is 1000" in error_line(run(*command, *limits, code=3))
    assert not photo.with_suffix(".rcd").exists()


def test_max_memory(photo: Path) -> None:
    coded = photo.with_suffix(".rcd")
    failed = run("encode", photo, coded, "--model", "tiny", "--max-memory", "1M", code=3)
    assert "raise max_memory" in error_line(failed)
    assert not coded.exists()


def test_no_overwrite(coded: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.rcd"
    kept.write_bytes(b"old")
    error_line(run("truncate", coded, kept, "--iterations", 1, "--no-overwrite", code=1))
    assert kept.read_bytes() == b"old"
    run("truncate", coded, kept, "--iterations", 1)
    assert recodec.info(kept).iterations == 1


def test_pipes(photo: Path, coded: Path) -> None:
    data = run("encode", "-", "-", "--model", "tiny", "-q", stdin=photo.read_bytes()).stdout_bytes
    assert data == recodec.encode(photo, model="tiny")
    image = Image.open(io.BytesIO(run("decode", "-", "-", "--format", "png", "-q", stdin=data).stdout_bytes))
    assert (image.format, image.size) == ("PNG", (61, 45))
    assert run(
        "truncate", "-", "-", "--iterations", 1, stdin=coded.read_bytes()
    ).stdout_bytes == recodec.truncate(coded, iterations=1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_binary_to_a_terminal_is_refused(coded: Path) -> None:
    controller, terminal = os.openpty()
    command = [
        sys.executable,
        "-c",
        "from recodec.cli import main; main()",
        "truncate",
        str(coded),
        "-",
        "--bpp=1",
    ]
    done = subprocess.run(command, stdout=terminal, stderr=subprocess.PIPE, check=False)
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert b"terminal" in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"), [("RECODEC_INSTRUCTIONS", "mmx"), ("RECODEC_WEIGHTS", "/no/such")]
)
def test_mistaken_settings_are_wrong_usage(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    for name in ("a.rcd", "b.rcd"):
        run("encode", photo, tmp_path / name, "--model", "dev-1")
    monkeypatch.setenv(variable, value)
    out = tmp_path / "out"
    out.mkdir()
    for command in (
        ("encode", photo, tmp_path / "c.rcd"),
        ("decode", tmp_path / "a.rcd", tmp_path / "a.png"),
        ("decode", tmp_path / "a.rcd", tmp_path / "b.rcd", "--output-dir", out),
        ("eval", photo, "--codec", "recodec", "--out", out),
    ):
        said = run(*command, code=2).stderr
        assert variable in said
        assert "Traceback" not in said
    assert not list(out.iterdir())
    assert variable in run("env").stdout


def test_threads_that_no_machine_has_are_refused(tmp_path: Path) -> None:
    for command, option in (("train", "--threads"), ("train", "--workers"), ("train-entropy", "--threads")):
        refused = run(command, "dev-1", "--data", tmp_path, "--out", tmp_path, option, 100000, code=2)
        assert "is not in the range" in refused.stderr
