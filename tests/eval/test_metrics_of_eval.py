"""Metrics of the evaluation against slow formulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from recodec import ssim
from recodec.errors import ImageError
from recodec.eval import metrics
from recodec.eval.codecs import CLASSIC
from recodec.eval.metrics import METRICS, Pixels, mean_ssim, measure_all, psnr_hvs, to_db


@pytest.fixture
def pair(picture: Image.Image) -> tuple[Pixels, Pixels]:
    original = np.asarray(picture)
    return original, next(CLASSIC[0].climb(original, [30])).pixels


def slow_ssim(a: Pixels, b: Pixels) -> float:
    """Wang et al. 2004, window by window, in double precision."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for channel in range(3):
        for top in range(a.shape[0] - 10):
            for left in range(a.shape[1] - 10):
                at = np.s_[top : top + 11, left : left + 11, channel]
                x, y = a[at].astype(float), b[at].astype(float)
                mx, my = (window * x).sum(), (window * y).sum()
                vx, vy = (window * x**2).sum() - mx**2, (window * y**2).sum() - my**2
                vxy = (window * x * y).sum() - mx * my
                values.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(values))


def slow_psnr_hvs(a: Pixels, b: Pixels) -> float:
    """Block by block and coefficient by coefficient."""
    luma_a, luma_b = (p.astype(float) @ [0.299, 0.587, 0.114] for p in (a, b))
    k = np.arange(8)
    total, count = 0.0, 0
    for top in range(0, a.shape[0] - 7, 8):
        for left in range(0, a.shape[1] - 7, 8):
            error = (luma_a - luma_b)[top : top + 8, left : left + 8]
            for u in range(8):
                for v in range(8):
                    waves = np.outer(
                        np.cos((2 * k + 1) * u * np.pi / 16), np.cos((2 * k + 1) * v * np.pi / 16)
                    )
                    scale = (math.sqrt(0.5) if u == 0 else 1) * (math.sqrt(0.5) if v == 0 else 1) / 4
                    # The first row and column of the published table, and a value from its middle.
                    published = {(0, 0): 1.608443, (0, 1): 2.339554, (1, 0): 2.144591, (4, 4): 0.378457}
                    weight = 25.735088 / metrics.JPEG_LUMA[u, v]
                    assert weight == pytest.approx(published.get((u, v), weight), abs=1e-6)
                    total += (scale * (error * waves).sum() * weight) ** 2
            count += 64
    return 10 * math.log10(255**2 / (total / count))


def test_ssim_is_the_mean_over_windows(pair: tuple[Pixels, Pixels]) -> None:
    a, b = (pixels[:30, :25] for pixels in pair)
    assert mean_ssim(a, b) == pytest.approx(slow_ssim(a, b), abs=1e-5)
    assert mean_ssim(a, a) == pytest.approx(1)
    assert mean_ssim(a[:10], b[:10]) is None
    with pytest.raises(ImageError, match="10 x 25"):
        ssim.mean_ssim(torch.zeros(1, 3, 10, 25), torch.zeros(1, 3, 10, 25))


def test_psnr_hvs_is_the_weighted_error_of_whole_blocks(pair: tuple[Pixels, Pixels]) -> None:
    a, b = pair
    assert a.shape[0] % 8
    assert psnr_hvs(a, b) == pytest.approx(slow_psnr_hvs(a, b), abs=1e-9)
    assert psnr_hvs(a, a) == math.inf
    assert psnr_hvs(a[:7], b[:7]) is None


def test_db_spreads_what_is_near_one() -> None:
    assert to_db(0.9) == pytest.approx(10)
    assert to_db(0.999) == pytest.approx(30)
    assert to_db(1) == math.inf


def test_ssimulacra2_orders_pictures(picture: Image.Image) -> None:
    pytest.importorskip("ssimulacra2", reason="ssimulacra2 is not installed (extra eval)")
    original = np.asarray(picture)
    good, bad = (next(CLASSIC[0].climb(original, [quality])).pixels for quality in (90, 10))
    scores = [metrics.ssimulacra2(original, pixels) for pixels in (original, good, bad)]
    assert None not in scores
    assert scores[0] == pytest.approx(100)
    assert scores == sorted(scores, key=lambda s: s or 0, reverse=True)
    assert metrics.ssimulacra2(original[:7], good[:7]) is None


def test_what_has_no_finite_value_is_none(pair: tuple[Pixels, Pixels]) -> None:
    a, b = pair
    assert measure_all(("psnr", "ms_ssim"), a, a) == {"psnr": None, "ms_ssim": None}
    found = measure_all(("psnr", "ssim", "psnr_hvs"), a, b)
    assert list(found) == ["psnr", "ssim", "psnr_hvs"]
    assert None not in found.values()


def test_every_metric_says_if_it_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "find_spec", lambda name: None)
    assert METRICS["psnr"].unavailable() is None
    assert "the extra eval" in (METRICS["ssimulacra2"].unavailable() or "")
