"""Bjøntegaard's delta rate with monotone cubic interpolation (PCHIP).

The package of that name gives the same numbers, and the tests hold this to them; but it imports pyplot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Curve = Sequence[tuple[float, float]]
_FEWEST_POINTS = 4


def bd_rate(anchor: Curve, test: Curve) -> float | None:
    """Rate of ``test`` above that of ``anchor`` at equal quality, in percent; negative saves bits.

    Curves are (bpp, quality) points by rising rate. The logarithm of the rate is integrated over the
    qualities that both reach. None if that is nothing, or fewer than four points are left by
    :func:`rising` in either curve.
    """
    anchor, test = rising(anchor), rising(test)
    if min(len(anchor), len(test)) < _FEWEST_POINTS:
        return None
    low, high = max(anchor[0][1], test[0][1]), min(anchor[-1][1], test[-1][1])
    if low >= high:
        return None
    areas = [
        pchip_integral([q for _, q in curve], [float(np.log10(rate)) for rate, _ in curve], low, high)
        for curve in (anchor, test)
    ]
    return float(100 * (10 ** ((areas[1] - areas[0]) / (high - low)) - 1))


def rising(curve: Curve, low: float = 0.05, high: float = 2.3) -> list[tuple[float, float]]:
    """The points from ``low`` to ``high`` bpp, thinned until rate and quality strictly rise."""
    kept: list[tuple[float, float]] = []
    for rate, quality in curve:
        if low <= rate <= high and (
            not kept or (rate > kept[-1][0] * 1.001 and quality > kept[-1][1] + 1e-6)
        ):
            kept.append((rate, quality))
    return kept


def pchip_integral(x: Sequence[float], y: Sequence[float], low: float, high: float) -> float:
    """Integral from ``low`` to ``high``, both within ``x``, of the PCHIP through at least three points."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    width = np.diff(xs)
    secant = np.diff(ys) / width
    slope = _slopes(width, secant)
    coefficients = (
        ys[:-1],
        slope[:-1],
        (3 * secant - 2 * slope[:-1] - slope[1:]) / width,
        (slope[:-1] + slope[1:] - 2 * secant) / width**2,
    )
    start, end = (np.clip(bound - xs[:-1], 0, width) for bound in (low, high))
    return float(sum(np.sum(c * (end**n - start**n)) / n for n, c in enumerate(coefficients, start=1)))


def _slopes(width: NDArray[np.float64], secant: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivatives at the points: Fritsch and Butland 1984 inside, three points at the ends."""
    before, after = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    monotone = secant[:-1] * secant[1:] > 0
    # Any number but zero; what comes of it is not used.
    left, right = (np.where(monotone, part, 1.0) for part in (secant[:-1], secant[1:]))
    inner = np.where(monotone, (before + after) / (before / left + after / right), 0.0)
    first = _end_slope(width[0], width[1], secant[0], secant[1])
    last = _end_slope(width[-1], width[-2], secant[-1], secant[-2])
    return np.concatenate([[first], inner, [last]])


def _end_slope(near: float, far: float, secant: float, next_secant: float) -> float:
    slope = ((2 * near + far) * secant - near * next_secant) / (near + far)
    if np.sign(slope) != np.sign(secant):
        return 0.0
    if np.sign(secant) != np.sign(next_secant) and abs(slope) > 3 * abs(secant):
        return 3 * secant
    return slope
