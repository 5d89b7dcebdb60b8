"""What a recipe of the latent codec's transform says beside that of every training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from recodec.networks.latent.config import TransformConfig
from recodec.train.recipe import require
from recodec.train.tasks.rate_distortion.recipe import RateDistortionRecipe

# The weakest context layer that sees every group of channels, and more than the transform itself.
_CONTEXT_WIDTHS = (8, 4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformRecipe(RateDistortionRecipe):
    """A latent network and everything about the training of its transform.

    ``lambdas`` are the weights of distortion at the first and the last level, in bits per pixel for a squared error
    of 1 on pixels in [0, 1]; those between them grow by equal factors. ``context_width`` is that of the context model
    that exists in training alone.
    """

    network_config: ClassVar[Any] = TransformConfig

    task: str = "transform"
    architecture: str = "latent-transform"
    network: TransformConfig = field(default_factory=TransformConfig)
    lambdas: tuple[float, float] = (15.0, 9000.0)
    context_width: int = 384

    def __post_init__(self) -> None:
        RateDistortionRecipe.__post_init__(self)
        low, high = _CONTEXT_WIDTHS
        require(
            low <= self.context_width <= high and self.context_width % low == 0,
            "context_width",
            self.context_width,
            f"a multiple of {low} in {low}..{high}",
        )
        require(
            len(self.lambdas) == 2 and 0 < self.lambdas[0] <= self.lambdas[1] < math.inf,
            "lambdas",
            self.lambdas,
            "two weights above 0, the lower first",
        )

    def lambda_of(self, level: int) -> float:
        """The weight of distortion at a level."""
        first, last = self.lambdas
        return float(first * (last / first) ** (level / max(1, self.network.levels - 1)))
