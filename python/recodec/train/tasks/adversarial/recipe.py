"""What a recipe of adversarial training says beside that of an autoencoder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from recodec.train.losses import LossWeights
from recodec.train.recipe import Phase, require
from recodec.train.tasks.adversarial.critic import HALVINGS
from recodec.train.tasks.autoencoder.recipe import OneShotPhase, OneShotRecipe

Game = Literal["wasserstein", "dc"]
Bound = Literal["penalty", "clip", "none"]


@dataclass(frozen=True, slots=True)
class Adversary:
    """The critic, and what it and the autoencoder play for.

    ``game`` "wasserstein" is the distance of Arjovsky et al. 2017 (arXiv 1701.07875), "dc" the cross entropy of Radford
    et al. 2015 (arXiv 1511.06434). ``weight`` is that of the adversarial term beside the distortion. ``bound`` keeps
    the critic's slope in hand: by a ``penalty``'s weight, or by weights in ±``clip`` as the former describe, or not at
    all as the latter do. The critic has ``width`` features after its first layer, makes ``steps`` steps to one of the
    autoencoder, and learns at ``rate`` times the rate of that. A run whose adversarial terms have been above ``limit``
    in ``patience`` steps, with no step of the critic between where they were not, has run away and stops.
    """

    game: Game = "wasserstein"
    weight: float = 1.0
    bound: Bound = "penalty"
    penalty: float = 0.2
    clip: float = 0.01
    width: int = 16
    steps: int = 5
    rate: float = 1.0
    limit: float = 20.0
    patience: int = 100

    def __post_init__(self) -> None:
        for name, known in (("game", get_args(Game)), ("bound", get_args(Bound))):
            require(getattr(self, name) in known, name, getattr(self, name), f"one of {', '.join(known)}")
        for name in ("weight", "penalty", "clip", "rate", "limit"):
            require(0 < getattr(self, name) < math.inf, name, getattr(self, name), "above 0 and finite")
        for name, most in (("width", 256), ("steps", 1000), ("patience", 1_000_000)):
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"in 1..{most}")
        require(
            self.game == "dc" or self.bound != "none",
            "bound",
            self.bound,
            'one of penalty, clip: the game "wasserstein" has no end without',
        )


@dataclass(frozen=True, slots=True)
class AdversarialPhase(OneShotPhase):
    """A stretch of training in which the autoencoder trains ``alone`` for that share, then against the critic."""

    patch: int = 32
    alone: float = 0.5

    def __post_init__(self) -> None:
        OneShotPhase.__post_init__(self)
        require(0 <= self.alone <= 1, "alone", self.alone, "in 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialRecipe(OneShotRecipe):
    """An autoencoder of one stage with bounded latents, and a critic of what it shows."""

    tables: ClassVar[Mapping[str, type[Any]]] = {**OneShotRecipe.tables, "adversary": Adversary}
    phase: ClassVar[type[Phase]] = AdversarialPhase

    phases: tuple[AdversarialPhase, ...]
    task: str = "adversarial"
    loss: LossWeights = field(default_factory=lambda: LossWeights(l1=0.0, mse=10.0))
    adversary: Adversary = field(default_factory=Adversary)

    def __post_init__(self) -> None:
        OneShotRecipe.__post_init__(self)
        network = self.network
        require(
            network.quantiser != "rounded",
            "quantiser",
            network.quantiser,
            "sigmoid or unit: bits do not count here",
        )
        require(network.stages == 1, "stages", network.stages, "1: the critic sees one picture")
        for phase in self.phases:
            side = phase.patch or phase.crop
            require(
                side % 2**HALVINGS == 0,
                "patch" if phase.patch else "crop",
                side,
                f"a multiple of the critic's {2**HALVINGS}",
            )
