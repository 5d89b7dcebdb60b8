"""The demonstration: a table, a file and a picture."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import recodec
from recodec.cli import main


def run_demo(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["demo", *arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("size", [(61, 45), (200, 170)])
def test_demo(tiny_model: str, picture: Image.Image, tmp_path: Path, size: tuple[int, int]) -> None:
    picture.resize(size).save(tmp_path / "mine.png")
    folder = tmp_path / "shown" / "here"
    result = run_demo(str(tmp_path / "mine.png"), "--model", tiny_model, "--output-dir", str(folder))
    info = recodec.info(folder / "photo.rcd")
    assert (info.width, info.height, info.truncated) == (*size, False)
    assert re.search(r"takes\s+about\s+\d+\s+s\.", result.stdout)
    rows = [line for line in result.stdout.splitlines() if line.startswith("│")]
    assert len(rows) == info.iterations
    for count, row in enumerate(rows, start=1):
        prefix = recodec.truncate(folder / "photo.rcd", iterations=count)
        cells = [cell.strip() for cell in row.strip("│").split("│")]
        assert cells[:3] == [str(count), str(len(prefix)), f"{8 * len(prefix) / info.pixels:.3f}"]
    with Image.open(folder / "comparison.png") as sheet:
        assert sheet.height > size[1]
    assert {path.name for path in folder.iterdir()} == {"photo.rcd", "comparison.png"}


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
