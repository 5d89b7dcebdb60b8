"""The bench that makes the sources' tables: every figure is that of a file, and what is missing is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.zoo.autoencoder_models import saved_model

BENCH = Path(__file__).parents[2] / "bench"


def bench(name: str, *arguments: object, models: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(BENCH / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RECODEC_WEIGHTS": str(models)},
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("unit", "staged"):
        saved_model(folder, name)
    return folder


@pytest.fixture
def small(tmp_path: Path, picture: Image.Image) -> Path:
    """Seven pictures, of which six fill a mosaic."""
    wide = np.asarray(picture.resize((32 * 7, 32)))
    np.save(tmp_path / "small.npy", wide.reshape(32, 7, 32, 3).swapaxes(0, 1))
    return tmp_path / "small.npy"


def test_small_pictures(models: Path, small: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "out.json", tmp_path / "sheet.png"
    names = ("--systems", "unit", "--systems", "nosuch")
    options = ("--train", small, "--out", out, "--sheet", sheet)
    done = bench("zoo_autoencoders.py", small, *names, *options, models=models)
    assert "skipped: nosuch" in done.stderr
    table = json.loads(out.read_text())["sources"]["small.npy"]
    # Seven in a row are as long as seven are high; eight times is the most.
    assert (table["pictures"], table["mosaic"]) == (7, [1, 7])
    rows = {row["label"]: row for row in table["systems"]}
    assert list(rows) == ["klt-4", "klt-8", "unit"]
    assert [row["raw"] for row in rows.values()] == [1.5, 1.5, 1.5]
    for row in rows.values():
        scores: dict[str, Any] = row["scores"]
        assert scores["bpp"] == pytest.approx(8 * scores["bytes"] / (7 * 32 * 32))
        for rival in row["rivals"].values():
            assert rival is None or rival["bytes"] <= scores["bytes"]
    # More coefficients of larger squares keep more; a random network keeps nothing.
    quality = [row["scores"]["psnr"] for row in rows.values()]
    assert quality[1] > quality[0] > quality[2]
    for fixed in table["rivals at rates"]:
        assert fixed["rivals"]["JPEG 4:4:4"]["bpp"] <= fixed["raw"]
    with Image.open(sheet) as image:
        # Original, system and both rivals.
        assert image.width == 4 * (128 + 8) + 8


def test_photographs(models: Path, tmp_path: Path, picture: Image.Image) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out.json"
    folder.mkdir()
    for side in (64, 90):
        picture.resize((side, 61)).save(folder / f"{side}.png")
    sources = (tmp_path / "missing", folder)
    done = bench("zoo_autoencoders.py", *sources, "--systems", "staged", "--out", out, models=models)
    assert "missing: there is no such file or folder" in done.stderr
    assert "--train is not there" in done.stderr
    tables = json.loads(out.read_text())["sources"]["photos"]
    for name, patch in (("patches", 32), ("whole", 0)):
        rows = tables[name]["systems"]
        assert [row["raw"] for row in rows] == [0.5, 1.0, 1.5]
        assert (tables[name]["patch"], tables[name]["pictures"]) == (patch, ["64.png", "90.png"])
        assert [row["scores"]["ms_ssim"] for row in rows] == [None] * 3
        sizes = [row["scores"]["bytes"] for row in rows]
        assert sizes == sorted(set(sizes))
    whole, patches = (tables[name]["systems"][2]["scores"]["bytes"] for name in ("whole", "patches"))
    assert whole < patches


def test_refinement(models: Path, tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "a.png")
    out = tmp_path / "out.json"
    options = ("--system", "staged", "--steps", 6, "--out", out)
    bench("zoo_refinement.py", tmp_path / "a.png", *options, models=models)
    found = json.loads(out.read_text())
    (row,) = found["pictures"]
    assert row["bytes"][1] <= row["bytes"][0]
    assert row["psnr"][1] >= row["psnr"][0]
    assert found["mean"]["psnr"] == row["psnr"]
