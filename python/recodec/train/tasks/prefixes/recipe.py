"""What a recipe for the decoder on prefixes says beside that of every training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from recodec.networks.latent.config import LatentConfig
from recodec.train.recipe import require
from recodec.train.tasks.rate_distortion.recipe import RateDistortionRecipe

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
class PrefixRecipe(RateDistortionRecipe):
    """A latent network whose planes are put in order, and the training of its decoder.

    With ``costs_of``, a model of the same planes that has an entropy network, the encoder is trained as well: it
    is told what its codes cost there. Where the model that a run starts from has such a network of its own, of the
    same widths, that one is gone on with.
    """

    tables: ClassVar[Mapping[str, type[Any]]] = {**RateDistortionRecipe.tables, "chunks": ChunkOptions}
    network_config: ClassVar[Any] = LatentConfig

    task: str = "prefixes"
    architecture: str = "latent"
    network: LatentConfig = field(default_factory=LatentConfig)
    chunks: ChunkOptions = field(default_factory=ChunkOptions)
    costs_of: str = ""
