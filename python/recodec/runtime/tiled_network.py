"""Networks over tiles of a picture: what is decoded of each, and what is encoded next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recodec import _core
from recodec.networks.loop import decode, iterate
from recodec.networks.plane_network import PlaneNetwork, State
from recodec.ops.backend import use_backend
from recodec.runtime.samples import Samples
from recodec.runtime.states import StateStore, Workplace, with_window
from recodec.runtime.tiling import Region, Tile, TileGrid, group_tiles

Codes: TypeAlias = NDArray[np.int8]

# Positions in tiles that are computed together where each is much smaller.
SMALL_TILES = 64 * 64

# After every one, a third of the time would go into getting the memory back.
_GROUPS_PER_RELEASE = 8


class TiledDecoder:
    """What a picture looks like after the planes so far. Holds the states of every tile on all ``sides``.

    Raises :class:`LimitError` where there is no room to compute the largest tile.
    """

    def __init__(
        self,
        network: PlaneNetwork,
        tiles: Sequence[Tile],
        place: Workplace,
        sides: Sequence[str] = ("decoder",),
    ):
        place = with_window(network, max(tile.window.height * tile.window.width for tile in tiles), place)
        self._network, self._place = network, place
        # Bytes that it counts on, of the whole process, without states.
        self.reserved = place.reserved
        # Small ones together, since each step has a cost of its own: files may have thousands.
        self.groups = group_tiles(tiles, place.batch, SMALL_TILES)
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

    def state(self, group: int) -> State:
        """State of a group of tiles, None before the first plane."""
        state: State = self.states.get("decoder", group)
        return state

    def _step(self, group: int, plane: Codes, state: State) -> State:
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
                pictures = self._network.synthesise(state)
            yield from self._cores(index, pictures)

    def _cores(self, group: int, pictures: Tensor) -> Iterator[tuple[Region, Tensor]]:
        stride = self._network.stride
        for tile, picture in zip(self.groups[group], pictures, strict=True):
            yield tile.core, tile.inner.scaled(stride).of(picture)

    def decode(self, planes: Sequence[Codes]) -> Iterator[tuple[Region, Tensor]]:
        """Like advancing by all planes and asking for the pixels, with the state of one group at a time."""
        for index in self:
            pictures = decode_windows(self._network, list(self._codes(index, planes)), self._place)
            yield from self._cores(index, pictures)


def decode_windows(network: PlaneNetwork, planes: Sequence[Tensor], place: Workplace) -> Tensor:
    """(N, 3, h·s, w·s) pixels in [−0.5, 0.5], not clamped, of planes of codes (N, codes, h, w)."""

    def decode_all(*planes: Tensor) -> Tensor:
        return network.synthesise(decode(network, [codes.to(place.dtype) for codes in planes]))

    return place.run("decode", decode_all, *planes)


def encode_windows(network: PlaneNetwork, pixels: Tensor, iterations: int, place: Workplace) -> list[Tensor]:
    """Planes of codes (N, codes, h, w), int8, of all iterations of (N, 3, h·s, w·s) pixels in [−0.5, 0.5]."""

    def encode(pixels: Tensor) -> Tensor:
        loop = iterate(network, network.analyse(pixels), iterations, decode_last=False)
        return torch.cat([codes.to(torch.int8) for codes, _ in loop], 1)

    codes = place.run(f"encode {iterations}", encode, pixels)
    return list(torch.split(codes, [network.codes_in(iteration) for iteration in range(iterations)], 1))


class TiledEncoder:
    """Codes of a picture, plane by plane. Holds the state of every tile."""

    def __init__(
        self,
        network: PlaneNetwork,
        samples: Samples,
        grid: TileGrid,
        place: Workplace,
    ):
        whole = grid.rows == grid.columns == 1
        # As wide as codes reach: each tile's own decoder is right wherever its encoder looks.
        tiles = grid.tiles(halo=0 if whole else network.reach.encoder)
        self._network, self._samples, self._grid, self._place = network, samples, grid, place
        self.decoder = TiledDecoder(network, tiles, place, sides=("encoder", "decoder"))

    def next_plane(self) -> Codes:
        """Codes (D, h, w) of the next iteration. Decode them before asking for more."""
        plane = np.empty((self._network.depth, self._grid.height, self._grid.width), np.int8)
        for index in self.decoder:
            group = self.decoder.groups[index]
            windows = torch.stack([self._samples.pixels(tile.window) for tile in group])
            state: State = self.decoder.states.get("encoder", index)
            decoded = self.decoder.state(index)
            with use_backend(self._place.backend):
                target = self._network.analyse(windows)
                codes, state = self._network.encode_step(target, state, decoded)
            self.decoder.states.put("encoder", index, state)
            for tile, window in zip(group, codes.to(torch.int8).cpu().numpy(), strict=True):
                tile.core.of(plane)[:] = tile.inner.of(window)
        return plane

    def decode(self, plane: Codes) -> None:
        """Take the codes as sent, so that the next iteration corrects what they leave."""
        self.decoder.advance(plane)

    def planes(self, iterations: int) -> Iterator[Codes]:
        """Codes of each iteration, from the first on."""
        for iteration in range(iterations):
            plane = self.next_plane()
            yield plane
            if iteration < iterations - 1:
                self.decode(plane)
