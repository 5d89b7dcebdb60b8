"""Pictures that a model cannot show well are said to be so."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.errors import MetadataDroppedWarning, RecodecWarning, UnsuitablePictureWarning
from tests.cli.running import run
from tests.latent_models import latent_model, smooth_pixels


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    latent_model(folder)
    monkeypatch.setenv("RECODEC_WEIGHTS", str(folder))
    return folder


def checkerboard(size: int) -> np.ndarray:
    """Of single pixels, which few coefficients of a block of 16×16 cannot say."""
    return np.indices((size, size)).sum(0)[..., None].repeat(3, 2).astype(np.uint8) % 2 * 255


def test_a_checkerboard_is_reported_and_coded(models: Path) -> None:
    with pytest.warns(
        UnsuitablePictureWarning, match="tiny-latent is not made for pictures like this"
    ) as found:
        data = recodec.encode(checkerboard(64), model="tiny-latent")
    warning = found[0].message
    assert isinstance(warning, UnsuitablePictureWarning)
    # What it is: half black, half white, of which the mean is all that is left.
    assert warning.psnr == pytest.approx(6.0, abs=0.5)
    assert recodec.decode(data).size == (64, 64)


def test_a_soft_picture_is_not(models: Path) -> None:
    pixels = smooth_pixels(1, 96, 128)[0].permute(1, 2, 0).numpy() + 0.5
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        recodec.encode(pixels.astype(np.float32), model="tiny-latent", convert=True)
    assert [warning.message for warning in found] == []


def test_each_of_a_list_is_looked_at(models: Path) -> None:
    flat = np.full((32, 32, 3), 90, np.uint8)
    with pytest.warns(UnsuitablePictureWarning) as found:
        recodec.encode([flat, checkerboard(32), flat], model="tiny-latent")
    assert len(found) == 1


def test_the_command_reports_it(models: Path, tmp_path: Path) -> None:
    Image.fromarray(checkerboard(32)).save(tmp_path / "a.png")
    done = run("encode", str(tmp_path / "a.png"), str(tmp_path / "a.rcd"), "--model", "tiny-latent", "--json")
    (said,) = json.loads(done.stdout)["warnings"]
    assert "not made for pictures like this" in said
    assert "not made for pictures like this" in done.stderr


@pytest.mark.parametrize(
    "warning", [UnsuitablePictureWarning("a", 12.0), MetadataDroppedWarning(["xmp", "icc"], 99)]
)
def test_warnings_travel_between_processes(warning: RecodecWarning) -> None:
    back = pickle.loads(pickle.dumps(warning))
    assert (type(back), str(back), vars(back)) == (type(warning), str(warning), vars(warning))
