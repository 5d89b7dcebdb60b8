"""The demonstration: a table, a file and a picture."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import recodec
from recodec.cli import main
from recodec.cli.demo import _panels
from recodec.eval.curve import Score, Step


def run_demo(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["demo", *arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("size", [(61, 45), (200, 170)])
def test_demo(tiny_model: str, picture: Image.Image, tmp_path: Path, size: tuple[int, int]) -> None:
    picture.resize(size).save(tmp_path / "mine.png")
    folder = tmp_path / "shown" / "here"
    result = run_demo(str(tmp_path / "mine.png"), "--model", tiny_model, "--output-dir", str(folder))
    info = recodec.info(folder / "mine.rcd")
    assert (info.width, info.height, info.truncated) == (*size, False)
    assert re.search(
        r"about\s+\d+\s+s\s+on\s+this\s+machine\s+as\s+busy\s+as\s+it\s+is\s+now\.", result.stdout
    )
    rows = [line for line in result.stdout.splitlines() if line.startswith("│")]
    assert len(rows) == info.iterations
    for count, row in enumerate(rows, start=1):
        prefix = recodec.truncate(folder / "mine.rcd", iterations=count)
        cells = [cell.strip() for cell in row.strip("│").split("│")]
        assert cells[:3] == [str(count), str(len(prefix)), f"{8 * len(prefix) / info.pixels:.3f}"]
    with Image.open(folder / "mine-comparison.png") as sheet:
        assert sheet.height > size[1]
    assert {path.name for path in folder.iterdir()} == {"mine.rcd", "mine-comparison.png"}


def test_demo_shows_names_as_they_are(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    name, folder = "c[[red] :smile: ", tmp_path / "out [/b] [red]"
    picture.save(tmp_path / f"{name}.png")
    command = (str(tmp_path / f"{name}.png"), "--model", tiny_model, "--output-dir", str(folder))
    shown = run_demo(*command).stdout
    assert f"Wrote {folder / name}.rcd and {folder / name}-comparison.png\n" in shown
    assert f"{name}.png" in shown.replace("\n", "")


def test_demo_of_the_shipped_photograph(
    tiny_model: str, picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "package" / "demo").mkdir(parents=True)
    picture.save(tmp_path / "package" / "demo" / "photo.png")
    monkeypatch.setattr(resources, "files", lambda _: tmp_path / "package")
    run_demo("--model", tiny_model, "--output-dir", str(tmp_path))
    assert {path.name for path in tmp_path.glob("*.*")} == {"photo.rcd", "comparison.png"}


def test_demo_converts_only_on_request(tiny_model: str, tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 40 * 50).astype(np.uint16).reshape(40, 50)
    Image.fromarray(values).save(tmp_path / "deep.tif")
    command = (str(tmp_path / "deep.tif"), "--model", tiny_model, "--output-dir", str(tmp_path))
    assert "--convert" in run_demo(*command, code=3).stderr
    run_demo(*command, "--convert")
    assert (tmp_path / "deep.rcd").exists()


def test_demo_says_what_part_is_shown() -> None:
    score = Score(300, 0.1, 30.0, None)
    for side, title in ((256, "original, enlarged"), (257, "original: the middle, enlarged")):
        pixels = np.zeros((8, side, 3), np.uint8)
        assert _panels(pixels, [Step(1, b"", pixels, score)], [None])[0].title == title


def test_demo_ships_a_photograph() -> None:
    with (resources.files("recodec") / "demo" / "photo.png").open("rb") as file, Image.open(file) as image:
        assert image.mode == "RGB"
        # Small enough for a package, large enough for MS-SSIM.
        assert 256 <= min(image.size) <= max(image.size) <= 1024


def test_demo_names_a_missing_photograph(tiny_model: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.png")
    assert run_demo(missing, code=1).stderr.startswith(f"recodec: {missing}: ")
    assert not list(tmp_path.iterdir())


def test_demo_names_a_folder_that_cannot_be_made(tiny_model: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "demo")
    result = run_demo("--model", tiny_model, "--output-dir", folder, code=1)
    assert result.stderr.startswith(f"recodec: {folder}: ")
