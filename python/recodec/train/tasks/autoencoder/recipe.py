"""What recipes of autoencoders say beside that of every training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

from recodec.networks.autoencoder.config import AutoencoderConfig
from recodec.train.data.options import CropOptions
from recodec.train.losses import LossWeights
from recodec.train.recipe import Phase, Recipe, require
from recodec.train.tasks.autoencoder.surrogates import Surrogate
from recodec.train.tasks.crop_steps import check_crop


@dataclass(frozen=True, slots=True)
class OneShotPhase(Phase):
    """A stretch of training on square crops of ``crop`` pixels, cut into patches of ``patch`` unless that is 0."""

    crop: int = 128
    patch: int = 0

    def __post_init__(self) -> None:
        Phase.__post_init__(self)
        check_crop(self.crop)
        require(
            0 <= self.patch <= self.crop and (self.patch == 0 or self.crop % self.patch == 0),
            "patch",
            self.patch,
            f"0, or a side that crops of {self.crop} are a multiple of",
        )

    @property
    def work(self) -> float:
        """Pixels of a step."""
        return self.batch * self.crop**2


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShotRecipe(Recipe):
    """An autoencoder and how it meets pixels.

    ``surrogate`` stands for rounding. ``loss`` is of what a stage shows.
    """

    tables: ClassVar[Mapping[str, type[Any]]] = {**Recipe.tables, "data": CropOptions, "loss": LossWeights}
    phase: ClassVar[type[Phase]] = OneShotPhase
    network_config: ClassVar[Any] = AutoencoderConfig

    network: AutoencoderConfig
    phases: tuple[OneShotPhase, ...]
    architecture: str = "autoencoder"
    surrogate: Surrogate = "noise"
    data: CropOptions = field(default_factory=CropOptions)
    loss: LossWeights = field(default_factory=lambda: LossWeights(l1=0.0, mse=1.0))

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)
        require(
            self.surrogate in get_args(Surrogate),
            "surrogate",
            self.surrogate,
            f"one of {', '.join(get_args(Surrogate))}",
        )
        for phase in self.phases:
            side = phase.patch or phase.crop
            require(
                side % self.network.stride == 0,
                "patch" if phase.patch else "crop",
                side,
                f"a multiple of the stride {self.network.stride}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoencoderRecipe(OneShotRecipe):
    """An autoencoder that trains by distortion, and by bits where its latents are rounded.

    ``lambdas`` are the weights of distortion beside bits per pixel, one for each level; without any, bits do not
    count. The loss of several stages is the mean of theirs.
    """

    task: str = "autoencoder"
    lambdas: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        OneShotRecipe.__post_init__(self)
        rounded = self.network.quantiser == "rounded"
        wanted = self.network.levels if rounded else 0
        require(
            len(self.lambdas) == wanted and all(0 < value < math.inf for value in self.lambdas),
            "lambdas",
            self.lambdas,
            f"{wanted} weights above 0: one for each level of a network whose latents are rounded, none for others",
        )
