"""Recipes of short runs."""

from __future__ import annotations

from typing import Any

import torch

from recodec.networks.pixel.config import LayerConfig, LayerKind, NetworkConfig, Reconstruction
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.train.losses import LossWeights
from recodec.train.recipe import Validation
from recodec.train.tasks.pixel.recipe import PixelPhase, PixelRecipe
from recodec.train.trainer import Trainer


def network(
    cell: LayerKind = "lstm", reconstruction: Reconstruction = "additive", **extra: Any
) -> NetworkConfig:
    return NetworkConfig(
        depth=8,
        iterations=4,
        reconstruction=reconstruction,
        front_end="dct8",
        encoder=(LayerConfig(cell, 12, resample=2),),
        decoder=(LayerConfig(cell, 12, resample=2),),
        **extra,
    )


# Everything that is random or remembered is in it.
PHASE = PixelPhase(
    steps=200,
    crop=32,
    batch=4,
    iterations=3,
    lead_in=1,
    unroll="random",
    learning_rate=4e-3,
    warm_up_steps=10,
    noise=(1.0, 0.0),
    loss=LossWeights(ssim_weighted_l1=0.5),
)


def make_recipe(phase: PixelPhase = PHASE, config: NetworkConfig | None = None, **extra: Any) -> PixelRecipe:
    config = network(gains=True, shortcut=True) if config is None else config
    return PixelRecipe(
        model="small", network=config, phases=(phase,), validation=Validation(images=1), **extra
    )


def network_of(trainer: Trainer) -> RecurrentCodec:
    """What is written."""
    network: RecurrentCodec = trainer.task.averaged_network(trainer.averaged())
    return network


def mean_error(network: RecurrentCodec, pixels: torch.Tensor) -> float:
    return float((network.unroll(pixels, 2)[-1] - pixels).abs().mean().detach())
