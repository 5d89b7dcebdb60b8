"""What a recipe of the latent codec's transform says beside that of every training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from recodec.networks.latent.config import TransformConfig
from recodec.networks.latent.transform import STRIDE
from recodec.train.data.options import CropOptions
from recodec.train.recipe import Optimizer, Phase, Recipe, require
from recodec.train.tasks.crop_steps import check_crop
from recodec.train.tasks.curves import CurveValidation
from recodec.train.tasks.distortion import Distortion

# The weakest context layer that sees every group of channels, and more than the transform itself.
_CONTEXT_WIDTHS = (8, 4096)


@dataclass(frozen=True, slots=True)
class TransformPhase(Phase):
    """A stretch of training on square crops of ``crop`` pixels."""

    crop: int = 128
    distortion: Distortion = field(default_factory=Distortion)

    def __post_init__(self) -> None:
        Phase.__post_init__(self)
        check_crop(self.crop)
        require(self.crop % STRIDE == 0, "crop", self.crop, f"a multiple of the stride {STRIDE}")

    @property
    def work(self) -> float:
        """Pixels of a step."""
        return self.batch * self.crop**2


@dataclass(frozen=True, slots=True)
class TransformOptimizer(Optimizer):
    """``level_rate`` multiplies the learning rate of the levels' steps and gains.

    Beyond a clip of 0.3 and above a learning rate of 4·10⁻⁴ Adam has become unstable on this task.
    """

    clip: float = 0.3
    beta2: float = 0.995
    ema_every: int = 8
    level_rate: float = 5.0

    def __post_init__(self) -> None:
        Optimizer.__post_init__(self)
        require(0 <= self.level_rate < math.inf, "level_rate", self.level_rate, "at least 0 and finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformRecipe(Recipe):
    """A latent network and everything about the training of its transform.

    ``lambdas`` are the weights of distortion at the first and the last level, in bits per pixel for a squared error
    of 1 on pixels in [0, 1]; those between them grow by equal factors. ``context_width`` is that of the context model
    that exists in training alone.
    """

    tables: ClassVar[Mapping[str, type[Any]]] = {
        **Recipe.tables,
        "optimizer": TransformOptimizer,
        "validation": CurveValidation,
        "data": CropOptions,
    }
    phase: ClassVar[type[Phase]] = TransformPhase
    phase_tables: ClassVar[Mapping[str, type[Any]]] = {"distortion": Distortion}
    network_config: ClassVar[Any] = TransformConfig

    phases: tuple[TransformPhase, ...]
    task: str = "transform"
    architecture: str = "latent-transform"
    network: TransformConfig = field(default_factory=TransformConfig)
    lambdas: tuple[float, float] = (15.0, 9000.0)
    context_width: int = 384
    data: CropOptions = field(default_factory=CropOptions)
    optimizer: TransformOptimizer = field(default_factory=TransformOptimizer)
    validation: CurveValidation = field(default_factory=CurveValidation)

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)
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
