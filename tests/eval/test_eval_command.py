"""recodec eval: what it writes, what it survives, and that it does nothing twice."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from recodec.cli import evaluate, main
from recodec.eval import bjontegaard
from recodec.eval import run as runs
from recodec.eval.curve import load_rgb
from recodec.eval.run import Evaluator, Measured, Plan, Task, measure_pictures
from recodec.model_search import find_model

QUICK = ("--codec", "jpeg420", "--metric", "psnr")


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["eval", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


@pytest.fixture
def photos(picture: Image.Image, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    picture.resize((180, 168)).save(folder / "a.png")
    # A name that a page must escape, and one folder down.
    picture.transpose(Image.Transpose.ROTATE_90).resize((170, 176)).save(
        folder / "more" / "b<&>.webp", quality=95
    )
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_model_by_its_file(tiny_model: str, photos: Path, tmp_path: Path) -> None:
    moved = tmp_path / "mine.safetensors"
    moved.write_bytes(find_model(tiny_model).read_bytes())
    out = tmp_path / "out"
    for option in ("--model", "--codec"):
        run(photos, option, moved, *QUICK, "--iterations", 1, "--limit", 1, "--out", out)
        assert list(results(out)["mean"]) == ["recodec-mine", "jpeg420"]
    moved.unlink()
    assert "there is no codec or model" in run(photos, "--codec", moved, "--out", out, code=2).stderr


def test_everything_about_two_pictures(tiny_model: str, photos: Path, tmp_path: Path) -> None:
    published = tmp_path / "published.json"
    curve = [{"bpp": 2.0**k, "psnr": 40 + 3 * k, "ms_ssim": 1 - 0.1 / 4 ** (k + 3)} for k in range(-3, 2)]
    published.write_text(json.dumps({"pub-toderici-2017": {"points": curve}, "pub-x": {"points": curve}}))
    out = tmp_path / "out"
    options = ["--codec", "recodec", "--codec", "jpeg420", "--codec", "webp", "--published", published]
    options += ["--metric", "psnr", "--metric", "ms_ssim", "--metric", "psnr_hvs", "--iterations", 4]
    options += ["--against", "jpeg420", "--against", "webp", "--viewer", 1, "--out", out]
    shown = run(photos, "--model", tiny_model, *options)
    size = (out / "report.html").stat().st_size
    assert f"report.html ({size / 1e6:.1f} MB)" in " ".join(shown.stdout.split())

    found = results(out)
    assert [Path(image["file"]).name for image in found["images"]] == ["a.png", "b<&>.webp"]
    assert found["averaged"] == [image["file"] for image in found["images"]]
    assert list(found["mean"]) == ["recodec-tiny", "jpeg420", "webp"]
    assert found["metrics"] == ["psnr", "ms_ssim", "ms_ssim_db", "psnr_hvs"]
    assert set(found["summary"]) == {"recodec-tiny", "jpeg420", "webp", "pub-toderici-2017", "pub-x"}
    jpeg = found["summary"]["jpeg420"]
    assert jpeg["bd_rate"]["jpeg420"]["psnr"] == pytest.approx(0)
    assert jpeg["bd_rate"]["webp"]["psnr"] > 0
    assert jpeg["auc"]["ms_ssim"]["held"]
    assert jpeg["times"]["enc_ms"] > 0
    assert found["machine"]["cpu"]

    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(p) for image in found["images"] for p in image["codecs"].values())
    for row in rows:
        pixels = int(row["width"]) * int(row["height"])
        assert float(row["bpp"]) == pytest.approx(8 * int(row["bytes"]) / pixels)

    check_page((out / "report.html").read_text(), found)
    root = ElementTree.parse(out / "curves.svg").getroot()
    assert len(root.findall(".//{*}circle")) > 50
    check_svg_text(root)


def check_page(page: str, found: dict[str, Any]) -> None:
    # Without pictures, which may say anything, and comments.
    code = re.sub(r"(?m)^ *//.*$", "", re.sub(r'data:image/[^"]*', "", page))
    assert not re.search(r"https?:|//[a-z]|<link|@import|src=|url\(|fetch|XMLHttp", code)
    assert "<!--" not in page
    assert all(name in page for name in found["summary"])
    text = re.search(r'<script type="application/json" id="frames">(.*?)</script>', page, re.DOTALL)
    assert text is not None
    (frames,) = json.loads(text.group(1))
    assert frames["name"] == "a.png"
    assert (frames["width"], frames["height"], frames["cropped"]) == (180, 168, False)
    assert frames["original"].startswith("data:image/webp;base64,")
    assert len(frames["chunks"]) == len(frames["jpegs"]) == 4
    for chunk, jpeg in zip(frames["chunks"], frames["jpegs"], strict=True):
        assert jpeg is None or jpeg["score"]["bytes"] <= chunk["score"]["bytes"]
    points = found["images"][0]["codecs"]["recodec-tiny"]
    assert [chunk["score"]["bytes"] for chunk in frames["chunks"]] == [point["bytes"] for point in points]


def check_svg_text(root: ElementTree.Element) -> None:
    texts = {element.text for element in root.findall(".//{*}text")}
    assert {"PSNR (dB)", "MS-SSIM (dB)", "recodec-tiny", "jpeg420", "pub-toderici-2017"} <= texts
    # Not one of those that are seen first.
    assert "pub-x" not in texts


def test_nothing_is_measured_twice(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    run(photos, *QUICK, "--out", out)
    first = results(out)
    asked: list[tuple[str, ...]] = []
    real = runs.measure_all

    def counting(names: Any, *pictures: Any) -> Any:
        asked.append(tuple(names))
        return real(asked[-1], *pictures)

    monkeypatch.setattr(runs, "measure_all", counting)
    assert "16 points, 16 from before" in run(photos, *QUICK, "--out", out).stderr
    assert not asked
    assert results(out)["images"] == first["images"]
    # One more metric: only that one is measured.
    run(photos, *QUICK, "--metric", "ssim", "--out", out)
    assert set(asked) == {("ssim",)}
    # The same pixels under another name are the same picture, other ones are not.
    asked.clear()
    (photos / "a.png").rename(photos / "c.png")
    with Image.open(photos / "c.png") as image:
        Image.fromarray(255 - np.asarray(image)).save(photos / "d.png")
    run(photos, *QUICK, "--out", out)
    assert len(asked) == 16


def test_progress_goes_by_points(photos: Path, tmp_path: Path) -> None:
    plan = Plan(("jpeg420", "webp"), (), ("psnr",))
    told: list[float] = []
    assert len(list(measure_pictures(plan, [Task(photos / "a.png")], tmp_path, advance=told.append))) == 1
    assert len(told) > 10
    assert sum(told) == pytest.approx(1)


def test_interrupted_and_resumed(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Evaluator.measure

    def interrupted(self: Evaluator, task: Task) -> Measured:
        if task.path.suffix == ".webp":
            raise KeyboardInterrupt
        return real(self, task)

    monkeypatch.setattr(Evaluator, "measure", interrupted)
    assert "Aborted" in run(photos, *QUICK, "--out", tmp_path / "out", code=1).stderr
    monkeypatch.setattr(Evaluator, "measure", real)
    shown = run(photos, *QUICK, "--out", tmp_path / "out").stderr
    assert [line.split(": ")[1] for line in shown.splitlines()] == ["16 points, 16 from before", "16 points"]


def test_damaged_cache_is_measured_again(photos: Path, tmp_path: Path) -> None:
    run(photos, *QUICK, "--out", tmp_path / "out", "--limit", 1)
    (stored,) = (tmp_path / "out" / "cache").rglob("*.json")
    stored.write_bytes(stored.read_bytes()[:100])
    assert "from before" not in run(photos, *QUICK, "--out", tmp_path / "out", "--limit", 1).stderr


def test_bad_pictures_do_not_stop_the_rest(photos: Path, tmp_path: Path) -> None:
    (photos / "0.png").write_bytes((photos / "a.png").read_bytes()[:60])
    out = tmp_path / "out"
    shown = run(photos, *QUICK, "--out", out, "--jobs", 2, code=1)
    assert re.search(r"recodec: .*0\.png: ", shown.stderr)
    found = results(out)
    assert "error" in found["images"][0]
    assert len(found["averaged"]) == 2
    assert "0.png" in (out / "report.html").read_text()


def test_nothing_readable_is_an_error(photos: Path, tmp_path: Path) -> None:
    shown = run(photos / "notes.txt", *QUICK, "--out", tmp_path / "out", code=3)
    assert shown.stderr.splitlines()[-1].startswith("recodec: eval: none of 1 can be read")
    assert not shown.stdout
    assert not (tmp_path / "out" / "report.html").exists()


def test_deep_pictures_are_converted_only_on_request(picture: Image.Image, tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 40 * 50).astype(np.uint16).reshape(40, 50)
    Image.fromarray(values).save(tmp_path / "deep.tif")
    picture.convert("CMYK").save(tmp_path / "print.jpg")
    command = (tmp_path / "deep.tif", tmp_path / "print.jpg", *QUICK, "--out", tmp_path / "out")
    assert run(*command, code=3).stderr.count("(--convert)") == 2
    run(*command, "--convert")
    assert len(results(tmp_path / "out")["averaged"]) == 2


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "1"])
def test_what_is_compared_is_rgb(picture: Image.Image, tmp_path: Path, mode: str) -> None:
    image = picture.convert(mode)
    image.save(tmp_path / "a.png")
    assert np.array_equal(load_rgb(tmp_path / "a.png"), np.asarray(image.convert("RGB")))


def test_a_codec_that_fails_on_one_picture(photos: Path, tmp_path: Path) -> None:
    # WebP has no more than 16383 columns.
    Image.new("RGB", (16400, 8), "teal").save(photos / "long.png")
    shown = run(photos, *QUICK, "--codec", "webp", "--out", tmp_path / "out", code=1)
    assert re.search(r"recodec: .*long\.png: webp: ", shown.stderr)
    found = results(tmp_path / "out")
    assert len(found["averaged"]) == 2
    assert list(found["left_out"].values()) == ["webp failed on it"]


def test_what_is_not_installed_is_reported(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recodec.eval.codecs.JpegXl.unavailable", lambda self: "not today")
    shown = run(photos, *QUICK, "--codec", "jxl-e7", "--out", tmp_path / "out")
    assert "recodec: without jxl-e7: not today" in shown.stderr
    assert results(tmp_path / "out")["unavailable"] == {"jxl-e7": "not today"}
    assert "not today" in (tmp_path / "out" / "report.html").read_text()
    alone = run(photos, "--codec", "jxl-e7", "--out", tmp_path / "out", code=2)
    assert "nothing is left to compare" in alone.stderr


def test_what_is_not_there_is_wrong_usage(photos: Path, tmp_path: Path) -> None:
    for option, value in (
        ("--against", "nosuch"),
        ("--codec", "nosuch"),
        ("--metric", "nosuch"),
        ("--device", "nosuch"),
    ):
        codec = ("--codec", "recodec") if option == "--device" else QUICK
        assert "nosuch" in run(photos, *codec, option, value, "--out", tmp_path / "out", code=2).stderr
    assert not (tmp_path / "out" / "results.json").exists()


def test_files_that_are_no_pictures_are_counted(photos: Path, tmp_path: Path) -> None:
    (photos / "loop").symlink_to(photos)
    assert (
        "2 files left out: .txt 1, linked folder 1" in run(photos, *QUICK, "--out", tmp_path / "out").stdout
    )
    assert list(results(tmp_path / "out")["other_files"].values()) == ["linked folder", ".txt"]


def test_wrong_usage_is_one_line(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no pictures there" in run(tmp_path / "empty", code=3).stderr
    run(tmp_path / "missing", code=2)
    wrong = tmp_path / "wrong.json"
    for text in ("[]", "{", '{"pub-x": {"points": [{"psnr": 3}]}}'):
        wrong.write_text(text)
        shown = run(photos, *QUICK, "--published", wrong, "--out", tmp_path / "out", code=3)
        assert "does not hold curves" in shown.stderr
    assert run(photos, "--model", "no-such", "--out", tmp_path / "out", code=4).stderr.startswith("recodec: ")


def test_names_on_the_command_line_are_those_of_the_library() -> None:
    from recodec.eval.codecs import CLASSIC
    from recodec.eval.metrics import METRICS

    assert evaluate.params
    assert tuple(METRICS) == next(tuple(p.type.choices) for p in evaluate.params if p.name == "metrics")  # type: ignore[attr-defined]
    names = next(tuple(p.type.choices) for p in evaluate.params if p.name == "codecs")  # type: ignore[attr-defined]
    assert names == ("recodec", *(codec.name for codec in CLASSIC))


def test_without_scipy_all_but_delta_rates_is_there(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bjontegaard, "find_spec", lambda name: None)
    options = ["--codec", "jpeg420", "--metric", "psnr", "--viewer", 0, "--out", tmp_path / "out"]
    shown = run(photos, *options)
    assert "without BD-rate: scipy is not installed; install recodec with the extra eval" in shown.stderr
    found = results(tmp_path / "out")
    assert (found["anchors"], found["summary"]["jpeg420"]["bd_rate"]) == ([], {})
    assert found["summary"]["jpeg420"]["at_bpp"]["psnr"]["0.5"] > 20
    assert "no BD-rate" in (tmp_path / "out" / "report.html").read_text()
