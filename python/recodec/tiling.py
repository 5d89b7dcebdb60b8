"""A picture in tiles: the networks see one part at a time, so that memory stays bounded.

Only the networks work by tiles; a code plane is always that of the whole picture. A tile is computed
with a *halo*, positions around it whose results are thrown away. Where the halo is as wide as the
networks reach, tiles give what the whole picture would give, and there is no seam.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recodec import _core
from recodec.entropy import Codes
from recodec.networks.config import LayerConfig, NetworkConfig
from recodec.networks.gains import GAIN_PATCH
from recodec.networks.recurrent import DecoderState, EncoderState, RecurrentCodec
from recodec.ops.backend import use_backend
from recodec.states import StateStore, Workplace

# The format's field is a byte; wider halos would cost more than the seam they hide.
_MAX_HALO = 8

# After every one, a third of the time would go into getting the memory back.
_GROUPS_PER_RELEASE = 8


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of positions."""

    top: int
    left: int
    height: int
    width: int

    def of(self, plane: Any) -> Any:
        """The part of an array or tensor whose last two axes are rows and columns of positions."""
        return plane[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def scaled(self, stride: int) -> Region:
        """The same rectangle in pixels."""
        return Region(self.top * stride, self.left * stride, self.height * stride, self.width * stride)


@dataclass(frozen=True, slots=True)
class Tile:
    """What is kept of a tile, and the window that is computed for it: core and halo."""

    core: Region
    window: Region

    @property
    def inner(self) -> Region:
        """The core in coordinates of the window."""
        top, left = self.core.top - self.window.top, self.core.left - self.window.left
        return Region(top, left, self.core.height, self.core.width)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """How a plane of ``height`` × ``width`` positions is cut; FORMAT.md, section 7."""

    height: int
    width: int
    rows: int = 1
    columns: int = 1
    halo: int = 0

    def tiles(self, halo: int | None = None) -> list[Tile]:
        """All tiles, row by row; ``halo`` replaces that of the grid."""
        halo = self.halo if halo is None else halo
        return [
            _tile(top, left, bottom, right, self.height, self.width, halo)
            for top, bottom in _cuts(self.height, self.rows)
            for left, right in _cuts(self.width, self.columns)
        ]


def _cuts(size: int, parts: int) -> Iterator[tuple[int, int]]:
    for part in range(parts):
        yield part * size // parts, (part + 1) * size // parts


def _tile(top: int, left: int, bottom: int, right: int, height: int, width: int, halo: int) -> Tile:
    outer_top, outer_left = max(0, top - halo), max(0, left - halo)
    outer_bottom, outer_right = min(height, bottom + halo), min(width, right + halo)
    return Tile(
        Region(top, left, bottom - top, right - left),
        Region(outer_top, outer_left, outer_bottom - outer_top, outer_right - outer_left),
    )


def plan_tiles(height: int, width: int, config: NetworkConfig, side: int) -> TileGrid:
    """Cut a plane into tiles of about ``side`` positions, at least 1; a plane that small stays whole."""
    rows, columns = -(-height // side), -(-width // side)
    if rows == columns == 1:
        return TileGrid(height, width)
    return TileGrid(height, width, rows, columns, decoder_halo(config))


def decoder_halo(config: NetworkConfig) -> int:
    """How far what is shown depends on what is around a position, in positions, but 8 at most.

    Hidden kernels above 1×1 reach further with every iteration, and so do feedback and a gain network.
    """
    reach = _decoder_reach(config)
    if config.post_filter is not None:
        reach += config.post_filter.reach / config.stride
    return min(_MAX_HALO, math.ceil(reach))


def encoder_halo(config: NetworkConfig) -> int:
    """How far codes depend on what is around, through encoder and decoder; 16 at most.

    A post-filter counts for nothing here: codes do not depend on what is shown.
    """
    reach, scale = 0.0, config.grid_factor
    for layer in config.encoder:
        reach += _layer_reach(layer, config.iterations) / scale
        scale = max(1, scale // layer.resample)
    return min(2 * _MAX_HALO, math.ceil(reach + _decoder_reach(config)))


def _decoder_reach(config: NetworkConfig) -> float:
    reach, scale = 0.0, 1
    for index, layer in enumerate(config.decoder):
        reach += _layer_reach(layer, config.iterations) / scale
        # What feedback shows of the former picture had that layer's reach, and that of all before.
        if config.feedback_layer is not None and index >= config.feedback_layer:
            reach += (config.iterations - 1) * (layer.kernel // 2) / scale
        scale *= layer.resample
    if config.reconstruction == "residual-scaling":
        reach += config.iterations * (1.5 * GAIN_PATCH) / config.stride
    return reach


def _layer_reach(layer: LayerConfig, iterations: int) -> int:
    hidden = 0 if layer.kind == "conv" else layer.hidden_kernel // 2
    return layer.kernel // 2 + (iterations - 1) * hidden


def _groups(tiles: Sequence[Tile], batch: int) -> list[list[Tile]]:
    """Tiles of equal windows in groups of ``batch`` at most, to be computed together."""

    def size(tile: Tile) -> tuple[int, int]:
        return tile.window.height, tile.window.width

    groups = []
    for _, equal in groupby(sorted(tiles, key=size), key=size):
        members = list(equal)
        groups += [members[i : i + batch] for i in range(0, len(members), batch)]
    return groups


class Samples:
    """The samples of a picture as the networks want them, region by region.

    ``samples`` is (C, H, W): uint8, or floating point in [0, 1]; C is 1 or 3.
    """

    def __init__(
        self, samples: Tensor, stride: int, device: torch.device, dtype: torch.dtype = torch.float32
    ):
        self.samples, self._stride, self._device, self._dtype = samples, stride, device, dtype

    def original(self, region: Region) -> Tensor:
        """(C, h, w) samples of a region of positions, as far as the picture goes."""
        box = region.scaled(self._stride)
        part: Tensor = box.of(self.samples)
        return part

    def pixels(self, region: Region) -> Tensor:
        """(3, h, w) in [−0.5, 0.5] for a region of positions, with the last row and column repeated."""
        part = self.original(region).to(self._device)
        values = part.float() / 255 if part.dtype == torch.uint8 else part.float()
        box = region.scaled(self._stride)
        missing = (0, box.width - part.shape[2], 0, box.height - part.shape[1])
        padded = torch.nn.functional.pad(values[None], missing, mode="replicate")[0]
        return (padded - 0.5).to(self._dtype).expand(3, -1, -1)


class TiledDecoder:
    """What a picture looks like after the planes so far. Holds the states of every tile on all ``sides``."""

    def __init__(
        self,
        network: RecurrentCodec,
        tiles: Sequence[Tile],
        place: Workplace,
        sides: Sequence[str] = ("decoder",),
    ):
        self._network, self._place = network, place
        self.groups = _groups(tiles, place.batch)
        areas = [sum(tile.window.height * tile.window.width for tile in group) for group in self.groups]
        self.states = StateStore(network, areas, sides, place)

    def __iter__(self) -> Iterator[int]:
        """Groups of tiles, one after the other."""
        for index in range(len(self.groups)):
            yield index
            if index % _GROUPS_PER_RELEASE == _GROUPS_PER_RELEASE - 1:
                # glibc seldom reuses what torch frees, since it is aligned: gigabytes of holes add up.
                _core.release_free_memory()

    def advance(self, plane: Codes) -> None:
        """Decode one more plane (D, h, w). Raises :class:`LimitError` if states would not fit."""
        for index in self:
            self.states.put("decoder", index, self._step(index, plane, self.state(index)))

    def state(self, group: int) -> DecoderState | None:
        """State of a group of tiles, None before the first plane."""
        state: DecoderState | None = self.states.get("decoder", group)
        return state

    def _step(self, group: int, plane: Codes, state: DecoderState | None) -> DecoderState:
        with use_backend(self._place.backend):
            return self._network.decode_step(self._codes(group, [plane])[0].to(self._place.dtype), state)

    def _codes(self, group: int, planes: Sequence[Codes]) -> Tensor:
        """Codes of the windows of a group, (planes, windows, depth, h, w) of int8."""
        windows = np.stack([[tile.window.of(plane) for tile in self.groups[group]] for plane in planes])
        return torch.from_numpy(windows).to(self._place.device)

    def pixels(self) -> Iterator[tuple[Region, Tensor]]:
        """Core by core, in positions, its (3, h·s, w·s) pixels in [−0.5, 0.5], not clamped."""
        for index in self:
            state = self.state(index)
            assert state is not None
            with use_backend(self._place.backend):
                pictures = self._network.show(state)
            yield from self._cores(index, pictures)

    def _cores(self, group: int, pictures: Tensor) -> Iterator[tuple[Region, Tensor]]:
        stride = self._network.config.stride
        for tile, picture in zip(self.groups[group], pictures, strict=True):
            yield tile.core, tile.inner.scaled(stride).of(picture)

    def decode(self, planes: Sequence[Codes]) -> Iterator[tuple[Region, Tensor]]:
        """Like advancing by all planes and asking for the pixels, with the state of one group at a time."""
        for index in self:
            pictures = decode_windows(self._network, self._codes(index, planes), self._place)
            yield from self._cores(index, pictures)


def decode_windows(network: RecurrentCodec, codes: Tensor, place: Workplace) -> Tensor:
    """(N, 3, h·s, w·s) pixels in [−0.5, 0.5], not clamped, of codes (planes, N, depth, h, w)."""

    def decode(codes: Tensor) -> Tensor:
        state: DecoderState | None = None
        for plane in codes.to(place.dtype):
            state = network.decode_step(plane, state)
        assert state is not None
        return network.show(state)

    return place.run("decode", decode, codes)


def encode_windows(network: RecurrentCodec, pixels: Tensor, iterations: int, place: Workplace) -> Tensor:
    """Codes (planes, N, depth, h, w), int8, of all iterations of (N, 3, h·s, w·s) pixels in [−0.5, 0.5]."""

    def encode(pixels: Tensor) -> Tensor:
        target = network.front_end.analyse(pixels)
        state: EncoderState | None = None
        decoded: DecoderState | None = None
        planes = []
        for iteration in range(iterations):
            codes, state = network.encode_step(target, state, decoded)
            planes.append(codes.to(torch.int8))
            if iteration < iterations - 1:
                decoded = network.decode_step(codes, decoded)
        return torch.stack(planes)

    return place.run(f"encode {iterations}", encode, pixels)


class TiledEncoder:
    """Codes of a picture, plane by plane. Holds the state of every tile."""

    def __init__(
        self,
        network: RecurrentCodec,
        samples: Samples,
        grid: TileGrid,
        place: Workplace,
    ):
        whole = grid.rows == grid.columns == 1
        # As wide as codes reach: each tile's own decoder is right wherever its encoder looks.
        tiles = grid.tiles(halo=0 if whole else encoder_halo(network.config))
        self._network, self._samples, self._grid, self._place = network, samples, grid, place
        self.decoder = TiledDecoder(network, tiles, place, sides=("encoder", "decoder"))

    def next_plane(self) -> Codes:
        """Codes (D, h, w) of the next iteration. Decode them before asking for more."""
        config = self._network.config
        plane = np.empty((config.depth, self._grid.height, self._grid.width), np.int8)
        for index in self.decoder:
            group = self.decoder.groups[index]
            windows = torch.stack([self._samples.pixels(tile.window) for tile in group])
            state: EncoderState | None = self.decoder.states.get("encoder", index)
            decoded = self.decoder.state(index)
            with use_backend(self._place.backend):
                target = self._network.front_end.analyse(windows)
                codes, state = self._network.encode_step(target, state, decoded)
            self.decoder.states.put("encoder", index, state)
            for tile, window in zip(group, codes.to(torch.int8).cpu().numpy(), strict=True):
                tile.core.of(plane)[:] = tile.inner.of(window)
        return plane

    def decode(self, plane: Codes) -> None:
        """Take the codes as sent, so that the next iteration corrects what they leave."""
        self.decoder.advance(plane)
