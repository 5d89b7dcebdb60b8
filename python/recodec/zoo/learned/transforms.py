"""The networks over a whole picture: latents of its pixels, and pixels of latents, window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from recodec.io.pictures import Picture
from recodec.networks.autoencoder.network import Autoencoder
from recodec.runtime.samples import Samples, to_uint8
from recodec.runtime.tiling import Region
from recodec.zoo.learned.symbols import Latents, Stage
from recodec.zoo.learned.windows import tiles_of

if TYPE_CHECKING:
    from recodec.zoo.learned.engine import LearnedEngine


def analysed(
    engine: LearnedEngine, samples: Samples, grid: tuple[int, int], before: Sequence[Stage]
) -> Tensor:
    """(channels, h, w) latents of what earlier stages leave of a picture, not rounded, on the CPU."""
    network, settings = engine.network, engine.settings
    latents = torch.empty(network.config.channels, *grid)
    for tile in tiles_of(network.config, grid, settings.patch):
        left = samples.pixels(tile.window)
        if before:
            left = left - shown_in(engine, before, tile.window)
        found = network.analyse(left[None], len(before), settings.level)[0]
        tile.core.of(latents)[:] = tile.inner.of(found).cpu()
    return latents


def rounded(network: Autoencoder, latents: Tensor) -> Latents:
    """What a file holds of them."""
    return network.quantise(latents).numpy().astype(np.int16)


def shown_parts(
    engine: LearnedEngine, stages: Sequence[Stage], height: int, width: int
) -> Iterator[tuple[Region, Tensor]]:
    """(3, h, w) pixels that stages make, not clamped, region by region of a picture."""
    config = engine.network.config
    latents = stages[0].latents
    grid = latents.shape[1], latents.shape[2]
    for tile in tiles_of(config, grid, engine.settings.patch):
        region = tile.core.scaled(config.stride).within(height, width)
        pixels = tile.inner.scaled(config.stride).of(shown_in(engine, stages, tile.window))
        yield region, pixels[:, : region.height, : region.width]


def shown_in(engine: LearnedEngine, stages: Sequence[Stage], window: Region) -> Tensor:
    """(3, h, w) pixels that stages make of a window of positions."""
    network, level = engine.network, engine.settings.level
    shown: Tensor | None = None
    for number, stage in enumerate(stages):
        values = torch.from_numpy(np.ascontiguousarray(window.of(stage.latents))).float().to(engine.device)
        adjustments = None
        if stage.adjustments is not None:
            adjustments = torch.from_numpy(stage.adjustments).float().to(engine.device)
        pixels = network.synthesise(values[None], number, level, adjustments)[0]
        shown = pixels if shown is None else shown + pixels
    assert shown is not None
    return shown


def squared_error(engine: LearnedEngine, stages: Sequence[Stage], picture: Picture) -> float:
    """Mean over the samples of a picture, in units of 8 bits, as a decoder shows them."""
    total, count = 0.0, 0
    for region, shown in shown_parts(engine, stages, picture.height, picture.width):
        original = region.of(picture.samples).to(shown.device)
        if original.dtype != torch.uint8:
            original = (original * 255).round()
        values = to_uint8(shown, picture.channels).float()
        total += float((values - original.to(values)).square().sum(dtype=torch.float64))
        count += original.numel()
    return total / count
