"""What a recipe of the recurrent codec says beside that of every training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from recodec.networks.pixel.config import NetworkConfig
from recodec.train.data.options import CropOptions
from recodec.train.losses import LossWeights
from recodec.train.recipe import Optimizer, Phase, Recipe, require
from recodec.train.tasks.crop_steps import check_crop
from recodec.train.tasks.pixel.start import can_start_from_transform

Start = Literal["random", "transform"]
Part = Literal["all", "decoder"]
Unroll = Literal["full", "random", "growing"]


@dataclass(frozen=True, slots=True)
class PixelPhase(Phase):
    """A stretch of training the recurrent codec.

    ``unroll`` says how many of ``iterations`` run in a step: all
    of them, a number drawn anew each time, or one more and more as the phase goes on. Where ``lead_in``
    is above 0, a random number up to it runs before them without gradients in half of the steps, so that
    late iterations are trained too. Codes are drawn with uniform noise whose amplitude goes from the
    first to the second value of ``noise``: 1 is the paper's sampling, 0 the sign. Networks with a dead zone
    have no noise but need ``density``: the share of codes that are not 0, for each iteration, later ones
    sharing the last.
    """

    crop: int = 64
    iterations: int = 8
    unroll: Unroll = "full"
    lead_in: int = 0
    noise: tuple[float, float] = (0.0, 0.0)
    density: tuple[float, ...] = ()
    loss: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        Phase.__post_init__(self)
        check_crop(self.crop)
        require(1 <= self.iterations <= 255, "iterations", self.iterations, "in 1..255")
        require(0 <= self.lead_in < math.inf, "lead_in", self.lead_in, "at least 0 and finite")
        require(self.unroll in get_args(Unroll), "unroll", self.unroll, f"one of {get_args(Unroll)}")
        require(
            len(self.noise) == 2 and all(0 <= amplitude <= 1 for amplitude in self.noise),
            "noise",
            self.noise,
            "two amplitudes in 0..1, at the start and at the end",
        )
        require(
            all(0 < share < 1 for share in self.density),
            "density",
            self.density,
            "shares above 0 and below 1",
        )

    @property
    def work(self) -> float:
        """Pixels of a step."""
        return self.batch * self.crop**2

    def noise_amplitude(self, progress: float) -> float:
        """Amplitude of the binarizer's noise, on the line between the two that the phase names."""
        start, end = self.noise
        return start + (end - start) * progress

    def unroll_length(self, progress: float, rng: np.random.Generator) -> tuple[int, int]:
        """How many iterations run without gradients, and how many with, in one step."""
        # Half of the steps start at the beginning, so that late iterations do not crowd out early ones.
        lead_in = int(rng.integers(self.lead_in + 1)) if rng.random() < 0.5 else 0
        match self.unroll:
            case "full":
                return lead_in, self.iterations
            case "random":
                return lead_in, int(rng.integers(1, self.iterations + 1))
            case "growing":
                return lead_in, min(self.iterations, 1 + int(progress * self.iterations))


@dataclass(frozen=True, slots=True)
class PixelOptimizer(Optimizer):
    """Adam with ``gain_rate`` times the learning rate for gains, ``shortcut_rate`` times for the shortcut.

    ``trains`` "decoder" leaves what only encodes as it starts. Steps are not fused, so that the recipes of released
    models give the losses that those had.
    """

    fused: bool = False
    gain_rate: float = 5.0
    shortcut_rate: float = 1.0
    trains: Part = "all"

    def __post_init__(self) -> None:
        Optimizer.__post_init__(self)
        require(self.gain_rate >= 0, "gain_rate", self.gain_rate, "at least 0")
        require(self.shortcut_rate >= 0, "shortcut_rate", self.shortcut_rate, "at least 0")
        require(self.trains in get_args(Part), "trains", self.trains, f"one of {get_args(Part)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelRecipe(Recipe):
    """A recurrent network and everything about its training."""

    tables: ClassVar[Mapping[str, type[Any]]] = {
        **Recipe.tables,
        "optimizer": PixelOptimizer,
        "data": CropOptions,
    }
    phase: ClassVar[type[Phase]] = PixelPhase
    phase_tables: ClassVar[Mapping[str, type[Any]]] = {"loss": LossWeights}
    network_config: ClassVar[Any] = NetworkConfig

    phases: tuple[PixelPhase, ...]
    network: NetworkConfig
    start: Start = "random"
    data: CropOptions = field(default_factory=CropOptions)
    optimizer: PixelOptimizer = field(default_factory=PixelOptimizer)

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)
        require(self.start in get_args(Start), "start", self.start, f"one of {get_args(Start)}")
        require(
            self.start == "random" or can_start_from_transform(self.network),
            "start",
            self.start,
            '"random" for this network; "transform" needs front_end = "dct8", reconstruction = "additive" or '
            '"masking", gains, shortcut, own_projections and dead_zone',
        )
        for phase in self.phases:
            self._check_phase(phase)

    def _check_phase(self, phase: PixelPhase) -> None:
        stride, most = self.network.stride, self.network.iterations
        require(
            bool(phase.density) == self.network.dead_zone,
            "density",
            phase.density,
            "given for networks with a dead zone, and only for them",
        )
        require(
            not self.network.dead_zone or not any(phase.noise),
            "noise",
            phase.noise,
            "[0, 0] for a network with a dead zone",
        )
        require(phase.crop % stride == 0, "crop", phase.crop, f"a multiple of the stride {stride}")
        require(
            phase.iterations + phase.lead_in <= most,
            "iterations + lead_in",
            phase.iterations + phase.lead_in,
            f"at most the network's {most} iterations",
        )

    def trained_iterations(self, phase: int) -> int:
        """How many iterations the phases up to number ``phase`` reach."""
        return max(p.iterations + p.lead_in for p in self.phases[: phase + 1])
