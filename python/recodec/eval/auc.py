"""Area under a rate-distortion curve, as Toderici et al. 2017 rank their models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def nominal_auc(values: Sequence[float], bpp_per_iteration: float = 0.125) -> float:
    """Trapezoid over a metric at 1, 2, … iterations, each of a nominal rate without entropy coding.

    Sixteen iterations of 0.125 bpp are the paper's 0.125 to 2 bpp, a width of 1.875: a perfect MS-SSIM has
    the area 1.875, nothing is counted left of the first rate.
    """
    return float(np.trapezoid(values, dx=bpp_per_iteration))
