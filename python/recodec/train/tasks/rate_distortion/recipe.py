"""What recipes of the latent codec say alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from recodec.networks.latent.transform import STRIDE
from recodec.train.data.options import CropOptions
from recodec.train.recipe import Optimizer, Phase, Recipe, require
from recodec.train.tasks.crop_steps import check_crop
from recodec.train.tasks.rate_distortion.curves import CurveValidation
from recodec.train.tasks.rate_distortion.distortion import Distortion


@dataclass(frozen=True, slots=True)
class RateDistortionPhase(Phase):
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
class RateDistortionOptimizer(Optimizer):
    """``level_rate`` multiplies the learning rate of what each rate has of its own, such as gains.

    Beyond a clip of 0.3 and above a learning rate of 4·10⁻⁴ Adam has become unstable on the transform.
    """

    clip: float = 0.3
    beta2: float = 0.995
    ema_every: int = 8
    level_rate: float = 5.0

    def __post_init__(self) -> None:
        Optimizer.__post_init__(self)
        require(0 <= self.level_rate < math.inf, "level_rate", self.level_rate, "at least 0 and finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDistortionRecipe(Recipe):
    """Training on crops, of a network that serves many rates."""

    tables: ClassVar[Mapping[str, type[Any]]] = {
        **Recipe.tables,
        "optimizer": RateDistortionOptimizer,
        "validation": CurveValidation,
        "data": CropOptions,
    }
    phase: ClassVar[type[Phase]] = RateDistortionPhase
    phase_tables: ClassVar[Mapping[str, type[Any]]] = {"distortion": Distortion}

    phases: tuple[RateDistortionPhase, ...]
    data: CropOptions = field(default_factory=CropOptions)
    optimizer: RateDistortionOptimizer = field(default_factory=RateDistortionOptimizer)
    validation: CurveValidation = field(default_factory=CurveValidation)
