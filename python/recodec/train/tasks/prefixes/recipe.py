"""What a recipe for the decoder on prefixes says beside that of every training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from recodec.networks.latent.config import LatentConfig
from recodec.train.data.options import CropOptions
from recodec.train.recipe import Phase, Recipe, require
from recodec.train.tasks.curves import CurveValidation
from recodec.train.tasks.distortion import Distortion
from recodec.train.tasks.transform.recipe import TransformOptimizer, TransformPhase

_LARGEST_RATE = 24.0


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """Where chunks end: at ``rates``, those of the first and the last in bits per pixel, by equal factors between.

    Those are of all chunks up to there, on photographs and as far as can be told without an entropy model. The finest
    step is ``finest`` times that of the transform's last level.
    """

    rates: tuple[float, float] = (0.02, 2.2)
    finest: float = 0.6

    def __post_init__(self) -> None:
        require(
            len(self.rates) == 2 and 0 < self.rates[0] < self.rates[1] <= _LARGEST_RATE,
            "rates",
            self.rates,
            f"two rates above 0 and at most {_LARGEST_RATE:g}, the lower first",
        )
        require(0 < self.finest <= 16, "finest", self.finest, "above 0 and at most 16")

    def ends(self, chunks: int) -> list[float]:
        """Bits per pixel that each chunk ends at."""
        first, last = self.rates
        return [first * (last / first) ** (chunk / max(1, chunks - 1)) for chunk in range(chunks)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixRecipe(Recipe):
    """A latent network whose planes are put in order, and the training of its decoder."""

    tables: ClassVar[Mapping[str, type[Any]]] = {
        **Recipe.tables,
        "optimizer": TransformOptimizer,
        "validation": CurveValidation,
        "data": CropOptions,
        "chunks": ChunkOptions,
    }
    phase: ClassVar[type[Phase]] = TransformPhase
    phase_tables: ClassVar[Mapping[str, type[Any]]] = {"distortion": Distortion}
    network_config: ClassVar[Any] = LatentConfig

    phases: tuple[TransformPhase, ...]
    task: str = "prefixes"
    architecture: str = "latent"
    network: LatentConfig = field(default_factory=LatentConfig)
    chunks: ChunkOptions = field(default_factory=ChunkOptions)
    data: CropOptions = field(default_factory=CropOptions)
    optimizer: TransformOptimizer = field(default_factory=TransformOptimizer)
    validation: CurveValidation = field(default_factory=CurveValidation)
