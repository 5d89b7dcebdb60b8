"""What to train and how: one small TOML file per model."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recodec.errors import RecodecError
from recodec.networks.config import NetworkConfig


class RecipeError(RecodecError, ValueError):
    """A training recipe has an unknown key or an impossible value."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training with a learning rate that falls along half a cosine.

    It lasts ``steps`` steps or ``minutes`` minutes of training time, whichever is given. Every step
    unrolls ``iterations`` iterations with gradients; where ``lead_in`` is above 0, a random number up
    to it runs before them without in half of the steps, so that late iterations are trained too.
    The loss is the mean absolute error plus ``ssim_weight`` times (1 − SSIM), averaged over iterations.
    """

    steps: int = 0
    minutes: float = 0.0
    crop: int = 64
    batch: int = 8
    iterations: int = 8
    lead_in: int = 0
    learning_rate: float = 1e-3
    final_rate: float = 0.0
    warm_up_steps: int = 100
    ssim_weight: float = 0.0
    binarizer: Literal["sign", "sample"] = "sign"

    def __post_init__(self) -> None:
        if (self.steps > 0) == (self.minutes > 0):
            raise RecipeError(f"a phase has {self.steps} steps and {self.minutes} minutes; give exactly one")
        for name in ("crop", "batch", "iterations"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.learning_rate <= 0:
            raise RecipeError(f"learning_rate is {self.learning_rate}; it must be above 0")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model's name, network and training phases."""

    model: str
    network: NetworkConfig
    phases: tuple[Phase, ...]
    seed: int = 0
    scale: tuple[float, float] = (0.4, 0.9)
    gain_rate: float = 5.0
    ema: float = 0.999

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read a TOML recipe. Raises :class:`RecipeError` naming the file and what is wrong with it."""
        try:
            data = tomllib.loads(path.read_text())
            network = NetworkConfig.from_dict(data.pop("network"))
            phases = tuple(Phase(**phase) for phase in data.pop("phases"))
            scale = tuple(data.pop("scale", (0.4, 0.9)))
            recipe = cls(network=network, phases=phases, scale=scale, **data)
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise RecipeError(f"{path} is not a usable recipe: {error}") from error
        for phase in phases:
            if phase.crop % network.stride:
                raise RecipeError(
                    f"crop is {phase.crop}; it must be a multiple of the stride {network.stride}"
                )
        return recipe
