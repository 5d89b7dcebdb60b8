"""Metrics against values worked out by hand, and JPEG as it is meant to be."""

from __future__ import annotations

import io
import math
import sys

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from recodec.errors import ImageError, RecodecError
from recodec.eval import jpeg
from recodec.eval.curve import load_rgb
from recodec.eval.jpeg import JpegLadder, encode_jpeg, largest_jpeg_within
from recodec.eval.metrics import Pixels, ms_ssim, psnr


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_psnr_of_a_known_error() -> None:
    a = np.full((5, 7, 3), 100, np.uint8)
    b = a.copy()
    b[:, :, 1] = 97
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / 3))
    assert psnr(a, b) == psnr(b, a)
    assert psnr(a, a) == math.inf


def test_psnr_does_not_wrap_around() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert psnr(black, white) == psnr(white, black) == 0


@pytest.mark.parametrize("metric", [psnr, ms_ssim])
def test_unlike_pictures_are_refused(metric: object) -> None:
    assert callable(metric)
    with pytest.raises(ImageError, match="differ in shape"):
        metric(noise(4, 5), noise(5, 4))
    with pytest.raises(ImageError, match="float32"):
        metric(noise(4, 5), noise(4, 5).astype(np.float32))
    with pytest.raises(ImageError, match="shape"):
        metric(noise(4, 5)[:, :, 0], noise(4, 5)[:, :, 0])


def test_ms_ssim_falls_with_distortion() -> None:
    pytest.importorskip("pytorch_msssim")
    picture = np.asarray(Image.fromarray(noise(24, 22)).resize((176, 192), Image.Resampling.BICUBIC))
    grades = [
        ms_ssim(picture, np.clip(picture.astype(int) + step, 0, 255).astype(np.uint8)) for step in (0, 20, 60)
    ]
    assert grades[0] == pytest.approx(1)
    assert None not in grades
    assert grades == sorted(grades, key=lambda grade: grade or 0, reverse=True)


def test_ms_ssim_needs_five_scales() -> None:
    pytest.importorskip("pytorch_msssim")
    assert ms_ssim(noise(160, 300), noise(160, 300)) is None
    assert ms_ssim(noise(161, 161), noise(161, 161)) is not None


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_msssim", None)
    with pytest.raises(RecodecError, match=r"recodec\[metrics\]"):
        ms_ssim(noise(4, 4), noise(4, 4))


def test_jpeg_is_baseline_with_halved_chroma(picture: Image.Image) -> None:
    with Image.open(io.BytesIO(encode_jpeg(picture, 50))) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        assert JpegImagePlugin.get_sampling(image) == 2
        assert "progressive" not in image.info


def test_largest_jpeg_is_the_last_that_fits(picture: Image.Image) -> None:
    sizes = [len(encode_jpeg(picture, quality)) for quality in range(1, 101)]
    ladder = JpegLadder(picture)
    for budget in (sizes[0], sizes[0] + 1, sizes[40], sizes[80] - 1, sizes[-1], 10**9):
        found = ladder.largest_within(budget)
        assert found is not None
        assert len(found) == max(size for size in sizes if size <= budget)
    assert ladder.largest_within(sizes[0] - 1) is None
    assert largest_jpeg_within(picture, sizes[40]) == ladder.largest_within(sizes[40])


def test_largest_jpeg_where_sizes_fall_and_rise(
    picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg, "encode_jpeg", lambda _, quality: bytes([quality]) * (quality ^ 8))
    assert JpegLadder(picture).largest_within(50) == bytes([58]) * 50
    assert JpegLadder(picture).largest_within(0) == b""
    assert JpegLadder(picture).largest_within(-1) is None


@pytest.mark.parametrize("damage", ["text", "cut", "exif"])
def test_pictures_that_cannot_be_read(picture: Image.Image, damage: str) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", exif=b"Exif\0\0no TIFF" if damage == "exif" else None)
    data = {"text": b"no picture", "cut": buffer.getvalue()[:900], "exif": buffer.getvalue()}[damage]
    with pytest.raises(ImageError):
        load_rgb(io.BytesIO(data))
