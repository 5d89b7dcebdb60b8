"""Shape of a latent codec network, as plain data that travels in the weights file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from recodec.errors import WeightsError
from recodec.tables import from_table

_LARGEST_WIDTH, _MOST_BLOCKS, _MOST_LEVELS = 1 << 12, 64, 64


def _check(where: object, ranges: Mapping[str, tuple[int, int]]) -> None:
    for name, (low, high) in ranges.items():
        value = getattr(where, name)
        if type(value) is not int or not low <= value <= high:
            raise WeightsError(f"{name} is {value!r}; it must be a whole number in {low}..{high}")


@dataclass(frozen=True, slots=True)
class TransformConfig:
    """Layers of one side: ``blocks`` of ``width`` features at 1/8, ``inner_blocks`` of ``inner_width`` at 1/16."""

    width: int = 128
    blocks: int = 3
    inner_width: int = 192
    inner_blocks: int = 3

    def __post_init__(self) -> None:
        widths, counts = (1, _LARGEST_WIDTH), (0, _MOST_BLOCKS)
        _check(self, {"width": widths, "blocks": counts, "inner_width": widths, "inner_blocks": counts})


@dataclass(frozen=True, slots=True)
class LatentConfig:
    """Everything that fixes the shape of a latent codec network.

    ``channels`` latents at each position, one for 16×16 pixels; ``levels`` are the rates it is trained for, each
    with quantiser steps of its own.
    """

    channels: int = 256
    levels: int = 8
    analysis: TransformConfig = field(default_factory=TransformConfig)
    synthesis: TransformConfig = field(default_factory=TransformConfig)

    def __post_init__(self) -> None:
        # More than the numbers of a block could not be told apart by its linear path.
        _check(self, {"channels": (1, 768), "levels": (1, _MOST_LEVELS)})

    def to_texts(self) -> dict[str, str]:
        """Two canonical JSON texts: ``"decoder"``, all that decoding depends on, and ``"encoder"``."""
        data = asdict(self)
        encoder = {"analysis": data.pop("analysis")}
        parts = {"decoder": data, "encoder": encoder}
        return {side: json.dumps(part, sort_keys=True, separators=(",", ":")) for side, part in parts.items()}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> LatentConfig:
        """Read what :meth:`to_texts` wrote. Raises :class:`WeightsError` on anything else."""
        try:
            return cls.from_dict({**json.loads(texts["decoder"]), **json.loads(texts["encoder"])})
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise WeightsError(f"the network configuration cannot be read: {error!r}") from error

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LatentConfig:
        """Build from nested plain data, as found in JSON or TOML. Raises :class:`WeightsError`."""
        sides = {"analysis": TransformConfig, "synthesis": TransformConfig}
        return from_table(cls, data, "network", WeightsError, nested=sides)
