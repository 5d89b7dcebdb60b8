"""Targets that are a quality: as few chunks as reach it, and what all of them reach where that is not enough."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import TargetError
from recodec.eval import metrics
from recodec.ssim import ms_ssim, ms_ssim_of_picture
from tests.cli.running import run


@pytest.fixture
def photo() -> Image.Image:
    """With sides of all five scales, and odd ones."""
    with Image.open(Path(recodec.__file__).parent / "demo" / "photo.png") as image:
        return image.convert("RGB").crop((300, 100, 300 + 203, 100 + 181))


def similarities(data: bytes, image: Image.Image) -> list[float]:
    original = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
    shown = recodec.progressive(data, like="pil")
    pictures = (torch.from_numpy(np.array(one.convert("RGB"))).permute(2, 0, 1)[None] / 255 for one in shown)
    return [float(ms_ssim(picture, original)) for picture in pictures]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize("model", ["tiny", "tiny-latent"])
@pytest.mark.filterwarnings("ignore::recodec.UnsuitablePictureWarning")
def test_as_few_chunks_as_reach_it(tiny_model: str, photo: Image.Image, mode: str, model: str) -> None:
    image = photo.convert(mode)
    whole = recodec.encode(image, model=model, iterations=recodec.load(model).iterations)
    reached = similarities(whole, image)
    for place in (0, len(reached) // 2):
        wanted = reached[place] - 1e-4
        expected = next(k for k, value in enumerate(reached, 1) if value >= wanted)
        data = recodec.encode(image, model=model, ms_ssim=wanted)
        assert recodec.info(data).iterations == expected
        assert data == recodec.truncate(whole, iterations=expected)


def test_it_is_the_measure_of_eval(photo: Image.Image) -> None:
    a = np.array(photo)
    b = np.array(photo.resize((60, 50)).resize(photo.size))
    x, y = (torch.from_numpy(array).permute(2, 0, 1) for array in (a, b))
    assert ms_ssim_of_picture(x, y) == pytest.approx(metrics.ms_ssim(a, b), abs=2e-6)
    assert ms_ssim_of_picture(x, x) == pytest.approx(1, abs=1e-6)
    for height, width in ((11, 11), (12, 40), (21, 300), (161, 170), (80, 81)):
        left, right = x[:, :height, :width], y[:, :height, :width]
        expected = float(ms_ssim(left[None] / 255, right[None] / 255))
        assert ms_ssim_of_picture(left, right) == pytest.approx(expected, abs=2e-6)


def test_small_pictures_have_fewer_scales_and_smaller_ones_none(
    tiny_model: str, picture: Image.Image
) -> None:
    data = recodec.encode(picture, model=tiny_model, iterations=8)
    reached = similarities(data, picture)
    found = recodec.encode(picture, model=tiny_model, ms_ssim=reached[3] - 1e-4)
    assert recodec.info(found).iterations <= 4
    with pytest.raises(TargetError, match="a picture of 10 x 45 pixels has none: its window takes 11 x 11"):
        recodec.encode(picture.crop((0, 0, 10, 45)), model=tiny_model, ms_ssim=0.5)


def test_out_of_reach_says_what_all_reach(tiny_model: str, picture: Image.Image) -> None:
    reached = similarities(recodec.encode(picture, model=tiny_model, iterations=8), picture)[-1]
    with pytest.raises(TargetError, match=r"ms_ssim is 0\.9999, but all 8 iterations .*; lower it") as caught:
        recodec.encode(picture, model=tiny_model, ms_ssim=0.9999)
    said = re.search(r"reach (\d\.\d{4}) on", str(caught.value))
    assert said is not None
    assert float(said[1]) == pytest.approx(reached, abs=1e-4)


@pytest.mark.parametrize("value", [0, -0.5, 1, 14.5, float("nan"), "0.9", True])
def test_what_is_no_similarity(tiny_model: str, picture: Image.Image, value: float) -> None:
    with pytest.raises(TargetError, match="ms_ssim is"):
        recodec.encode(picture, model=tiny_model, ms_ssim=value)
    with pytest.raises(TargetError, match="ms_ssim are given"):
        recodec.encode(picture, model=tiny_model, bpp=1, ms_ssim=0.5)


def test_floats_are_compared_as_they_are_stored(tiny_model: str, picture: Image.Image) -> None:
    samples = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    expected = recodec.encode(samples, model=tiny_model, ms_ssim=0.5)
    assert recodec.encode(samples / 255, model=tiny_model, ms_ssim=0.5) == expected


def test_the_command(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    arguments = ("encode", tmp_path / "a.png", tmp_path / "a.rcd", "--model", "tiny", "--ms-ssim")
    run(*arguments, "0.5")
    assert (tmp_path / "a.rcd").read_bytes() == recodec.encode(picture, model="tiny", ms_ssim=0.5)
    assert "0.9999, but all 8 iterations reach" in run(*arguments, "0.9999", code=3).stderr
    for wrong in ("0", "1", "95", "nan"):
        run(*arguments, wrong, code=2)
    assert "exclude each other" in run(*arguments, "0.5", "--psnr", "30", code=2).stderr
