"""Shapes of latent networks, as plain data that travels in the weights file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from recodec.errors import WeightsError
from recodec.networks.config_texts import joined, side_texts
from recodec.tables import from_table

_LARGEST_WIDTH, _MOST_BLOCKS, _MOST_LEVELS = 1 << 12, 64, 64
# More than the numbers of a block could not be told apart by its linear path.
_MOST_CHANNELS = 768
# Indices are 16-bit numbers; a file has at most 255 chunks.
_MOST_PLANES, _MOST_CHUNKS = 15, 255


def _check(where: object, ranges: Mapping[str, tuple[int, int]]) -> None:
    for name, (low, high) in ranges.items():
        value = getattr(where, name)
        if type(value) is not int or not low <= value <= high:
            raise WeightsError(f"{name} is {value!r}; it must be a whole number in {low}..{high}")


@dataclass(frozen=True, slots=True)
class SideConfig:
    """Layers of one side: ``blocks`` of ``width`` features at 1/8, ``inner_blocks`` of ``inner_width`` at 1/16."""

    width: int = 128
    blocks: int = 3
    inner_width: int = 192
    inner_blocks: int = 3

    def __post_init__(self) -> None:
        widths, counts = (1, _LARGEST_WIDTH), (0, _MOST_BLOCKS)
        _check(self, {"width": widths, "blocks": counts, "inner_width": widths, "inner_blocks": counts})


@dataclass(frozen=True, slots=True)
class _Shape:
    """What both kinds of networks have: ``channels`` latents at each position, one for 16×16 pixels, and two sides."""

    channels: int = 256
    analysis: SideConfig = field(default_factory=SideConfig)
    synthesis: SideConfig = field(default_factory=SideConfig)

    def to_texts(self) -> dict[str, str]:
        """Two canonical JSON texts: ``"decoder"``, all that decoding depends on, and ``"encoder"``."""
        return side_texts(asdict(self), ("analysis",))

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> Self:
        """Read what :meth:`to_texts` wrote. Raises :class:`WeightsError` on anything else."""
        return cls.from_dict(joined(texts))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build from nested plain data, as found in JSON or TOML. Raises :class:`WeightsError`."""
        sides = {"analysis": SideConfig, "synthesis": SideConfig}
        return from_table(cls, data, "network", WeightsError, nested=sides)


@dataclass(frozen=True, slots=True)
class TransformConfig(_Shape):
    """Shape of a transform while it trains, for ``levels`` rates with quantiser steps of their own each."""

    levels: int = 8

    def __post_init__(self) -> None:
        _check(self, {"channels": (1, _MOST_CHANNELS), "levels": (1, _MOST_LEVELS)})


@dataclass(frozen=True, slots=True)
class LatentConfig(_Shape):
    """Shape of a network that codes pictures: indices of up to ``planes`` bits, sent in ``chunks``."""

    planes: int = 10
    chunks: int = 20

    def __post_init__(self) -> None:
        ranges = {"channels": (1, _MOST_CHANNELS), "planes": (1, _MOST_PLANES), "chunks": (1, _MOST_CHUNKS)}
        _check(self, ranges)
