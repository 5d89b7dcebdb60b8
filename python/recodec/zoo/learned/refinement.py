"""Latents that are searched for, picture by picture, beginning with those of the analysis.

Adam on the squared error of what a decoder shows and the bits that takes. Campos et al. 2019 (arXiv 1906.01223) do so
for a hyperprior; rounding passes gradients as it is. The decoder and the file's format know nothing of it, unless the
synthesis is adjusted as well: then the file says how, and its bytes count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from recodec.io.pictures import Picture
from recodec.networks.autoencoder.adjustments import no_adjustments
from recodec.runtime.ambient import without_autocast
from recodec.runtime.samples import Samples
from recodec.runtime.tiling import Tile
from recodec.zoo.learned.header import Fields
from recodec.zoo.learned.rates import RateEstimate
from recodec.zoo.learned.symbols import Stage, encode_stage
from recodec.zoo.learned.transforms import analysed, rounded, shown_in, squared_error
from recodec.zoo.learned.windows import tiles_of

if TYPE_CHECKING:
    from recodec.zoo.learned.engine import LearnedEngine

_LEARNING_RATE, _ADJUSTMENT_RATE, _BETAS = 0.2, 2.0, (0.9, 0.99)
# Error and bits begin with this ratio of weights; where a file is a percent too large, its bits then weigh 12 % more.
_START, _STIFFNESS, _LARGEST_CHANGE = 4.0, 12.0, 3.0
# Files are made so often, in steps.
_CHECK = 3
# What one adjustment may be at the most: as much again.
_LARGEST_ADJUSTMENT = 1024
# Pixels of patches that are computed together.
_BATCH_PIXELS = 1 << 18

# Tiles of one shape, and (N, C, h, w) of what the cores are to show.
_Batch: TypeAlias = tuple[list[Tile], Tensor]


def refined(
    engine: LearnedEngine, picture: Picture, samples: Samples, grid: tuple[int, int]
) -> list[Stage] | None:
    """All stages, no prefix of which takes more bytes than those of the analysis or errs more.

    From the first stage on if that can be, else from a later one. None where the search has found none.
    """
    with torch.inference_mode(False), without_autocast():
        plain: list[Stage] = []
        for _ in range(engine.iterations):
            plain.append(Stage(rounded(engine.network, analysed(engine, samples, grid, plain))))
        ways = (False, True) if engine.settings.tune else (False,)
        searches = [_Search(engine, picture, samples, plain, tuned=tuned) for tuned in ways]
        found = [stages for search in searches if (stages := search.run()) is not None]
        return min(found, key=lambda stages: squared_error(engine, stages, picture), default=None)


class _Search:
    """Of one picture, whose stages by the analysis are ``plain``; ``tuned`` ones may adjust their synthesis."""

    def __init__(
        self,
        engine: LearnedEngine,
        picture: Picture,
        samples: Samples,
        plain: Sequence[Stage],
        *,
        tuned: bool,
    ):
        self._engine, self._picture, self._samples, self._plain = engine, picture, samples, plain
        level, patch = engine.settings.level, engine.settings.patch
        self._before, self._fields = Fields(level, patch, tuned=False), Fields(level, patch, tuned)

    def run(self) -> list[Stage] | None:
        """Searched stages behind as few plain ones as can be."""
        for first in range(len(self._plain)):
            if (found := self._from(first)) is not None:
                return found
        return None

    def _from(self, first: int) -> list[Stage] | None:
        engine, plain = self._engine, self._plain
        found: list[Stage] = []
        allowed = 0
        for number, stage in enumerate(plain):
            allowed += self._size(self._before, number, stage)
            if number >= first:
                start = analysed(engine, self._samples, stage.latents.shape[1:], found)
                better = self._search(found, start, allowed)
                if better is None:
                    return None
                stage = better
            found.append(stage)
            allowed -= self._size(self._fields, number, stage)
            # What tells that plain stages adjust nothing takes bytes too.
            if allowed < 0:
                return None
            error = squared_error(engine, found, self._picture)
            if number >= first and error >= squared_error(engine, plain[: number + 1], self._picture):
                return None
        return found

    def _size(self, fields: Fields, number: int, stage: Stage) -> int:
        return len(encode_stage(self._engine.network, fields, number, stage))

    def _search(self, before: Sequence[Stage], start: Tensor, most_bytes: int) -> Stage | None:
        """The stage behind ``before`` with the least error in so many bytes; None if none was met."""
        engine, number = self._engine, len(before)
        steps = engine.settings.refine
        rate = RateEstimate(engine.network, engine.settings.level, number)
        grid = start.shape[1], start.shape[2]
        batches = list(_batches(engine, self._picture, self._samples, before, grid))
        latents = start.clone().requires_grad_(True)
        adjustments = no_adjustments(engine.network.synthesis[number]).requires_grad_(self._fields.tuned)
        rates = _LEARNING_RATE, _ADJUSTMENT_RATE
        search = torch.optim.Adam([{"params": [latents]}, {"params": [adjustments]}], betas=_BETAS)
        best: tuple[float, Stage | None] = math.inf, None
        weight = 0.0
        for step in range(steps):
            for group, first in zip(search.param_groups, rates, strict=True):
                group["lr"] = first * (1 - step / steps) ** 0.5
            search.zero_grad()
            error = sum(_descend(engine, latents, adjustments, batch, number) for batch in batches)
            bits = rate.bits(latents) + _bits(adjustments)
            weight = weight or _START * error / max(1.0, bits.item())
            (weight * bits).backward()  # type: ignore[no-untyped-call]
            if step % _CHECK == _CHECK - 1 or step == steps - 1:
                tried = self._tried(latents, adjustments)
                size = self._size(self._fields, number, tried)
                if size <= most_bytes and error < best[0]:
                    best = error, tried
                change = (size / most_bytes) ** _STIFFNESS
                weight *= min(_LARGEST_CHANGE, max(1 / _LARGEST_CHANGE, change))
            search.step()
            _keep_in_range(engine, latents, adjustments)
        return best[1]

    def _tried(self, latents: Tensor, adjustments: Tensor) -> Stage:
        found = rounded(self._engine.network, latents.detach())
        changes = adjustments.detach().round().numpy().astype(np.int16)
        return Stage(found, changes if changes.any() else None)


def _bits(adjustments: Tensor) -> Tensor:
    """About how many they take, 0 where there are none."""
    return (2 * torch.log2(1 + adjustments.abs())).sum()


def _batches(
    engine: LearnedEngine,
    picture: Picture,
    samples: Samples,
    before: Sequence[Stage],
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


def _descend(
    engine: LearnedEngine, latents: Tensor, adjustments: Tensor, batch: _Batch, number: int
) -> float:
    """The squared error of a batch; its gradient is added to those of latents and adjustments."""
    tiles, wanted = batch
    straight = _straight(latents)
    windows = torch.stack([tile.window.of(straight) for tile in tiles]).to(engine.device)
    changes = _straight(adjustments).to(engine.device) if adjustments.requires_grad else None
    shown = engine.network.synthesise(windows, number, engine.settings.level, changes)
    shown = tiles[0].inner.scaled(engine.network.config.stride).of(shown)
    shown = shown[:, :, : wanted.shape[2], : wanted.shape[3]]
    if wanted.shape[1] == 1:
        shown = shown.mean(1, keepdim=True)
    error = (shown - wanted).square().sum()
    error.backward()
    return float(error.item())


def _straight(values: Tensor) -> Tensor:
    """Rounded, with gradients as if they were not."""
    return values + (values.round() - values).detach()


@torch.no_grad()
def _keep_in_range(engine: LearnedEngine, latents: Tensor, adjustments: Tensor) -> None:
    config = engine.network.config
    if config.quantiser != "rounded":
        half = 2 ** (config.bits - 1)
        latents.clamp_(-half, half - 1)
    adjustments.clamp_(-_LARGEST_ADJUSTMENT, _LARGEST_ADJUSTMENT)
