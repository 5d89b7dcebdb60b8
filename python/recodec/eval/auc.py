"""Area under a rate-distortion curve, as Toderici et al. 2017 rank their models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def nominal_auc(values: Sequence[float], bpp_per_iteration: float = 0.125) -> float:
    """Trapezoid over a metric at 1, 2, … iterations, each of a nominal rate without entropy coding.

    Sixteen iterations of 0.125 bpp are the paper's 0.125 to 2 bpp, a width of 1.875: a perfect MS-SSIM has
    the area 1.875, nothing is counted left of the first rate.
    """
    return float(np.trapezoid(values, dx=bpp_per_iteration))


@dataclass(frozen=True, slots=True)
class Area:
    """Area under a curve, and whether the curve had to be held at its first or last value to get it."""

    value: float
    held: bool


def rate_auc(bpp: Sequence[float], values: Sequence[float], low: float = 0.125, high: float = 2.0) -> Area:
    """The same area for the rates of real files: trapezoids between the points from ``low`` to ``high`` bpp.

    ``bpp`` rises. A curve that begins above ``low`` or ends below ``high`` is held at its end points, which
    flatters a curve that begins late and punishes one that ends early; compare such areas with care.
    """
    inside = [rate for rate in bpp if low < rate < high]
    grid = np.array([low, *inside, high])
    area = float(np.trapezoid(np.interp(grid, bpp, values), grid))
    return Area(area, bpp[0] > low or bpp[-1] < high)
