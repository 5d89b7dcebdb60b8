"""The command: one small test per promise, exit codes included."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

import recodec
from recodec.cli import main


def run(*arguments: object, code: int = 0, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
    assert result.exit_code == code, result.output
    return result


def error_line(result: Result) -> str:
    """The only line on standard error."""
    (line,) = result.stderr.splitlines()
    assert line.startswith("recodec: ")
    return str(line)


def pixels(source: bytes | Path, **options: Any) -> NDArray[np.uint8]:
    return cast("NDArray[np.uint8]", recodec.decode(source, like="numpy", **options))


@pytest.fixture
def photo(tiny_model: str, picture: Image.Image, tmp_path: Path) -> Path:
    picture.save(tmp_path / "photo.png", icc_profile=b"a profile")
    return tmp_path / "photo.png"


@pytest.fixture
def coded(tiny_model: str, picture: Image.Image, tmp_path: Path) -> Path:
    path = tmp_path / "coded.rcd"
    path.write_bytes(recodec.encode(picture, model=tiny_model, iterations=4))
    return path


@pytest.fixture
def cut(coded: Path) -> Path:
    """A file that ends in the middle of its third chunk."""
    info = recodec.info(coded)
    path = coded.with_name("cut.rcd")
    path.write_bytes(coded.read_bytes()[: info.prefix_bytes(2) + 5])
    return path


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from recodec.cli import main; main(['--help'])"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    assert "Exit codes" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"torch", "numpy", "PIL", "rich"}


def test_looking_at_files_loads_no_torch(coded: Path) -> None:
    code = "import sys; from recodec.cli import main; main(standalone_mode=False); print(*sys.modules)"
    for command in (["info"], ["verify"], ["truncate", "--iterations", "1", "-q"]):
        target = [str(coded.with_name("short.rcd"))] if command[0] == "truncate" else []
        done = subprocess.run(
            [sys.executable, "-c", code, *command, str(coded), *target],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "recodec.files" in done.stdout.split()
        assert "torch" not in done.stdout.split()


def test_every_command_has_help() -> None:
    for name in main.commands:
        assert "Usage" in run(name, "--help").stdout


def test_encode_and_decode_agree_with_the_api(photo: Path, tmp_path: Path) -> None:
    result = run("encode", photo, tmp_path / "a.rcd", "--model", "tiny", "--iterations", 3)
    data = (tmp_path / "a.rcd").read_bytes()
    assert data == recodec.encode(photo, model="tiny", iterations=3)
    assert f"{len(data)} bytes" in result.stderr
    assert not result.stdout
    run("decode", tmp_path / "a.rcd", tmp_path / "a.png", "--quiet")
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), pixels(data))
        assert image.info["icc_profile"] == b"a profile"


def test_quiet_says_nothing(photo: Path, tmp_path: Path) -> None:
    assert not run("encode", photo, tmp_path / "a.rcd", "--model", "tiny", "-q").output


@pytest.mark.parametrize(
    ("option", "value", "limit"),
    [("--max-bytes", "0.3KiB", 307), ("--max-bytes", "0.3k", 300), ("--bpp", "0.9", 308)],
)
def test_size_targets_hold(photo: Path, option: str, value: str, limit: int) -> None:
    run("encode", photo, photo.with_suffix(".rcd"), "--model", "tiny", option, value)
    assert 0 < photo.with_suffix(".rcd").stat().st_size <= limit


@pytest.mark.parametrize(
    "options",
    [
        ("--quality", 20, "--bpp", 1),
        ("--max-bytes", "12q"),
        ("--max-bytes", "9" * 400),
        ("--max-bytes", "0.9"),
        ("--quality", 101),
        ("--quality", "nan"),
        ("--bpp", "1e308"),
        ("--bpp", "inf"),
        ("--psnr", "nan"),
        ("--psnr", -1),
    ],
)
def test_bad_targets_are_wrong_usage(photo: Path, options: tuple[object, ...]) -> None:
    result = run("encode", photo, photo.with_suffix(".rcd"), *options, code=2)
    assert "Error: " in result.stderr
    assert not photo.with_suffix(".rcd").exists()


def test_target_out_of_reach_is_bad_input(photo: Path) -> None:
    line = error_line(
        run("encode", photo, photo.with_suffix(".rcd"), "--model", "tiny", "--max-bytes", 20, code=3)
    )
    assert "20 bytes" in line


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
    for paths in ((photo,), (photo, photo, photo)):
        assert "one input and one output" in run("encode", *paths, code=2).stderr
    assert "standard input" in run("encode", "-", "--output-dir", tmp_path, code=2).stderr


def test_missing_output_folder_is_named(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    assert str(folder) in error_line(run("encode", photo, folder / "a.rcd", code=1))
    assert str(folder) in error_line(run("encode", photo, "--output-dir", folder, code=1))
    assert "is not a folder" in error_line(run("encode", photo, "--output-dir", photo, code=1))


def test_errors_before_the_first_file_are_recorded(photo: Path, tmp_path: Path) -> None:
    photos = (photo, tmp_path / "other.png", "--output-dir")
    model = run("encode", *photos, tmp_path, "--model", "no-such", "--json", code=4)
    folder = run("encode", *photos, tmp_path / "missing", "--json", code=1)
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


def test_decode_formats(coded: Path, tmp_path: Path) -> None:
    run("decode", coded, "-", code=2)
    run("decode", coded, tmp_path / "a.unknown", code=2)
    run("decode", coded, tmp_path / "no-extension", code=2)
    run("decode", coded, "--output-dir", tmp_path, "--format", "webp")
    with Image.open(tmp_path / "coded.webp") as image:
        assert image.format == "WEBP"


def test_metadata_that_a_format_cannot_hold(picture: Image.Image, tiny_model: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    picture.save(tmp_path / "a.png", exif=exif)
    run("encode", tmp_path / "a.png", tmp_path / "a.rcd", "--model", tiny_model)
    line = error_line(run("decode", tmp_path / "a.rcd", tmp_path / "a.jpg", code=1))
    assert "cannot be written as JPEG" in line
    assert "choose png" in line
    assert not (tmp_path / "a.jpg").exists()
    run("decode", tmp_path / "a.rcd", tmp_path / "b.png")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_modes_go_from_file_to_file(
    picture: Image.Image, tiny_model: str, tmp_path: Path, mode: str, kind: str
) -> None:
    source, coded, back = tmp_path / f"in.{kind}", tmp_path / "x.rcd", tmp_path / "x.png"
    alpha = picture.getchannel(1)
    image = picture.convert(mode)
    if mode.endswith("A"):
        image.putalpha(alpha)
    image.save(source, **({"lossless": True, "exact": True} if kind == "webp" else {}))
    run("encode", source, coded, "--model", tiny_model, "--iterations", 2)
    run("decode", coded, back)
    with Image.open(source) as original, Image.open(back) as decoded:
        # WebP has no grey.
        assert decoded.mode == original.mode == (mode if kind != "webp" else mode.replace("L", "RGB"))
        if mode.endswith("A"):
            assert decoded.getchannel("A").tobytes() == alpha.tobytes()
    run("decode", coded, tmp_path / "x.webp")
    run("verify", coded)
    assert f"{decoded.mode} of 8 bits" in run("info", coded).stdout


def test_convert_allows_other_kinds(picture: Image.Image, tiny_model: str, tmp_path: Path) -> None:
    picture.convert("CMYK").save(tmp_path / "print.jpg")
    Image.fromarray(np.zeros((5, 6), np.uint16)).save(tmp_path / "deep.png")
    for name, mode in (("print.jpg", "RGB"), ("deep.png", "L")):
        command = ("encode", tmp_path / name, tmp_path / "a.rcd", "--model", tiny_model)
        assert "--convert" in error_line(run(*command, code=3))
        run(*command, "--convert")
        assert recodec.info(tmp_path / "a.rcd").mode == mode


def test_strip(photo: Path) -> None:
    command = ("encode", photo, photo.with_suffix(".rcd"), "--model", "tiny", "--iterations", 1)
    run(*command)
    assert recodec.info(photo.with_suffix(".rcd")).metadata == ("icc",)
    run(*command, "--strip")
    assert recodec.info(photo.with_suffix(".rcd")).metadata == ()


def test_dropped_metadata_is_reported(photo: Path, tmp_path: Path) -> None:
    target = photo.with_suffix(".rcd")
    command = ("encode", photo, target, "--model", "tiny", "--json")
    assert json.loads(run(*command).stdout)["dropped"] == []
    least = recodec.info(recodec.truncate(target, iterations=1)).file_bytes
    for arguments in ((*command,), ("truncate", target, tmp_path / "short.rcd", "--json")):
        result = run(*arguments, "--max-bytes", least - 1)
        assert json.loads(result.stdout)["dropped"] == ["icc"]
        assert "no room for its metadata (icc)" in error_line(result)
        run("encode", photo, target, "--model", "tiny", "-q")


def test_alpha_that_a_format_cannot_hold(picture: Image.Image, tiny_model: str, tmp_path: Path) -> None:
    coded = tmp_path / "a.rcd"
    coded.write_bytes(recodec.encode(picture.convert("RGBA"), model=tiny_model, iterations=1))
    for suffix in ("jpg", "bmp", "gif", "ppm"):
        line = error_line(run("decode", coded, tmp_path / f"a.{suffix}", code=1))
        assert "choose png or webp" in line
        assert not (tmp_path / f"a.{suffix}").exists()


def test_decode_fewer_iterations(coded: Path, tmp_path: Path) -> None:
    run("decode", coded, tmp_path / "a.png", "--iterations", 2)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), pixels(coded, iterations=2))


def test_cut_file(cut: Path, tmp_path: Path) -> None:
    result = run("decode", cut, tmp_path / "a.png", "-q")
    assert "was cut; decoded the 2 iterations" in error_line(result)
    error_line(run("decode", cut, tmp_path / "b.png", "--strict", code=3))
    assert not (tmp_path / "b.png").exists()


def test_info(coded: Path, cut: Path) -> None:
    text = run("info", coded).stdout
    assert "61 x 45" in text
    assert "tiny" in text
    assert "complete (not checked: see recodec verify)" in text
    assert "cut before its end" in run("info", cut).stdout
    first, second = (json.loads(line) for line in run("info", coded, cut, "--json").stdout.splitlines())
    assert first == json.loads(json.dumps({"file": str(coded), **recodec.info(coded).to_dict()}))
    assert second["truncated"]


def test_verify(coded: Path, tmp_path: Path) -> None:
    assert "sound" in run("verify", coded).stdout
    damaged = tmp_path / "damaged.rcd"
    data = bytearray(coded.read_bytes())
    data[recodec.info(coded).prefix_bytes(1) + 20] ^= 1
    damaged.write_bytes(data)
    result = run("verify", coded, damaged, "--json", code=1)
    good, bad = (json.loads(line) for line in result.stdout.splitlines())
    assert good["ok"]
    assert (bad["file"], bad["error"]) == (str(damaged), "ChecksumError")
    error_line(run("verify", damaged, code=3))


def test_truncate(coded: Path, tmp_path: Path) -> None:
    target = tmp_path / "short.rcd"
    run("truncate", coded, target, "--max-bytes", recodec.info(coded).file_bytes - 1)
    assert target.read_bytes() == recodec.truncate(coded, iterations=3)
    assert not recodec.info(target).truncated
    run("truncate", coded, target, code=2)
    run("truncate", coded, target, "--bpp", 1, "--iterations", 1, code=2)
    run("truncate", coded, "-", "--iterations", 1, "--json", code=2)


def test_errors_of_outputs_name_them(
    photo: Path, coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    for command in (
        ("encode", photo, tmp_path / "a.rcd", "--model", "tiny"),
        ("decode", coded, tmp_path / "a.png"),
        ("truncate", coded, tmp_path / "a.rcd", "--iterations", 1),
    ):
        line = error_line(run(*command, code=1))
        assert f"the output {str(command[2])!r} cannot be written: No space left" in line
    monkeypatch.undo()
    long = tmp_path / ("n" * 300 + ".rcd")
    line = error_line(run("truncate", coded, long, "--iterations", 1, code=1))
    assert f"the output {str(long)!r} cannot be written: File name too long" in line


needs_shell = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and a shell")


@needs_shell
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("info FILE > /dev/full", "standard output: No space left"),
        ("info FILE --json > /dev/full", "standard output: No space left"),
        ("env > /dev/full", "standard output: No space left"),
        ("--help > /dev/full", "standard output: No space left"),
        ("info FILE >&-", "standard output: it is closed"),
        ("truncate FILE - --iterations 1 > /dev/full", "the output '-' cannot be written: No space left"),
        ("truncate FILE - --iterations 1 >&-", "the output '-' cannot be written: it is closed"),
        ("truncate FILE /dev/full --iterations 1", "the output '/dev/full' cannot be written: No space left"),
        ("truncate - x.rcd --iterations 1 <&-", "-: standard input is closed"),
    ],
)
def test_streams_that_fail_are_one_line(coded: Path, command: str, said: str) -> None:
    line = f"{sys.executable} -m recodec {command.replace('FILE', str(coded))}"
    done = subprocess.run(line, shell=True, stderr=subprocess.PIPE, text=True, check=False, cwd=coded.parent)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("recodec: ")
    assert said in line


@needs_shell
def test_streams_that_are_not_needed_may_be_closed(coded: Path) -> None:
    line = f"{sys.executable} -m recodec truncate {coded} - --iterations 1 2>&- <&-"
    data = subprocess.run(line, shell=True, stdout=subprocess.PIPE, check=True).stdout
    assert data == recodec.truncate(coded, iterations=1)
    line = f"{sys.executable} -m recodec truncate {coded} {coded.with_name('a.rcd')} --iterations 1 >&-"
    subprocess.run(line, shell=True, check=True)


def test_one_is_singular(photo: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.rcd"
    said = run("encode", photo, target, "--model", "tiny", "--iterations", 1).stderr
    said += run("verify", target).stdout + run("decode", target, tmp_path / "a.png").stderr
    assert len(re.findall(r"\b1 iteration\b", said)) == 3


def test_default_limits_are_readable() -> None:
    shown = run("encode", "--help").stdout
    assert "[default: 64Mi]" in shown
    assert "[default: 4GiB]" in shown


def test_names_with_a_dash_get_a_hint(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)
    photo.rename("-dash.png")
    assert "./-dash.png" in run("encode", "-dash.png", "a.rcd", code=2).stderr
    assert "./" not in run("encode", "--wrong", "a.rcd", code=2).stderr
    run("encode", "./-dash.png", "a.rcd", "--model", "tiny")


def test_env(tiny_model: str) -> None:
    found = json.loads(run("env", "--json").stdout)
    assert found["packages"]["recodec"] == recodec.__version__
    assert tiny_model in found["models"]
    assert found["devices"][0] == "cpu"
    assert "compiler" in run("env").stdout
