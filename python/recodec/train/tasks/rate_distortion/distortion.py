"""What the latent codec's training minimises beside the rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from recodec.networks.latent.distortion import Measured, measure
from recodec.train.recipe import require

# Rates whose λ is e³ count as they are; without this the others would drown them or be drowned.
_BALANCED_LAMBDA = math.exp(3)


@dataclass(frozen=True, slots=True)
class Distortion:
    """Shares of the terms of distortion: squared error, 1 − MS-SSIM, and squared error of areas' mean colours."""

    mse: float = 0.25
    ms_ssim: float = 0.75
    colour: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mse", "ms_ssim", "colour"):
            value = getattr(self, name)
            require(0 <= value < math.inf, name, value, "at least 0 and finite")
        require(self.mse + self.ms_ssim > 0, "mse + ms_ssim", self.mse + self.ms_ssim, "above 0")

    def measure(self, shown: Tensor, pixels: Tensor) -> Measured:
        """Of pictures (N, 3, H, W) in [−0.5, 0.5]."""
        return measure(shown, pixels, (self.mse, self.ms_ssim), self.colour)


def balance(loss: Tensor, lambdas: Tensor) -> Tensor:
    """The mean over pictures of ``loss`` (N,), each at a rate of its own, so that all rates count about alike."""
    return (loss / (lambdas / _BALANCED_LAMBDA).sqrt()).mean()
