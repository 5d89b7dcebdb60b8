"""Networks small enough for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import torch

from recodec.networks.pixel.config import (
    LayerConfig,
    NetworkConfig,
    Reconstruction,
)
from recodec.networks.pixel.recurrent import RecurrentCodec


def small_config(
    front_end: str = "pixels", reconstruction: str = "one-shot", **extra: object
) -> NetworkConfig:
    dct = front_end == "dct8"
    return NetworkConfig(
        depth=6,
        iterations=4,
        reconstruction=reconstruction,  # type: ignore[arg-type]
        front_end=front_end,  # type: ignore[arg-type]
        encoder=(
            LayerConfig("conv", 8, 3, resample=1 if dct else 2),
            LayerConfig("lstm", 12, 3, 1, resample=2),
        ),
        decoder=(
            LayerConfig("lstm", 12, 2, 3, resample=2),
            LayerConfig("conv", 8, 1, resample=1 if dct else 2),
        ),
        **extra,  # type: ignore[arg-type]
    )


# Masking measures blocks.
MODES = [("dct8", mode) for mode in get_args(Reconstruction)]


MODES += [("pixels", mode) for mode in get_args(Reconstruction) if mode != "masking"]


ZONED = {"gains": True, "shortcut": True, "own_projections": True, "dead_zone": True}


def zoned_network(reconstruction: str, encoder: bool = True, **extra: object) -> RecurrentCodec:
    """A network with a dead zone that sees what its shortcut says, in random double precision."""
    torch.manual_seed(8)
    settings = {**ZONED, "embedding": 5, "feedback": 4, **extra}
    config = small_config("dct8", reconstruction, **settings)
    network = RecurrentCodec(config if encoder else replace(config, encoder=())).double()
    network.front_end.scale.uniform_(0.1, 0.6)
    return network
