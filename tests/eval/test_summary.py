"""Means, rates, areas and BD-rates against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import PackageError
from recodec.eval import bjontegaard
from recodec.eval.auc import nominal_auc, rate_auc
from recodec.eval.bjontegaard import bd_rate, rising
from recodec.eval.plot import nice_ticks
from recodec.eval.run import Measured, Point
from recodec.eval.summary import (
    at_rate,
    at_rates,
    deviations,
    mean_curves,
    published_curves,
    summarise,
)


def point(setting: float, bpp: float, psnr: float | None, ms_ssim: float | None = 0.9) -> Point:
    return {
        "setting": setting,
        "bytes": 1000 * bpp,
        "bpp": bpp,
        "enc_ms": 1.0,
        "dec_ms": 2.0,
        "psnr": psnr,
        "ms_ssim": ms_ssim,
    }


def measured(file: str, **codecs: list[Point]) -> Measured:
    return Measured(file, points=codecs, failed={})


def test_means_are_per_setting_and_sorted_by_rate() -> None:
    results = [
        measured("a", x=[point(1, 0.5, 30, 0.90), point(2, 0.2, 25)]),
        measured("b", x=[point(1, 0.7, 40, 0.99), point(2, 0.4, 35)]),
        Measured("c", "broken"),
    ]
    means = mean_curves(results, ("psnr", "ms_ssim"))
    assert means.pictures == ["a", "b"]
    assert not means.left_out
    low, high = means.codecs["x"]
    assert (low["setting"], high["setting"]) == (2, 1)
    assert high["bpp"] == pytest.approx(0.6)
    assert high["psnr"] == 35
    # Of the mean, not the mean of 10 and 20 dB.
    assert high["ms_ssim_db"] == pytest.approx(-10 * np.log10(1 - 0.945))
    assert means.metrics == ["psnr", "ms_ssim", "ms_ssim_db"]


def test_means_are_over_the_same_pictures_for_all() -> None:
    whole = {"x": [point(1, 0.5, 30)], "y": [point(1, 0.6, 31)]}
    results = [
        measured("a", **whole),
        measured("one codec failed", x=[point(1, 9, 9)]),
        measured("equal", **{**whole, "y": [point(1, 9, None)]}),
        measured("small", **{name: [point(1, 9, 30, None)] for name in whole}),
    ]
    means = mean_curves(results, ("psnr", "ms_ssim"))
    assert means.pictures == ["a"]
    assert means.left_out == {
        "one codec failed": "y failed on it",
        "equal": "PSNR is not defined or not finite at every setting",
        "small": "MS-SSIM is not defined or not finite at every setting",
    }
    assert mean_curves(results[3:], ("psnr", "ms_ssim")).metrics == ["psnr"]
    assert mean_curves([Measured("c", "broken")], ("psnr",)).codecs == {}


def test_rates_are_read_in_the_logarithm_and_never_beyond() -> None:
    curve = [(0.125, 20.0), (0.5, 30.0)]
    assert at_rate(curve, 0.25) == pytest.approx(25)
    assert at_rate(curve, 0.125) == 20
    assert at_rate(curve, 0.12) is None
    assert at_rate(curve, 0.51) is None
    assert at_rate([], 1) is None
    points = [point(1, 0.2, 20, 0.8), point(2, 2, 40, 0.99)]
    table = at_rates(points, ("psnr", "ms_ssim", "ms_ssim_db"))
    assert table["psnr"]["0.125"] is None
    similarity, decibels = table["ms_ssim"]["1"], table["ms_ssim_db"]["1"]
    assert similarity is not None
    assert decibels == pytest.approx(-10 * np.log10(1 - similarity))


def test_auc_of_real_rates_is_the_nominal_one_at_nominal_rates() -> None:
    rates = [0.125 * k for k in range(1, 17)]
    values = [1 - 0.5 ** (k / 3) for k in range(1, 17)]
    area = rate_auc(rates, values)
    assert area.value == pytest.approx(nominal_auc(values))
    assert not area.held


def test_auc_holds_the_ends_and_says_so() -> None:
    area = rate_auc([0.5, 1.0], [0.6, 0.8])
    assert area.held
    assert area.value == pytest.approx(0.375 * 0.6 + 0.5 * 0.7 + 0.8)
    assert rate_auc([0.1, 1.0625, 2.5], [1, 1, 1]).value == pytest.approx(1.875)
    # What lies outside counts for the line that crosses the bound.
    assert rate_auc([0.0625, 0.1875, 2.0], [0.0, 0.2, 0.2]).value == pytest.approx(
        0.0625 * 0.15 + 0.2 * 1.8125
    )


def test_bd_rate_of_a_constant_ratio() -> None:
    anchor = [(rate, 20 + 5 * np.log2(rate / 0.1)) for rate in (0.1, 0.2, 0.4, 0.8, 1.6)]
    cheaper = [(0.7 * rate, quality) for rate, quality in anchor]
    assert bd_rate(anchor, cheaper) == pytest.approx(-30)
    assert bd_rate(cheaper, anchor) == pytest.approx(100 / 0.7 - 100)
    assert bd_rate(anchor, anchor[:3]) is None
    assert bd_rate(anchor, [(rate, quality + 100) for rate, quality in anchor]) is None


def test_bd_rate_uses_what_rises() -> None:
    curve = [(0.01, 1.0), (0.1, 20.0), (0.1, 21.0), (0.2, 20.0), (0.3, 22.0), (3.0, 50.0)]
    assert rising(curve) == [(0.1, 20.0), (0.3, 22.0)]


@settings(deadline=None)  # importing the package takes seconds
@given(st.integers(0, 2**32 - 1))
def test_bd_rate_is_that_of_the_package(seed: int) -> None:
    package = pytest.importorskip("bjontegaard", reason="bjontegaard is not installed")
    rng = np.random.default_rng(seed)

    def curve() -> list[tuple[float, float]]:
        rates = np.cumsum(rng.uniform(0.05, 0.3, 7))
        return list(zip(rates.tolist(), np.cumsum(rng.uniform(0.2, 3, 7)).tolist(), strict=True))

    anchor, test = curve(), curve()
    expected = package.bd_rate(
        *zip(*anchor, strict=True),
        *zip(*test, strict=True),
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    assert bd_rate(anchor, test) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def random_curve(rng: np.random.Generator) -> list[tuple[float, float]]:
    count = int(rng.integers(4, 9))
    rates, qualities = np.cumsum(rng.uniform(0.05, 0.3, count)), np.cumsum(rng.uniform(0.2, 3, count))
    return list(zip(rates.tolist(), qualities.tolist(), strict=True))


# Of our own PCHIP, with which all figures were made that were published before SciPy's took its place.
@pytest.mark.parametrize(
    ("seed", "percent"),
    [
        (0, 4.500046464799512),
        (1, -21.90698806085043),
        (2, -30.850491029262685),
        (3, -25.446166316294416),
        (4, 68.30765386573425),
        (5, 13.043061927265697),
    ],
)
def test_bd_rate_is_what_it_was(seed: int, percent: float) -> None:
    rng = np.random.default_rng(seed)
    assert bd_rate(random_curve(rng), random_curve(rng)) == pytest.approx(percent, rel=1e-12)


def test_bd_rate_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bjontegaard, "find_spec", lambda name: None)
    with pytest.raises(PackageError, match="extra eval"):
        bd_rate([], [])


def test_published_curves_and_deviations() -> None:
    data = {
        "x": {"points": [{"bpp": 0.5, "psnr": 30.5, "setting": 1}, {"bpp": 9, "psnr": 9, "setting": 7}]},
        "pub-y": {"points": [{"bpp": 0.5, "ms_ssim": 0.9}, {"bpp": 1, "ms_ssim": 0.99}]},
    }
    (first, _) = published_curves(data)["pub-y"]
    assert first == {"bpp": 0.5, "ms_ssim": 0.9, "ms_ssim_db": pytest.approx(10)}
    found = summarise(published_curves(data)["pub-y"], ("psnr", "ms_ssim"), {})
    assert found["at_bpp"]["psnr"]["0.5"] is None
    assert found["times"] is None
    assert deviations({"x": [point(1, 0.5, 30), point(2, 1, 35)]}, data) == {
        "x": {"settings": 1, "bpp": 0, "psnr": pytest.approx(0.5)}
    }


@given(st.floats(-50, 100), st.floats(1e-6, 100))
def test_ticks_are_round_and_enclose(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= low + span - 1e-9
    assert 2 <= len(ticks) <= 9
