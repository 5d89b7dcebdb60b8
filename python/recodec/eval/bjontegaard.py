"""Bjøntegaard's delta rate with monotone cubic interpolation, SciPy's PCHIP.

The package of that name gives the same numbers, and the tests hold this to them; but it imports pyplot.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from recodec.errors import PackageError

Curve = Sequence[tuple[float, float]]
_FEWEST_POINTS = 4


def unavailable() -> str | None:
    """Why there are no delta rates here; None if there are."""
    if find_spec("scipy"):
        return None
    return "scipy is not installed; install recodec with the extra eval"


def bd_rate(anchor: Curve, test: Curve) -> float | None:
    """Rate of ``test`` above that of ``anchor`` at equal quality, in percent; negative saves bits.

    Curves are (bpp, quality) points by rising rate. The logarithm of the rate is integrated over the
    qualities that both reach. None if that is nothing, or fewer than four points are left by
    :func:`rising` in either curve. Raises :class:`PackageError` where SciPy is missing.
    """
    if why := unavailable():
        raise PackageError(f"Bjøntegaard's delta rates: {why}")
    # Takes seconds, which whoever compares nothing need not wait for.
    from scipy.interpolate import PchipInterpolator

    anchor, test = rising(anchor), rising(test)
    if min(len(anchor), len(test)) < _FEWEST_POINTS:
        return None
    low, high = max(anchor[0][1], test[0][1]), min(anchor[-1][1], test[-1][1])
    if low >= high:
        return None
    areas = [
        PchipInterpolator([q for _, q in curve], np.log10([rate for rate, _ in curve])).integrate(low, high)
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
