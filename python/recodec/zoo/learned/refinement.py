"""Latents that are searched for, picture by picture, beginning with those of the analysis.

Adam on the squared error of what a decoder shows and the bits that takes; the decoder and the file's format know
nothing of it. Campos et al. 2019 (arXiv 1906.01223) do so for a hyperprior; rounding passes gradients as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from recodec.io.pictures import Picture
from recodec.runtime.ambient import without_autocast
from recodec.runtime.samples import Samples
from recodec.runtime.tiling import Tile
from recodec.zoo.learned.rates import RateEstimate
from recodec.zoo.learned.symbols import Latents, encode_stage
from recodec.zoo.learned.transforms import analysed, rounded, shown_in, squared_error
from recodec.zoo.learned.windows import tiles_of

if TYPE_CHECKING:
    from recodec.zoo.learned.engine import LearnedEngine

_LEARNING_RATE, _BETAS = 0.2, (0.9, 0.99)
# Error and bits begin with this ratio of weights; where a file is a percent too large, its bits then weigh 12 % more.
_START, _STIFFNESS, _LARGEST_CHANGE = 4.0, 12.0, 3.0
# Files are made so often, in steps.
_CHECK = 3
# Pixels of patches that are computed together.
_BATCH_PIXELS = 1 << 18

# Tiles of one shape, and (N, C, h, w) of what the cores are to show.
_Batch: TypeAlias = tuple[list[Tile], Tensor]


def refined(
    engine: LearnedEngine, picture: Picture, samples: Samples, grid: tuple[int, int]
) -> list[Latents] | None:
    """Latents of all stages, no prefix of which takes more bytes than that of the analysis or errs more.

    From the first stage on if that can be, else from a later one. None where the search has found none.
    """
    with torch.inference_mode(False), without_autocast():
        plain: list[Latents] = []
        for _ in range(engine.iterations):
            plain.append(rounded(engine.network, analysed(engine, samples, grid, plain)))
        for first in range(engine.iterations):
            if (found := _refined_from(engine, picture, samples, plain, first)) is not None:
                return found
    return None


def _refined_from(
    engine: LearnedEngine, picture: Picture, samples: Samples, plain: Sequence[Latents], first: int
) -> list[Latents] | None:
    """The same with ``plain`` latents before stage ``first``; all prefixes with others err less."""
    found = list(plain[:first])
    allowed = 0
    for stage in range(first, len(plain)):
        allowed += _size(engine, stage, plain[stage])
        start = analysed(engine, samples, plain[stage].shape[1:], found)
        latents = _search(engine, picture, samples, found, start, allowed)
        if latents is None:
            return None
        found.append(latents)
        allowed -= _size(engine, stage, latents)
        if squared_error(engine, found, picture) >= squared_error(engine, plain[: stage + 1], picture):
            return None
    return found


def _size(engine: LearnedEngine, stage: int, latents: Latents) -> int:
    return len(encode_stage(engine.network.tables.coder(engine.settings.level, stage), latents))


def _search(
    engine: LearnedEngine,
    picture: Picture,
    samples: Samples,
    before: Sequence[Latents],
    start: Tensor,
    most_bytes: int,
) -> Latents | None:
    """The stage behind ``before`` with the least error in so many bytes; None if none was met."""
    network, settings, stage = engine.network, engine.settings, len(before)
    rate = RateEstimate(network, settings.level, stage)
    batches = list(_batches(engine, picture, samples, before, (start.shape[1], start.shape[2])))
    latents = start.clone().requires_grad_(True)
    search = torch.optim.Adam([latents], lr=_LEARNING_RATE, betas=_BETAS)
    best: tuple[float, Latents | None] = math.inf, None
    weight = 0.0
    for step in range(settings.refine):
        search.param_groups[0]["lr"] = _LEARNING_RATE * (1 - step / settings.refine) ** 0.5
        search.zero_grad()
        error = sum(_descend(engine, latents, batch, stage) for batch in batches)
        bits = rate.bits(latents)
        weight = weight or _START * error / max(1.0, bits.item())
        (weight * bits).backward()  # type: ignore[no-untyped-call]
        if step % _CHECK == _CHECK - 1 or step == settings.refine - 1:
            tried = rounded(network, latents.detach())
            size = _size(engine, stage, tried)
            if size <= most_bytes and error < best[0]:
                best = error, tried
            change = (size / most_bytes) ** _STIFFNESS
            weight *= min(_LARGEST_CHANGE, max(1 / _LARGEST_CHANGE, change))
        search.step()
        _keep_in_range(engine, latents)
    return best[1]


def _batches(
    engine: LearnedEngine,
    picture: Picture,
    samples: Samples,
    before: Sequence[Latents],
    grid: tuple[int, int],
) -> Iterator[_Batch]:
    """What every part of the picture is to become, parts of one shape together."""
    config = engine.network.config

    def visible(tile: Tile) -> tuple[int, int]:
        box = tile.core.scaled(config.stride).within(picture.height, picture.width)
        return box.height, box.width

    tiles = tiles_of(config, grid, engine.settings.patch)
    shapes = groupby(tiles, lambda tile: (tile.window.height, tile.window.width, tile.inner, visible(tile)))
    for (height, width, inner, (rows, columns)), alike in shapes:
        together = list(alike)
        most = max(1, _BATCH_PIXELS // (height * width * config.stride**2))
        for first in range(0, len(together), most):
            part = together[first : first + most]
            wanted = []
            for tile in part:
                pixels = samples.pixels(tile.window)
                if before:
                    pixels = pixels - shown_in(engine, before, tile.window)
                core = inner.scaled(config.stride).of(pixels)[:, :rows, :columns]
                wanted.append(core.mean(0, keepdim=True) if picture.channels == 1 else core)
            yield part, torch.stack(wanted)


def _descend(engine: LearnedEngine, latents: Tensor, batch: _Batch, stage: int) -> float:
    """The squared error of a batch; its gradient is added to that of the latents."""
    tiles, wanted = batch
    straight = latents + (latents.round() - latents).detach()
    windows = torch.stack([tile.window.of(straight) for tile in tiles]).to(engine.device)
    shown = engine.network.synthesise(windows, stage, engine.settings.level)
    shown = tiles[0].inner.scaled(engine.network.config.stride).of(shown)
    shown = shown[:, :, : wanted.shape[2], : wanted.shape[3]]
    if wanted.shape[1] == 1:
        shown = shown.mean(1, keepdim=True)
    error = (shown - wanted).square().sum()
    error.backward()
    return float(error.item())


@torch.no_grad()
def _keep_in_range(engine: LearnedEngine, latents: Tensor) -> None:
    config = engine.network.config
    if config.quantiser != "rounded":
        half = 2 ** (config.bits - 1)
        latents.clamp_(-half, half - 1)
