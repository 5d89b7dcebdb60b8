"""Our JPEG, WebP and AVIF are those of the project's Kodak anchors, at one setting each.

All settings: recodec eval KODAK --codec jpeg420 --codec webp --codec avif420 --metric psnr --metric ms_ssim
--metric psnr_hvs --published kodak_rd.json, which prints the largest differences.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recodec.eval.codecs import CLASSIC
from recodec.eval.metrics import measure_all

ANCHORS = Path(__file__).parents[3] / "shared" / "anchors"


@pytest.mark.parametrize(
    ("name", "setting", "metrics"),
    # Few and fast settings; MS-SSIM, which takes longest, once.
    [
        ("jpeg420", 40, ("psnr", "psnr_hvs", "ms_ssim")),
        ("webp", 0, ("psnr",)),
        ("avif420", 5, ("psnr", "psnr_hvs")),
    ],
)
def test_kodak_means(name: str, setting: float, metrics: tuple[str, ...]) -> None:
    if not (ANCHORS / "kodak_rd.json").exists():
        pytest.skip("the Kodak anchors are not beside the repository (../shared/anchors)")
    codec = next(codec for codec in CLASSIC if codec.name == name)
    if why := codec.unavailable():
        pytest.skip(why)
    points = json.loads((ANCHORS / "kodak_rd.json").read_text())[name]["points"]
    expected = next(point for point in points if point["setting"] == setting)
    rows = []
    for path in sorted((ANCHORS / "kodak").glob("*.png")):
        with Image.open(path) as image:
            original = np.asarray(image.convert("RGB"))
        coded = next(codec.climb(original, [setting]))
        bpp = 8 * len(coded.file) / (original.shape[0] * original.shape[1])
        rows.append({"bpp": bpp, **measure_all(metrics, original, coded.pixels)})
    assert len(rows) == 24
    for metric, limit in (("bpp", 1e-3), ("psnr", 0.02), ("psnr_hvs", 0.02), ("ms_ssim", 1e-3)):
        if metric in rows[0]:
            mean = float(np.mean([row[metric] or 0.0 for row in rows]))
            assert mean == pytest.approx(expected[metric], abs=limit), metric
